"""An uploaded picture that ought to show one cell and may be a whole slide: what a model sees of it, and parts of it.

A slide scanner's picture has more pixels than `decode_image` takes. A JPEG of that size is decoded at a half, a quarter
or an eighth of its scale, line by line; others are decoded whole, one at a time.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import ExifTags, Image

from explorer.errors import ImageError
from explorer.images.reading import (
    LARGE_PIXELS,
    MAX_FILE_BYTES,
    MAX_PIXELS,
    TURNS,
    decode_image,
    is_gray,
    one_large,
    readable_formats,
    to_array,
)

LARGE_SIDE = 1000  # pixels: a single cell is cut out at some hundred
MOST_SCALED = 400_000_000  # pixels of a JPEG that is decoded at a reduced scale: four seconds
MOST_WHOLE = 2 * MAX_PIXELS  # of others, decoded in place: as much memory as decode_image takes for MAX_PIXELS

_WINDOW = 1024  # pixels a side
_OVERVIEW = 512
_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "BMP")
# Which turns swap the axes, and which put first what lies on the right, or at the bottom, in the file.
_ASIDE = {Image.Transpose[name] for name in ("TRANSPOSE", "TRANSVERSE", "ROTATE_90", "ROTATE_270")}
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
        """The same with its window at another place. Raises ImageError."""
        found = _decoded(_header(self.data), self.data, self.name, place)
        return replace(self, place=place, window=found.window.convert("RGB"), corner=found.corner)

    def crop(self, side: int) -> Image.Image:
        """The square of `side` pixels of the picture around the place, moved inwards at an edge."""
        length = max(1, min(round(side / self.scale), self.window.width))
        left, top = (
            _within(int(middle / self.scale - length / 2) - first, self.window.width - length)
            for middle, first in zip(self.place, self.corner, strict=True)
        )
        return self.window.crop((left, top, left + length, top + length))

    def outline(self, side: int) -> tuple[float, float, float, float]:
        """Where that crop lies on the overview: left, top, right and bottom as shares of its width and height."""
        left, top = (
            _within(middle - side / 2, whole - side) for middle, whole in zip(self.place, self.size, strict=True)
        )
        width, height = self.size
        return left / width, top / height, (left + side) / width, (top + side) / height


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as a model sees it, uint8 [3, size, size] on a black square.

    Attributes:
        seen: what the model sees.
        size: width and height, upright, in pixels.
        remarks: what was done to it, a sentence each.
        large: more of it, when a side has more than LARGE_SIDE pixels.
    """

    seen: np.ndarray
    size: tuple[int, int]
    remarks: tuple[str, ...]
    large: Large | None


def read_picture(data: bytes, name: str, size: int) -> Picture:
    """Decode the bytes of a file for a model that takes RGB images of `size` pixels a side.

    Up to MAX_PIXELS the model sees the same as with `decode_image` and `to_array`.

    Raises:
        ImageError: it cannot be read, or is too large even for a slide.
    """
    header = _header(data)
    found = _decoded(header, data, name)
    whole, full = found.reduced, found.size
    remarks = () if header is None else _remarks(header)
    if is_gray(whole):
        remarks += ("It is gray, and the models know stained cells in colour: the figures mean less.",)
    large = None
    if max(full) > LARGE_SIDE:
        overview = whole.convert("RGB")
        overview.thumbnail((_OVERVIEW, _OVERVIEW))
        window = found.window.convert("RGB")
        large = Large(name, data, full, overview, _centre(full), window, found.corner, found.scale)
    return Picture(to_array(whole, size, 3), full, remarks, large)


