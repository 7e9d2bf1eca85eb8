"""Whether a picture is a cell at all: how its figures compare with those of real cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from explorer.cells.screening.detector import BACKGROUND

# Squared errors over an image, and over its worst place, below which one is as good as another: a cell that is drawn
# without granules is no less of a cell.
_GOOD, _WELL = 0.005, 0.025
_COLOUR = 8.5 / 255  # what JPEG leaves of colour in a gray picture


@dataclass(frozen=True)
class Typicality:
    """A mixture of K Gaussians of the features of real cells, and how dense it is where they are.

    Attributes:
        mean, scale [F]: the features less their mean, over their standard deviation, are what the mixture is of.
        weights [K], centres [K, F]: of its parts.
        whitening [K, F, F]: the Cholesky factor of each part's precision, precision = whitening @ whitening.T.
        densities [M]: evenly spaced quantiles of the log density at the cells it was fitted on, ascending.
    """

    mean: Float[Tensor, " f"]
    scale: Float[Tensor, " f"]
    weights: Float[Tensor, " k"]
    centres: Float[Tensor, "k f"]
    whitening: Float[Tensor, "k f f"]
    densities: Float[Tensor, " m"]

    def log_density(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Computes the logarithm of the mixture's density at standardised features, in nats."""
        x = (features.double() - self.mean.double()) / self.scale.double()
        whitening = self.whitening.double()
        white = torch.einsum("nkf,kfg->nkg", x[:, None] - self.centres.double(), whitening)
        volume = torch.diagonal(whitening, dim1=1, dim2=2).log().sum(1)
        parts = self.weights.double().log() + volume - 0.5 * white.square().sum(2)
        return torch.logsumexp(parts, 1).float() - 0.5 * features.shape[1] * math.log(2 * math.pi)

    def of(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Computes the share of the cells it was fitted on that lie in less dense places, in [0, 1]."""
        return torch.searchsorted(self.densities, self.log_density(features)).float() / len(self.densities)


def cell_features(
    images: Float[Tensor, "n 3 h w"],
    reconstructions: Sequence[Float[Tensor, "n 3 h w"]],
    codes: Sequence[Float[Tensor, "n d"]],
) -> Float[Tensor, "n f"]:
    """Computes the features by which a picture is judged as a cell, float [N, F].

    For each model the logarithm of its squared error and of its code's squared length. Once the logarithms of the share
    of pixels that are not background, of their mean green, and of their mean red and blue over it: cells are pink, by
    more or less stain. And what tells one cell in the middle from several, or from a scene: the logarithms of how far
    from a disc the pixels lie (their second moment over that of a disc of their area, at least 1), of the share of the
    rim that is not background, and of the healthy model's largest error over some 10 pixels.
    """
    errors = [(r - images).square().flatten(1).mean(1).clamp_min(_GOOD).log() for r in reconstructions]
    lengths = [(z.square().sum(1) + 1e-3).log() for z in codes]
    mask = (images.mean(1, keepdim=True) > BACKGROUND).float()
    area = mask.mean((1, 2, 3))
    red, green, blue = (((images * mask).mean((2, 3)) + 1e-3) / (area + 1e-3)[:, None]).log().unbind(1)
    worst = F.avg_pool2d((reconstructions[0] - images).square().mean(1, keepdim=True), 11, 3).flatten(1).amax(1)
    colours = (green, red - green, blue - green)
    layout = (_apart_from_a_disc(mask[:, 0]).log(), (_rim_share(mask[:, 0]) + 0.02).log(), worst.clamp_min(_WELL).log())
    return torch.stack([*errors, *lengths, (area + 1e-3).log(), *colours, *layout], 1)


def _apart_from_a_disc(mask: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Computes a mask's polar moment about its centroid over that of a disc of its area, A² / 2 pi; 1 if empty."""
    _, height, width = mask.shape
    y = torch.arange(height, device=mask.device, dtype=mask.dtype)[:, None]
    x = torch.arange(width, device=mask.device, dtype=mask.dtype)
    area = mask.sum((1, 2)).clamp_min(1.0)
    means = [(mask * axis).sum((1, 2)) / area for axis in (y, x)]
    squares = (mask * (y.square() + x.square())).sum((1, 2))
    moment = squares - area * (means[0].square() + means[1].square())
    return (2 * torch.pi * moment / area.square()).clamp_min(1.0)


def _rim_share(mask: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Computes the share of a mask's outermost pixels that are in it."""
    return torch.cat([mask[:, 0], mask[:, -1], mask[:, 1:-1, 0], mask[:, 1:-1, -1]], 1).mean(1)


def colourless(images: Float[Tensor, "n 3 h w"]) -> Bool[Tensor, " n"]:
    """Tells which images have no colour: a parasite is known by its colour, so nothing can be said of these."""
    return (images.amax(1) - images.amin(1)).flatten(1).amax(1) <= _COLOUR
