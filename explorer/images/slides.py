"""A picture that ought to show one cell and may be a whole slide: all of it reduced, and parts of it in full.

A slide scanner's picture has more pixels than `decode_image` takes. A JPEG of that size is decoded at a half, a quarter
or an eighth of its scale, line by line; others are decoded whole, one at a time.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, replace

from PIL import Image

from explorer.errors import ImageError
from explorer.images import memory
from explorer.images.reading import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    SIDEWAYS,
    TURNED,
    Picture,
    frame_notes,
    read_picture,
    readable_formats,
    turn_of,
)

LARGE_SIDE = 1000  # pixels: a single cell is cut out at some hundred
MOST_SCALED = 400_000_000  # pixels of a JPEG that is decoded at a reduced scale: four seconds
MOST_WHOLE = 2 * MAX_PIXELS  # of others, decoded in place: as much memory as decode_image takes for MAX_PIXELS

_WINDOW = 1024  # pixels a side
_OVERVIEW = 512
_SCALED_PIXELS = 36_000_000  # of a JPEG at its reduced scale, about
_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "BMP")
# Which turns put first what lies on the right, or at the bottom, in the file.
_FROM_RIGHT = {Image.Transpose[name] for name in ("FLIP_LEFT_RIGHT", "ROTATE_180", "ROTATE_90", "TRANSVERSE")}
_FROM_BOTTOM = {Image.Transpose[name] for name in ("FLIP_TOP_BOTTOM", "ROTATE_180", "ROTATE_270", "TRANSVERSE")}
_MODES = ("L", "RGB")  # others would be copied on their way to 8-bit colour


@dataclass(frozen=True, eq=False)
class Large:
    """A picture much larger than a cell, as far as it is kept decoded.

    Attributes:
        name, data: its file, which is decoded again for another place.
        size: width and height of the picture, upright, in pixels.
        overview: all of it, at most 512 pixels a side.
        place: the middle of what is cut out of it, in pixels of the picture from its upper left corner.
        window: the largest square around that place that is kept, each of whose pixels is `scale` x `scale` of the
            picture; near an edge the place is not in its middle.
        corner: the window's upper left one, in units of its own pixels.
    """

    name: str
    data: bytes
    size: tuple[int, int]
    overview: Image.Image
    place: tuple[int, int]
    window: Image.Image
    corner: tuple[int, int]
    scale: int

    @property
    def largest(self) -> int:
        """The side of the largest crop, in pixels of the picture."""
        return min(*self.size, self.window.width * self.scale)

    def at(self, place: tuple[int, int]) -> Large:
        """Moves the window to another place. Raises ImageError."""
        found = _decoded(self.data, self.name, place)
        return replace(self, place=place, window=found.window.convert("RGB"), corner=found.corner)

    def crop(self, side: int) -> Image.Image:
        """Cuts out the square of `side` pixels of the picture around the place, moved inwards at an edge."""
        length = max(1, min(round(side / self.scale), self.window.width))
        left, top = (
            _within(int(middle / self.scale - length / 2) - first, self.window.width - length)
            for middle, first in zip(self.place, self.corner, strict=True)
        )
        return self.window.crop((left, top, left + length, top + length))

    def outline(self, side: int) -> tuple[float, float, float, float]:
        """Finds where that crop lies on the overview: left, top, right and bottom as shares of its width and height."""
        left, top = (
            _within(middle - side / 2, whole - side) for middle, whole in zip(self.place, self.size, strict=True)
        )
        width, height = self.size
        return left / width, top / height, (left + side) / width, (top + side) / height


@dataclass(frozen=True, eq=False)
class Slide(Picture):
    """A decoded file, and as `large` more of it when a side has more than LARGE_SIDE pixels.

    Beyond MAX_PIXELS `image` is a reduced one.
    """

    large: Large | None


def read_slide(data: bytes, name: str) -> Slide:
    """Decodes a picture that ought to show one cell and may be a whole slide.

    Args:
        data: the file's bytes.
        name: what an error calls the picture.

    Raises:
        ImageError: it cannot be read, or is too large even for a slide.
    """
    found = _decoded(data, name)
    picture = found.picture
    large = None
    if max(picture.size) > LARGE_SIDE:
        overview = picture.image.convert("RGB")
        overview.thumbnail((_OVERVIEW, _OVERVIEW))
        window = found.window.convert("RGB")
        large = Large(name, data, picture.size, overview, _centre(picture.size), window, found.corner, found.scale)
    return Slide(picture.image, picture.size, picture.notes, large)


def _header(data: bytes) -> Image.Image | None:
    """Opens a picture without decoding it. Unlike `Image.open` this judges no sizes: the caller does."""
    for format in readable_formats():
        factory, accept = Image.OPEN[format]
        with contextlib.suppress(Exception):  # plugins raise whatever a malformed header leads them to
            if accept is not None and accept(data[:16]) is not False:
                return factory(io.BytesIO(data), "")
    return None


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A picture, reduced if it is beyond MAX_PIXELS; the rest is as in `Large`."""

    picture: Picture
    window: Image.Image
    corner: tuple[int, int]
    scale: int


