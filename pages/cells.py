"""Cells: healthy blood cells next to cells with malaria, as generative models draw them and as they see yours."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.ui import moves, view
from explorer.ui.markdown import plain
from explorer.ui.panels.cells_gems import gems_panel
from explorer.ui.panels.cells_init import init_panel
from explorer.ui.panels.cells_pair import pair_panel
from explorer.ui.panels.cells_upload import upload_panel

_PART = moves.CELLS_PART
PARTS: dict[str, tuple[str, Callable[[], dict[str, str]]]] = {
    "pair": ("Side by side", pair_panel),
    "upload": ("Upload cells", upload_panel),
    "init": ("Xavier against Kaiming", init_panel),
    "gems": ("Gems", gems_panel),
}


def pick_part() -> str:
    """Which part of the screen is open."""
    view.restore_choice("part", _PART, list(PARTS), "the part", {name: part[0] for name, part in PARTS.items()})
    st.session_state.setdefault(_PART, "pair")
    return st.segmented_control(
        "Part",
        list(PARTS),
        format_func=lambda name: PARTS[name][0],
        key=_PART,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )


def main() -> None:
    st.markdown("### Healthy cells, and cells with malaria")
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    part = pick_part()
    address = {**({} if part == "pair" else {"part": part}), **PARTS[part][1]()}
    for text in view.notices():
        notices.warning(plain(text))
    view.put_address(address)


main()
