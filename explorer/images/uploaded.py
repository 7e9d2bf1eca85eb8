"""A picture that somebody hands in: decoded in bounded memory, with sentences on what was made of its file."""

from __future__ import annotations

import io

from PIL import ExifTags, Image

from explorer.errors import ImageError
from explorer.images.reading import MAX_PIXELS, TURNS, decode_image, readable_formats

MOST_BYTES = 250 << 20
"""What decoding one picture may take."""

# Bytes a pixel at the peak of decode_image, measured: the decoded picture, and what it becomes.
_DEEP, _CLEAR, _PLAIN = 28, 20, 12
_PROGRESSIVE = 7  # of a JPEG that is shrunk while it is decoded: all its coefficients, two bytes each


def read_picture(
    data: bytes, name: str, *, at_least: int | None = None, at_most: int | None = None
) -> tuple[Image.Image, tuple[str, ...]]:
    """The picture in a file's bytes, as `decode_image` gives it, and a sentence on each thing that was made of it.

    The sentences tell of frames after the first, transparency, more than 8 bits, EXIF's orientation, the colours of
    print, and of being shrunk where the longer side has more than `at_most` pixels. A picture may have as many pixels
    as MOST_BYTES hold, and at most as many as `decode_image` allows: with `at_least` that is so for JPEGs, which are
    then shrunk while they are decoded.

    Raises:
        ImageError: it cannot be read, or has too many pixels.
    """
    notes: tuple[str, ...] = ()
    try:
        with Image.open(io.BytesIO(data), formats=readable_formats()) as image:
            most = min(MAX_PIXELS, MOST_BYTES // _bytes_a_pixel(image, at_least is not None))
            size = image.size
            if size[0] * size[1] <= most:
                notes = tuple(_notes(image))
    except Exception:
        return decode_image(data, name=name, at_least=at_least), ()  # which says what is wrong with it
    if most < size[0] * size[1] <= MAX_PIXELS:
        raise ImageError(
            name,
            f"it has {size[0]:,} x {size[1]:,} pixels, more than the {most // 1_000_000} million that an upload of "
            "its kind may have; make it smaller first",
        )
    picture = decode_image(data, name=name, at_least=at_least)
    if at_most is not None and max(size) > at_most:
        size = _turned_as(picture, size)
        picture.thumbnail((at_most, at_most))
        notes += (f"It has {size[0]:,} × {size[1]:,} pixels and is shrunk to {picture.width:,} × {picture.height:,}.",)
    return picture, notes


def _is_deep(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def _bytes_a_pixel(image: Image.Image, shrinking: bool) -> int:
    if shrinking and image.format in ("JPEG", "MPO"):
        return _PROGRESSIVE if image.info.get("progressive") else 1
    if _is_deep(image):
        return _DEEP
    return _CLEAR if image.has_transparency_data or image.mode == "CMYK" else _PLAIN


def _notes(image: Image.Image) -> list[str]:
    notes = []
    frames = _frames(image)
    if frames > 1:
        notes.append(f"It has {frames:,} frames; the first one is used.")
    if image.has_transparency_data:
        notes.append("What is transparent in it is laid on black.")
    # Pillow keeps the upper 8 bits of each colour: the mode does not say so, what the decoder is told does.
    if _is_deep(image) or any("16" in str(tile[3]) for tile in getattr(image, "tile", ()) if len(tile) > 3):
        notes.append("It has more than 8 bits a pixel and is scaled to 8.")
    if image.mode == "CMYK":
        notes.append("Its colours are those of print (CMYK), converted to RGB.")
    if _orientation(image) in TURNS:
        notes.append("It is turned upright, as its camera noted (EXIF).")
    return notes


def _frames(image: Image.Image) -> int:
    """How many; phones add a map of brightness to a JPEG (MPO), which is no frame."""
    if image.format == "MPO":
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:
        return 1  # damage behind the first frame


def size_of(data: bytes, picture: Image.Image) -> tuple[int, int]:
    """Width and height that a picture has in its file, upright as `read_picture` gave it, before it was shrunk."""
    with Image.open(io.BytesIO(data), formats=readable_formats()) as image:
        return _turned_as(picture, image.size)


def _turned_as(picture: Image.Image, size: tuple[int, int]) -> tuple[int, int]:
    """Not by EXIF: Pillow would decode a PNG to look for it."""
    width, height = size
    return (height, width) if (width - height) * (picture.width - picture.height) < 0 else size


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1  # a malformed EXIF block
