"""What can be measured of pictures of single blood cells on black: colour, hue, roundness, dark spots.

By these the write-up on initialisation schemes tells generated healthy cells from infected ones: yellowish, round and
even against purplish, less regular and speckled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

HUE_BINS = 36
_BACKGROUND = 0.15  # of the brightest channel: cells lie on a black square
_SMOOTH = 1.0  # pixels: the outline's steps are no part of its length
_SPOT_CONTRAST = 0.12  # darker than the cell around it by this much of full brightness
_SPOT_AROUND = 6.0  # pixels of a 64 pixel picture: wider than a parasite
_SPOT_AREA = 6  # pixels at least


@dataclass(frozen=True)
class Measures:
    """Of N cells: `colour` mean RGB in [0, 1], `roundness` in [0, 1], `spots` how many dark ones; and of all pixels
    of all cells together the share in each of 36 bins of hue, from 0 to 360 degrees, weighted by saturation.

    A picture without a cell has NaN colour and roundness.
    """

    colour: Float[Tensor, "n 3"]
    roundness: Float[Tensor, " n"]
    spots: Float[Tensor, " n"]
    hue: Float[Tensor, " 36"]


@dataclass(frozen=True)
class Summary:
    """What many cells have in common: mean colour, the quartiles of roundness, the share with a dark spot, hues."""

    count: int
    colour: tuple[float, ...]
    roundness: tuple[float, ...]
    spotted: float
    hue: tuple[float, ...]

    @classmethod
    def of(cls, measures: Measures) -> Summary:
        """Sums up measures; cells without an outline are left out of colour and roundness."""
        seen = ~measures.roundness.isnan()
        quartiles = torch.tensor([0.25, 0.5, 0.75])
        some = bool(seen.any())
        return cls(
            len(seen),
            tuple(measures.colour[seen].mean(0).tolist()) if some else (float("nan"),) * 3,
            tuple(measures.roundness[seen].quantile(quartiles).tolist()) if some else (float("nan"),) * 3,
            float((measures.spots > 0).float().mean()) if len(seen) else float("nan"),
            tuple(measures.hue.tolist()),
        )


@cache
def real() -> dict[str, Summary]:
    """Reads the measures of real cells, of patients that no shipped model was trained on, by class.

    `benchmarks.real_cells` made them.
    """
    stored = json.loads(files("explorer.cells").joinpath("real.json").read_text("utf-8"))
    return {
        name: Summary(v["count"], tuple(v["colour"]), tuple(v["roundness"]), v["spotted"], tuple(v["hue"]))
        for name, v in stored.items()
    }


def measure(images: Float[Tensor, "n 3 h w"]) -> Measures:
    """Measures RGB images in [0, 1] of a cell each.

    Roundness is the isoperimetric quotient 4 pi area / perimeter², 1 for a disc and 0.785 for a square. The perimeter
    is the integral of the gradient of the mask, smoothed: the co-area formula (Federer 1959, theorem 3.1). Hue and
    saturation are those of HSV (Smith 1978, "Color gamut transform pairs").

    Raises:
        ValueError: the images are not RGB.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"cells are measured in RGB images [N, 3, H, W], not {list(images.shape)}")
    pixels = images.double().numpy()
    inside = np.stack([_cell(image) for image in pixels]) if len(pixels) else np.zeros((0, *pixels.shape[2:]), bool)
    found = [_one(image, mask) for image, mask in zip(pixels, inside, strict=True)]
    columns = np.array(found, np.float32).reshape(len(found), 5)
    hue = _hue_histogram(pixels, inside)
    return Measures(
        torch.from_numpy(columns[:, :3].copy()),
        torch.from_numpy(columns[:, 3].copy()),
        torch.from_numpy(columns[:, 4].copy()),
        torch.from_numpy(hue.astype(np.float32)),
    )


def _cell(image: np.ndarray) -> np.ndarray:
    """Finds the largest connected part of [3, H, W] that is not background, its holes filled."""
    parts, count = ndimage.label(image.max(0) > _BACKGROUND)
    if count == 0:
        return np.zeros(image.shape[1:], bool)
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return ndimage.binary_fill_holes(parts == largest)


def _one(image: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    area = float(mask.sum())
    if area == 0:
        return (np.nan, np.nan, np.nan, np.nan, 0.0)
    perimeter = ndimage.gaussian_gradient_magnitude(np.pad(mask, 4).astype(float), _SMOOTH).sum()
    roundness = min(1.0, 4 * np.pi * area / perimeter**2)
    return (*(float(channel[mask].mean()) for channel in image), roundness, float(_spots(image, mask)))


def _spots(image: np.ndarray, mask: np.ndarray) -> int:
    """Counts parts of the cell that are darker than what surrounds them, away from the outline."""
    bright = image.mean(0)
    scale = image.shape[1] / 64
    weight = ndimage.gaussian_filter(mask.astype(float), _SPOT_AROUND * scale)
    around = ndimage.gaussian_filter(np.where(mask, bright, 0.0), _SPOT_AROUND * scale) / np.maximum(weight, 1e-6)
    core = ndimage.binary_erosion(mask, iterations=max(1, round(3 * scale)))
    dark = ndimage.gaussian_filter(bright, 0.7 * scale) < around - _SPOT_CONTRAST
    parts, count = ndimage.label(dark & core)
    return int((np.bincount(parts.ravel(), minlength=count + 1)[1:] >= _SPOT_AREA * scale**2).sum())


def _hue_histogram(images: np.ndarray, inside: np.ndarray) -> np.ndarray:
    r, g, b = (images[:, i][inside] for i in range(3))
    high, low = np.maximum(np.maximum(r, g), b), np.minimum(np.minimum(r, g), b)
    spread = np.maximum(high - low, 1e-9)
    sector = np.where(high == r, (g - b) / spread % 6, np.where(high == g, (b - r) / spread + 2, (r - g) / spread + 4))
    saturation = (high - low) / np.maximum(high, 1e-9)
    counts, _ = np.histogram(sector / 6 % 1.0, bins=HUE_BINS, range=(0, 1), weights=saturation)
    return counts / max(counts.sum(), 1e-12)
