"""Dynamic binarisation: pixels are on or off by their gray, anew in training and by the seed in evaluation."""

import math

import pytest
import torch
from torch.distributions import Bernoulli

from explorer.models import ModelConfig, build
from explorer.models.evaluation import evaluate, log_likelihood

SHAPE = (1, 3, 4)


def model(**changes):
    """A VAE whose decoder ignores its code: log p(x) is that of one probability for each pixel."""
    torch.manual_seed(0)
    settings = {"family": "vae", "network": "dense", "likelihood": "bernoulli", "binarise": True, **changes}
    made = build(ModelConfig(image_shape=SHAPE, latent=2, encoder=(8,), decoder=(8,), **settings)).eval()
    torch.nn.init.zeros_(made.decoder[-2].weight)
    return made


def images(n, seed=0):
    return torch.randint(0, 256, (n, *SHAPE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_a_pixel_is_on_as_often_as_it_is_bright():
    gray = images(1) / 255
    drawn = model().observe(gray.expand(20_000, -1, -1, -1), torch.Generator().manual_seed(0))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    standard = (drawn.mean(0) - gray[0]) / (gray[0] * (1 - gray[0]) / 20_000).sqrt().clamp(min=1e-9)
    assert standard.abs().max() < 5
    flat = drawn.flatten(1)[:, (gray.flatten() > 0) & (gray.flatten() < 1)]
    together = torch.corrcoef(flat.T) - torch.eye(flat.shape[1])
    assert together.abs().max() < 5 / math.sqrt(20_000)


def test_black_and_white_stay_as_they_are():
    x = images(50).gt(128).float()
    assert torch.equal(model().observe(x, torch.Generator().manual_seed(0)), x)


def test_a_model_without_it_sees_gray_and_draws_nothing():
    generator = torch.Generator().manual_seed(0)
    state, x = generator.get_state(), images(5) / 255
    assert model(binarise=False).observe(x, generator) is x
    assert torch.equal(generator.get_state(), state)


def test_evaluation_judges_binary_images_and_the_bound_the_same_ones():
    found, binary = evaluate(model(), images(300)), model(binarise=False)
    probability = torch.sigmoid(binary.decoder[-2].bias.detach())
    bits = 2 ** torch.arange(12)  # every binary image has its own number of nats: so each is known by its own
    nats = [float(Bernoulli(probability).log_prob((n & bits > 0).float()).sum()) for n in range(2**12)]
    assert all(min(abs(one - r) for one in nats) < 1e-4 for r in found.reconstruction[:20].tolist())
    bound = log_likelihood(model(), images(300), samples=1)
    prior = bound - found.reconstruction  # log p(z) / q(z|x) at another draw of z
    assert prior.abs().max() < 5
    gray = evaluate(binary, images(300))
    gap = (found.reconstruction - gray.reconstruction).double()  # equal on average
    assert abs(float(gap.mean())) < 5 * float(gap.std()) / math.sqrt(300)
    assert float(gap.std()) > 0.05
    torch.testing.assert_close(found.mse, gray.mse)  # of the gray images


def test_figures_depend_on_the_seed_but_on_no_batch():
    x = images(23)
    whole = evaluate(model(), x)
    torch.testing.assert_close(evaluate(model(), x, batch_size=5).reconstruction, whole.reconstruction)
    assert not torch.equal(evaluate(model(), x, seed=1).reconstruction, whole.reconstruction)
    assert torch.equal(evaluate(model(), x).reconstruction, whole.reconstruction)


def test_a_picture_that_is_judged_with_its_own_noise_does_not_depend_on_its_company():
    x, noise = images(9), torch.randn(9, 2)
    together = evaluate(model(), x, noise=noise).reconstruction
    alone = torch.cat([evaluate(model(), x[i : i + 1], noise=noise[i : i + 1]).reconstruction for i in range(9)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("likelihood", ["gaussian", "sigma"])
def test_only_a_likelihood_of_binary_pixels_takes_it(likelihood):
    with pytest.raises(ValueError, match=f"which a {likelihood} likelihood is not for: set likelihood to bernoulli"):
        model(likelihood=likelihood)
