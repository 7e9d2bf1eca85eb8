"""Measures of samples: how close they come to real images, and whether they are copies, in a classifier's features."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.evaluation.subject import NotMeasured, Subject

NEIGHBOURS = 3  # as Kynkäänniemi et al. 2019 have it
_BLOCK = 20_000_000  # distances at a time: 80 MB


def closeness(subject: Subject) -> dict[str, float]:
    """Measures the Fréchet distance of samples from test images, and their precision and recall."""
    drawn, real = subject.sample_features, subject.real_features
    precision, recall = precision_and_recall(drawn, real)
    return {"frechet_distance": frechet_distance(drawn, real), "precision": precision, "recall": recall}


def memorisation(subject: Subject) -> dict[str, float]:
    """Measures how far a sample is from the nearest training image, over how far a test image is: medians."""
    if len(subject.train) == 0:
        raise NotMeasured("There are no training images.")
    drawn = nearest_distances(subject.sample_features, subject.train_features).median()
    real = nearest_distances(subject.real_features, subject.train_features).median()
    if real == 0:
        raise NotMeasured("Most test images are in the training set.")
    return {"memorisation": float(drawn / real)}


def frechet_distance(one: Float[Tensor, "n f"], other: Float[Tensor, "m f"]) -> float:
    """The squared Fréchet distance of Gaussians fitted to two sets of features: Dowson & Landau 1982, eq. 4.

    |a - b|² + tr(A + B - 2 (A B)^(1/2)), for means a, b and covariances A, B, as Heusel et al. 2017, arXiv:1706.08500,
    compare samples with images. A B has the eigenvalues of the symmetric A^(1/2) B A^(1/2).
    """
    one, other = one.double(), other.double()
    a, b = torch.cov(one.T), torch.cov(other.T)
    values, vectors = torch.linalg.eigh(a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
    apart = (one.mean(0) - other.mean(0)).square().sum()
    return max(0.0, float(apart + a.trace() + b.trace() - 2 * shared))


def precision_and_recall(
    drawn: Float[Tensor, "n f"], real: Float[Tensor, "m f"], k: int = NEIGHBOURS
) -> tuple[float, float]:
    """The share of samples among real images, and of real images among samples.

    Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 1 and 2: one is among others if it is at least as close to one of
    them as that one's k-th nearest neighbour. Compare figures of equally many samples only.
    """
    return _share_among(drawn, real, k), _share_among(real, drawn, k)


def _share_among(points: Float[Tensor, "n f"], others: Float[Tensor, "m f"], k: int) -> float:
    # The nearest of all is the point itself.
    radius = torch.cat([d.kthvalue(min(k, len(others) - 1) + 1, dim=1).values for d in _distances(others, others)])
    return float(torch.cat([(d <= radius).any(1) for d in _distances(points, others)]).double().mean())


def nearest_distances(points: Float[Tensor, "n f"], others: Float[Tensor, "m f"]) -> Float[Tensor, " n"]:
    """The distance of each point from the nearest of the others."""
    return torch.cat([d.amin(1) for d in _distances(points, others)])


def _distances(points: Float[Tensor, "n f"], others: Float[Tensor, "m f"]) -> Iterator[Float[Tensor, "b m"]]:
    centre = others.mean(0)  # matrix products lose digits far from the origin
    for block in points.split(max(1, _BLOCK // len(others))):
        yield torch.cdist(block - centre, others - centre)
