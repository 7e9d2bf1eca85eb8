"""Arithmetic: class means, expressions, walks, traversals, sliders and concept directions."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.latents import Scope
from explorer.ui import choosing, codes, moves, uploads, view
from explorer.ui.library import Mapped
from explorer.ui.markdown import plain
from explorer.ui.panels.directions import directions_panel
from explorer.ui.panels.expression import expression_panel
from explorer.ui.panels.map_view import map_view
from explorer.ui.panels.means import means_panel
from explorer.ui.panels.shown import Shown
from explorer.ui.panels.steering import steering_panel
from explorer.ui.panels.traversal import traversal_panel
from explorer.ui.panels.walk import walk_panel

_TOOL = moves.ARITHMETIC_TOOL
TOOLS: dict[str, tuple[str, Callable[[Mapped, Scope], Shown]]] = {
    "expression": ("Expression", expression_panel),
    "walk": ("Walk", walk_panel),
    "traversal": ("Traversal", traversal_panel),
    "sliders": ("Sliders", steering_panel),
    "directions": ("Directions", directions_panel),
}

WORDS = """
- **Code**: the few numbers that stand for an image. Codes can be added, subtracted and multiplied by numbers, and
  every result can be decoded.
- **Class mean**: the average of the codes of a class's images.
- **Walk (interpolation)**: codes step by step from one to another, each decoded.
- **Traversal**: one latent moved from one end of the prior to the other, the rest held still.
- **Collapsed latent**: one that the encoder never uses; moving it changes nothing.
- **Direction**: what has to be added to a code to go from one group of images towards another.
- **Aggregate posterior**: where the encoder puts real images. Far from it the decoder has never been trained.
"""


def pick_tool() -> str:
    """Which of the tools is open."""
    view.restore_choice("tool", _TOOL, list(TOOLS), "the tool", {name: tool[0] for name, tool in TOOLS.items()})
    st.session_state.setdefault(_TOOL, "expression")
    return st.segmented_control(
        "Tool",
        list(TOOLS),
        format_func=lambda name: TOOLS[name][0],
        key=_TOOL,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Add, blend and walk through codes", width="content")
        with st.container(horizontal=True, width="content"):
            upload = st.container(width="content")
            with st.popover("Words", icon=":material/help:", type="tertiary", key="words"):
                st.markdown(WORDS)
    model = choosing.pick_model()
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    means_box = st.container()
    tool = pick_tool()
    left, right = st.columns([4, 3], gap="medium")
    with right:
        controls = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
        data = choosing.pick_mapped(model, controls, widths=(135, 185))
    with upload:
        uploads.upload_popover(data)
    view.restore_pick(data)
    pick = view.current(data)
    with means_box:
        means = means_panel(data)
    with left:
        shown = TOOLS[tool][1](data, codes.scope(data, means, pick, uploads.current()))
    color = choosing.kept_color(data)
    with right:
        map_view(
            data,
            pick,
            key="arithmetic_map",
            color=color,
            marks=shown.marks,
            trails=shown.trails,
            follows=shown.follows,
            pick_label="here",
            height=480,
        )
    for text in [*view.notices(), *data.notes]:
        notices.warning(plain(text))
    more = {**choosing.address(data), **({} if tool == "expression" else {"tool": tool}), **shown.address}
    view.write_url(model.info.id, color, data.map.kind, data.name, pick, more)


main()
