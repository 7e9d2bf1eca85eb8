"""Batches of images in another size, or with other channels."""

from __future__ import annotations

import torch

from explorer.images.arrays import Size, frame_size, sides


def resize_batch(images: torch.Tensor, size: Size | None, channels: int | None) -> torch.Tensor:
    """Turns images uint8 [N, C, H, W] into uint8 [N, channels, *sides(size)]; None leaves a dimension as it is.

    Centred in a black frame and resized with antialiasing, as `to_array` does; colour becomes gray by the luma of
    ITU-R 601, as Pillow does it.
    """
    if size is not None and tuple(images.shape[2:]) != sides(size):
        height, width = images.shape[2:]
        across, down = frame_size((width, height), size)
        left, top = (across - width) // 2, (down - height) // 2
        images = torch.nn.functional.pad(images, (left, across - width - left, top, down - height - top))
        images = torch.nn.functional.interpolate(images, size=sides(size), mode="bicubic", antialias=True)
    if channels is not None and images.shape[1] != channels:
        if channels == 3:
            return images.repeat(1, 3, 1, 1)
        luma = torch.tensor([19595, 38470, 7471], dtype=torch.int32)  # Pillow's weights, of 65536
        gray = (images.to(torch.int32) * luma[:, None, None]).sum(1, keepdim=True)
        return ((gray + 0x8000) >> 16).to(torch.uint8)
    return images
