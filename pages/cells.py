"""Cells: healthy blood cells next to cells with malaria, as generative models draw them and as they see yours."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.ui import address, page_switch, pickers
from explorer.ui.cells.gems import gems_panel
from explorer.ui.cells.initialisation import init_panel
from explorer.ui.cells.pair import pair_panel
from explorer.ui.cells.screening import upload_panel
from explorer.ui.glossary import glossary, meaning
from explorer.ui.markdown import plain

_PART = page_switch.CELLS_PART
PARTS: dict[str, tuple[str, Callable[[], dict[str, str]]]] = {
    "pair": ("Side by side", pair_panel),
    "upload": ("Upload cells", upload_panel),
    "init": ("Xavier against Kaiming", init_panel),
    "gems": ("Gems", gems_panel),
}


def pick_part() -> str:
    """Draws the choice of a part of the screen; returns the one that is open."""
    names = {name: title for name, (title, _) in PARTS.items()}
    return pickers.pick_one("Part", "part", _PART, names, "the part", label_visibility="collapsed")


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Healthy cells, and cells with malaria", width="content", help=_HELP)
        glossary()
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    part = pick_part()
    query = {**({} if part == "pair" else {"part": part}), **PARTS[part][1]()}
    for text in address.notices():
        notices.warning(plain(text))
    address.put_address(query)


_HELP = meaning("Code", "Prior", "Reconstruction", "Initialisation")

main()
