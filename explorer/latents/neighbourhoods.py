"""The nearest neighbours of codes: of some among others, and of every code among all others."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BLOCK = 5_000_000  # numbers at a time: 20 MB, 500 rows of distances to 10,000 codes


def nearest(
    queries: Float[Tensor, "m d"], among: Float[Tensor, "n d"], k: int
) -> tuple[Float[Tensor, "m k"], Int[Tensor, "m k"]]:
    """Euclidean distances and indices of the k nearest of `among` to each query, nearest first."""
    distances = torch.cdist(queries, among, compute_mode="donot_use_mm_for_euclid_dist")
    values, index = distances.topk(min(k, len(among)), largest=False)
    return values, index


def neighbours_of_each(codes: Float[Tensor, "n d"], k: int) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """Finds distances and rows of the k nearest others of each code, nearest first; all others where k is more."""
    # Matrix products choose the neighbours, and they lose digits far from the origin; then distances are exact.
    centred = codes - codes.mean(0)
    k = min(k, len(codes) - 1)
    distances, index = [], []
    at_a_time = max(1, _BLOCK // max(1, len(codes), k * codes.shape[1]))
    for start in range(0, len(codes), at_a_time):
        block = centred[start : start + at_a_time]
        to_all = torch.cdist(block, centred)
        rows = torch.arange(len(block))
        to_all[rows, rows + start] = torch.inf
        found = to_all.topk(k, largest=False).indices
        exact = (block[:, None] - centred[found]).norm(dim=2)
        order = exact.argsort(dim=1, stable=True)
        distances.append(exact.gather(1, order))
        index.append(found.gather(1, order))
    return torch.cat(distances), torch.cat(index)
