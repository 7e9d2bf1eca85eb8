"""MIG and DCI against scikit-learn's information and the closed forms of codes that are, or are not, their factors."""

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from explorer.evaluation.factors import BINS, disentanglement_and_completeness, mig
from explorer.evaluation.subject import NotMeasured

SIZES = (4, 3, 5)


def factors(n=2000):
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, size, n) for size in SIZES], 1)


def test_codes_that_are_the_factors_have_all_of_the_gap():
    v = np.stack(np.meshgrid(*map(np.arange, SIZES)), -1).reshape(-1, 3)  # each combination once
    assert mig(v[:, ::-1].astype(np.float32), v) == pytest.approx(1)
    twice = np.concatenate([v, v], 1).astype(np.float32)
    assert mig(twice, v) == pytest.approx(0)
    assert mig(v[:, :1].astype(np.float32), v) == pytest.approx(1 / 3)


def test_the_gap_is_that_of_scikit_learns_information():
    v = factors()
    codes = v @ np.array([[1, 0.2], [0.1, 1], [0.3, 0.4]]) + np.random.default_rng(1).normal(0, 0.3, (2000, 2))
    expected = []
    for factor in v.T:
        told = sorted(mutual_info_score(factor, np.histogram(z, BINS)[1].searchsorted(z, "right")) for z in codes.T)
        expected.append((told[-1] - told[-2]) / entropy(np.bincount(factor)))
    assert mig(codes.astype(np.float32), v) == pytest.approx(np.mean(expected), abs=0.01)


def test_a_factor_that_does_not_vary_has_no_gap():
    v = np.column_stack([factors()[:, 0], np.zeros(2000, int)])
    assert mig(factors().astype(np.float32), v) == pytest.approx(1, abs=0.01)


def test_factors_of_which_none_varies_have_no_gap():
    with pytest.raises(NotMeasured, match="No factor of these images varies"):
        mig(factors().astype(np.float32), np.zeros((2000, 2), int))


def test_a_latent_that_hardly_varies_has_a_gap_like_any_other():
    v = factors()
    dead = (0.01 + np.spacing(np.float32(0.01)) * (v[:, 0] % 2)).astype(np.float32)
    assert mig(np.column_stack([v.astype(np.float32), dead]), v[:, 1:]) == pytest.approx(1, abs=0.01)


def test_disentanglement_and_completeness_of_known_importances():
    assert disentanglement_and_completeness(np.eye(3)) == pytest.approx((1, 1))
    assert disentanglement_and_completeness(np.ones((4, 3))) == pytest.approx((0, 0))
    # Two latents share a factor: each is of one, the factor is of two.
    d, c = disentanglement_and_completeness(np.array([[0.5, 0], [0.5, 0], [0, 1]]))
    assert d == pytest.approx(1)
    assert c == pytest.approx((1 - np.log(2) / np.log(3)) / 2 + 1 / 2)
    importances = np.random.default_rng(0).random((6, 4))
    weights = importances.sum(1) / importances.sum()
    scores = 1 - entropy(importances, axis=1, base=4)
    assert disentanglement_and_completeness(importances)[0] == pytest.approx((weights * scores).sum())
