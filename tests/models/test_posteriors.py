"""Each posterior against torch.distributions and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch.distributions import Normal

from explorer.models import GaussianPosterior, ModelConfig, build
from explorer.models.registry import POSTERIORS

STUDENTS = [{"degrees": nu} for nu in (2.1, 3.0, 5.0, 30.0, 1000.0)]
TRUNCATED = [{"truncation": width} for width in (0.1, 1.0, 2.0, 8.0)]
SHAPES = [("student-t", changes) for changes in STUDENTS] + [("truncated-normal", changes) for changes in TRUNCATED]
every_shape = pytest.mark.parametrize(("name", "changes"), SHAPES, ids=str)


def config(**changes):
    sizes = {"image_shape": (1, 4, 3), "latent": 3, "encoder": (8,), "decoder": (8,)}
    return ModelConfig(**{"family": "vae", "network": "dense", "likelihood": "bernoulli", **sizes, **changes})


def posterior(name, mean, logvar, **changes):
    return POSTERIORS[name](config(posterior=name, **changes))(mean, logvar)


def theirs(name, mean, variance, changes):
    """The same distribution by scipy, of a mean and a variance."""
    if name == "student-t":
        nu = changes["degrees"]
        return stats.t(nu, loc=mean, scale=math.sqrt(variance * (nu - 2) / nu))
    width = changes["truncation"]
    scale = math.sqrt(variance / stats.truncnorm(-width, width).var())
    return stats.truncnorm(-width, width, loc=mean, scale=scale)


def moments(n=20, d=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=generator), torch.randn(n, d, generator=generator) - 1


def test_a_gaussian_s_density_is_torch_s_at_codes_of_one_image_and_of_all():
    mean, logvar = moments()
    q = GaussianPosterior(mean, logvar)
    expected = Normal(mean, torch.exp(0.5 * logvar))
    z = torch.randn(20, 3)
    torch.testing.assert_close(q.log_prob(z), expected.log_prob(z))
    torch.testing.assert_close(q.log_prob(z[:7, None]), expected.log_prob(z[:7, None]))


@every_shape
def test_a_draw_is_the_quantile_of_its_noise(name, changes):
    noise = torch.linspace(-6, 6, 1001)[:, None]
    mean, variance = 0.7, 0.04
    q = posterior(name, torch.full_like(noise, mean), torch.full_like(noise, math.log(variance)), **changes)
    tail = stats.norm.cdf(-noise.abs().double().numpy())
    far = theirs(name, 0, variance, changes).ppf(tail)  # the lower tail keeps its digits
    expected = mean - np.sign(noise.numpy()) * far
    np.testing.assert_allclose(q.sample(noise), expected, rtol=2e-4, atol=2e-6)
    if name == "student-t" and changes["degrees"] > 100:
        np.testing.assert_allclose(q.sample(noise), mean + noise * math.sqrt(variance), atol=0.012)


@every_shape
def test_its_density_is_scipy_s(name, changes):
    mean, logvar = moments()
    q = posterior(name, mean, logvar, **changes)
    z = q.sample(torch.Generator().manual_seed(3))
    expected = [
        theirs(name, float(m), math.exp(v), changes).logpdf(float(at))
        for m, v, at in zip(mean.flatten(), logvar.flatten(), z.flatten(), strict=True)
    ]
    found = q.log_prob(z).flatten()
    assert found.isfinite().all()
    inside = np.isfinite(expected)  # scipy's own rounding at the very end
    np.testing.assert_allclose(found[inside], np.array(expected)[inside], rtol=1e-3, atol=2e-3)
    assert inside.mean() > 0.9
    far = mean + 100 * torch.exp(0.5 * logvar)
    assert bool(torch.isneginf(q.log_prob(far)).all()) == (name == "truncated-normal")


@every_shape
def test_its_kl_is_the_integral_and_its_moments_are_those_stored(name, changes):
    mean, variance = 0.6, 0.3
    q = posterior(name, torch.tensor([[mean]]), torch.tensor([[math.log(variance)]]), **changes)
    dist = theirs(name, mean, variance, changes)
    assert dist.mean() == pytest.approx(mean)
    assert dist.var() == pytest.approx(variance, rel=1e-6)
    closed = -float(dist.entropy()) + 0.5 * (math.log(2 * math.pi) + variance + mean**2)
    assert q.kl().item() == pytest.approx(closed, rel=1e-4, abs=1e-5)
    if name == "truncated-normal" or changes["degrees"] >= 5:  # tails that a quadrature can follow
        low, high = (dist.ppf(0), dist.ppf(1)) if name == "truncated-normal" else (-60, 60)
        found, _ = integrate.quad(
            lambda z: dist.pdf(z) * (dist.logpdf(z) - stats.norm.logpdf(z)), low, high, points=[mean], limit=500
        )
        assert q.kl().item() == pytest.approx(found, rel=2e-3)


@every_shape
def test_the_mean_of_the_log_ratio_is_the_kl(name, changes):
    if changes.get("degrees", 5) < 5:
        pytest.skip("the log ratio of heavier tails has no variance to judge a mean by")
    n = 200_000
    q = posterior(name, torch.full((n, 1), 0.4), torch.full((n, 1), -0.5), **changes)
    z = q.sample(torch.Generator().manual_seed(0))
    ratio = (q.log_prob(z) + 0.5 * (z.square() + math.log(2 * math.pi))).double()
    assert ratio.mean().item() == pytest.approx(q.kl()[0].item(), abs=4 * float(ratio.std()) / math.sqrt(n) + 1e-4)


@every_shape
def test_gradients_reach_mean_and_variance(name, changes):
    mean, logvar = (x.requires_grad_() for x in moments())
    q = posterior(name, mean, logvar, **changes)
    (q.sample(torch.Generator().manual_seed(0)).square().sum() + q.kl().sum()).backward()
    assert mean.grad.isfinite().all()
    assert logvar.grad.isfinite().all()
    assert logvar.grad.ne(0).all()


@every_shape
def test_a_draw_on_the_edge_keeps_its_density_wherever_the_cloud_is(name, changes):
    mean, logvar = torch.full((1000, 1), 30.0), torch.full((1000, 1), -10.0)
    q = posterior(name, mean, logvar, **changes)
    noise = torch.linspace(-7, 7, 1000)[:, None]
    assert q.log_prob(q.sample(noise)).isfinite().all()


@pytest.mark.parametrize("name", ["student-t", "truncated-normal"])
def test_a_model_draws_codes_by_it(name):
    torch.manual_seed(0)
    model = build(config(posterior=name)).eval()
    plain = build(config())
    plain.load_state_dict(model.state_dict())
    x = torch.rand(5, 1, 4, 3)
    terms, usual = model.terms(x, torch.zeros(5, 3)), plain.eval().terms(x, torch.zeros(5, 3))
    assert torch.equal(terms.logits, usual.logits)  # both at their means
    assert torch.equal(terms.kl, usual.kl + type(terms.posterior).negentropy)
    assert type(terms.posterior).negentropy > 0
    assert torch.equal(terms.posterior.repeat(2).mean, terms.posterior.mean.repeat_interleave(2, 0))
    weights = model.log_weight(x, 50, torch.Generator().manual_seed(0))
    assert weights.isfinite().all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"posterior": "cauchy"}, "posterior must be one of gaussian, student-t, truncated-normal"),
        ({"degrees": 2}, r"degrees must be at least 2\.1, not 2"),
        ({"truncation": 0}, "truncation must be more than zero, not 0"),
    ],
)
def test_what_cannot_be_is_an_error(changes, reason):
    with pytest.raises(ValueError, match=reason):
        config(**changes)
