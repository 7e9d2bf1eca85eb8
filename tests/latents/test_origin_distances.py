"""How far out codes lie, against the chi distribution and draws."""

import math

import pytest
import torch
from scipy.stats import chi

from explorer.latents import OriginDistances
from explorer.latents.origin_distances import distances
from explorer.models import GaussianPosterior, Posterior


def posterior_of(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Posterior(torch.randn(n, d, generator=generator), torch.randn(n, d, generator=generator) - 1)


def test_the_distance_is_that_of_draws():
    posterior = posterior_of(5, 12)
    generator = torch.Generator().manual_seed(1)
    draws = GaussianPosterior(posterior.mean.repeat(20_000, 1), posterior.logvar.repeat(20_000, 1)).sample(generator)
    expected = draws.square().sum(1).reshape(20_000, 5).mean(0).sqrt()
    torch.testing.assert_close(distances(posterior), expected, rtol=0.01, atol=0)
    certain = Posterior(posterior.mean, torch.full((5, 12), -torch.inf))
    torch.testing.assert_close(distances(certain), posterior.mean.norm(dim=1))


def test_codes_next_to_real_ones():
    real = Posterior(torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]]), torch.full((3, 2), -torch.inf))
    found = OriginDistances.of(torch.tensor([[0.0, 5.0], [7.0, 0.0], [0.0, -9.0]]), real)
    assert (found.nearest, found.middle, found.furthest, found.count) == (5, 7, 10, 3)
    assert found.share == pytest.approx(2 / 3)  # one of them just as far out
    one, other = (Posterior(real.mean[rows], real.logvar[rows]) for rows in (slice(0, 1), slice(1, 3)))
    assert OriginDistances.of(torch.tensor([[0.0, 5.0]]), one, other).share == pytest.approx(2 / 3)
    assert OriginDistances.of(torch.tensor([[0.0, 10.1]]), real).share == 0


@pytest.mark.parametrize("temperature", [1, 10])
def test_draws_of_a_prior_lie_as_far_out_as_the_chi_distribution_says(temperature):
    codes = temperature * torch.randn(20_000, 64, generator=torch.Generator().manual_seed(2))
    prior = Posterior(torch.zeros(10, 64), torch.zeros(10, 64))
    found = OriginDistances.of(codes, prior)
    assert found.middle == pytest.approx(temperature * chi(64).median(), rel=0.005)
    assert found.furthest == pytest.approx(math.sqrt(64))
    assert found.share == (temperature == 1)


def test_there_must_be_something_to_compare():
    with pytest.raises(ValueError, match="at least one code and one image"):
        OriginDistances.of(torch.zeros(0, 3), posterior_of(4, 3))
    with pytest.raises(ValueError, match="at least one code and one image"):
        OriginDistances.of(torch.zeros(2, 3))
