"""Bits a dimension against probabilities of bytes in closed form, and where there are none."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from explorer.models.likelihoods import Bernoulli, Gaussian, Sigma
from explorer.models.registry import LIKELIHOODS

WIDTH = 1 / 255


def exact(x, mean, variance):
    """The log-probability of 8-bit values: of the intervals around them."""
    std = math.sqrt(variance)
    return np.log(norm.cdf((x + WIDTH / 2 - mean) / std) - norm.cdf((x - WIDTH / 2 - mean) / std)).sum()


@pytest.mark.parametrize("kind", [Gaussian, Sigma])
@pytest.mark.parametrize("spread", [0.5, 0.05, 0.005, 0.0005])
def test_dequantisation_bounds_the_probability_of_bytes_and_is_tight_where_noise_is_wide(kind, spread):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (1, 3, 4, 4), generator=generator) / 255
    mean = x + spread * torch.randn(x.shape, generator=generator)
    likelihood = kind(torch.tensor(spread**2), "linear")
    log_prob = float(likelihood.log_prob(mean, x))
    bound = likelihood.log_prob_of_bytes(log_prob, 48)
    probability = exact(x.double().numpy(), mean.double().numpy(), spread**2)
    assert bound <= probability + 1e-3
    if spread >= 0.05:
        assert bound == pytest.approx(probability, abs=0.02)
    # As an average over noise in the intervals, which is what Theis et al. write.
    u = WIDTH * (torch.rand(20_000, 3, 4, 4, generator=generator) - 0.5)
    drawn = likelihood.log_prob(mean.expand(20_000, -1, -1, -1), x + u).double() + 48 * math.log(WIDTH)
    assert bound == pytest.approx(float(drawn.mean()), abs=5 * float(drawn.std()) / math.sqrt(20_000) + 1e-3)


def test_a_bernoulli_likelihood_says_nothing_of_bytes():
    assert Bernoulli().log_prob_of_bytes(-90.0, 784) is None


def test_a_likelihood_of_bytes_is_their_probability():
    assert LIKELIHOODS["logistic-mixture"]().log_prob_of_bytes(-90.0, 784) == -90
