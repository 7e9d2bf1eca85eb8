"""Fréchet distance, precision, recall and memorisation, against closed forms and independent formulas."""

import numpy as np
import pytest
import torch
from scipy import linalg
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from explorer.evaluation.samples import frechet_distance, nearest_distances, precision_and_recall


def normal(n, f, seed=0):
    return torch.randn(n, f, generator=torch.Generator().manual_seed(seed))


def with_moments(mean, covariance, n=500, seed=0):
    """Points whose mean and covariance are exactly these."""
    x = normal(n, len(mean), seed).double()
    x = x - x.mean(0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    return white @ torch.linalg.cholesky(covariance.double()).T + mean


def test_gaussians_of_one_covariance_are_as_far_as_their_means():
    mean, covariance = torch.tensor([1.0, -2.0, 0.5]).double(), torch.diag(torch.tensor([1.0, 4.0, 0.25]))
    one, other = with_moments(0 * mean, covariance), with_moments(mean, covariance, seed=1)
    assert frechet_distance(one, other) == pytest.approx(float(mean.square().sum()), rel=1e-9)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_gaussians_with_axes_in_common_differ_by_their_standard_deviations():
    a, b = torch.tensor([1.0, 4.0, 9.0]), torch.tensor([4.0, 4.0, 1.0])
    turn = torch.linalg.qr(normal(3, 3))[0]
    one, other = (
        with_moments(torch.zeros(3).double(), turn @ torch.diag(v) @ turn.T, seed=i) for i, v in enumerate((a, b))
    )
    assert frechet_distance(one, other) == pytest.approx(float((a.sqrt() - b.sqrt()).square().sum()), rel=1e-5)


@pytest.mark.parametrize(("n", "f"), [(300, 8), (2000, 64), (40, 64)])
def test_it_is_what_a_matrix_square_root_gives(n, f):
    one, other = normal(n, f) @ normal(f, f, 2) / f**0.5, normal(n + 9, f, 1) * 1.5 + 0.3
    x, y = one.double().numpy(), other.double().numpy()
    a, b = np.cov(x.T), np.cov(y.T)
    root = linalg.sqrtm((a + 1e-10 * np.eye(f)) @ (b + 1e-10 * np.eye(f))).real
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a + b - 2 * root)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_are_those_of_the_paper(k):
    real, drawn = normal(300, 5), 0.6 * normal(200, 5, 1) + 0.2

    def share(points, others):
        found = NearestNeighbors(n_neighbors=k + 1).fit(others).kneighbors(others)[0][:, k]
        return (cdist(points, others) <= found).any(1).mean()

    expected = share(drawn.numpy(), real.numpy()), share(real.numpy(), drawn.numpy())
    assert precision_and_recall(drawn, real, k) == pytest.approx(expected)
    assert expected[0] > expected[1]  # too narrow a set is precise, and misses much


def test_what_is_the_same_is_among_itself_and_what_is_far_is_not():
    x = normal(50, 4)
    assert precision_and_recall(x, x) == (1, 1)
    assert precision_and_recall(x + 100, x) == (0, 0)
    assert precision_and_recall(x[:1].expand(50, -1), x) == (1, pytest.approx(1 / 50))


def test_nearest_distances_are_scikit_learns():
    points, others = normal(30, 6) + 50, normal(400, 6, 1) + 50
    expected = NearestNeighbors(n_neighbors=1).fit(others.numpy()).kneighbors(points.numpy())[0][:, 0]
    np.testing.assert_allclose(nearest_distances(points, others), expected, rtol=1e-3)
