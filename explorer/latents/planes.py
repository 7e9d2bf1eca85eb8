"""Planes through the code space, and the places on them that a grid decodes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.latents.traversals import location_and_scale

_TAIL = 0.005  # of the codes without a prior at either end of an axis: some lie ten times as far out as the rest
ATLAS = 48  # places a side: blended, a step of 1/48 of the plane cannot be told from the decoder
_REACH = 3.0  # standard deviations of the prior: its own range belongs to the plane, with data or without

Bounds = tuple[tuple[float, float], tuple[float, float]]
"""What of a plane is shown: x and y from, to."""


def bounds_of(points: Float[Tensor, "n 2"], prior: tuple[Tensor, Tensor] | None) -> Bounds:
    """Finds what of a plane of two latents is shown at first: the points, and the range of their prior.

    `prior` is its mean and standard deviation [2]; without one it is that of the points, of which few are left out.
    """
    low, high = points.min(0).values, points.max(0).values
    if prior is None:
        low, high = torch.quantile(points, torch.tensor([_TAIL, 1 - _TAIL]), dim=0)
    centre, spread = prior or location_and_scale(points)
    low, high = torch.minimum(low, centre - _REACH * spread), torch.maximum(high, centre + _REACH * spread)
    pad = 0.05 * (high - low).clamp_min(1e-6)
    (x0, y0), (x1, y1) = (low - pad).tolist(), (high + pad).tolist()
    return (x0, x1), (y0, y1)


def lattice(bounds: Bounds, n: int) -> Float[Tensor, "nn 2"]:
    """Lays n x n places over a plane of two latents, row by row from the highest y, as pictures have them."""
    (x0, x1), (y0, y1) = bounds
    y, x = torch.meshgrid(torch.linspace(y1, y0, n), torch.linspace(x0, x1, n), indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def quantiles(n: int, outer: float) -> Float[Tensor, " n"]:
    """Spaces n places on an axis of the prior: norm.ppf of equally spaced quantiles from `outer` to 1 - outer.

    Guo 2020's grid is `quantiles(15, 0.05)`: equal steps of probability, so that the decoded grid shows images
    as often as the prior draws them.

    Raises:
        ValueError: n is less than 2, or outer is not between 0 and 0.5.
    """
    if n < 2 or not 0 < outer < 0.5:
        raise ValueError(f"a grid needs at least 2 places and an outer quantile between 0 and 0.5, not {n}, {outer}")
    return torch.special.ndtri(torch.linspace(outer, 1 - outer, n, dtype=torch.float64)).float()  # norm.ppf


@dataclass(frozen=True)
class Plane:
    """A plane in code space: code = origin + u * across + v * up, with origin, across and up float32 [D]."""

    origin: Float[Tensor, " d"]
    across: Float[Tensor, " d"]
    up: Float[Tensor, " d"]

    def codes(self, u: Float[Tensor, " m"], v: Float[Tensor, " m"]) -> Float[Tensor, "m d"]:
        """Finds the codes at pairs of coordinates."""
        return self.origin + u[:, None] * self.across + v[:, None] * self.up

    def grid(self, axis: Float[Tensor, " n"]) -> Float[Tensor, "nn d"]:
        """Finds the codes of an n x n grid over the plane, row by row from the top: v falls, u grows."""
        v, u = torch.meshgrid(axis.flip(0), axis, indexing="ij")
        return self.codes(u.flatten(), v.flatten())


def latent_plane(
    origin: Float[Tensor, " d"], a: int, b: int, centre: Float[Tensor, " d"], spread: Float[Tensor, " d"]
) -> Plane:
    """Makes the plane along latents a and b through a code; u and v count the latents' spreads from their centres.

    Raises:
        ValueError: a latent is out of range, or both are the same.
    """
    d = len(origin)
    if a == b or not (0 <= a < d and 0 <= b < d):
        raise ValueError(f"a plane needs two different latents from 0 to {d - 1}, not {a} and {b}")
    start, across, up = origin.clone(), torch.zeros(d), torch.zeros(d)
    start[a], start[b] = centre[a], centre[b]
    across[a], up[b] = spread[a], spread[b]
    return Plane(start, across, up)


def spread_plane(codes: Float[Tensor, "n d"], axes: Float[Tensor, "2 d"]) -> Plane:
    """Makes the plane of two orthonormal axes through the mean code; u and v count the codes' standard deviations.

    The axes are principal components, or two latents of a deterministic code, which no prior keeps near zero.
    """
    mean = codes.mean(0)
    spread = ((codes - mean) @ axes.T).std(0, correction=0)
    return Plane(mean, axes[0] * spread[0], axes[1] * spread[1])


def plane_through(a: Float[Tensor, " d"], b: Float[Tensor, " d"], c: Float[Tensor, " d"]) -> Plane:
    """Makes the plane through three codes: a at the lower left (-1, -1), b at the lower right, c at the upper left.

    Raises:
        ValueError: the three lie on a line.
    """
    across, up = (b - a) / 2, (c - a) / 2
    both = torch.stack([across, up]).double()
    gram = both @ both.T
    # The squared sine of their angle, whatever the scale: what remains of a line after float32's rounding is less.
    if torch.linalg.det(gram) <= 1e-8 * gram[0, 0] * gram[1, 1]:
        raise ValueError("the three points lie on a line: choose another one")
    return Plane(a + across + up, across, up)
