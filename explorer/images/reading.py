"""One picture in: any file that Pillow reads becomes 8-bit gray or RGB, then uint8 [C, H, W].

Files are not trusted: sizes are checked before anything is decoded, and whatever a decoder stumbles over
becomes an ImageError of one sentence.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image

from explorer.errors import DatasetError, ImageError

MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gigabyte of RGB
MAX_FILE_BYTES = 256 << 20
MAX_SQUARE = 4096  # the largest side that is padded as it is; see to_array
CHANNELS = (1, 3)

# Pillow warns of what is checked, and refused in a sentence, below.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# A camera's picture is below; eight threads with one of MAX_PIXELS each would take gigabytes.
LARGE_PIXELS = 36_000_000
one_large = threading.Lock()

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


@cache
def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that decode_image reads."""
    Image.init()
    return tuple(sorted(set(Image.OPEN) - REFUSED_FORMATS))


@cache
def image_suffixes() -> frozenset[str]:
    """The file endings of those formats, in lower case with the dot."""
    formats = readable_formats()
    return frozenset(end for end, name in Image.registered_extensions().items() if name in formats)


def decode_image(
    source: bytes | str | os.PathLike[str], *, name: str | None = None, at_least: int | None = None
) -> Image.Image:
    """The picture in a file or in a file's bytes, upright, in mode `L` (gray) or `RGB`, 8 bits.

    Of an animation the first frame; transparency is laid on black; the EXIF orientation is applied. Deeper
    pictures are scaled to 8 bits: 16-bit ones by the least of 8, 12 and 16 bits that holds their maximum
    (cameras of microscopes store 12 bits in 16), floating-point ones from [0, 1] or, if they exceed it, from
    their own range.

    `name` is what an error calls the picture. `at_least` allows a decoder that can do so cheaply (JPEG) to
    shrink the picture while both sides stay at least that many pixels.

    Raises ImageError, a DatasetError, and nothing else, if it cannot be read or exceeds MAX_PIXELS or
    MAX_FILE_BYTES.
    """
    if isinstance(source, bytes):
        name = name or "The image"
        length = len(source)
        stream: BinaryIO = io.BytesIO(source)
    else:
        name = name or Path(source).name
        try:
            stream = Path(source).open("rb")  # noqa: SIM115 - closed below
            length = os.fstat(stream.fileno()).st_size
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise ImageError(name, getattr(error, "strerror", None) or str(error)) from error
    with stream:
        if length == 0:
            raise ImageError(name, "it is empty")
        if length > MAX_FILE_BYTES:
            raise ImageError(name, f"it has {length >> 20:,} MB, more than the limit of {MAX_FILE_BYTES >> 20}")
        return _decode(stream, name, at_least)


def _decode(stream: BinaryIO, name: str, at_least: int | None) -> Image.Image:
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
            if at_least is not None:
                image.draft(None, (at_least, at_least))
            with one_large if image.width * image.height > LARGE_PIXELS else contextlib.nullcontext():
                image.load()
                return eight_bits(_upright(image))
        except Exception as error:
            raise ImageError(name, "it is cut off or damaged") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return image  # a malformed EXIF block spoils no pixels
    return image if turn is None else image.transpose(turn)


def eight_bits(image: Image.Image) -> Image.Image:
    """The same picture in mode `L` or `RGB`; a new image, detached from its file."""
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
    """Whether the picture has no colour to speak of; JPEG leaves a trace of it in gray pictures."""
    if image.mode == "L":
        return True
    # Reduced first, which averages noise away; then the most coloured place counts, not the mean: the picture
    # of a fluorescence microscope is black but for a few spots.
    small = image.convert("RGB")
    small.thumbnail((64, 64))
    pixels = np.asarray(small)
    return int((pixels.max(axis=2) - pixels.min(axis=2)).max()) <= 8


def to_array(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """The picture as uint8 [channels, size, size]: centred on a black square, then resized with antialiasing.

    A picture that has that size already keeps its pixels as they are. Raises DatasetError if `size` or
    `channels` makes no sense.
    """
    check_size(size, channels)
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (size, size):
        longest = max(image.size)
        if longest > MAX_SQUARE:
            # The square around a long thin picture can be far larger than the picture itself.
            scale = MAX_SQUARE / longest
            width, height = (max(1, round(side * scale)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BICUBIC)
            longest = max(image.size)
        square = Image.new(image.mode, (longest, longest))
        square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
        image = square.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels[None].copy() if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def check_size(size: int | None, channels: int | None) -> None:
    """Raise DatasetError unless each is None or a size and a number of channels that images can have."""
    if size is not None and not (isinstance(size, int) and 4 <= size <= 1024):
        raise DatasetError(f"The size must be a whole number from 4 to 1024 pixels, not {size!r}.")
    if channels is not None and channels not in CHANNELS:
        raise DatasetError(f"Images have 1 (gray) or 3 (colour) channels, not {channels!r}.")


def resize_batch(images: torch.Tensor, size: int | None, channels: int | None) -> torch.Tensor:
    """Square images uint8 [N, C, H, W] as uint8 [N, channels, size, size]; None leaves a dimension as it is.

    Resized with antialiasing; colour becomes gray by the luma of ITU-R 601, as Pillow does it.
    """
    if size is not None and tuple(images.shape[2:]) != (size, size):
        if images.shape[2] != images.shape[3]:
            raise DatasetError(f"Images of {list(images.shape[2:])} pixels are not square; they cannot be resized.")
        images = torch.nn.functional.interpolate(images, size=(size, size), mode="bicubic", antialias=True)
    if channels is not None and images.shape[1] != channels:
        if channels == 3:
            return images.repeat(1, 3, 1, 1)
        luma = torch.tensor([19595, 38470, 7471], dtype=torch.int32)  # Pillow's weights, of 65536
        gray = (images.to(torch.int32) * luma[:, None, None]).sum(1, keepdim=True)
        return ((gray + 0x8000) >> 16).to(torch.uint8)
    return images
