"""What the images that a model knows have in common, by which a picture is made to look like them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.images.foreground import rim
from explorer.images.suggestion import DARK, OFF_CENTRE


def habits(images: Float[Tensor, "n c h w"]) -> tuple[bool, bool]:
    """Tells what a model's own images have in common: (dark_rim, centred), see `suggestion.suggest`.

    `dark_rim`: the median brightness of the outermost pixels is below 0.2 in most. `centred`: besides, nothing much
    is in the outer 1/14 of the frame, and most centres of mass are close to the middle, as MNIST's are.

    Args:
        images: in [0, 1], some of them, or what the model decodes from some of its stored codes.
    """
    gray = images.float().mean(1)
    height, width = gray.shape[1:]
    rims = gray.new_tensor([rim(image) for image in gray.cpu().numpy()])
    dark = bool(rims.median() < DARK)
    mass = gray.sum((1, 2))
    edge = max(1, round(min(height, width) / 14))
    outside = 1 - gray[:, edge:-edge, edge:-edge].sum((1, 2)) / mass.clamp_min(1e-6)
    y = (gray.sum(2) * (torch.arange(height) + 0.5)).sum(1) / mass.clamp_min(1e-6) / height - 0.5
    x = (gray.sum(1) * (torch.arange(width) + 0.5)).sum(1) / mass.clamp_min(1e-6) / width - 0.5
    close = (x.abs() < OFF_CENTRE) & (y.abs() < OFF_CENTRE) & (outside < 0.02)
    return dark, dark and bool(close.float().mean() > 0.5)
