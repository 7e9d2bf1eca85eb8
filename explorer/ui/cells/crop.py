"""A picture that is much larger than a cell: the hint that single cells are wanted, and a square cut out of it."""

from __future__ import annotations

import streamlit as st

from explorer.errors import ImageError
from explorer.images.large import Large
from explorer.ui import html
from explorer.ui.cells.uploads import Square, UploadedCell, recrop
from explorer.ui.markdown import plain

_SMALLEST, _USUAL = 40, 160  # pixels a side: single cells of a microscope's camera have 100 to 200
_STEPS = 500  # of a slider: more than its length on the screen
_PREVIEW, _CUT = 280, 150
_MOVED = "cells_upload_moved"
_BRIGHT = (
    " With the slide's background around it, even a whole cell is unlike those in training: paint the background "
    "black and upload the cell again."
)


def crop_panel(cell: UploadedCell) -> None:
    """Draws it for a picture that is large; nothing for another."""
    if not cell.is_large:
        return
    width, height = cell.size
    bright = _BRIGHT if cell.verdict.unlike else ""
    with st.container(key="cells_upload_large", border=True):
        st.markdown(
            f"**This picture has {width:,} × {height:,} pixels, like a slide. Screening needs single cells,** cut out "
            "along their outline, on black. "
            + (
                f"Below is the result for a square of {cell.crop.side:,} pixels.{bright}"
                if cell.crop
                else "Below is the result for the whole picture, which says nothing about the cells on it."
            )
        )
        if cell.large is None:
            st.caption("To cut a cell out of it, remove some of the large pictures and upload it again.")
            return
        _choose(cell, cell.large)


def _choose(cell: UploadedCell, large: Large) -> None:
    left, right = st.columns([3, 4], gap="medium", vertical_alignment="center")
    with left:
        most = large.largest
        side = _slider(cell, "Side of the square, in pixels", "side", min(_SMALLEST, most), most, min(_USUAL, most))
        width, height = large.size
        x = _slider(cell, "Its centre, from the left", "x", 0, width, width // 2)
        y = _slider(cell, "Its centre, from the top", "y", 0, height, height // 2)
        try:
            large = _at(cell, large, (x, y))
        except ImageError as error:
            st.error(plain(str(error)))
            return
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Use this square",
                key="cells_upload_centre",
                type="primary",
                disabled=cell.crop == Square(side, large.place),
                on_click=recrop,
                args=(cell, large, side),
            )
            if cell.crop is not None:
                whole = (cell, large, None)
                st.button("Use the whole picture", key="cells_upload_whole", on_click=recrop, args=whole)
    with right:
        st.html(_preview(large, side))


def _slider(cell: UploadedCell, label: str, what: str, least: int, most: int, usual: int) -> int:
    if least >= most:
        return most
    key = f"cells_upload_{what}_{cell.digest[:12]}"
    st.session_state.setdefault(key, usual)
    return st.slider(label, least, most, key=key, step=max(1, (most - least) // _STEPS))


def _at(cell: UploadedCell, large: Large, place: tuple[int, int]) -> Large:
    """Moves the picture's window to a place; the last one is kept, since decoding can take a second."""
    if place == large.place:
        return large
    known: tuple[str, Large] | None = st.session_state.get(_MOVED)
    if known is None or (known[0], known[1].place, known[1].planes) != (cell.digest, place, cell.planes):
        with st.spinner("Reading that place …"):
            known = cell.digest, large.at(place)
        st.session_state[_MOVED] = known
    return known[1]


def _preview(large: Large, side: int) -> str:
    """Draws the picture with the square on it, and what is in the square."""
    left, top, right, bottom = large.outline(side)
    width, height = large.overview.size
    scale = _PREVIEW / max(width, height)
    box = f"left:{left:.2%};top:{top:.2%};width:{right - left:.2%};height:{bottom - top:.2%}"
    whole = (
        f'<div style="position:relative;width:{width * scale:.0f}px;height:{height * scale:.0f}px">'
        f'<img src="{html.source(large.overview, "WEBP")}" alt="the picture, reduced" '
        'style="width:100%;height:100%;border-radius:4px">'
        f'<div style="position:absolute;{box};outline:2px solid #e0218a;outline-offset:1px;min-width:4px;'
        'min-height:4px"></div></div>'
    )
    source = html.source(large.crop(side).resize((_CUT, _CUT)), "WEBP")
    cut = f'<img src="{source}" alt="the square" style="width:{_CUT}px;max-width:100%;border-radius:4px">'
    return f'<div style="display:flex;gap:12px;align-items:center;flex-wrap:wrap">{whole}{cut}</div>'
