"""Holes: where the aggregate posterior of two latents has no mass although the prior does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.models import LatentModel, Posterior


@dataclass(frozen=True)
class Holes:
    """The places where the aggregate posterior has no mass although the prior does.

    `hole` bool [H, W] over `x` [W] and `y` [H] (ascending), `mass` the prior's probability of the holes.
    """

    x: Float[Tensor, " w"]
    y: Float[Tensor, " h"]
    hole: Tensor
    mass: float

    def has(self, x: float, y: float) -> bool:
        """Says whether a spot lies in a hole."""
        column, row = (round(float((at - axis[0]) / (axis[1] - axis[0]))) for at, axis in ((x, self.x), (y, self.y)))
        return 0 <= column < len(self.x) and 0 <= row < len(self.y) and bool(self.hole[row, column])


HOLE_RATIO = 0.1  # a hole is where q(z) < a tenth of p(z): ten times rarer than the prior promises
HOLE_REACH = 0.99  # of the prior's mass: beyond it, an ellipse for a Gaussian, nobody would draw a code
_BLOCK = 50_000  # items at a time


def find_holes(posterior: Posterior, model: LatentModel | None, *, size: int = 160) -> Holes:
    """Finds the holes of a two-dimensional aggregate posterior q(z) = mean over the data of q(z|x).

    Without a `model` whose prior counts (deterministic codes) the prior is the Gaussian fitted to the codes, from
    which one would have to draw (ex-post density estimation, Ghosh et al. 2020, arXiv:1903.12436), and q(z) a kernel
    density estimate of the codes whose bandwidth maximises the likelihood of held-out codes (Habbema et al. 1974),
    since a rule of thumb for one bell-shaped cluster would paint over the gaps between many; otherwise the posteriors
    themselves count, each as a Gaussian of its mean and variance.

    Args:
        posterior: mean and logvar [N, 2].
        size: cells along each axis of the picture.
    """
    mean = posterior.mean.double()
    spread = None if model is None else model.prior_spread()
    if spread is None:
        centre = mean.mean(0)
        covariance = torch.cov(mean.T, correction=0) + 1e-9 * torch.eye(2, dtype=torch.float64)
        variance = (covariance.diagonal() * _bandwidth(mean) ** 2).expand_as(mean)
    else:
        centre, covariance = spread[0].double(), spread[1].double().square().diag()
        variance = posterior.logvar.double().exp()
    reach = math.sqrt(-2 * math.log(1 - HOLE_REACH))  # radius of the chi-square with two degrees of freedom
    half = reach * covariance.diagonal().sqrt()
    x = torch.linspace(float(centre[0] - half[0]), float(centre[0] + half[0]), size, dtype=torch.float64)
    y = torch.linspace(float(centre[1] - half[1]), float(centre[1] + half[1]), size, dtype=torch.float64)
    # The Gaussians are axis-aligned, so the sum over items is one matrix product of two one-dimensional tables.
    # A block of items at a time: the tables of a million would take 3 GB.
    blocks = zip(mean.split(_BLOCK), variance.split(_BLOCK), strict=True)
    q = sum(_density_table(y, m[:, 1], v[:, 1]).T @ _density_table(x, m[:, 0], v[:, 0]) for m, v in blocks) / len(mean)
    offset = torch.stack(torch.meshgrid(x - centre[0], y - centre[1], indexing="xy"), dim=-1)  # [H, W, 2]
    distance = (offset @ torch.linalg.inv(covariance) * offset).sum(-1)
    if model is None or spread is None:
        p = torch.exp(-0.5 * distance) / (2 * torch.pi * torch.linalg.det(covariance).sqrt())
    else:
        p = model.log_prior((offset + centre).flatten(0, 1)).exp().reshape(distance.shape)
    cell = float((x[1] - x[0]) * (y[1] - y[0]))
    within = distance < reach**2
    if model is not None and model.learns_prior:  # whatever its shape: the densest places with that share of it
        densest = p.flatten().sort(descending=True).values
        held = densest.cumsum(0) * cell
        share = HOLE_REACH if held[-1] > HOLE_REACH else HOLE_REACH * held[-1]  # the picture may have only a part of it
        within = p >= densest[int((held < share).sum())]
    hole = (q < HOLE_RATIO * p) & within
    return Holes(x.float(), y.float(), hole, float(p[hole].sum() * cell))


def _bandwidth(codes: Float[Tensor, "n 2"]) -> float:
    """Finds the kernel's width, in standard deviations, under which half the codes predict the others best."""
    codes = codes / codes.std(0, correction=0).clamp_min(1e-9)
    codes = codes[torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))]  # classes may come in turn
    known, held_out = codes[::2][:4000], codes[1::2][:2000]
    squared = torch.cdist(held_out, known).square()
    widths = torch.logspace(-2, 0, 17, dtype=torch.float64)
    score = [torch.logsumexp(-0.5 * squared / w**2, dim=1).mean() - 2 * torch.log(w) for w in widths]
    return float(widths[int(torch.stack(score).argmax())])


def _density_table(
    at: Float[Tensor, " m"], mean: Float[Tensor, " n"], variance: Float[Tensor, " n"]
) -> Float[Tensor, "n m"]:
    scaled = (at[None, :] - mean[:, None]).square() / variance[:, None]
    return torch.exp(-0.5 * scaled) / torch.sqrt(2 * torch.pi * variance)[:, None]
