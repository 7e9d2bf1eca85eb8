"""Pictures as arrays that models take: uint8, gray or RGB, all of one size. (Read by processes without PyTorch.)"""

from __future__ import annotations

import numpy as np
from PIL import Image

from explorer.errors import DatasetError

MAX_SQUARE = 4096  # the largest side of a frame that is padded as it is; see to_array
_MAX_RESIZED = 1 << 19  # the largest side that is resized in one go
CHANNELS = (1, 3)
Size = int | tuple[int, int]
"""Pixels a side of a square, or height and width."""


def sides(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def size_words(size: Size) -> str:
    """Names a size as people do, width first: `28 × 28`."""
    height, width = sides(size)
    return f"{width} × {height}"


def frame_size(picture: tuple[int, int], size: Size) -> tuple[int, int]:
    """Width and height of the smallest frame around a picture of such width and height whose shape is that of `size`.

    A picture of this shape, to the pixel, is its own frame.
    """
    (width, height), (h, w) = picture, sides(size)
    if abs(width * h - height * w) < max(h, w):
        return picture
    scale = max(width / w, height / h)
    return max(width, round(w * scale)), max(height, round(h * scale))


def in_frame(image: Image.Image, size: Size, fill: int | tuple[int, ...] = 0) -> Image.Image:
    """Centres a picture in its frame (`frame_size`) filled with `fill`, of MAX_SQUARE pixels a side at most."""
    width, height = frame_size(image.size, size)
    if (longest := max(width, height)) > MAX_SQUARE:
        # The frame of a long thin picture can be far larger than the picture itself.
        scale = MAX_SQUARE / longest
        small = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(small, Image.Resampling.BICUBIC)
        width, height = frame_size(image.size, size)
    frame = Image.new(image.mode, (width, height), fill)
    frame.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return frame


def to_array(image: Image.Image, size: Size, channels: int) -> np.ndarray:
    """Turns a picture into uint8 [channels, H, W]: centred in a black frame, then resized with antialiasing.

    A picture that has that size already keeps its pixels as they are.

    Raises:
        DatasetError: `size` or `channels` makes no sense.
    """
    check_size(size, channels)
    height, width = sides(size)
    mode = "L" if channels == 1 else "RGB"
    if image.mode not in ("L", mode):
        image = image.convert(mode)  # but gray becomes colour when it is small
    if image.size != (width, height):
        if max(image.size) > _MAX_RESIZED:  # or the table of weights would take gigabytes
            image = image.reduce((max(1, image.width // _MAX_RESIZED), max(1, image.height // _MAX_RESIZED)))
        image = in_frame(image, size).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image.convert(mode))
    return pixels[None].copy() if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def check_size(size: Size | None, channels: int | None) -> None:
    """Raises DatasetError unless each is None or a size and a number of channels that images can have."""
    each = size if isinstance(size, (tuple, list)) and len(size) == 2 else (size,)
    if size is not None and not all(isinstance(side, int) and 4 <= side <= 1024 for side in each):
        raise DatasetError(f"The size must be whole numbers from 4 to 1024 pixels, not {size!r}.")
    if channels is not None and channels not in CHANNELS:
        raise DatasetError(f"Images have 1 (gray) or 3 (colour) channels, not {channels!r}.")
