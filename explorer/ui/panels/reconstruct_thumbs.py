"""Small pictures of pictures of any size: for tiles to choose from, and for the steps that a picture went through."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from PIL import Image, ImageOps

from explorer import pictures
from explorer.ui import assets

_INK = (32, 34, 37)  # around pictures that are no squares: neither black nor white, which they may be themselves


def thumb(picture: Image.Image, side: int) -> Image.Image:
    """The picture, shrunk so that its longer side has that many pixels; a smaller one is left as it is."""
    small = picture.copy()
    small.thumbnail((side, side))
    return small


def thumb_sheet(found: Sequence[Image.Image], digests: Sequence[str], side: int) -> str:
    """URL of all of them in one row, each in a square of that side; the digests name them."""
    name = sha256("\n".join(digests).encode()).hexdigest()[:24]

    def make() -> bytes:
        parts = [ImageOps.pad(picture.convert("RGB"), (side, side), color=_INK) for picture in found]
        return pictures.encode(pictures.mosaic(parts, len(parts)), "WEBP")

    return assets.publish(f"thumbs-{name}-{side}.webp", make, "image/webp")
