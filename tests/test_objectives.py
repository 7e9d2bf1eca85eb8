"""Likelihoods and KL against torch.distributions and the published objectives."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli, ContinuousBernoulli, Independent, Normal, kl_divergence

from explorer.objectives import Likelihood, gaussian_kl

shapes = st.tuples(st.integers(1, 4), st.sampled_from([1, 3]), st.integers(1, 6), st.integers(1, 6))
seeds = st.integers(0, 2**31)


def draw(shape, seed, scale=4.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(shape, generator=generator), torch.rand(shape, generator=generator)


@given(n=st.integers(1, 20), d=st.integers(1, 8), seed=seeds)
@settings(deadline=None)
def test_kl_is_that_of_torch_distributions(n, d, seed):
    mean, _ = draw((n, d), seed, 2.0)
    logvar, _ = draw((n, d), seed + 1, 2.0)
    expected = kl_divergence(Normal(mean, torch.exp(0.5 * logvar)), Normal(torch.zeros(n, d), torch.ones(n, d)))
    torch.testing.assert_close(gaussian_kl(mean, logvar), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("logvar", [1e-3, -1e-3, 3e-4, -3e-4])
def test_kl_of_a_collapsed_latent_keeps_its_digits(logvar):
    # (e^l - 1 - l) / 2 = l^2 / 4 + l^3 / 12 + l^4 / 48 ...: exp(l) - 1 in float32 would leave none of it right.
    expected = logvar**2 / 4 + logvar**3 / 12 + logvar**4 / 48
    found = gaussian_kl(torch.zeros(1, 1), torch.full((1, 1), logvar)).item()
    assert found == pytest.approx(expected, rel=1e-3)


def test_kl_is_zero_for_the_prior_and_positive_elsewhere():
    assert gaussian_kl(torch.zeros(3, 2), torch.zeros(3, 2)).eq(0).all()
    mean, _ = draw((1000, 2), 0)
    logvar, _ = draw((1000, 2), 1)
    assert gaussian_kl(mean, logvar).gt(0).all()


@given(shape=shapes, seed=seeds)
@settings(deadline=None)
def test_bernoulli_of_binary_images(shape, seed):
    logits, x = draw(shape, seed)
    x = x.round()
    expected = Independent(Bernoulli(logits=logits), 3).log_prob(x)
    torch.testing.assert_close(Likelihood("bernoulli").log_prob(logits, x), expected)
    assert Likelihood("bernoulli").constant(784) == 0.0


@given(shape=shapes, seed=seeds)
@settings(deadline=None)
def test_bernoulli_of_gray_images_is_the_continuous_one_without_its_normaliser(shape, seed):
    logits, x = draw(shape, seed)
    logits = logits.double()
    continuous = ContinuousBernoulli(logits=logits)
    # Loaiza-Ganem & Cunningham 2019, eq. 4: log C = log(2 artanh(1 - 2p) / (1 - 2p)).
    p = torch.sigmoid(logits)
    normaliser = torch.log(2 * torch.atanh(1 - 2 * p) / (1 - 2 * p))
    away = (p - 0.5).abs() > 0.01  # both are numerically delicate at a half
    pixels = continuous.log_prob(x.double()) - normaliser
    ours = x * torch.log(p) + (1 - x) * torch.log1p(-p)
    torch.testing.assert_close(pixels[away], ours[away], rtol=1e-5, atol=1e-5)
    expected = ours.flatten(1).sum(1).float()
    torch.testing.assert_close(Likelihood().log_prob(logits.float(), x), expected, rtol=1e-4, atol=1e-3)


@given(shape=shapes, seed=seeds, variance=st.floats(1e-3, 10))
@settings(deadline=None)
def test_gaussian_with_its_constant(shape, seed, variance):
    logits, x = draw(shape, seed)
    mean = torch.sigmoid(logits)
    expected = Independent(Normal(mean, math.sqrt(variance)), 3).log_prob(x)
    found = Likelihood("gaussian", variance).log_prob(logits, x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_half_makes_the_loss_784_mse_plus_kl():
    logits, x = draw((5, 1, 28, 28), 0)
    mse = torch.nn.functional.mse_loss(torch.sigmoid(logits), x, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(Likelihood("gaussian", 0.5).misfit(logits, x), 784 * mse)


def test_0_392_makes_the_loss_mean_mse_plus_a_thousandth_of_the_kl():
    logits, x = draw((5, 1, 28, 28), 0)
    kl = gaussian_kl(*(draw((5, 2), s)[0] for s in (1, 2))).sum(1)
    mse = torch.nn.functional.mse_loss(torch.sigmoid(logits), x, reduction="none").flatten(1).mean(1)
    published = mse + 0.001 * kl
    ours = 0.001 * (Likelihood("gaussian", 0.392).misfit(logits, x) + kl)
    torch.testing.assert_close(ours, published)


def test_extreme_logits_stay_finite():
    logits = torch.tensor([200.0, -200.0, 200.0, -200.0]).reshape(1, 1, 2, 2)
    x = torch.tensor([1.0, 0.0, 0.0, 1.0]).reshape(1, 1, 2, 2)
    assert Likelihood().misfit(logits, x).item() == pytest.approx(400.0)  # -log sigmoid(-200) = 200, twice


def test_the_mean_is_in_the_unit_interval():
    logits, _ = draw((3, 1, 4, 4), 0, 100.0)
    mean = Likelihood("gaussian").mean(logits)
    assert mean.min() >= 0
    assert mean.max() <= 1
    torch.testing.assert_close(mean, Bernoulli(logits=logits).mean)


def test_no_images_have_no_log_prob():
    empty = torch.zeros(0, 1, 2, 2)
    assert Likelihood("gaussian").log_prob(empty, empty).shape == (0,)


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan, math.inf])
def test_a_variance_is_a_positive_number(variance):
    with pytest.raises(ValueError, match="noise_variance"):
        Likelihood("gaussian", variance)


def test_only_known_likelihoods():
    # Without the run-time check of its type, which would object first.
    with pytest.raises(Exception, match="bernoulli"):
        Likelihood("poisson")
