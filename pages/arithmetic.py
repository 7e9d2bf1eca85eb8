"""Arithmetic: class means, expressions, walks, traversals, sliders and concept directions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from explorer.checkpoints.model import Model
from explorer.latents import Scope
from explorer.ui import address, page_switch, pickers, selection
from explorer.ui.arithmetic.directions import directions_panel
from explorer.ui.arithmetic.expression import expression_panel
from explorer.ui.arithmetic.layers import layers_panel
from explorer.ui.arithmetic.means import means_panel, means_query
from explorer.ui.arithmetic.sliders import steering_panel
from explorer.ui.arithmetic.traversal import traversal_panel
from explorer.ui.arithmetic.walk import walk_panel
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import computed, upload
from explorer.ui.codes.abilities import blends_note, why_no_blends
from explorer.ui.codes.layers import has_layers
from explorer.ui.codes.map_marks import MapMarks
from explorer.ui.codes.map_view import map_notes, map_view
from explorer.ui.glossary import glossary, meaning
from explorer.ui.markdown import plain

_TOOL = page_switch.ARITHMETIC_TOOL
TOOLS: dict[str, tuple[str, Callable[[EncodedDataset, Scope], MapMarks]]] = {
    "expression": ("Expression", expression_panel),
    "walk": ("Walk", walk_panel),
    "traversal": ("Traversal", traversal_panel),
    "sliders": ("Sliders", steering_panel),
    "directions": ("Directions", directions_panel),
    "layers": ("Layers", layers_panel),
}


def pick_tool(model: Model) -> str:
    """Which of the tools is open; a model with a single layer of latents has nothing to cut."""
    names = {name: title for name, (title, _) in TOOLS.items() if name != "layers" or has_layers(model)}
    return pickers.pick_one("Tool", "tool", _TOOL, names, "the tool", label_visibility="collapsed")


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Add, blend and walk through codes", width="content", help=_HELP)
        with st.container(horizontal=True, width="content"):
            upload_box = st.container(width="content")
            glossary()
    model = pickers.pick_model()
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    means_box = st.container()
    missing = why_no_blends(model, "sums, walks, traversals, sliders or directions")
    tool = "expression" if missing else pick_tool(model)
    left, right = st.columns([4, 3], gap="medium")
    with right:
        controls = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
        data = pickers.pick_data(model, controls, widths=(135, 185))
    with upload_box:
        upload.upload_popover(data)
    address.restore_pick(data)
    address.restore_map(data)
    pick = selection.current(data)
    shown = MapMarks()
    if missing:
        left.info(missing)
    else:
        with means_box:
            if note := blends_note(model):
                st.caption(note)
            means = means_panel(data)
        with left:
            shown = TOOLS[tool][1](data, computed.scope(data, means, pick, upload.current()))
    color = pickers.chosen_color(data)
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
            on_click=partial(selection.choose_click, data),
            height=480,
            keeps_view=True,
        )
        map_notes(data, color)
    for text in [*address.notices(), *data.notes]:
        notices.warning(plain(text))
    more = {"tool": "" if tool == "expression" else tool, **means_query(), **address.map_query(data), **shown.address}
    address.write_url(data, color, pick, more)


_HELP = meaning("Code", "Class mean", "Direction", "Emptier region")

main()
