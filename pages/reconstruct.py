"""Reconstruct: any picture through any model, and how it compares with what the model was measured on."""

from __future__ import annotations

import streamlit as st

from explorer.ui import choosing, library, moves, view
from explorer.ui.components.pulse import pulse
from explorer.ui.markdown import plain
from explorer.ui.panels import reconstruct_compare, reconstruct_spoil
from explorer.ui.panels.reconstruct_looking import Looked, look
from explorer.ui.panels.reconstruct_place import place_panel
from explorer.ui.panels.reconstruct_rank import rank_panel
from explorer.ui.panels.reconstruct_result import result
from explorer.ui.panels.reconstruct_source import default_source, source_panel
from explorer.ui.panels.reconstruct_spoil import spoil_panel

_TOOL = "reconstruct_tool"
_ADDRESS_SECONDS = 2.0  # a slider's every move would be a step back in the browser's history
TOOLS = {"spoil": "Noise, blur, gaps", "rank": "Rank a folder or zip"}

WORDS = """
- **Reconstruction**: the picture turned into a code, a few numbers, and the code into a picture again. A model can
  only draw what it has learnt: the difference shows what it does not know.
- **ELBO**: how well the model accounts for the picture, in nats; higher is better. It is the **reconstruction** term
  (how close the reconstruction comes) less the **KL** (how much the code tells beyond the prior).
- **Better than 12% of the test images**: 12% of the images that the model was measured on have a smaller ELBO.
- **Nearest**: the images whose codes lie closest to the picture's, and so the model finds them alike.
- **Unusual code**: it lies where hardly any test image's code does.
"""


def pick_tool() -> str:
    """Which of the tools is open."""
    view.restore_choice("tool", _TOOL, list(TOOLS), "the tool", TOOLS)
    st.session_state.setdefault(_TOOL, "spoil")
    tool = st.segmented_control(
        "Tool",
        list(TOOLS),
        format_func=TOOLS.__getitem__,
        key=_TOOL,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    return str(tool)


def empty(source: str) -> None:
    """What to do, where the result will be."""
    texts = {
        "draw": "**Draw a digit** with the mouse or a finger: the model reconstructs it while you draw.",
        "upload": "**Drop pictures** on the field, choose, paste or photograph them. Any format, size and shape will "
        "do: each is cropped, padded and resized to what the model knows, and you see how.",
        "test": "**Choose a test image**, once the images are here.",
    }
    with st.container(key="nothing_yet", border=True):
        st.markdown(texts[source])
        st.caption(
            "Then this shows the picture as the model sees it, its reconstruction and the difference, how well the "
            "model accounts for it compared with its test images, and where it lies among them."
        )


def workspace(model: library.Model) -> None:
    """All that follows a picture: one fragment, so that a stroke does not rerun the whole page."""
    moves.hand_over()
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    data = choosing.pick_mapped(model, controls)
    with controls:
        others = reconstruct_compare.pick_others(model)
    view.restore_pick(data)
    pick = view.current(data)
    left, right = st.columns([4, 9], gap="large")
    below = st.container()
    with left:
        subject, source = source_panel(data, pick)
    looked: list[Looked] = []
    with right if subject is None or not others else below:
        if subject is None:
            empty(source)
        else:
            looked = [look(subject, one) for one in (data, *others)]
            result(looked)
    color = choosing.kept_color(data)
    place_panel(data, looked, pick, source, color)

    def write_address() -> None:
        more = {**choosing.address(data), **reconstruct_compare.address(others), **reconstruct_spoil.address()}
        more |= {} if source == default_source(data) else {"source": source}
        more |= {} if tool == "spoil" else {"tool": tool}
        view.write_url(model.info.id, color, data.map.kind, data.name, pick, more)
        pulse("address_pulse", _ADDRESS_SECONDS)

    tool = pick_tool()
    # Always there: what a fragment within this one sends must not come before the place that it belongs to, and when
    # strokes follow one another, Streamlit drops what the last run has made of this one but keeps what is within.
    hint, spoil, rank = st.container(), st.container(key="spoil"), st.container(key="rank")
    if tool == "rank":
        with rank:
            rank_panel(data)
    elif looked:
        with spoil:
            spoil_panel(looked[0])
    else:
        hint.caption("With a picture above, sliders spoil it here, and you see what the model makes of that.")
    st.fragment(write_address)()
    for text in [*view.notices(), *data.notes]:
        notices.warning(plain(text))


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Any picture through any model", width="content")
        with st.popover("Words", icon=":material/help:", type="tertiary", key="words"):
            st.markdown(WORDS)
    st.fragment(workspace)(choosing.pick_model())


main()
