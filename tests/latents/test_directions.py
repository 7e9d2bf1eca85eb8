"""Directions between groups of codes, and how far to trust them, agree with closed forms and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from explorer.latents.directions import METHODS, Trust, auc_interval, cohens_d, direction, trust

both = pytest.mark.parametrize("method", METHODS)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def two_gaussians(n, m, d, distance, seed=0):
    """Groups of unit variance whose true means lie so far apart along the first latent."""
    a, b = normal(n, d, seed=seed), normal(m, d, seed=seed + 1000)
    b[:, 0] += distance
    return a, b


def cosine(a, b):
    return float(torch.cosine_similarity(a, b, dim=0))


# ---- the direction


@both
@given(n=st.integers(1, 9), m=st.integers(1, 9), d=st.integers(1, 5), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_one_unit_leads_from_mean_to_mean(method, n, m, d, seed):
    a, b = normal(n, d, seed=seed), normal(m, d, seed=seed + 1) + 1
    v = direction(a, b, method=method)
    unit = v / v.norm()
    assert float((a.mean(0) + v) @ unit) == pytest.approx(float(b.mean(0) @ unit), abs=1e-4)
    torch.testing.assert_close(direction(b, a, method=method), -v, rtol=1e-4, atol=1e-5)


def test_the_difference_of_means():
    a, b = normal(7, 3), normal(4, 3, seed=1)
    torch.testing.assert_close(direction(a, b), b.mean(0) - a.mean(0))


def test_the_classifier_is_fishers_with_a_ridge():
    a, b = two_gaussians(40, 70, 6, 1.0)
    a, b = a @ normal(6, 6, seed=5), b @ normal(6, 6, seed=5)
    x = torch.cat([a, b]).double()
    c = torch.cov(x.T, correction=0)
    eigenvalues = torch.linalg.eigvalsh(c)
    ridge = (0.03 + 2 / len(x)) * (eigenvalues**2).sum() / eigenvalues.sum()
    # scikit-learn's discriminant takes a covariance within groups: its estimator is given ours, ridge and all.
    within = c - len(a) * len(b) / len(x) ** 2 * torch.outer(*[(b.double().mean(0) - a.double().mean(0))] * 2)

    class Given:
        def fit(self, x):
            self.covariance_ = (within + ridge * torch.eye(6, dtype=torch.float64)).numpy()
            return self

    y = np.repeat([0, 1], [len(a), len(b)])
    lda = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Given()).fit(x.numpy(), y)
    assert cosine(direction(a, b, method="classifier").double(), torch.from_numpy(lda.coef_[0])) > 1 - 1e-9


@pytest.mark.parametrize("n", [5, 20])
def test_fewer_codes_than_latents_have_the_same_classifier(n):
    a, b = two_gaussians(n, n + 1, 50, 2.0)
    x = torch.cat([a, b]).double()
    c = torch.cov(x.T, correction=0)
    ridge = (0.03 + 2 / len(x)) * c.square().sum() / c.trace()
    difference = (b.double().mean(0) - a.double().mean(0)).numpy()
    normal_ = np.linalg.solve((c + ridge * torch.eye(50)).numpy(), difference)
    expected = normal_ * (normal_ @ difference) / (normal_ @ normal_)
    np.testing.assert_allclose(direction(a, b, method="classifier"), expected, rtol=1e-5, atol=1e-6)


@both
def test_latents_that_are_turned_or_nothing_change_no_figure_of_trust(method):
    """One way with fewer latents than codes, the other with more."""
    a, b = two_gaussians(25, 35, 8, 1.5)
    turn = torch.linalg.qr(normal(300, 300, seed=2)).Q[:8]
    few, many = trust(a, b, method=method, resamples=20), trust(a @ turn, b @ turn, method=method, resamples=20)
    for name in ("auc", "effect", "cosine", "cosine_low", "random_effect"):
        assert getattr(many, name) == pytest.approx(getattr(few, name), rel=1e-3), name


def test_the_classifier_tells_apart_what_a_logistic_regression_does():
    mixing = torch.eye(20) + 0.5 * normal(20, 20, seed=3)  # so that the means' difference is not the best direction
    a, b = (x @ mixing for x in two_gaussians(300, 300, 20, 2.0))
    held = [x @ mixing for x in two_gaussians(500, 500, 20, 2.0, seed=50)]
    x, y = torch.cat([a, b]).numpy(), np.repeat([0, 1], 300)
    truth, test = np.repeat([0, 1], 500), torch.cat(held)
    logistic = roc_auc_score(truth, LogisticRegression().fit(x, y).decision_function(test.numpy()))
    ours, means = (roc_auc_score(truth, (test @ direction(a, b, method=k)).numpy()) for k in ("classifier", "means"))
    assert ours > logistic - 0.02
    assert ours > means + 0.02


def test_latents_that_carry_nothing_stay_out_of_the_classifier():
    a, b = two_gaussians(50, 50, 4, 2.0)
    faint = [torch.cat([x, 0.01 * normal(50, 60, seed=s)], dim=1) for x, s in ((a, 7), (b, 8))]
    v = direction(*faint, method="classifier")
    assert v[4:].norm() < 0.2 * v[:4].norm()  # of Fisher's own, without a ridge, they are the most
    constant = [torch.cat([x, torch.full((50, 60), 0.3)], dim=1) for x in (a, b)]
    v = direction(*constant, method="classifier")
    torch.testing.assert_close(v[:4], direction(a, b, method="classifier"), rtol=1e-4, atol=1e-5)
    assert v[4:].abs().max() < 1e-6


@both
def test_groups_without_a_direction(method):
    a = normal(6, 3)
    with pytest.raises(ValueError, match=r"^The first group is empty, so there is no direction\.$"):
        direction(a[:0], a, method=method)
    with pytest.raises(ValueError, match=r"^The second group is empty"):
        direction(a, a[:0], method=method)
    for find in (direction, trust):
        with pytest.raises(ValueError, match="the same mean code"):
            find(a, a.flip(0), method=method)
        with pytest.raises(ValueError, match="the same mean code"):
            find(torch.zeros(6, 3), torch.zeros(5, 3), method=method)


# ---- how far to trust it


@both
@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0])
def test_two_gaussians_have_a_closed_form(method, distance):
    t = trust(*two_gaussians(1000, 1000, 5, distance), method=method)
    # Standard errors: of d about sqrt(2/n + d^2/4n), of the AUC below 0.013.
    assert t.effect == pytest.approx(distance, abs=0.15)
    assert t.auc == pytest.approx(norm.cdf(distance / math.sqrt(2)), abs=0.04)
    assert t.auc_interval[0] < t.auc < t.auc_interval[1]
    assert t.counts == (1000, 1000)


@both
def test_items_are_judged_by_directions_that_they_did_not_help_to_find(method):
    """Among more latents than items some direction always divides the groups; it tells nothing of other items."""
    found = [trust(*two_gaussians(20, 20, 200, 0.0, seed=s), method=method, resamples=2) for s in range(10)]
    assert np.mean([t.auc for t in found]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([t.effect for t in found]) == pytest.approx(0, abs=0.35)


def test_the_auc_is_scikit_learns_where_one_latent_leaves_nothing_to_find():
    # With one latent every fold finds the same direction, so a fold's held-out AUC is that of the codes themselves;
    # averaged over many seeds' folds the pairs within folds stand for all pairs.
    a, b = two_gaussians(60, 90, 1, 1.0)
    expected = roc_auc_score(np.repeat([0, 1], [60, 90]), torch.cat([a, b])[:, 0].numpy())
    found = [trust(a, b, seed=s, resamples=2).auc for s in range(12)]
    assert np.mean(found) == pytest.approx(expected, abs=0.01)


@given(n=st.integers(2, 9), m=st.integers(2, 9), shift=st.floats(-5, 5), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_cohens_d(n, m, shift, seed):
    x = np.random.default_rng(seed).normal(size=n + m)
    x[n:] += shift
    low, high = x[:n], x[n:]
    pooled = np.sqrt(((n - 1) * low.var(ddof=1) + (m - 1) * high.var(ddof=1)) / (n + m - 2))
    second = torch.arange(n + m) >= n
    found = cohens_d(torch.from_numpy(x)[None], second[None])
    assert float(found) == pytest.approx((high.mean() - low.mean()) / pooled)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "distance"), [(12, 20, 1.5), (40, 40, 0.5), (10, 10, 3.0)])
def test_the_interval_of_an_auc_covers_the_true_one(n, m, distance):
    rng = np.random.default_rng(0)
    low, high = rng.normal(size=(1000, n)), rng.normal(size=(1000, m)) + distance
    aucs = (high[:, None, :] > low[:, :, None]).mean((1, 2))
    intervals = np.array([auc_interval(auc, n, m) for auc in aucs])
    true = norm.cdf(distance / math.sqrt(2))
    covered = ((intervals[:, 0] <= true) & (true <= intervals[:, 1])).mean()
    assert 0.925 < covered < 0.99


@given(auc=st.floats(0, 1), n=st.integers(1, 500), m=st.integers(1, 500))
@settings(deadline=None)
def test_an_interval_is_one(auc, n, m):
    low, high = auc_interval(auc, n, m)
    assert 0 <= low <= auc <= high <= 1
    assert high - low > 0
    mirrored = auc_interval(1 - auc, n, m)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@both
def test_the_same_direction_again_or_another_one(method):
    far = trust(*two_gaussians(100, 100, 20, 8.0), method=method)
    assert far.cosine > 0.95
    assert far.cosine_low > 0.9
    noise = [trust(*two_gaussians(100, 100, 200, 0.0, seed=s), method=method, resamples=40) for s in range(5)]
    assert abs(np.mean([t.cosine for t in noise])) < 0.2
    assert max(t.cosine_low for t in noise) < 0.2


def test_the_cosine_is_that_of_two_samples():
    """Directions of two samples of a population differ as much as `trust` says from one of them."""
    samples = [two_gaussians(50, 50, 30, 2.0, seed=s) for s in range(40)]
    found = [direction(a, b) for a, b in samples]
    between = np.median([cosine(v, w) for v, w in zip(found[:20], found[20:], strict=True)])
    said = np.median([trust(a, b, resamples=40).cosine for a, b in samples[:10]])
    assert said == pytest.approx(between, abs=0.06)


@pytest.mark.slow
@both
@pytest.mark.parametrize("n", [5, 20, 100])
def test_random_groups_are_not_trusted(method, n):
    verdicts, above = [], []
    for seed in range(8):
        t = trust(*two_gaussians(n, n + 3, 10, 0.0, seed=seed), method=method, resamples=40)
        verdicts.append(t.verdict().split(":")[0])
        above.append(t.effect > t.random_effect)
    assert "Trust it" not in verdicts
    assert verdicts.count("Do not trust it") >= 6
    assert sum(above) <= 2


@both
def test_groups_that_differ_are_trusted(method):
    t = trust(*two_gaussians(100, 80, 10, 4.0), method=method)
    assert t.verdict().startswith("Trust it: it ranks 9")
    assert t.effect > 3 * t.random_effect > 0


def test_it_is_the_same_every_time_and_depends_on_the_seed():
    a, b = two_gaussians(30, 30, 4, 1.0)
    assert trust(a, b) == trust(a, b)
    assert trust(a, b) != trust(a, b, seed=1)


@both
def test_few_or_equal_items(method):
    a, b = two_gaussians(4, 30, 3, 1.0)
    with pytest.raises(ValueError, match=r"at least 5 images in each group; the first has 4\.$"):
        trust(a, b, method=method)
    with pytest.raises(ValueError, match=r"the second has 0\.$"):
        trust(b, a[:0], method=method)
    copies = trust(torch.zeros(5, 3), torch.ones(5, 3), method=method)
    assert copies.auc == 1
    assert copies.effect > 1e6
    assert copies.auc_interval[0] < 0.7
    assert copies.verdict().startswith(("Use it with care", "Do not"))


@both
def test_far_from_the_origin(method):
    a, b = two_gaussians(50, 50, 3, 2.0)
    here, far = trust(a, b, method=method), trust(a + 4096, b + 4096, method=method)
    assert far.auc == pytest.approx(here.auc, abs=0.01)
    assert far.cosine == pytest.approx(here.cosine, abs=0.01)
    assert far.effect == pytest.approx(here.effect, rel=0.01)
    assert far.random_effect == pytest.approx(here.random_effect, abs=0.01)


SURE = {
    "auc": 0.95,
    "auc_interval": (0.9, 0.97),
    "cosine": 0.97,
    "cosine_low": 0.9,
    "effect": 2.3,
    "random_effect": 0.3,
    "counts": (50, 50),
}


@pytest.mark.parametrize(
    ("changed", "opening"),
    [
        ({}, "Trust it: it ranks 95% of held-out pairs correctly"),
        ({"auc": 0.9996}, "Trust it: it ranks 99% "),
        ({"auc": 1.0}, "Trust it: it ranks 100% "),
        ({"auc_interval": (0.5, 0.97)}, "Do not trust it: it separates held-out images"),
        ({"effect": 0.3}, "Do not trust it: it separates held-out images"),
        ({"cosine": 0.4}, "Do not trust it: another sample"),
        ({"cosine_low": 0.79}, "Use it with care: it ranks 95% of held-out pairs correctly, but another"),
        ({"auc": 0.79}, "Use it with care: it is stable"),
        (
            {"auc_interval": (0.69, 0.97)},
            "Use it with care: it ranks 95% of held-out pairs correctly, but of",
        ),
    ],
)
def test_verdicts(changed, opening):
    verdict = Trust(**(SURE | changed)).verdict()
    assert verdict.startswith(opening)
    assert verdict.endswith(".")
