"""The density of the aggregate posterior against torch.distributions, SciPy and what is known of ranks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from explorer.latents import density as density_module
from explorer.latents.density import Density
from explorer.models import Posterior


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def posterior_of(n, d, seed=0, offset=0.0):
    return Posterior(normal(n, d, seed=seed) + offset, normal(n, d, seed=seed + 1) - 2)


def mixture(posterior):
    parts = Independent(Normal(posterior.mean.double(), (posterior.logvar.double() / 2).exp()), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(posterior.mean))), parts)


@given(
    n=st.integers(2, 60),
    d=st.integers(1, 30),
    m=st.integers(1, 20),
    seed=st.integers(0, 1000),
    offset=st.sampled_from([0.0, 1000.0]),
)
@settings(deadline=None, max_examples=50)
def test_the_density_is_the_mixtures(n, d, m, seed, offset):
    posterior = posterior_of(n, d, seed, offset)
    codes = 2 * normal(m, d, seed=seed + 2) + offset
    expected = mixture(posterior).log_prob(codes.double())
    torch.testing.assert_close(Density.of(posterior).log(codes), expected, rtol=1e-9, atol=1e-6)


def test_blocks_do_not_show(monkeypatch):
    posterior, codes = posterior_of(50, 3), normal(17, 3, seed=5)
    whole = Density.of(posterior)
    monkeypatch.setattr(density_module, "_BLOCK", 4 * 50)
    parts = Density.of(posterior)
    torch.testing.assert_close(parts.log(codes), whole.log(codes))
    assert torch.equal(parts.share(codes), whole.share(codes))


def test_the_share_counts_real_images_each_left_out():
    posterior, codes = posterior_of(30, 3), normal(20, 3, seed=7)
    left_out = []
    for i in range(30):
        others = [j for j in range(30) if j != i]
        rest = mixture(Posterior(posterior.mean[others], posterior.logvar[others]))
        left_out.append(float(rest.log_prob(posterior.mean[i].double())))
    own = mixture(posterior).log_prob(codes.double()).tolist()
    expected = [sum(x < y for x in left_out) / 30 for y in own]
    assert Density.of(posterior).share(codes).tolist() == pytest.approx(expected)
    assert 0 < min(expected) < max(expected)


def test_codes_of_other_images_have_any_share_equally_likely():
    means = normal(3000, 4)
    density = Density.of(Posterior(means[:2000], torch.full((2000, 4), -3.0)))
    assert kstest(density.share(means[2000:]).numpy(), "uniform").statistic < 0.06


@pytest.mark.parametrize("halved", [False, True])
def test_stored_codes_have_any_share_equally_likely(halved):
    """Each is judged by the others, also as a checkpoint stores it and an encoder finds it again."""
    posterior = Posterior(normal(2000, 20), torch.full((2000, 20), -3.0))
    kept = Posterior(posterior.mean.half().float(), posterior.logvar) if halved else posterior
    density = Density.of(kept)
    assert torch.equal(density.stored_at(posterior.mean), torch.arange(2000))
    shares = density.share(posterior.mean)
    assert kstest(shares.numpy(), "uniform").statistic < 0.06
    assert 0.03 < float((shares < 0.05).float().mean()) < 0.07
    assert torch.equal(density.share(posterior.mean, torch.arange(2000)), shares)
    alone = density.share(posterior.mean, torch.full((2000,), -1))
    assert float((alone > 0.9).float().mean()) > 0.9  # each by its own component


def test_a_code_is_compared_without_the_row_that_is_given():
    posterior, codes = posterior_of(30, 3), normal(20, 3, seed=7)
    density, rows = Density.of(posterior), torch.arange(20) - 1
    assert density.stored_at(codes).tolist() == [-1] * 20
    assert torch.equal(density.share(codes)[:1], density.share(codes, rows)[:1])
    for code, row, found in zip(codes[1:], rows[1:].tolist(), density.share(codes, rows)[1:].tolist(), strict=True):
        others = [i for i in range(30) if i != row]
        rest = mixture(Posterior(posterior.mean[others], posterior.logvar[others])).log_prob(code.double())
        assert found == pytest.approx(float((density._compared[others] < rest).double().mean()))


def test_codes_that_do_not_fit_are_drawn_from(monkeypatch):
    posterior = Posterior(normal(3000, 10), torch.zeros(3000, 10))  # so wide that a third says the same
    whole = Density.of(posterior).share(normal(300, 10, seed=4))
    monkeypatch.setattr(density_module, "_MOST", 10 * 1000)
    density = Density.of(posterior)
    assert len(density._informative.constants) == int((density._component >= 0).sum()) == 1000
    assert torch.equal(density.stored_at(posterior.mean), torch.arange(3000))  # in the mixture or not
    assert kstest(density.share(posterior.mean).numpy(), "uniform").statistic < 0.06
    np.testing.assert_allclose(density.share(normal(300, 10, seed=4)), whole, atol=0.15)


def test_far_from_all_images_the_share_is_zero():
    density = Density.of(posterior_of(100, 4))
    assert density.share(torch.full((1, 4), 100.0)).tolist() == [0.0]
    assert density.log(torch.full((1, 4), 100.0)) < -1000
    assert density.share(torch.full((2, 4), 1e30)).tolist() == [0.0, 0.0]


def test_collapsed_latents_do_not_count():
    posterior = posterior_of(300, 3)
    average = torch.full((300, 50), 0.001)
    wide = Posterior(torch.cat([posterior.mean, average], 1), torch.cat([posterior.logvar, 0 * average], 1))
    codes, noise = normal(40, 3, seed=3), normal(40, 50, seed=4)
    both = torch.cat([codes, noise], 1)
    assert torch.equal(Density.of(wide).share(both), Density.of(posterior).share(codes))
    expected = Density.of(posterior).log(codes) + Normal(0.001, 1.0).log_prob(noise.double()).sum(1)
    torch.testing.assert_close(Density.of(wide).log(both), expected, rtol=1e-6, atol=1e-4)


def test_a_model_whose_latents_are_all_collapsed_still_has_a_density():
    density = Density.of(Posterior(torch.zeros(20, 2), torch.zeros(20, 2)))
    found = density.log(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    assert found.tolist() == pytest.approx([-math.log(2 * math.pi), -math.log(2 * math.pi) - 0.5])
    assert density.share(torch.tensor([[5.0, 0.0]])).tolist() == [0.0]


def deterministic(codes):
    return Posterior(codes, torch.full_like(codes, -torch.inf))


def test_a_deterministic_code_gets_kernels():
    """Two clusters of different width: each is found as dense as its Gaussian says, and the gap between them empty."""
    n = 1500
    codes = torch.cat([normal(n, 2), 0.1 * normal(n, 2, seed=1) + 8.0])
    density = Density.of(deterministic(codes))
    known = MixtureSameFamily(
        Categorical(torch.ones(2)),
        Independent(Normal(torch.tensor([[0.0, 0.0], [8.0, 8.0]]), torch.tensor([[1.0, 1.0], [0.1, 0.1]])), 1),
    )
    fresh = torch.cat([normal(300, 2, seed=2), 0.1 * normal(300, 2, seed=3) + 8.0])
    assert (density.log(fresh) - known.log_prob(fresh)).abs().mean() < 0.3
    assert float(density.log(fresh).mean() - known.log_prob(fresh).mean()) == pytest.approx(0, abs=0.15)
    assert density.share(torch.tensor([[4.0, 4.0]])).item() < 0.01
    assert kstest(density.share(fresh).numpy(), "uniform").statistic < 0.1


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_kernels_follow_the_scale_of_the_codes(scale):
    codes = normal(200, 3)
    at_one = Density.of(deterministic(codes)).log(codes[:9] + 0.1)
    found = Density.of(deterministic(scale * codes)).log(scale * (codes[:9] + 0.1))
    torch.testing.assert_close(found, at_one - 3 * math.log(scale), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "codes",
    [
        torch.zeros(5, 2),
        torch.ones(40, 3) * torch.tensor([1.0, 0.0, 2.0]),
        normal(40, 1).repeat(1, 2) * torch.eye(2)[0],
    ],
    ids=["one code", "one code many times", "a latent that does not vary"],
)
def test_kernels_of_codes_that_hardly_vary_are_finite(codes):
    density = Density.of(deterministic(codes))
    assert torch.isfinite(density.log(codes)).all()
    assert ((density.share(codes) >= 0) & (density.share(codes) <= 1)).all()


def test_a_sample_stands_for_all_codes(monkeypatch):
    posterior, codes = posterior_of(500, 2), normal(30, 2, seed=8)
    whole, again = (Density.of(posterior).share(codes) for _ in range(2))
    assert torch.equal(whole, again)
    monkeypatch.setattr("explorer.latents.density._REFERENCE", 50)
    np.testing.assert_allclose(Density.of(posterior).share(codes), whole, atol=0.3)


def test_no_codes_have_no_densities():
    density = Density.of(posterior_of(10, 2))
    assert density.log(torch.empty(0, 2)).shape == density.share(torch.empty(0, 2)).shape == (0,)


@pytest.mark.parametrize("n", [0, 1])
def test_a_density_needs_codes(n):
    with pytest.raises(ValueError, match="at least 2 codes"):
        Density.of(posterior_of(n, 2))


def test_of_two_images_neither_lies_in_a_denser_place():
    posterior = Posterior(normal(2, 3), torch.zeros(2, 3))
    assert Density.of(posterior).share(posterior.mean).tolist() == [0.0, 0.0]
    three = Posterior(torch.tensor([[0.0], [1.0], [5.0]]), torch.zeros(3, 1))
    assert Density.of(three).share(three.mean).tolist() == [0.5, 1.0, 0.0]
