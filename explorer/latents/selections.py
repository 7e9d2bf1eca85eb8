"""Codes together: a selection of them, the nearest to one, draws that are like them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.latents.neighbourhoods import nearest


@dataclass(frozen=True)
class Selection:
    """A set of items of `Latents`: their rows [M], mean code [D] and the rows of the most typical, nearest first."""

    rows: Int[Tensor, " m"]
    mean: Float[Tensor, " d"]
    typical: Int[Tensor, " t"]


def select(codes: Float[Tensor, "n d"], rows: Int[Tensor, " m"], *, typical: int = 24) -> Selection:
    """Sums up some rows of the codes. The most typical members are those nearest to the mean code.

    Raises:
        ValueError: there are no rows.
    """
    if len(rows) == 0:
        raise ValueError("a selection needs at least one item")
    members = codes[rows]
    mean = members.mean(0)
    _, order = nearest(mean[None], members, typical)
    return Selection(rows, mean, rows[order[0]])


@dataclass(frozen=True)
class Spread:
    """How some items are spread over the groups that items are of, such as patients.

    `counts` and `everywhere` [G] are members and all items by group. `together` is the probability that two different
    members are of one group, Simpson's index (Simpson 1949, "Measurement of diversity"), and `usual` that of two
    items of the whole set, which is also what `together` is on average for members drawn at random. NaN of fewer than
    two.
    """

    counts: Int[Tensor, " g"]
    everywhere: Int[Tensor, " g"]
    together: float
    usual: float

    @property
    def present(self) -> int:
        """How many groups have a member."""
        return int((self.counts > 0).sum())


def spread(ids: Int[Tensor, " n"], rows: Int[Tensor, " m"]) -> Spread:
    """Counts how some rows are spread over groups; `ids` has each item's group, from 0 on without gaps."""
    everywhere = ids.bincount()
    counts = ids[rows].bincount(minlength=len(everywhere))
    return Spread(counts, everywhere, _together(counts), _together(everywhere))


def _together(counts: Int[Tensor, " g"]) -> float:
    n = int(counts.sum())
    return float((counts * (counts - 1)).sum()) / (n * (n - 1)) if n > 1 else math.nan


def fitted_draws(codes: Float[Tensor, "n d"], noise: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
    """Turns standard normal noise into draws from the Gaussian fitted to codes.

    Ex-post density estimation with one Gaussian: Ghosh et al. 2020, arXiv:1903.12436, section 4.
    """
    codes = codes.double()
    d = codes.shape[1]
    covariance = torch.cov(codes.T, correction=0).reshape(d, d)
    # The symmetric root, not Cholesky's: latents that do not vary, or only together, leave it singular.
    variances, axes = torch.linalg.eigh(covariance)
    root = (axes * variances.clamp_min(0).sqrt()) @ axes.T
    return (codes.mean(0) + noise.double() @ root).float()


def neighbours(
    code: Float[Tensor, " d"], codes: Float[Tensor, "n d"], *, k: int = 8, without: int | None = None
) -> Int[Tensor, " k"]:
    """Finds the rows of the k codes nearest to a code, nearest first, `without` one row (the item itself)."""
    _, index = nearest(code[None], codes, k + 1)
    rows = index[0]
    return rows[rows != without][:k] if without is not None else rows[:k]
