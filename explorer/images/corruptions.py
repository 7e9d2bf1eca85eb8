"""Corruptions of an image, to see what a model makes of it: noise, blur, a missing patch, a rotation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Corruption:
    """How images are corrupted, in this order: rotated, blurred, a patch removed, noise added.

    Attributes:
        noise: standard deviation of Gaussian noise, in units of full brightness.
        blur: standard deviation of a Gaussian kernel, in pixels.
        patch: side of a missing square to the image's side, 0 to 1; it is black.
        turn: degrees counter-clockwise about the middle; what turns into view is black.
        seed: of the noise and of the patch's place.

    Raises:
        ValueError: a figure is not finite or out of its range.
    """

    noise: float = 0
    blur: float = 0
    patch: float = 0
    turn: float = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.noise, self.blur, self.patch, self.turn))):
            raise ValueError("a corruption's figures are finite numbers")
        if self.noise < 0 or self.blur < 0 or not 0 <= self.patch <= 1:
            raise ValueError("noise and blur are not negative, and a patch takes 0 to 1 of the side")

    @property
    def changes(self) -> bool:
        """Whether anything is done at all."""
        return any((self.noise, self.blur, self.patch, self.turn))


def corrupt(images: UInt8[Tensor, "n c h w"], c: Corruption) -> UInt8[Tensor, "n c h w"]:
    """Corrupts images; returns the same ones if nothing is to be done.

    Each image gets the same patch and the same noise, so that an image's result does not depend on its company.
    """
    if not c.changes or len(images) == 0:
        return images
    x = images.float() / 255
    generator = torch.Generator().manual_seed(c.seed)
    # Drawn in every case, so that one slider does not change what another one's seed gives.
    place = torch.rand(2, generator=generator)
    noise = torch.randn(x.shape[1:], generator=generator)
    if c.turn:
        x = _turned(x, c.turn)
    if c.blur:
        x = _blurred(x, c.blur)
    if c.patch:
        x = _without_patch(x, c.patch, place)
    if c.noise:
        x = x + c.noise * noise
    return (255 * x).round().clamp(0, 255).to(torch.uint8)


def _turned(x: Float[Tensor, "n c h w"], degrees: float) -> Float[Tensor, "n c h w"]:
    """Rotates images about their middle, bilinearly interpolated, black outside."""
    height, width = x.shape[2:]
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    # Maps a place in the result to the one in the source; coordinates run from -1 to 1 on either axis, y downwards.
    matrix = torch.tensor([[cos, -sin * height / width, 0.0], [sin * width / height, cos, 0.0]])
    grid = F.affine_grid(matrix.expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _blurred(x: Float[Tensor, "n c h w"], sigma: float) -> Float[Tensor, "n c h w"]:
    """Convolves with a Gaussian cut off at four standard deviations; beyond the edge the edge's pixels go on."""
    radius = max(1, int(4 * sigma + 0.5))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = kernel / kernel.sum()
    n, channels, height, width = x.shape
    flat = x.reshape(n * channels, 1, height, width)
    flat = F.conv2d(F.pad(flat, (radius, radius, 0, 0), mode="replicate"), kernel.reshape(1, 1, 1, -1))
    flat = F.conv2d(F.pad(flat, (0, 0, radius, radius), mode="replicate"), kernel.reshape(1, 1, -1, 1))
    return flat.reshape(x.shape)


def _without_patch(x: Float[Tensor, "n c h w"], share: float, place: Float[Tensor, " 2"]) -> Float[Tensor, "n c h w"]:
    """Blackens a square of that share of the shorter side; `place` in [0, 1) says where, from the upper left."""
    height, width = x.shape[2:]
    side = round(share * min(height, width))
    top, left = (int(p * (room + 1)) for p, room in zip(place.tolist(), (height - side, width - side), strict=True))
    x = x.clone()
    x[:, :, top : top + side, left : left + side] = 0
    return x
