"""Small pictures of pictures of any size: for tiles to choose from, and for the steps that a picture went through."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageOps

from explorer import pictures
from explorer.ui import html

_INK = (32, 34, 37)  # around pictures that are no squares: neither black nor white, which they may be themselves


def thumb(picture: Image.Image, side: int) -> Image.Image:
    """The picture, shrunk so that its longer side has that many pixels; a smaller one is left as it is."""
    small = picture.copy()
    small.thumbnail((side, side))
    return small


def thumb_sheet(found: Sequence[Image.Image], side: int) -> str:
    """URL of all of them in one row, each in a square of that side."""
    parts = [ImageOps.pad(picture.convert("RGB"), (side, side), color=_INK) for picture in found]
    return html.source(pictures.mosaic(parts, len(parts)), "WEBP")
