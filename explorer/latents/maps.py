"""Two-dimensional maps of codes: the plane itself, PCA and UMAP; placing a code, finding the code under a point.

UMAP (McInnes et al. 2018, arXiv:1802.03426) costs seconds to import and to fit, and cannot be inverted
in the time of a click. So it is fitted once, at the end of training, and stored; a new code is placed from its
nearest neighbours' places, and the code under a point found from the codes of the map's nearest points.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.latents.neighbourhoods import nearest, neighbours_of_each

NEIGHBOURS = 15  # of a map's quality figures, and UMAP's own default
KINDS = {"plane": "the two latents", "umap": "UMAP", "pca": "two principal components"}
"""What lays out a map, by its kind; the kind that is shown first comes first."""
FITTED = 10_000  # codes that a UMAP is fitted to: ten seconds; more are placed
JUDGED = 2000  # items that a large map's quality is measured on: a second instead of minutes
PLACING = 8  # neighbours that a placed code is averaged from: few enough to stay local, enough to be smooth


@dataclass(frozen=True)
class Map:
    """A map of stored codes: `points` float32 [N, 2] belong to `codes` float32 [N, D], row by row.

    `kind` is `plane` (two latents as they are), `pca` or `umap`; a PCA also has its `mean` [D] and
    orthonormal `components` [2, D].
    """

    kind: str
    points: Float[Tensor, "n 2"]
    codes: Float[Tensor, "n d"]
    mean: Float[Tensor, " d"] | None = None
    components: Float[Tensor, "2 d"] | None = None

    @property
    def exact(self) -> bool:
        """Whether the code under a point is the code itself and not an estimate."""
        return self.kind == "plane"

    def place(self, codes: Float[Tensor, "m d"]) -> Float[Tensor, "m 2"]:
        """Places codes on the map; on a UMAP map, the distance-weighted mean of their neighbours' places."""
        if self.kind == "plane":
            return codes.clone()
        if self.mean is not None and self.components is not None:
            return (codes - self.mean) @ self.components.T
        return _from_neighbours(codes, self.codes, self.points)

    def code_at(self, points: Float[Tensor, "m 2"]) -> Float[Tensor, "m d"]:
        """Finds the codes under points of the map.

        Exact on the plane; the point of the principal plane for PCA; the distance-weighted mean of the nearest
        points' codes for UMAP, which is an estimate and nowhere an inverse.
        """
        if self.kind == "plane":
            return points.clone()
        if self.mean is not None and self.components is not None:
            return self.mean + points @ self.components
        return _from_neighbours(points, self.points, self.codes)


def plane(codes: Float[Tensor, "n 2"]) -> Map:
    """Makes the map of two latents as they are."""
    return Map("plane", codes, codes)


def pca(codes: Float[Tensor, "n d"]) -> Map:
    """Fits the two principal components of the codes, each with its largest loading positive, so that it is unique."""
    mean = codes.mean(0)
    _, _, basis = torch.linalg.svd((codes - mean).double(), full_matrices=False)
    components = basis[:2]
    if len(components) < 2:  # one latent, or one image
        components = torch.cat([components, torch.zeros(2 - len(components), codes.shape[1], dtype=torch.float64)])
    strongest = components.abs().argmax(dim=1, keepdim=True)
    components = (components * torch.where(components.gather(1, strongest) < 0, -1.0, 1.0)).float()
    return Map("pca", (codes - mean) @ components.T, codes, mean, components)


def align(points: Float[Tensor, "n 2"], to: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
    """Turns or mirrors points about their centre so that they lie as near to others as they can, row by row.

    The orthogonal Procrustes problem: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem".
    """
    u, _, v = torch.linalg.svd((points - points.mean(0)).double().T @ (to - to.mean(0)).double())
    return (points - points.mean(0)) @ (u @ v).float() + points.mean(0)


def fitted_rows(count: int, seed: int) -> Int[Tensor, " m"] | None:
    """Draws the rows that a UMAP of so many codes is fitted to; None for all of them."""
    if count <= FITTED:
        return None
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:FITTED].sort().values


def judged(count: int, fitted: Int[Tensor, " m"] | None = None) -> Int[Tensor, " k"]:
    """Draws up to 2,000 rows to measure a map on: of those that it was not `fitted` to, where there are as many."""
    rows = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    if fitted is not None and count - len(fitted) >= JUDGED:
        rows = rows[~torch.isin(rows, fitted)]
    return rows[:JUDGED]


def fit_umap(codes: Float[Tensor, "n d"], *, seed: int = 0) -> Map:
    """Fits a UMAP of the codes: about ten seconds at 10,000 codes, and as many more the first time on a machine.

    Of more codes it is fitted to 10,000 at random (`fitted_rows`), and the others are placed.

    Raises:
        ValueError: there are too few codes for a neighbourhood.
    """
    rows = fitted_rows(len(codes), seed)
    if rows is None:
        return _fit_umap(codes, seed)
    fitted = _fit_umap(codes[rows], seed)
    points = torch.cat([fitted.place(block) for block in codes.split(_ROWS)])
    points[rows] = fitted.points
    return Map("umap", points, codes)


