"""Reconstruct: any picture through any model, and how it compares with what the model was measured on."""

from __future__ import annotations

import streamlit as st

from explorer.ui import address, cache, page_switch, pickers, selection
from explorer.ui.glossary import glossary, meaning
from explorer.ui.markdown import plain
from explorer.ui.panels import guarded
from explorer.ui.reconstruct import compare, completion, corruption
from explorer.ui.reconstruct.analysis import Analysis, analyse
from explorer.ui.reconstruct.completion import completion_panel
from explorer.ui.reconstruct.corruption import corruption_panel
from explorer.ui.reconstruct.place import place_panel
from explorer.ui.reconstruct.ranking import rank_panel
from explorer.ui.reconstruct.result import result
from explorer.ui.reconstruct.source import default_source, source_panel

_TOOL = "reconstruct_tool"
TOOLS = {"spoil": "Noise, blur, gaps", "complete": "Complete a half", "rank": "Rank a folder or zip"}


def pick_tool() -> str:
    """Draws the choice of a tool; returns the one that is open."""
    return pickers.pick_one("Tool", "tool", _TOOL, TOOLS, "the tool", label_visibility="collapsed")


def empty(source: str) -> None:
    """Says what to do, where the result will be."""
    texts = {
        "draw": "**Draw a digit** with the mouse or a finger: the model reconstructs it as you draw.",
        "upload": "**Drop pictures** on the field, or choose, paste or photograph them. Any format, size and shape "
        "will do: each is cropped, padded and resized to suit the model, and you see how.",
        "test": "**Choose a test image**, once the data set is on this machine.",
    }
    with st.container(key="nothing_yet", border=True):
        st.markdown(texts[source])
        st.caption(
            "You will then see the picture as the model sees it, its reconstruction and the difference, how well the "
            "model explains it compared with its test images, and where it lies among them."
        )


def workspace(model: cache.Model) -> None:
    """Draws all that follows a picture: one fragment, so that a stroke does not rerun the whole page."""
    page_switch.hand_over()
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    data = pickers.pick_data(model, controls)
    with controls:
        others = compare.pick_others(model)
    address.restore_pick(data)
    pick = selection.current(data)
    left, right = st.columns([4, 9], gap="large")
    below = st.container()
    with left:
        subject, source = source_panel(data, pick)
    analyses: list[Analysis] = []
    with right if subject is None or not others else below:
        if subject is None:
            empty(source)
        else:
            analyses = [analyse(subject, one) for one in (data, *others)]
            result(analyses)
    color = pickers.chosen_color(data)
    place_panel(data, analyses, pick, source, color)

    tool = pick_tool()
    # Always there: what a fragment within this one sends must not come before the place that it belongs to, and when
    # strokes follow one another, Streamlit drops what the last run has made of this one but keeps what is within.
    hint, corrupted, completed, rank = (st.container(key=key) for key in (None, "spoil", "complete", "rank"))
    if tool == "rank":
        with rank:
            rank_panel(data)
    elif analyses and tool == "complete":
        with completed:
            completion_panel(analyses[0])
    elif analyses:
        with corrupted:
            corruption_panel(analyses[0])
    elif tool == "complete":
        hint.caption("With a picture above, its upper half is completed here, several times.")
    else:
        hint.caption(
            "With a picture above, sliders appear here that corrupt it, and you see what the model makes of it."
        )
    more = {**compare.query(others), **corruption.query(), **completion.query(model)}
    more |= {} if source == default_source(data) else {"source": source}
    more |= {} if tool == "spoil" else {"tool": tool}
    address.write_url(data, color, pick, more)
    for text in [*address.notices(), *data.notes]:
        notices.warning(plain(text))


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Any picture through any model", width="content", help=_HELP)
        glossary()
    st.fragment(guarded(workspace))(pickers.pick_model())


_HELP = meaning("Reconstruction", "ELBO", "Image", "Unusual code")

main()
