"""Where a picture's code lies: on the map, among which test images, and where to go on with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from explorer.ui import page_switch, selection
from explorer.ui.arithmetic import expression
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import upload
from explorer.ui.codes.map_marks import ring
from explorer.ui.codes.map_view import map_notes, map_view
from explorer.ui.codes.neighbours import neighbour_tiles
from explorer.ui.markdown import plain
from explorer.ui.reconstruct.analysis import Analysis
from explorer.ui.reconstruct.source import use_test_image
from explorer.ui.selection import Pick

_WHICH = "reconstruct_map_of"
_HEIGHT = 440


def place_panel(data: EncodedDataset, analyses: Sequence[Analysis], pick: Pick | None, source: str, color: str) -> None:
    """Draws the map with a ring where the picture lies, and beside it the nearest images and the ways on."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        one = _which(analyses)
        shown = data if one is None else one.data
        of_item = source == "test"  # which is the pick itself
        marks = () if one is None else (ring(shown, one.judgement.code[0], _label(one, of_item), "result"),)
        beside = pick if pick is not None and pick.model == shown.model.info.id and not of_item else None
        # A pick is of the screen's own model and data: on another's map there is nothing to pick.
        map_view(
            shown,
            beside,
            key="reconstruct_map",
            color=color,
            marks=marks,
            pick_label="picked",
            height=_HEIGHT,
            on_click=partial(selection.choose_click, data) if shown is data else None,
        )
        map_notes(shown, color)
    with right:
        if one is None:
            st.caption("The map shows the codes of the test images; a ring will mark your picture.")
            return
        neighbour_tiles(
            one.data,
            one.judgement.code[0],
            key="neighbours",
            on_pick=partial(selection.choose_row, data, origin="the nearest images") if shown is data else None,
            without=one.row,
        )
        if beside is not None:
            _picked(shown, beside)
        _ways_on(analyses[0])


def _which(analyses: Sequence[Analysis]) -> Analysis | None:
    """Draws the choice of the model whose map is shown: the screen's own, or another of those beside it."""
    if len(analyses) < 2:
        return analyses[0] if analyses else None
    names = {one.data.model.info.id: one for one in analyses}
    if st.session_state.get(_WHICH) not in names:
        st.session_state[_WHICH] = next(iter(names))
    chosen = st.segmented_control(
        "Map of", list(names), format_func=plain, key=_WHICH, required=True, persist_state="session"
    )
    return names[str(chosen)]


def _label(one: Analysis, of_item: bool) -> str:
    return "this image" if of_item else "your drawing" if one.subject.slot == "drawing" else "your picture"


def _picked(data: EncodedDataset, pick: Pick) -> None:
    """Draws what a click on the map or on a neighbour has picked, and how to look at it here."""
    row = selection.row_of(data, pick)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Picked: {plain(selection.row_name(data, row)) if row is not None else 'a spot'}", width="content")
        if row is not None and not isinstance(data.originals(), str):
            st.button("Use it here", key="look_at_pick", type="tertiary", on_click=use_test_image)
        st.button("Forget it", key="forget_pick", type="tertiary", on_click=selection.clear)


def _ways_on(one: Analysis) -> None:
    def to_arithmetic() -> None:
        upload.use(one.subject.name, one.subject.picture, one.data, one.prepared.steps)
        page_switch.go(page_switch.ARITHMETIC, **{page_switch.ARITHMETIC_TOOL: "expression", expression.KEY: "upload"})

    def to_explore() -> None:
        index = one.subject.index
        row = None if index is None else one.data.row_of(index)
        if row is None:
            selection.choose_code(one.data, one.judgement.code[0], f"Reconstruct: {one.subject.name}")
        else:
            selection.choose_row(one.data, row, "Reconstruct")
        page_switch.go(page_switch.EXPLORE)

    st.caption("Go on with its code")
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Use in Arithmetic",
            key="to_arithmetic",
            icon=":material/calculate:",
            on_click=to_arithmetic,
            help="The expression there becomes `upload`; walks and sliders call it that, too.",
        )
        st.button(
            "Show in Explore",
            key="to_explore",
            icon=":material/scatter_plot:",
            on_click=to_explore,
            help="Selects this code on Explore.",
        )
