"""One picture in: any file that Pillow reads becomes 8-bit gray or RGB.

Files are not trusted: sizes are checked before anything is decoded, and whatever a decoder stumbles over
becomes an ImageError of one sentence.
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from explorer.errors import ImageError
from explorer.images import memory

MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gigabyte of RGB
MAX_FILE_BYTES = 256 << 20

UPLOAD_BYTES = 250 << 20
"""What decoding one picture that somebody hands in may take."""

# Bytes a pixel at the peak of decoding, measured: the decoded picture, and what it becomes.
_DEEP, _CLEAR, _PLAIN = 28, 20, 12
_PROGRESSIVE = 7  # of a JPEG that is shrunk while it is decoded: all its coefficients, two bytes each

# Pillow warns of what is checked, and refused in a sentence, below.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# EPS starts Ghostscript and WMF the system's renderer, on a file from anywhere; the others are stubs that
# open a file of their kind and cannot decode it.
REFUSED_FORMATS = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}

# What undoes each EXIF orientation. ImageOps.exif_transpose would also rewrite the EXIF block, and fail on some.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset(TURNS[orientation] for orientation in (5, 6, 7, 8))
"""The turns that swap width and height."""

TURNED = "It was turned upright, as its camera noted (EXIF)."


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded file.

    Attributes:
        image: upright, of mode L (gray) or RGB, 8 bits.
        size: width and height in the file, upright, before it was shrunk.
        notes: a sentence on each thing that was done to it: frames left out, transparency, depth, print colours,
            orientation, shrinking.
    """

    image: Image.Image
    size: tuple[int, int]
    notes: tuple[str, ...]


@cache
def readable_formats() -> tuple[str, ...]:
    """Lists Pillow's names of the formats that are read."""
    Image.init()
    return tuple(sorted(set(Image.OPEN) - REFUSED_FORMATS))


@cache
def image_suffixes() -> frozenset[str]:
    """Lists the file endings of those formats, in lower case with the dot."""
    formats = readable_formats()
    return frozenset(end for end, name in Image.registered_extensions().items() if name in formats)


def decode_image(
    source: bytes | str | os.PathLike[str], *, name: str | None = None, at_least: int | None = None
) -> Image.Image:
    """Decodes a file, or a file's bytes, upright, in mode `L` (gray) or `RGB`, 8 bits.

    Of an animation the first frame; transparency is laid on black; the EXIF orientation is applied. Deeper
    pictures are scaled to 8 bits: 16-bit ones by the least of 8, 12 and 16 bits that holds their maximum
    (cameras of microscopes store 12 bits in 16), floating-point ones from [0, 1] or, if they exceed it, from
    their own range.

    Args:
        source: the file's path or its bytes.
        name: what an error calls the picture.
        at_least: allows a decoder that can do so cheaply (JPEG) to shrink the picture while both sides stay at
            least that many pixels.

    Raises:
        ImageError: it cannot be read or exceeds MAX_PIXELS or MAX_FILE_BYTES.
    """
    if isinstance(source, bytes):
        return _decoded(io.BytesIO(source), len(source), name or "The image", at_least)[0]
    name = name or Path(source).name
    try:
        stream = Path(source).open("rb")  # noqa: SIM115 - closed below
        length = os.fstat(stream.fileno()).st_size
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ImageError(name, getattr(error, "strerror", None) or str(error)) from error
    with stream:
        return _decoded(stream, length, name, at_least)[0]


def read_picture(
    data: bytes, name: str, *, at_most: int | None = None, most_bytes: int | None = UPLOAD_BYTES
) -> Picture:
    """Decodes a picture that somebody hands in, as `decode_image` does, and says what was done to it.

    Args:
        data: the file's bytes.
        name: what an error calls the picture.
        at_most: the picture is shrunk where its longer side has more pixels; a JPEG while it is decoded.
        most_bytes: of memory that decoding may take; None for whatever MAX_PIXELS take.

    Raises:
        ImageError: it cannot be read, or has too many pixels.
    """
    notes: list[str] = []
    image, size = _decoded(io.BytesIO(data), len(data), name, at_most, most_bytes, notes)
    if at_most is not None and max(size) > at_most:
        image.thumbnail((at_most, at_most))
        notes.append(f"It has {size[0]:,} × {size[1]:,} pixels and was shrunk to {image.width:,} × {image.height:,}.")
    return Picture(image, size, tuple(notes))


