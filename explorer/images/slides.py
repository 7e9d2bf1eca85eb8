"""A picture that ought to show one cell and may be a whole slide, decoded: all of it reduced, and a part of it in full.

A slide scanner's picture has more pixels than `reading.read` takes. A JPEG of that size is decoded at a half, a quarter
or an eighth of its scale, line by line; others are decoded whole, one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from explorer.errors import ImageError
from explorer.images.arrays import to_array
from explorer.images.depth import is_deep_colour, is_gray, with_12_bits
from explorer.images.profiles import to_srgb
from explorer.images.reading import (
    DAMAGED,
    MAX_PIXELS,
    SIDEWAYS,
    TURNED,
    MemoryNeeded,
    Picture,
    load,
    memory_needed,
    opened,
    planes_notes,
    planes_of,
    read,
    too_many,
    turn_of,
)
from explorer.images.stacks import FIRST, Planes, is_unknown_to_pillow

LARGE_SIDE = 1000  # pixels: a single cell is cut out at some hundred
MOST_SCALED = 400_000_000  # pixels of a JPEG that is decoded at a reduced scale: four seconds
MOST_WHOLE = 2 * MAX_PIXELS  # of others, decoded in place: as much memory as `read` takes for MAX_PIXELS

_WINDOW = 1024  # pixels a side
_OVERVIEW = 512
_SCALED_PIXELS = 36_000_000  # of a JPEG at its reduced scale, about
_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "BMP")
# Which turns put first what lies on the right, or at the bottom, in the file.
_FROM_RIGHT = {Image.Transpose[name] for name in ("FLIP_LEFT_RIGHT", "ROTATE_180", "ROTATE_90", "TRANSVERSE")}
_FROM_BOTTOM = {Image.Transpose[name] for name in ("FLIP_TOP_BOTTOM", "ROTATE_180", "ROTATE_270", "TRANSVERSE")}
_MODES = ("L", "RGB")  # others would be copied on their way to 8-bit colour


@dataclass(frozen=True, eq=False)
class Slide:
    """A decoded file, and more of it when a side has more than LARGE_SIDE pixels.

    Attributes:
        size: width and height of the picture, upright, in pixels.
        notes, frames, channels: as of `Picture`.
        gray: whether it has no colour to speak of.
        seen: all of it, as a data set holds it: uint8 [3, H, H].
        overview: all of it, in colour, at most 512 pixels a side; None of a smaller picture.
        window: the largest square around a place that is kept, in colour; near an edge the place is not in its middle.
            Each of its pixels is `scale` x `scale` of the picture.
        corner: the window's upper left one, in units of its own pixels.
    """

    size: tuple[int, int]
    notes: tuple[str, ...]
    frames: int
    channels: int
    gray: bool
    seen: np.ndarray
    overview: Image.Image | None = None
    window: Image.Image | None = None
    corner: tuple[int, int] = (0, 0)
    scale: int = 1


def slide_of(
    data: bytes, name: str, granted: int, size: int, place: tuple[int, int] | None, planes: Planes = FIRST
) -> Slide:
    """Decodes a picture that ought to show one cell and may be a whole slide.

    Args:
        data: the file's bytes.
        name: what an error calls the picture.
        granted: bytes of memory that decoding may take now.
        size: of `Slide.seen`.
        place: the middle of the window, by default that of the picture.
        planes: which frames and channel of the file are the picture; not `all` frames.

    Raises:
        MemoryNeeded: it takes more than is granted.
        ImageError: it cannot be read, or is too large even for a slide.
    """
    found = _reduced(data, name, granted, place) if planes == FIRST else None
    if found is None:
        picture = read(data, name, granted, **vars(planes))
        side, corner = _window(picture.size, place or centre(picture.size))
        found = _Decoded(picture, _square(picture.image, corner, side), corner, 1)
    picture = found.picture
    said = (picture.size, picture.notes, picture.frames, picture.channels)
    known = (*said, is_gray(picture.image), to_array(picture.image, size, 3))
    if max(picture.size) <= LARGE_SIDE:
        return Slide(*known)
    picture.image.thumbnail((_OVERVIEW, _OVERVIEW))
    return Slide(*known, picture.image.convert("RGB"), found.window.convert("RGB"), found.corner, found.scale)


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A picture, reduced if it is beyond MAX_PIXELS; the rest is as in `Slide`."""

    picture: Picture
    window: Image.Image
    corner: tuple[int, int]
    scale: int


