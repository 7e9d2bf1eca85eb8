"""An uploaded picture that ought to show one cell and may be a whole slide: what a model sees of it, and its centre.

A slide scanner's picture has more pixels than `decode_image` takes. A JPEG of that size is decoded at a half, a quarter
or an eighth of its scale, line by line; others are decoded whole, one at a time.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from explorer.datasets.images import (
    LARGE_PIXELS,
    MAX_FILE_BYTES,
    MAX_PIXELS,
    TURNS,
    ImageError,
    decode_image,
    is_gray,
    one_large,
    readable_formats,
    to_array,
)

LARGE_SIDE = 1000  # pixels: a single cell is cut out at some hundred
MOST_SCALED = 400_000_000  # pixels of a JPEG that is decoded at a reduced scale: four seconds
MOST_WHOLE = 2 * MAX_PIXELS  # of others, decoded in place: as much memory as decode_image takes for MAX_PIXELS

_KEPT_CENTRE = 1024  # pixels a side
_OVERVIEW = 512
_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "BMP")
_ASIDE = {Image.Transpose[name] for name in ("TRANSPOSE", "TRANSVERSE", "ROTATE_90", "ROTATE_270")}
_MODES = ("L", "RGB")  # others would be copied on their way to 8-bit colour


@dataclass(frozen=True, eq=False)
class Large:
    """A picture much larger than a cell, as far as it is kept.

    Attributes:
        size: width and height of the picture, in pixels.
        overview: all of it, at most 512 pixels a side.
        centre: the square in its middle, each of whose pixels is `scale` x `scale` of the picture.
    """

    size: tuple[int, int]
    overview: Image.Image
    centre: Image.Image
    scale: int

    @property
    def largest(self) -> int:
        """The side of the largest crop, in pixels of the picture."""
        return min(*self.size, self.centre.width * self.scale)

    def crop(self, side: int) -> Image.Image:
        """The square of `side` pixels of the picture around its middle."""
        length = max(1, min(round(side / self.scale), self.centre.width))
        first = (self.centre.width - length) // 2
        return self.centre.crop((first, first, first + length, first + length))

    def outline(self, side: int) -> tuple[float, float, float, float]:
        """Where that crop lies on the overview: left, top, right and bottom as shares of its width and height."""
        half_x, half_y = side / self.size[0] / 2, side / self.size[1] / 2
        return 0.5 - half_x, 0.5 - half_y, 0.5 + half_x, 0.5 + half_y


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
    found = None if header is None else _slide(header, name, len(data))
    if found is None:
        image = decode_image(data, name=name)
        whole, centre, full, scale = image, _middle(image, _KEPT_CENTRE), image.size, 1
    else:
        whole, centre, full, scale = found
    remarks = () if header is None else _remarks(header)
    if is_gray(whole):
        remarks += ("It is gray, and the models know stained cells in colour: the figures mean less.",)
    large = None
    if max(full) > LARGE_SIDE:
        overview = whole.convert("RGB")
        overview.thumbnail((_OVERVIEW, _OVERVIEW))
        large = Large(full, overview, centre.convert("RGB"), scale)
    return Picture(to_array(whole, size, 3), full, remarks, large)


def _header(data: bytes) -> Image.Image | None:
    """The picture, not decoded, or None. Unlike `Image.open` this judges no sizes: the caller does."""
    for format in readable_formats():
        factory, accept = Image.OPEN[format]
        with contextlib.suppress(Exception):  # plugins raise whatever a malformed header leads them to
            if accept is not None and accept(data[:16]) is not False:
                return factory(io.BytesIO(data), "")
    return None


def _slide(image: Image.Image, name: str, length: int) -> tuple[Image.Image, Image.Image, tuple[int, int], int] | None:
    """What `read_picture` needs of a picture beyond MAX_PIXELS: reduced, its middle, its size, the middle's scale.

    None for any other: `decode_image` reads it, or says what is wrong.
    """
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
            middle = _middle(image, _KEPT_CENTRE)
            reduced = image.reduce(max(1, max(image.size) // (2 * _OVERVIEW)))
    except Exception as error:
        raise ImageError(name, "it is cut off or damaged") from error
    if turn is not None:
        middle, reduced = middle.transpose(turn), reduced.transpose(turn)
        if turn in _ASIDE:
            width, height = height, width
    return reduced, middle, (width, height), scale


def _middle(image: Image.Image, most: int) -> Image.Image:
    """The largest square in the middle of a picture, at most so many pixels a side."""
    side = min(*image.size, most)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


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
