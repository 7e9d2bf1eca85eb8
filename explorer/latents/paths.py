"""Paths from code to code that stay where data are encoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.latents.neighbourhoods import nearest, neighbours_of_each

_KNOTS = 64
_SMOOTHING = 64  # rounds over the knots: about a Gaussian of 6 knots
_BLOCK = 512


class NeighbourGraph:
    """Encoded data [N, D], each code linked with its k nearest; parts that no link joins, by the shortest one."""

    def __init__(self, codes: Float[Tensor, "n d"], k: int, start: Int[Tensor, " e"], end: Int[Tensor, " e"]) -> None:
        self._codes, self._k = codes, k
        order = start.argsort(stable=True)
        self._ends = end[order]
        self._weights = _squares(codes[start[order]], codes[self._ends])
        self._counts = torch.bincount(start, minlength=len(codes))

    @classmethod
    def of(cls, codes: Float[Tensor, "n d"], *, k: int = 12) -> NeighbourGraph:
        """Makes the graph of codes. 10,000 codes of 100 latents take half a second.

        Raises:
            ValueError: there are no codes, or k is less than one.
        """
        if len(codes) == 0 or k < 1:
            raise ValueError(f"a graph needs codes and at least one neighbour, not {len(codes)} codes and k = {k}")
        _, index = neighbours_of_each(codes, k)
        start = torch.arange(len(codes)).repeat_interleave(index.shape[1])
        return cls(codes, k, *_joined(codes, start, index.flatten()))

    def path(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int) -> Float[Tensor, "steps d"]:
        """Walks from a to b through encoded data at equal distances, with exact ends.

        The path whose links have the least sum of squared lengths: so many short hops through a dense region cost
        less than one long hop over a gap. This is the sample Fermat distance with power 2 (Groisman, Jonckheere &
        Sapienza 2019, arXiv:1810.09398; power-weighted shortest paths in McKenzie & Damelin 2019,
        arXiv:1905.13345). Greater powers make long detours through the densest class of all. The codes on the way
        are then smoothed, since each has its own handwriting, which would flicker.

        Raises:
            ValueError: there are fewer than two steps.
        """
        if steps < 2:
            raise ValueError(f"a path from one code to another needs at least 2 steps, not {steps}")
        knots = _resampled(torch.stack([a, *self._codes[self._between(a, b)], b]).double(), _KNOTS)
        for _ in range(_SMOOTHING):
            knots[1:-1] = (knots[:-2] + 2 * knots[1:-1] + knots[2:]) / 4
        found = _resampled(knots, steps).to(a.dtype)
        found[0], found[-1] = a, b
        return found

    def _between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"]) -> list[int]:
        """Finds the rows of the codes on the shortest path from a to b, in order; none between neighbours."""
        from scipy.sparse.csgraph import dijkstra

        n = len(self._codes)
        distances, index = nearest(torch.stack([a, b]), self._codes, self._k)
        if (a - b).norm() <= distances[:, -1].max():
            return []
        graph = _sparse(
            n + 2,
            torch.cat([self._counts, torch.tensor(2 * [index.shape[1]])]),
            torch.cat([self._ends, index.flatten()]),
            torch.cat([self._weights, _squares(a, self._codes[index[0]]), _squares(b, self._codes[index[1]])]),
        )
        _, before = dijkstra(graph, directed=False, indices=n + 1, return_predecessors=True)
        rows, at = [], int(before[n])
        while at != n + 1:
            rows.append(at)
            at = int(before[at])
        return rows


def _squares(a: Tensor, b: Tensor) -> Float[Tensor, " e"]:
    """Squares distances [E]. A sparse matrix may take zero for no link, so equal codes are very near instead."""
    return (a.double() - b.double()).square().sum(-1).clamp_min(1e-30)


def _sparse(n: int, counts: Tensor, ends: Tensor, weights: Tensor) -> Any:
    from scipy.sparse import csr_matrix

    starts = np.concatenate([[0], counts.cumsum(0).numpy()])
    return csr_matrix((weights.numpy(), ends.numpy(), starts), shape=(n, n))


def _joined(
    codes: Float[Tensor, "n d"], start: Int[Tensor, " e"], end: Int[Tensor, " e"]
) -> tuple[Int[Tensor, " f"], Int[Tensor, " f"]]:
    """Adds the links that make the graph one part: from each part but the largest its shortest, until there is one.

    Borůvka's rounds for a minimum spanning tree (1926), between parts.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(codes)
    while True:
        links = coo_matrix((np.ones(len(start)), (start.numpy(), end.numpy())), shape=(n, n))
        parts, labels = connected_components(links, directed=False)
        if parts == 1:
            return start, end
        part = torch.from_numpy(labels).long()
        outside = torch.nonzero(part != torch.bincount(part).argmax()).flatten()
        distances, nearby = [], []
        for rows in outside.split(_BLOCK):
            to_all = torch.cdist(codes[rows], codes)
            to_all[part[rows][:, None] == part] = torch.inf
            shortest = to_all.min(1)
            distances.append(shortest.values)
            nearby.append(shortest.indices)
        # By part, and within it by distance: the first of each part is its shortest link.
        order = np.lexsort((torch.cat(distances).numpy(), part[outside].numpy()))
        _, first = np.unique(part[outside].numpy()[order], return_index=True)
        chosen = torch.from_numpy(order[first])
        start, end = torch.cat([start, outside[chosen]]), torch.cat([end, torch.cat(nearby)[chosen]])


def _resampled(knots: Float[Tensor, "k d"], steps: int) -> Float[Tensor, "steps d"]:
    """Resamples a polyline at equal distances along it, both ends included."""
    lengths = (knots[1:] - knots[:-1]).norm(dim=1)
    along = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    places = torch.linspace(0, 1, steps, dtype=along.dtype) * along[-1]
    after = torch.searchsorted(along, places, right=True).clamp(1, len(knots) - 1)
    share = (places - along[after - 1]) / (along[after] - along[after - 1]).clamp_min(1e-30)
    return torch.lerp(knots[after - 1], knots[after], share.clamp(0, 1)[:, None])
