"""Information and the aggregate posterior against closed forms and numerical integration."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.stats import norm
from torch.distributions import Categorical, MixtureSameFamily, Normal

from explorer.evaluation.codes import parts_of_kl
from explorer.models import GaussianPosterior, ModelConfig, build


def parts(posterior, seed=0):
    latent = posterior.mean.shape[1]
    sizes = {"image_shape": (1, 2, 2), "latent": latent, "encoder": (4,), "decoder": (4,)}
    model = build(ModelConfig(family="vae", network="dense", likelihood="bernoulli", **sizes))
    halves = zip(*(field.split(-(-len(field) // 2)) for field in posterior), strict=True)
    return parts_of_kl(model, [type(posterior)(*half) for half in halves], torch.Generator().manual_seed(seed))


def test_posteriors_that_are_the_prior_tell_nothing():
    own, other = parts(GaussianPosterior(torch.zeros(50, 3), torch.zeros(50, 3)))
    assert own == pytest.approx(0, abs=1e-5)
    assert other == pytest.approx(0, abs=1e-5)


def test_codes_that_are_far_apart_tell_their_image():
    posterior = GaussianPosterior(100 * torch.randn(64, 5), torch.full((64, 5), -4.0))
    own, other = parts(posterior)
    assert own == pytest.approx(math.log(64), abs=1e-4)
    assert own + other == pytest.approx(float(posterior.kl().sum(1).mean()), rel=0.01)


def test_a_mixture_in_one_dimension_has_the_integrals_parts():
    mean, std = np.array([-1.0, 0.2, 1.5]), np.array([0.6, 0.3, 0.8])

    def aggregate(z):
        return norm.pdf(z, mean, std).mean()

    marginal = integrate.quad(lambda z: aggregate(z) * math.log(aggregate(z) / norm.pdf(z)), -9, 9, limit=200)[0]
    kl = 0.5 * (mean**2 + std**2 - 1 - np.log(std**2)).mean()
    rows = torch.arange(3).repeat(400)
    posterior = GaussianPosterior(*(torch.tensor(v).float()[rows, None] for v in (mean, 2 * np.log(std))))
    found = np.mean([parts(posterior, seed) for seed in range(20)], 0)
    assert found == pytest.approx((kl - marginal, marginal), abs=0.02)


def test_the_aggregate_is_torchs_mixture():
    generator = torch.Generator().manual_seed(0)
    mean, logvar = torch.randn(40, 1, generator=generator), torch.randn(40, 1, generator=generator)
    mixture = MixtureSameFamily(Categorical(torch.ones(40)), Normal(mean[:, 0], (logvar[:, 0] / 2).exp()))
    z = mixture.sample((100_000,))
    expected = mixture.log_prob(z).mean() - Normal(0, 1).log_prob(z).mean()
    found = np.mean([parts(GaussianPosterior(mean, logvar), seed)[1] for seed in range(200)])
    assert found == pytest.approx(float(expected), abs=0.05)
