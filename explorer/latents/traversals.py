"""Traversals: one latent varied at a time, the strongest first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# A latent with less KL than this, on average over images, is collapsed: its posterior is the prior for nearly every
# image (Lucas et al. 2019, arXiv:1911.02469, define it so), and tells the decoder nothing. As KL >= mean² / 2, its
# posterior means vary by less than 0.02; Burda et al. 2016 call a unit inactive below 0.01.
COLLAPSED_NATS = 0.01


@dataclass(frozen=True)
class LatentRanges:
    """The values that each latent is varied over, around its `centre` [D], in units of its `scale` [D].

    They are mean and standard deviation of the prior, or of the codes where there is none. `kl` [D] is each latent's
    KL in nats, averaged over images; None where it is not known.
    """

    centre: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]
    kl: Float[Tensor, " d"] | None = None

    @property
    def strength(self) -> Float[Tensor, " d"]:
        """What orders latents: KL where it is known, else standard deviation."""
        return self.scale if self.kl is None else self.kl

    @property
    def collapsed(self) -> Bool[Tensor, " d"]:
        """Which latents say nothing of an image: those with a KL below `COLLAPSED_NATS`."""
        return torch.zeros(len(self.scale), dtype=torch.bool) if self.kl is None else self.kl < COLLAPSED_NATS

    def strongest(self, count: int | None = None, among: range | None = None) -> Int[Tensor, " k"]:
        """Orders latents by strength, the strongest first, equal ones by number; all `among` them, or `count`."""
        among = range(len(self.scale)) if among is None else among
        return among.start + self.strength[among.start : among.stop].argsort(descending=True, stable=True)[:count]


@dataclass(frozen=True)
class Traversal:
    """Rows of codes [R, S, D]; in row i only latent `latents[i]` varies, over `values[i]`, from the origin."""

    codes: Float[Tensor, "r s d"]
    latents: Int[Tensor, " r"]
    values: Float[Tensor, "r s"]


def location_and_scale(codes: Float[Tensor, "n d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Measures mean and standard deviation of codes by latent. The latter is above 0.

    A latent that does not vary counts a thousandth of the one that varies most, and where none does, all count 1.
    """
    scale = codes.std(0, correction=0)
    most = float(scale.max())
    return codes.mean(0), scale.clamp_min(1e-3 * most) if most > 0 else torch.ones_like(scale)


def traversal(
    origin: Float[Tensor, " d"],
    ranges: LatentRanges,
    *,
    reach: float = 3.0,
    steps: int = 11,
    rows: int | None = None,
    first: int = 0,
    among: range | None = None,
) -> Traversal:
    """Sets each latent to values from centre - reach * scale to centre + reach * scale, the others as in `origin`.

    The values are absolute, not steps from the origin, so that a column means the same in every row and for every
    origin, as in the traversals of Higgins et al. 2017, "beta-VAE". Rows come by strength, strongest first, all
    `among` them or `rows` of them, without the `first` so many.

    Raises:
        ValueError: the reach is not a positive number, there are fewer than two steps, or there are no rows.
    """
    if not 0 < reach < math.inf:
        raise ValueError(f"a traversal's reach is a number above 0, not {reach}")
    if steps < 2:
        raise ValueError(f"a traversal needs at least 2 steps, not {steps}")
    if rows is not None and rows < 1:
        raise ValueError(f"a traversal needs at least one row, not {rows}")
    among = range(len(origin)) if among is None else among
    if not 0 <= first < len(among):
        raise ValueError(f"a traversal of {len(among)} latents cannot leave out the first {first}")
    latents = ranges.strongest(among=among)[first:][:rows]
    # Not linspace: its middle may miss zero by a rounding.
    offsets = reach * torch.arange(1 - steps, steps, 2) / (steps - 1)
    values = ranges.centre[latents, None] + ranges.scale[latents, None] * offsets
    codes = origin.repeat(len(latents), steps, 1)
    codes[torch.arange(len(latents)), :, latents] = values
    return Traversal(codes, latents, values)
