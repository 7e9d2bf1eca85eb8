"""Batches of images in another size, or with other channels."""

from __future__ import annotations

import torch

from explorer.errors import DatasetError


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
