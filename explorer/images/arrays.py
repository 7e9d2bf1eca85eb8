"""Pictures as arrays that models take: square, uint8, gray or RGB."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from explorer.errors import DatasetError

MAX_SQUARE = 4096  # the largest side that is padded as it is; see to_array
CHANNELS = (1, 3)


def to_array(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """Turns a picture into uint8 [channels, size, size]: centred on a black square, then resized with antialiasing.

    A picture that has that size already keeps its pixels as they are.

    Raises:
        DatasetError: `size` or `channels` makes no sense.
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
    """Raises DatasetError unless each is None or a size and a number of channels that images can have."""
    if size is not None and not (isinstance(size, int) and 4 <= size <= 1024):
        raise DatasetError(f"The size must be a whole number from 4 to 1024 pixels, not {size!r}.")
    if channels is not None and channels not in CHANNELS:
        raise DatasetError(f"Images have 1 (gray) or 3 (colour) channels, not {channels!r}.")


def resize_batch(images: torch.Tensor, size: int | None, channels: int | None) -> torch.Tensor:
    """Turns square images uint8 [N, C, H, W] into uint8 [N, channels, size, size]; None leaves a dimension as it is.

    Resized with antialiasing; colour becomes gray by the luma of ITU-R 601, as Pillow does it.

    Raises:
        DatasetError: the images are to be resized and are not square.
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
