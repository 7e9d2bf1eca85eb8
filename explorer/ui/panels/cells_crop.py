"""A picture that is much larger than a cell: the hint that single cells are wanted, and its centre cut out."""

from __future__ import annotations

import streamlit as st

from explorer.datasets.slides import Large
from explorer.ui import html
from explorer.ui.panels import cells_intake
from explorer.ui.panels.cells_kept import UploadedCell

_SMALLEST, _USUAL = 40, 160  # pixels a side: single cells of a microscope's camera have 100 to 200
_PREVIEW = 150


def crop_panel(cell: UploadedCell) -> None:
    """Draw it for a picture that is large; nothing for another."""
    if not cells_intake.is_large(cell):
        return
    width, height = cell.size
    with st.container(key="cells_upload_large", border=True):
        st.markdown(
            f"**This picture has {width:,} × {height:,} pixels: it looks like a slide, and the screen wants single "
            "cells,** cut out along their outline, on black. "
            + (
                f"Below is what it makes of the {cell.crop:,} pixels in the middle."
                if cell.crop
                else "Below is what it makes of the picture as a whole, which says nothing about the cells on it."
            )
        )
        if cell.large is None:
            st.caption("To cut out its centre, clear some of the large pictures and upload it again.")
            return
        _choose(cell, cell.large)


def _choose(cell: UploadedCell, large: Large) -> None:
    smallest = min(_SMALLEST, large.largest)
    key = f"cells_upload_side_{cell.digest[:12]}"
    st.session_state.setdefault(key, min(_USUAL, large.largest))
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with left:
        side = smallest
        if smallest < large.largest:
            side = st.slider("Side of the square, in pixels of the picture", smallest, large.largest, key=key)
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Use the centre",
                key="cells_upload_centre",
                type="primary",
                disabled=cell.crop == side,
                on_click=cells_intake.recrop,
                args=(cell, side),
            )
            if cell.crop is not None:
                st.button("Use all of it", key="cells_upload_whole", on_click=cells_intake.recrop, args=(cell, None))
    with right:
        st.html(_preview(large, side))


def _preview(large: Large, side: int) -> str:
    """The picture with the square on it, and what is in the square."""
    left, top, right, bottom = large.outline(side)
    width, height = large.overview.size
    scale = _PREVIEW / max(width, height)
    box = f"left:{left:.2%};top:{top:.2%};width:{right - left:.2%};height:{bottom - top:.2%}"
    whole = (
        f'<div style="position:relative;width:{width * scale:.0f}px;height:{height * scale:.0f}px">'
        f'<img src="{_jpeg(large)}" alt="the picture, reduced" style="width:100%;height:100%;border-radius:4px">'
        f'<div style="position:absolute;{box};outline:2px solid #e0218a;outline-offset:1px;min-width:4px;'
        'min-height:4px"></div></div>'
    )
    crop = large.crop(side).resize((_PREVIEW, _PREVIEW))
    source = html.source(crop, "WEBP")
    cut = (
        f'<img src="{source}" alt="the square in its centre" '
        f'style="width:{_PREVIEW}px;max-width:100%;border-radius:4px">'
    )
    return f'<div style="display:flex;gap:12px;align-items:center;flex-wrap:wrap">{whole}{cut}</div>'


def _jpeg(large: Large) -> str:
    return html.source(large.overview, "WEBP")
