"""Pictures as arrays that models take: square, uint8, gray or RGB. (Read by processes that have no PyTorch.)"""

from __future__ import annotations

import numpy as np
from PIL import Image

from explorer.errors import DatasetError

MAX_SQUARE = 4096  # the largest side that is padded as it is; see to_array
_MAX_RESIZED = 1 << 19  # the largest side that is resized in one go
CHANNELS = (1, 3)


def to_array(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """Turns a picture into uint8 [channels, size, size]: centred on a black square, then resized with antialiasing.

    A picture that has that size already keeps its pixels as they are.

    Raises:
        DatasetError: `size` or `channels` makes no sense.
    """
    check_size(size, channels)
    mode = "L" if channels == 1 else "RGB"
    if image.mode not in ("L", mode):
        image = image.convert(mode)  # but gray becomes colour when it is small
    if image.size != (size, size):
        longest = max(image.size)
        if longest > _MAX_RESIZED:  # or the table of weights would take gigabytes
            image = image.reduce((max(1, image.width // _MAX_RESIZED), max(1, image.height // _MAX_RESIZED)))
        if longest > MAX_SQUARE:
            # The square around a long thin picture can be far larger than the picture itself.
            scale = MAX_SQUARE / longest
            width, height = (max(1, round(side * scale)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BICUBIC)
            longest = max(image.size)
        square = Image.new(image.mode, (longest, longest))
        square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
        image = square.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image.convert(mode))
    return pixels[None].copy() if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def check_size(size: int | None, channels: int | None) -> None:
    """Raises DatasetError unless each is None or a size and a number of channels that images can have."""
    if size is not None and not (isinstance(size, int) and 4 <= size <= 1024):
        raise DatasetError(f"The size must be a whole number from 4 to 1024 pixels, not {size!r}.")
    if channels is not None and channels not in CHANNELS:
        raise DatasetError(f"Images have 1 (gray) or 3 (colour) channels, not {channels!r}.")