def _reduced(data: bytes, name: str, granted: int, place: tuple[int, int] | None) -> _Decoded | None:
    """Decodes a picture beyond MAX_PIXELS. None for any other: `read` takes it, or says what is wrong."""
    if is_unknown_to_pillow(data):
        return None
    with opened(data, name, granted) as image:
        width, height = image.size
        if width * height <= MAX_PIXELS or image.format not in _FORMATS or image.mode not in _MODES:
            return None
        # A progressive JPEG is held as coefficients in full size, whatever scale it is decoded at.
        scaled = image.format in ("JPEG", "MPO") and not image.info.get("progressive")
        limit = MOST_SCALED if scaled else MOST_WHOLE
        if width * height > limit:
            raise too_many(name, image.size, limit)
        scale = 1
        try:
            if scaled:
                scale = next((s for s in (2, 4) if width * height <= _SCALED_PIXELS * s**2), 8)
                image.draft(None, (width // scale, height // scale))
            needed = memory_needed(image, (width, height), data)
            if needed > granted:
                raise MemoryNeeded(needed)
            deep = is_deep_colour(image)
            load(image, name)
            if deep:
                with_12_bits(image, data)
            turn = turn_of(image)
            if not scaled:
                width, height = image.size  # a TIFF turns itself while it is decoded
            full = (height, width) if turn in SIDEWAYS else (width, height)
            upright = image.size[::-1] if turn in SIDEWAYS else image.size
            x, y = place or centre(full)
            side, corner = _window(upright, (x / scale, y / scale))
            window = _square(image, _in_file(corner, side, turn, image.size), side)
            reduced = image.reduce(max(1, max(image.size) // (2 * _OVERVIEW)))
            there = planes_of(image, data)
            notes = (*planes_notes(*there), *(() if turn is None else (TURNED,)))
            profile = image.info.get("icc_profile")
            window, reduced = (to_srgb(part, profile) or part for part in (window, reduced))
        except (ImageError, MemoryNeeded, MemoryError):
            raise
        except Exception as error:
            raise ImageError(name, DAMAGED) from error
    if turn is not None:
        window, reduced = window.transpose(turn), reduced.transpose(turn)
    return _Decoded(Picture(reduced, full, notes, *there), window, corner, scale)


def centre(size: tuple[int, int]) -> tuple[int, int]:
    """Finds the middle of a picture of that width and height."""
    return size[0] // 2, size[1] // 2


def within(value: float, most: float) -> int:
    """Holds a coordinate between 0 and `most`, in whole pixels."""
    return int(max(0, min(value, most)))


def _window(size: tuple[int, int], place: tuple[float, float]) -> tuple[int, tuple[int, int]]:
    """Finds the largest square of at most _WINDOW pixels a side near a place: its side, and its upper left corner."""
    side = min(*size, _WINDOW)
    left, top = (within(middle - side / 2, whole - side) for middle, whole in zip(place, size, strict=True))
    return side, (left, top)


def _square(image: Image.Image, corner: tuple[int, int], side: int) -> Image.Image:
    left, top = corner
    return image.crop((left, top, left + side, top + side))


def _in_file(
    corner: tuple[int, int], side: int, turn: Image.Transpose | None, size: tuple[int, int]
) -> tuple[int, int]:
    """Finds the corner of a square of the upright picture in the picture as the file, of that size, has it."""
    x, y = corner[::-1] if turn in SIDEWAYS else corner
    return size[0] - side - x if turn in _FROM_RIGHT else x, size[1] - side - y if turn in _FROM_BOTTOM else y