def _fit_umap(codes: Float[Tensor, "n d"], seed: int) -> Map:
    if len(codes) <= NEIGHBOURS:
        raise ValueError(f"UMAP needs more than {NEIGHBOURS} codes, not {len(codes)}")
    import warnings

    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no TensorFlow, "n_jobs overridden by the seed", numba's own deprecations
        import umap

        for function in (
            umap.umap_.smooth_knn_dist,
            umap.umap_.compute_membership_strengths,
            umap.layouts._nb_optimize_layout_euclidean_single_epoch,
        ):
            with contextlib.suppress(RuntimeError):  # nowhere to write what it compiles to
                function.enable_caching()
        mapper = umap.UMAP(
            n_neighbors=NEIGHBOURS, min_dist=0.1, random_state=seed, n_jobs=1, precomputed_knn=_umap_neighbours(codes)
        )
        points = mapper.fit_transform(codes.numpy())
    # numba has set OpenMP's number of threads, and so PyTorch's: training in this process might be ten times slower.
    torch.set_num_threads(threads)
    return Map("umap", torch.from_numpy(np.asarray(points, dtype=np.float32)), codes)


def _umap_neighbours(codes: Float[Tensor, "n d"]) -> tuple[np.ndarray, np.ndarray]:
    """Finds rows and distances of the nearest codes of each, itself first, as UMAP's NEIGHBOURS has it: each [N, k].

    UMAP's own search compiles for half a minute, and where there are more than 4,096 codes it is approximate.
    """
    distances, index = neighbours_of_each(codes, NEIGHBOURS - 1)
    itself = torch.arange(len(codes))[:, None]
    rows = torch.cat([itself, index], 1).int()
    return rows.numpy(), torch.cat([torch.zeros_like(distances[:, :1]), distances], 1).numpy()


def _from_neighbours(
    queries: Float[Tensor, "m d"], keys: Float[Tensor, "n d"], values: Float[Tensor, "n e"]
) -> Float[Tensor, "m e"]:
    """Weights the nearest keys by inverse distance (Shepard 1968): a query on a key gets that key's value."""
    distances, index = nearest(queries, keys, PLACING)
    weights = 1.0 / distances.square().clamp_min(1e-12)  # [M, k]
    weights = weights / weights.sum(1, keepdim=True)
    return (weights.unsqueeze(2) * values[index]).sum(1)


def quality(
    codes: Float[Tensor, "n d"],
    points: Float[Tensor, "n 2"],
    labels: Int[Tensor, " n"] | None = None,
    *,
    k: int = NEIGHBOURS,
) -> dict[str, float]:
    """Measures how far a map can be trusted, each figure from 0 to 1.

    `trustworthiness`: neighbours on the map are neighbours in code space. `continuity`: neighbours in code space
    stay neighbours on the map (Venna & Kaski 2001; eq. 1 and 2 of Venna & Kaski 2006, "Local multidimensional
    scaling"). With labels, `accuracy_codes` and `accuracy_map`: how often a majority vote of the k nearest others
    gives an item's own class. What is undefined for so few items is left out: all for k or fewer, the first two for
    fewer than 2 k + 2.
    """
    n = len(codes)
    found: dict[str, float] = {}
    if n <= k:
        return found
    # Matrix products give the distances, and they lose digits far from the origin.
    codes, points = codes - codes.mean(0), points - points.mean(0)
    (_, in_codes), (_, in_map) = neighbours_of_each(codes, k), neighbours_of_each(points, k)
    if n >= 2 * k + 2:  # the formula's normalisation needs k < n / 2
        scale = 2.0 / (n * k * (2 * n - 3 * k - 1))
        found["trustworthiness"] = 1.0 - scale * _rank_excess(codes, in_map, k)
        found["continuity"] = 1.0 - scale * _rank_excess(points, in_codes, k)
    if labels is not None:
        found["accuracy_codes"] = _vote_accuracy(in_codes, labels)
        found["accuracy_map"] = _vote_accuracy(in_map, labels)
    return found


def vote_accuracy(x: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> float:
    """Measures how often a majority vote of an item's 15 nearest others gives its own label, 0 to 1.

    The same figure as `quality`'s accuracies, for labels of any kind, such as the patient. NaN for 15 items or fewer.
    """
    if len(x) <= NEIGHBOURS:
        return float("nan")
    return _vote_accuracy(neighbours_of_each(x, NEIGHBOURS)[1], labels)


def guess_accuracy(labels: Int[Tensor, " n"]) -> float:
    """Measures how often the commonest label is right: what a vote has to beat. NaN for no items."""
    return float(labels.bincount().max()) / len(labels) if len(labels) else float("nan")


_ROWS = 512  # distances in blocks of so many rows: 20 MB at 10,000 codes


def _rank_excess(x: Float[Tensor, "n d"], neighbours: Int[Tensor, "n k"], k: int) -> float:
    """Sums over items how far beyond k their given neighbours rank in the space of x."""
    total = 0
    for start in range(0, len(x), _ROWS):
        distances = torch.cdist(x[start : start + _ROWS], x)
        rows = torch.arange(len(distances))
        distances[rows, rows + start] = -torch.inf  # an item is rank 0 of itself
        ordered = distances.sort(dim=1).values
        chosen = distances.gather(1, neighbours[start : start + _ROWS])
        ranks = torch.searchsorted(ordered, chosen.contiguous())
        total += int((ranks - k).clamp_min(0).sum())
    return float(total)


def _vote_accuracy(neighbours: Int[Tensor, "n k"], labels: Int[Tensor, " n"]) -> float:
    present, labels = labels.unique(return_inverse=True)
    right = 0
    for own, near in zip(labels.split(_ROWS), labels[neighbours].split(_ROWS), strict=True):
        votes = torch.zeros(len(near), len(present), dtype=torch.int64)
        right += int((votes.scatter_add_(1, near, torch.ones_like(near)).argmax(1) == own).sum())
    return right / len(labels)
