"""Small pictures of pictures of any size: for tiles to choose from, and for the steps that a picture went through."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from PIL import Image, ImageOps

from explorer.images import pictures
from explorer.ui import html

TILE = 64  # pixels
_SHEET = "reconstruct_sheet"
_INK = (32, 34, 37)  # around pictures that are no squares: neither black nor white, which they may be themselves


def thumb(picture: Image.Image, side: int) -> Image.Image:
    """Shrinks a picture so that its longer side has that many pixels; a smaller one is left as it is."""
    small = picture.copy()
    small.thumbnail((side, side))
    return small


def tile(picture: Image.Image) -> Image.Image:
    """Fits a picture into a square of TILE pixels."""
    return ImageOps.pad(picture.convert("RGB"), (TILE, TILE), color=_INK)


def sheet_of(idents: tuple[int, ...], small: Sequence[Image.Image]) -> str:
    """Gives the URL of tiles in one row, kept in the session as long as the idents are the same."""
    made: tuple[tuple[int, ...], str] | None = st.session_state.get(_SHEET)
    if made is None or made[0] != idents:
        made = st.session_state[_SHEET] = (idents, html.source(pictures.mosaic(small, len(small)), "WEBP"))
    return made[1]
