"""Pixels as sampled: draws x ~ p(x|z) of models that ship, with the noise that each was trained with."""

import pytest
import torch
from scipy.stats import kstest
from torch.distributions import Bernoulli, Normal

import explorer
from explorer.checkpoints import model


@pytest.fixture(scope="module")
def both():
    return explorer.load("cells-both", "cpu")


@pytest.fixture(scope="module")
def linear():
    return explorer.load("cells-healthy-linear", "cpu")


@pytest.mark.parametrize("state", [0, 1])
def test_the_noise_is_what_the_model_learnt(both, state):
    codes = both.draw(12, seed=3)
    mean, drawn = both.decode(codes, state), both.draw_pixels(codes, state, seed=5)
    assert drawn.shape == mean.shape
    assert drawn.dtype == torch.float32
    assert drawn.min() < 0  # of a black background half of the noise is darker than black
    probability = Normal(mean, both.network.noise_variance_value**0.5).cdf(drawn)
    assert kstest(probability.flatten().double().numpy(), "uniform").pvalue > 0.01
    other = Normal(both.decode(codes, 1 - state), both.network.noise_variance_value**0.5).cdf(drawn)
    assert kstest(other.flatten().double().numpy(), "uniform").pvalue < 0.01


def test_colours_of_a_bernoulli_model_are_on_or_off_as_often_as_it_says(linear):
    codes = linear.draw(40, seed=3)
    mean, drawn = linear.decode(codes), linear.draw_pixels(codes, seed=5)
    assert sorted(drawn.unique().tolist()) == [0, 1]
    claimed = Bernoulli(mean.double())
    # Sums over all pixels of each of 40 images: standard normal, by the central limit theorem.
    standard = (drawn.double() - mean).sum((1, 2, 3)) / claimed.variance.sum((1, 2, 3)).sqrt()
    assert kstest(standard.numpy(), "norm").pvalue > 0.01


def test_a_seed_gives_the_same_noise_and_another_one_other_noise(both):
    codes = both.draw(3, seed=0)
    one = both.draw_pixels(codes, 0, seed=7)
    assert torch.equal(one, both.draw_pixels(codes, [0, 0, 0], seed=7))
    before = torch.random.get_rng_state()
    noise, other = (both.draw_pixels(codes, 0, seed=seed) - both.decode(codes, 0) for seed in (7, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert abs(torch.corrcoef(torch.stack([noise.flatten(), other.flatten()]))[0, 1]) < 5 / noise.numel() ** 0.5
    assert both.draw_pixels(torch.zeros(0, 64)).shape == (0, 3, 64, 64)


def test_the_noise_is_not_that_of_the_codes(both):
    """A generator of the codes' seed would begin with the codes themselves."""
    codes = both.draw(64, seed=4)
    sigma = both.network.noise_variance_value**0.5
    noise = ((both.draw_pixels(codes, 1, seed=4) - both.decode(codes, 1)) / sigma).flatten()[: codes.numel()]
    assert abs(torch.corrcoef(torch.stack([noise, codes.flatten()]))[0, 1]) < 5 / codes.numel() ** 0.5


def test_no_two_images_of_many_share_their_noise(both, monkeypatch):
    monkeypatch.setattr(model, "_BATCH", 4)
    code = torch.zeros(9, 64)
    noise = (both.draw_pixels(code, 0, seed=1) - both.decode(code, 0)).flatten(1)
    assert (torch.corrcoef(noise) - torch.eye(9)).abs().max() < 5 / noise.shape[1] ** 0.5


def test_what_decode_refuses_is_refused(both):
    for codes, labels, reason in (
        (torch.zeros(1, 3), 0, "codes of this model are"),
        (torch.full((1, 64), torch.nan), 0, "not a finite number"),
        (torch.zeros(1, 64), 2, "labels of this model"),
    ):
        with pytest.raises(ValueError, match=reason):
            both.draw_pixels(codes, labels)