def _header(data: bytes) -> Image.Image | None:
    """The picture, not decoded, or None. Unlike `Image.open` this judges no sizes: the caller does."""
    for format in readable_formats():
        factory, accept = Image.OPEN[format]
        with contextlib.suppress(Exception):  # plugins raise whatever a malformed header leads them to
            if accept is not None and accept(data[:16]) is not False:
                return factory(io.BytesIO(data), "")
    return None


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A picture decoded, and reduced if it is beyond MAX_PIXELS, with its size in full; the rest is as in `Large`."""

    reduced: Image.Image
    size: tuple[int, int]
    window: Image.Image
    corner: tuple[int, int]
    scale: int


def _decoded(header: Image.Image | None, data: bytes, name: str, place: tuple[int, int] | None = None) -> _Decoded:
    """Decode the bytes of a file, with a window at a place of the picture, by default in its middle."""
    found = None if header is None else _slide(header, name, len(data), place)
    if found is not None:
        return found
    image = decode_image(data, name=name)
    side, corner = _window(image.size, place or _centre(image.size))
    return _Decoded(image, image.size, _square(image, corner, side), corner, 1)


def _slide(image: Image.Image, name: str, length: int, place: tuple[int, int] | None) -> _Decoded | None:
    """The same of a picture beyond MAX_PIXELS. None for any other: `decode_image` reads it, or says what is wrong."""
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
        scale = next((s for s in (2, 4) if width * height <= LARGE_PIXELS * s**2), 8)
        image.draft(None, (width // scale, height // scale))
    try:
        with image, one_large:
            turn = _turn(image)
            image.load()
            upright = image.size[::-1] if turn in _ASIDE else image.size
            full = (height, width) if turn in _ASIDE else (width, height)
            x, y = place or _centre(full)
            side, corner = _window(upright, (x / scale, y / scale))
            window = _square(image, _in_file(corner, side, turn, image.size), side)
            reduced = image.reduce(max(1, max(image.size) // (2 * _OVERVIEW)))
    except Exception as error:
        raise ImageError(name, "it is cut off or damaged") from error
    if turn is not None:
        window, reduced = window.transpose(turn), reduced.transpose(turn)
    return _Decoded(reduced, full, window, corner, scale)


def _centre(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // 2, size[1] // 2


def _within(value: float, most: float) -> int:
    """A coordinate held between 0 and `most`, in whole pixels."""
    return int(max(0, min(value, most)))


def _window(size: tuple[int, int], place: tuple[float, float]) -> tuple[int, tuple[int, int]]:
    """The side of the largest square in a picture of at most _WINDOW pixels a side, and its corner near a place."""
    side = min(*size, _WINDOW)
    left, top = (_within(middle - side / 2, whole - side) for middle, whole in zip(place, size, strict=True))
    return side, (left, top)


def _square(image: Image.Image, corner: tuple[int, int], side: int) -> Image.Image:
    left, top = corner
    return image.crop((left, top, left + side, top + side))


def _in_file(
    corner: tuple[int, int], side: int, turn: Image.Transpose | None, size: tuple[int, int]
) -> tuple[int, int]:
    """The corner of a square of the upright picture in the picture as the file, of that size, has it."""
    x, y = corner[::-1] if turn in _ASIDE else corner
    return size[0] - side - x if turn in _FROM_RIGHT else x, size[1] - side - y if turn in _FROM_BOTTOM else y


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return None  # a malformed EXIF block spoils no pixels


def _remarks(image: Image.Image) -> tuple[str, ...]:
    """What was done to a picture on its way to 8-bit colour, told by its header."""
    found = []
    with contextlib.suppress(Exception):
        # A photo of a phone may bring its own preview along, as an MPO of two pictures.
        if image.format != "MPO" and getattr(image, "is_animated", False):
            found.append("It holds several pictures: the first one is screened.")
        if image.mode in ("I", "F") or image.mode.startswith("I;"):
            found.append("It has more than 8 bits a pixel: it was scaled to 8.")
        if image.mode == "CMYK":
            found.append("Its printing colours (CMYK) were turned into those of a screen.")
        if image.has_transparency_data:
            found.append("Its transparent parts were laid on black.")
        if _turn(image) is not None:
            found.append("It was turned upright, as its camera noted.")
    return tuple(found)