def _decoded(data: bytes, name: str, place: tuple[int, int] | None = None) -> _Decoded:
    """Decodes the bytes of a file, with a window at a place of the picture, by default in its middle."""
    header = _header(data)
    found = None if header is None else _slide(header, name, len(data), place)
    if found is not None:
        return found
    picture = read_picture(data, name, most_bytes=None)
    side, corner = _window(picture.size, place or _centre(picture.size))
    return _Decoded(picture, _square(picture.image, corner, side), corner, 1)


def _slide(image: Image.Image, name: str, length: int, place: tuple[int, int] | None) -> _Decoded | None:
    """Decodes a picture beyond MAX_PIXELS. None for any other: `read_picture` takes it, or says what is wrong."""
    width, height = image.size
    if width * height <= MAX_PIXELS or image.format not in _FORMATS or image.mode not in _MODES:
        return None
    if length > MAX_FILE_BYTES:
        return None
    # A progressive JPEG is held as coefficients in full size, whatever scale it is decoded at.
    scaled = image.format in ("JPEG", "MPO") and not image.info.get("progressive")
    limit = MOST_SCALED if scaled else MOST_WHOLE
    if width * height > limit:
        raise ImageError(name, f"it has {width:,} x {height:,} pixels, more than the limit of {limit:,} in all")
    scale = 1
    if scaled:
        scale = next((s for s in (2, 4) if width * height <= _SCALED_PIXELS * s**2), 8)
        image.draft(None, (width // scale, height // scale))
    try:
        with image, memory.decoding.taken(image.width * image.height * len(image.getbands())):
            image.load()
            turn = turn_of(image)
            if not scaled:
                width, height = image.size  # a TIFF turns itself while it is decoded
            full = (height, width) if turn in SIDEWAYS else (width, height)
            upright = image.size[::-1] if turn in SIDEWAYS else image.size
            x, y = place or _centre(full)
            side, corner = _window(upright, (x / scale, y / scale))
            window = _square(image, _in_file(corner, side, turn, image.size), side)
            reduced = image.reduce(max(1, max(image.size) // (2 * _OVERVIEW)))
    except Exception as error:
        raise ImageError(name, "it is cut off or damaged") from error
    if turn is not None:
        window, reduced = window.transpose(turn), reduced.transpose(turn)
    notes = (*frame_notes(image), *(() if turn is None else (TURNED,)))
    return _Decoded(Picture(reduced, full, notes), window, corner, scale)


def _centre(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // 2, size[1] // 2


def _within(value: float, most: float) -> int:
    """Holds a coordinate between 0 and `most`, in whole pixels."""
    return int(max(0, min(value, most)))


def _window(size: tuple[int, int], place: tuple[float, float]) -> tuple[int, tuple[int, int]]:
    """Finds the largest square of at most _WINDOW pixels a side near a place: its side, and its upper left corner."""
    side = min(*size, _WINDOW)
    left, top = (_within(middle - side / 2, whole - side) for middle, whole in zip(place, size, strict=True))
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
