"""Holes agree with what is known of the densities: closed forms, and SciPy's."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from explorer.checkpoints.model import load
from explorer.latents.holes import HOLE_RATIO, HOLE_REACH, find_holes
from explorer.models import ModelConfig, Posterior, build

# Whose prior is N(0, I).
STANDARD = build(
    ModelConfig(
        family="vae",
        network="dense",
        image_shape=(1, 1, 1),
        latent=2,
        encoder=(),
        decoder=(),
        likelihood="bernoulli",
    )
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_no_holes_where_every_posterior_is_the_prior():
    found = find_holes(Posterior(torch.zeros(30, 2), torch.zeros(30, 2)), STANDARD)
    assert not found.hole.any()
    assert found.mass == 0


def test_no_holes_where_the_aggregate_posterior_is_the_prior():
    # means N(0, 1 - v) with variance v add up to N(0, 1), in expectation
    v = 0.3
    mean = math.sqrt(1 - v) * normal(5000, 2)
    found = find_holes(Posterior(mean, torch.full((5000, 2), math.log(v))), STANDARD)
    assert found.mass < 1e-3


def test_half_of_the_prior_without_codes_is_half_a_hole():
    mean = normal(20_000, 2)
    mean[:, 0] = mean[:, 0].abs()
    found = find_holes(Posterior(mean, torch.full((20_000, 2), math.log(1e-2))), STANDARD)
    # Twice the prior right of x = 0, blurred by the posteriors' width of 0.1: q / p = 2 Phi(x / 0.1) near the edge.
    # Holes are left of where that is HOLE_RATIO, within the ellipse of HOLE_REACH.
    edge = 0.1 * norm.ppf(HOLE_RATIO / 2)
    assert found.mass == pytest.approx(norm.cdf(edge) - (1 - HOLE_REACH) / 2, abs=0.01)
    inside = found.x[None, :].square() + found.y[:, None].square() < 2**2
    left, right = found.x < -0.5, found.x > 0.1
    assert found.hole[:, left][inside[:, left]].all()
    assert not found.hole[:, right][inside[:, right]].any()


def test_holes_against_densities_of_scipy():
    mean, logvar = normal(6, 2), torch.log(0.02 + 0.1 * torch.rand(6, 2, generator=torch.Generator().manual_seed(1)))
    found = find_holes(Posterior(mean, logvar), STANDARD, size=40)
    at = np.stack(np.meshgrid(found.x.numpy(), found.y.numpy()), -1)
    q = np.mean([multivariate_normal(m, np.diag(v)).pdf(at) for m, v in zip(mean, logvar.exp(), strict=True)], 0)
    p = multivariate_normal(np.zeros(2), np.eye(2)).pdf(at)
    # Within the ellipse that holds HOLE_REACH of the prior: a chi-square with two degrees of freedom.
    inside = (at**2).sum(-1) < -2 * math.log(1 - HOLE_REACH)
    expected = (q < HOLE_RATIO * p) & inside
    sure = np.abs(q / p - HOLE_RATIO) > 1e-3
    assert (found.hole.numpy() == expected)[sure].all()
    cell = float((found.x[1] - found.x[0]) * (found.y[1] - found.y[0]))
    assert found.mass == pytest.approx((p * expected).sum() * cell, rel=0.02)
    assert 0.2 < found.mass < 1


def test_fitted_holes_lie_between_clusters():
    n = 4000
    mean = 0.3 * normal(n, 2) + torch.tensor([50.0, -20.0])
    mean[: n // 2, 0] -= 10
    found = find_holes(Posterior(mean, torch.full((n, 2), -torch.inf)), None, size=81)
    assert found.x[40].item() == pytest.approx(45, abs=0.1)  # the middle of the fitted Gaussian, between both
    assert found.y[40].item() == pytest.approx(-20, abs=0.1)
    assert found.hole[40, 40]
    for cluster in (40.0, 50.0):
        assert not found.hole[40, (found.x - cluster).abs().argmin()]
    assert 0.1 < found.mass < HOLE_REACH


@pytest.mark.slow
def test_no_fitted_holes_in_codes_that_are_gaussian():
    mean = normal(5000, 2) * torch.tensor([30.0, 0.5]) + torch.tensor([-100.0, 3.0])
    found = find_holes(Posterior(mean, torch.full((5000, 2), -torch.inf)), None)
    assert found.mass < 0.005


def test_holes_of_a_single_code_are_finite():
    found = find_holes(Posterior(torch.ones(1, 2), torch.full((1, 2), -torch.inf)), None)
    assert math.isfinite(found.mass)


def test_a_spot_is_in_a_hole_where_the_mask_is():
    found = find_holes(Posterior(normal(50, 2).abs(), torch.full((50, 2), -4.0)), STANDARD, size=20)
    assert found.hole.any()
    for row, y in enumerate(found.y.tolist()):
        assert [found.has(x, y) for x in found.x.tolist()] == found.hole[row].tolist()
    assert not found.has(1e6, 0.0)
    assert not found.has(0.0, -1e6)


def test_a_learnt_prior_has_holes_only_where_it_draws():
    """The level that a hundredth of its draws lie below, by sampling; a prior may reach far beyond the picture."""
    model = load("mnist-vamp-2d")
    network = model.network
    found = find_holes(model.latents.posterior, network)
    drawn = network.sample_prior(20_000, 1.0, torch.Generator().manual_seed(0), None).double()
    level = network.log_prior(drawn).quantile(1 - HOLE_REACH)
    y, x = found.hole.nonzero().T
    assert network.log_prior(torch.stack([found.x[x], found.y[y]], 1).double()).min() > level - 0.5


def test_the_order_of_the_codes_does_not_matter():
    """A folder's images come class after class: the first thousands would be of one cluster."""
    n = 12_000
    mean = torch.cat([0.05 * normal(9000, 2), normal(3000, 2, seed=2) + torch.tensor([5.0, 0.0])])
    mixed = mean[torch.randperm(n, generator=torch.Generator().manual_seed(1))]
    masses = [
        find_holes(Posterior(codes, torch.full((n, 2), -torch.inf)), None, size=60).mass for codes in (mean, mixed)
    ]
    assert masses[0] == pytest.approx(masses[1], abs=0.02)