def _decoded(
    stream: io.BytesIO | io.BufferedReader,
    length: int,
    name: str,
    at_least: int | None,
    most_bytes: int | None = None,
    notes: list[str] | None = None,
) -> tuple[Image.Image, tuple[int, int]]:
    """Decodes an open file of so many bytes; returns the picture and its size in the file, upright.

    `notes`, a list, gets a sentence on each thing that is done to the picture.
    """
    if length == 0:
        raise ImageError(name, "it is empty")
    if length > MAX_FILE_BYTES:
        raise ImageError(name, f"it has {length >> 20:,} MB, more than the limit of {MAX_FILE_BYTES >> 20}")
    try:
        image = Image.open(stream, formats=readable_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(name, f"it has more than the {MAX_PIXELS:,} pixels that are allowed") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(name, "it is not a picture of a known format, or damaged") from error
    except Exception as error:  # Pillow's plugins raise whatever a malformed header leads them to
        raise ImageError(name, "it is cut off or damaged") from error
    with image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageError(
                name, f"it has {width:,} x {height:,} pixels, more than the limit of {MAX_PIXELS:,} in all"
            )
        if width * height == 0:
            raise ImageError(name, "it has no pixels")
        try:
            needed = width * height * _bytes_a_pixel(image, shrinking=at_least is not None)
        except Exception as error:
            raise ImageError(name, "it is cut off or damaged") from error
        if most_bytes is not None and needed > most_bytes:
            most = most_bytes * width * height // needed
            raise ImageError(
                name,
                f"it has {width:,} x {height:,} pixels, more than the {most // 1_000_000} million that an upload of "
                "its kind may have; make it smaller first",
            )
        try:
            if at_least is not None:
                image.draft(None, (at_least, at_least))
            with memory.decoding.taken(needed):
                found = [] if notes is None else _depth_notes(image)
                noted = turn_of(image) if image.format == "TIFF" else None  # which turns itself while it is decoded
                image.load()
                turn = turn_of(image)
                result = eight_bits(image if turn is None else image.transpose(turn))
            if notes is not None:
                notes += [*frame_notes(image), *found]
                if (noted, turn) != (None, None):
                    notes.append(TURNED)
        except Exception as error:
            raise ImageError(name, "it is cut off or damaged") from error
    return result, (height, width) if turn in SIDEWAYS else (width, height)


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Finds what undoes a picture's EXIF orientation; Pillow decodes a PNG to look for it."""
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return None  # a malformed EXIF block spoils no pixels


def _bytes_a_pixel(image: Image.Image, *, shrinking: bool) -> int:
    if shrinking and image.format in ("JPEG", "MPO"):
        return _PROGRESSIVE if image.info.get("progressive") else 1
    if _is_deep(image):
        return _DEEP
    return _CLEAR if image.has_transparency_data or image.mode == "CMYK" else _PLAIN


def _is_deep(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def frame_notes(image: Image.Image) -> list[str]:
    """Counts frames after the first; phones add a map of brightness to a JPEG (MPO), which is no frame."""
    try:
        frames = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    except Exception:
        frames = 1  # damage behind the first frame
    return [f"It has {frames:,} frames; only the first is used."] if frames > 1 else []


def _depth_notes(image: Image.Image) -> list[str]:
    """Notes how a picture that is not decoded yet becomes 8-bit gray or RGB."""
    notes = []
    if image.has_transparency_data:
        notes.append("Its transparent parts were laid on black.")
    # Pillow keeps the upper 8 bits of each colour: the mode does not say so, what the decoder is told does.
    if _is_deep(image) or any("16" in str(tile[3]) for tile in getattr(image, "tile", ()) if len(tile) > 3):
        notes.append("It has more than 8 bits per channel and was scaled to 8.")
    if image.mode == "CMYK":
        notes.append("Its colours are for print (CMYK) and were converted to RGB.")
    return notes


def eight_bits(image: Image.Image) -> Image.Image:
    """Converts a picture to mode `L` or `RGB`: a new image, detached from its file."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _scaled(np.asarray(image))
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image.copy()
    if image.has_transparency_data:
        gray = image.mode in ("1", "L", "LA", "La")
        image = image.convert("RGBA")
        flat = Image.new("RGBA", image.size, (0, 0, 0, 255))
        flat.alpha_composite(image)
        return flat.convert("L" if gray else "RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _scaled(values: np.ndarray) -> Image.Image:
    if values.dtype.kind == "f":
        values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
    else:
        low, largest = float(values.min()), float(values.max())
        depth = next((top for top in (255.0, 4095.0, 65535.0) if largest <= top), largest)
        low, high = (0.0, depth) if low >= 0 else (low, largest)
    if high == low:
        return Image.new("L", (values.shape[1], values.shape[0]))
    scaled = (values.astype(np.float64) - low) * (255.0 / (high - low))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def is_gray(image: Image.Image) -> bool:
    """Tells whether a picture has no colour to speak of; JPEG leaves a trace of it in gray pictures."""
    if image.mode == "L":
        return True
    # Reduced first, which averages noise away; then the most coloured place counts, not the mean: the picture
    # of a fluorescence microscope is black but for a few spots.
    small = image.convert("RGB")
    small.thumbnail((64, 64))
    pixels = np.asarray(small)
    return int((pixels.max(axis=2) - pixels.min(axis=2)).max()) <= 8
