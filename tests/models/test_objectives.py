"""Likelihoods and KL against torch.distributions and the published objectives."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from torch import Tensor, distributions
from torch.distributions import ContinuousBernoulli, Independent, Normal, kl_divergence

from explorer.models.likelihoods import LEAST_NOISE, Bernoulli, Gaussian, Sigma
from explorer.models.objectives import kl_penalty
from explorer.models.posteriors import gaussian_kl
from explorer.models.registry import LIKELIHOODS

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


@given(n=st.integers(1, 20), d=st.integers(1, 8), seed=seeds)
@settings(deadline=None)
def test_without_free_bits_the_penalty_is_the_mean_kl(n, d, seed):
    kl = gaussian_kl(draw((n, d), seed)[0], draw((n, d), seed + 1, 2.0)[0])
    assert torch.equal(kl_penalty(kl), kl.sum(1).mean())
    assert torch.equal(kl_penalty(kl, 0.0), kl_penalty(kl))


@given(n=st.integers(1, 20), d=st.integers(1, 8), seed=seeds, floor=st.floats(1e-3, 10))
@settings(deadline=None)
def test_free_bits_are_a_floor_under_each_latents_mean(n, d, seed, floor):
    kl = gaussian_kl(draw((n, d), seed, 2.0)[0], draw((n, d), seed + 1, 2.0)[0]).double()
    # Kingma et al. 2016, eq. 15, written out.
    expected = sum(max(floor, sum(column) / n) for column in kl.T.tolist())
    found = kl_penalty(kl.float(), floor)
    assert found.shape == ()
    assert found.item() == pytest.approx(expected, rel=1e-4)
    assert found.item() >= d * floor * (1 - 1e-6)


def test_a_latent_below_the_floor_feels_nothing_and_one_above_it_all():
    mean = torch.tensor([[0.1, 2.0], [0.1, -1.0]], requires_grad=True)
    kl_penalty(gaussian_kl(mean, torch.zeros(2, 2)), 0.5).backward()
    # KL = mean^2 / 2: 0.005 of the first latent, 1.25 of the second, whose gradient is mean / n.
    assert mean.grad[:, 0].eq(0).all()
    torch.testing.assert_close(mean.grad[:, 1], torch.tensor([1.0, -0.5]))


def test_a_kl_that_is_no_number_is_not_hidden_by_the_floor():
    assert kl_penalty(torch.tensor([[1.0, math.nan]]), 0.5).isnan()


@given(shape=shapes, seed=seeds)
@settings(deadline=None)
def test_bernoulli_of_binary_images(shape, seed):
    logits, x = draw(shape, seed)
    x = x.round()
    expected = Independent(distributions.Bernoulli(logits=logits), 3).log_prob(x)
    torch.testing.assert_close(Bernoulli().log_prob(logits, x), expected)
    assert Bernoulli().constant(784) == 0.0


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
    torch.testing.assert_close(Bernoulli().log_prob(logits.float(), x), expected, rtol=1e-4, atol=1e-3)


@given(shape=shapes, seed=seeds, variance=st.floats(1e-3, 10))
@settings(deadline=None)
def test_gaussian_with_its_constant(shape, seed, variance):
    logits, x = draw(shape, seed)
    mean = torch.sigmoid(logits)
    expected = Independent(Normal(mean, math.sqrt(variance)), 3).log_prob(x)
    found = Gaussian(variance).log_prob(logits, x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_half_makes_the_loss_784_mse_plus_kl():
    logits, x = draw((5, 1, 28, 28), 0)
    mse = torch.nn.functional.mse_loss(torch.sigmoid(logits), x, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(Gaussian(0.5).nll(logits, x), 784 * mse)


def test_0_392_makes_the_loss_mean_mse_plus_a_thousandth_of_the_kl():
    logits, x = draw((5, 1, 28, 28), 0)
    kl = gaussian_kl(*(draw((5, 2), s)[0] for s in (1, 2))).sum(1)
    mse = torch.nn.functional.mse_loss(torch.sigmoid(logits), x, reduction="none").flatten(1).mean(1)
    published = mse + 0.001 * kl
    ours = 0.001 * (Gaussian(0.392).nll(logits, x) + kl)
    torch.testing.assert_close(ours, published)


def test_extreme_logits_stay_finite():
    logits = torch.tensor([200.0, -200.0, 200.0, -200.0]).reshape(1, 1, 2, 2)
    x = torch.tensor([1.0, 0.0, 0.0, 1.0]).reshape(1, 1, 2, 2)
    assert Bernoulli().nll(logits, x).item() == pytest.approx(400.0)  # -log sigmoid(-200) = 200, twice


def test_the_mean_is_in_the_unit_interval():
    logits, _ = draw((3, 1, 4, 4), 0, 100.0)
    mean = Gaussian().mean(logits)
    assert mean.min() >= 0
    assert mean.max() <= 1
    torch.testing.assert_close(mean, distributions.Bernoulli(logits=logits).mean)


def test_no_images_have_no_log_prob():
    empty = torch.zeros(0, 1, 2, 2)
    assert Gaussian().log_prob(empty, empty).shape == (0,)


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
@given(shape=shapes, seed=seeds)
@settings(deadline=None)
def test_sigma_is_a_gaussian_of_the_likeliest_variance(output, shape, seed):
    logits, x = (t.double() for t in draw(shape, seed))
    location = torch.sigmoid(logits) if output == "sigmoid" else logits
    likelihood = Sigma(output=output)
    variance = likelihood.noise_of(logits, x)
    torch.testing.assert_close(variance, (location - x).square().mean())
    fitted = Sigma(variance, output)
    expected = Independent(Normal(location, variance.sqrt()), 3).log_prob(x)
    torch.testing.assert_close(fitted.log_prob(logits, x), expected)
    torch.testing.assert_close(fitted.nll(logits, x), -expected)  # all of it: there is no constant
    assert fitted.constant(784) == 0.0
    for other in (0.9, 1.1):
        worse = Sigma(variance * other, output)
        assert worse.nll(logits, x).mean() > fitted.nll(logits, x).mean()


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_sigmas_gradient_is_that_of_the_whole_even_though_its_variance_is_detached(output):
    logits, x = (t.double() for t in draw((6, 3, 5, 4), 0))
    logits.requires_grad_()
    likelihood = Sigma(output=output)
    variance = likelihood.noise_of(logits, x)
    assert not variance.requires_grad
    fitted = Sigma(variance, output).nll(logits, x)
    (detached,) = torch.autograd.grad(fitted.mean(), logits)
    # Rybkin et al. 2021: at its optimum the loss is D / 2 * (log(2 pi MSE) + 1), which is differentiated as it is.
    mse = (likelihood.location(logits) - x).square().mean()
    whole = 60 / 2 * (torch.log(2 * math.pi * mse) + 1)
    torch.testing.assert_close(fitted.mean(), whole)
    (undetached,) = torch.autograd.grad(whole, logits)
    torch.testing.assert_close(detached, undetached)


def test_sigma_of_a_perfect_image_stays_finite():
    x = torch.rand(2, 1, 3, 3)
    likelihood = Sigma(output="linear")
    assert likelihood.noise_of(x, x).item() == pytest.approx(LEAST_NOISE) == pytest.approx(math.exp(-6) ** 2)
    nll = Sigma(likelihood.noise_of(x, x), "linear").nll(x, x)
    assert nll.tolist() == pytest.approx([9 * (0.5 * math.log(2 * math.pi) - 6)] * 2)


def test_sigma_with_a_number_is_the_gaussian_of_that_number():
    logits, x = draw((4, 1, 3, 3), 0)
    torch.testing.assert_close(Sigma(0.3).log_prob(logits, x), Gaussian(0.3).log_prob(logits, x))


@given(shape=shapes, seed=seeds, variance=st.floats(1e-3, 10))
@settings(deadline=None)
def test_a_linear_output_is_judged_as_it_is_and_shown_within_bounds(shape, seed, variance):
    logits, x = draw(shape, seed)
    likelihood = Gaussian(variance, "linear")
    expected = Independent(Normal(logits, math.sqrt(variance)), 3).log_prob(x)
    torch.testing.assert_close(likelihood.log_prob(logits, x), expected, rtol=1e-4, atol=1e-3)
    assert torch.equal(likelihood.location(logits), logits)
    assert torch.equal(likelihood.mean(logits), logits.clamp(0, 1))


def test_a_linear_output_of_a_bernoulli_is_refused():
    with pytest.raises(ValueError, match="set output to sigmoid"):
        Bernoulli(output="linear")


def test_a_learnt_variance_is_not_looked_at():
    """A look would wait for the device at every step; on the meta device it fails."""
    likelihood = Sigma(torch.tensor(0.5, device="meta"))
    images = torch.zeros(2, 1, 3, 3, device="meta")
    assert isinstance(likelihood.noise_variance, Tensor)
    assert likelihood.noise_of(images, images).is_meta
    assert likelihood.log_prob(images, images).is_meta


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan, math.inf])
def test_a_variance_is_a_positive_number(variance):
    with pytest.raises(ValueError, match="noise_variance"):
        Gaussian(variance)


def test_only_known_likelihoods():
    assert list(LIKELIHOODS) == ["bernoulli", "gaussian", "sigma", "logistic-mixture"]
    with pytest.raises(KeyError):
        LIKELIHOODS["poisson"]


GAUSSIANS = [
    Gaussian(0.04),
    Gaussian(0.04, "linear"),
    Sigma(torch.tensor(0.0036)),
]


def claimed(likelihood, logits):
    """p(x|z) as torch has it, written out from the definition."""
    if likelihood.name == "bernoulli":
        return distributions.Bernoulli(logits=logits)
    location = torch.sigmoid(logits) if likelihood.output == "sigmoid" else logits
    return Normal(location, math.sqrt(float(likelihood.noise_variance)))


@pytest.mark.parametrize("likelihood", [Bernoulli(), *GAUSSIANS], ids=lambda one: f"{one.name}-{one.output}")
def test_draws_of_pixels_have_the_moments_that_the_likelihood_claims(likelihood):
    logits, _ = draw((1, 3, 4, 4), 0, 2.0)
    n = 20_000
    drawn = likelihood.sample(logits.expand(n, -1, -1, -1), torch.Generator().manual_seed(0)).double()
    expected = claimed(likelihood, logits.double())
    # By the central limit theorem no more than a 1e-6 of fair draws lie beyond five standard errors.
    standard = (drawn.mean(0) - expected.mean[0]) / (expected.variance[0] / n).sqrt()
    assert standard.abs().max() < 5
    torch.testing.assert_close(drawn.var(0), expected.variance[0], rtol=0.06, atol=1e-4)
    residual = (drawn - expected.mean) / expected.stddev
    together = torch.corrcoef(residual.flatten(1).T) - torch.eye(48)
    assert together.abs().max() < 5 / math.sqrt(n)  # each pixel, and each channel, by itself


@pytest.mark.parametrize("likelihood", GAUSSIANS, ids=lambda one: f"{one.name}-{one.output}")
def test_draws_of_pixels_are_gaussian(likelihood):
    logits, _ = draw((1, 3, 8, 8), 1)
    drawn = likelihood.sample(logits.expand(100, -1, -1, -1), torch.Generator().manual_seed(1))
    probability = claimed(likelihood, logits).cdf(drawn).flatten().double().numpy()
    assert kstest(probability, "uniform").pvalue > 0.01
    wrong = replace(likelihood, noise_variance=1.1 * likelihood.noise_variance)
    assert kstest(claimed(wrong, logits).cdf(drawn).flatten().double().numpy(), "uniform").pvalue < 0.01


@given(shape=shapes, seed=seeds)
@settings(deadline=None)
def test_a_bernoulli_draw_is_on_or_off_and_sure_where_the_model_is(shape, seed):
    logits, x = draw(shape, seed)
    drawn = Bernoulli().sample(logits, torch.Generator().manual_seed(seed))
    assert drawn.dtype == logits.dtype
    assert ((drawn == 0) | (drawn == 1)).all()
    sure = torch.where(x > 0.5, 200.0, -200.0)
    assert torch.equal(Bernoulli().sample(sure), (x > 0.5).float())
    again = Bernoulli().sample(logits, torch.Generator().manual_seed(seed))
    assert torch.equal(drawn, again)
