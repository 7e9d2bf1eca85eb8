"""The discretised logistic mixture against torch's logistic distributions, and sums over all values of a pixel."""

import math
from itertools import product

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, logistic

from explorer.checkpoints.exporting import export
from explorer.models import ModelConfig, build
from explorer.models.evaluation import evaluate
from explorer.models.logistic_mixture import LogisticMixture
from tests.models.one_code import ONE_CODE

seeds = st.integers(0, 2**31)


def logits_of(k, channels, pixels, seed, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    count = LogisticMixture(mixture_components=k).parameters(channels)
    return scale * torch.randn(1, count, 1, pixels, generator=generator, dtype=torch.float64)


def images(values):
    """Pixels [P, C] of 0 to 255 as one image [1, C, 1, P]."""
    return (torch.as_tensor(values, dtype=torch.float64) / 255).T[None, :, None]


def chances(likelihood, logits, values):
    """p of each pixel [P, C], each an image by itself, for the same logits [1, p, 1, 1]."""
    x = images(values).permute(3, 1, 0, 2)
    return torch.exp(-likelihood.nll(logits.expand(len(x), -1, -1, -1), x))


def expected_log_prob(logits, x, k):
    """Pixel by pixel and component by component, as the paper's equations 2 and 3 have it."""
    channels = x.shape[1]
    total = 0.0
    for at in range(x.shape[3]):
        rows = logits[0, :, 0, at].reshape(k, -1)
        y = 2 * x[0, :, 0, at] - 1
        chance = torch.zeros((), dtype=torch.float64)
        for weight, row in zip(torch.softmax(rows[:, 0], 0), rows, strict=True):
            means, scales = row[1 : 1 + channels].clone(), row[1 + channels : 1 + 2 * channels].clamp(-7).exp()
            if channels == 3:
                of_green, of_blue, and_green = torch.tanh(row[7:])
                means[1] += of_green * y[0]
                means[2] += of_blue * y[0] + and_green * y[1]
            for value, mean, scale in zip(y, means, scales, strict=True):
                if value > mean:  # its mirror image, whose distribution function is not rounded to 1
                    value, mean = -value, -mean
                one = logistic(float(mean), float(scale))  # torch.distributions' function rounds: (F - 0.5) + 0.5
                upper = one.cdf(float(value) + 1 / 255) if value < 0.999 else 1.0
                lower = one.cdf(float(value) - 1 / 255) if value > -0.999 else 0.0
                weight = weight * (upper - lower)
            chance += weight
        total += float(chance.log())
    return total


@given(k=st.integers(1, 4), channels=st.sampled_from([1, 3]), seed=seeds)
@example(k=1, channels=1, seed=146)  # a pixel whose chance is e^-34
@settings(deadline=None, max_examples=15)
def test_log_prob_is_that_of_differences_of_logistic_distribution_functions(k, channels, seed):
    logits = logits_of(k, channels, 6, seed, 1.0)
    values = torch.randint(0, 256, (6, channels), generator=torch.Generator().manual_seed(seed))
    values[0], values[1] = 0, 255
    x = images(values)
    found = LogisticMixture(mixture_components=k).log_prob(logits, x)
    assert found.item() == pytest.approx(expected_log_prob(logits, x, k), rel=1e-8)
    single = LogisticMixture(mixture_components=k).log_prob(logits.float(), x.float())
    torch.testing.assert_close(single, found.float(), rtol=1e-4, atol=1e-3)


@given(k=st.integers(1, 10), seed=seeds, scale=st.floats(0.1, 20))
@settings(deadline=None)
def test_the_chances_of_all_256_values_sum_to_one(k, seed, scale):
    found = chances(LogisticMixture(mixture_components=k), logits_of(k, 1, 1, seed, scale), [[v] for v in range(256)])
    assert found.sum().item() == pytest.approx(1, abs=1e-9)


def test_the_chances_of_all_greens_and_blues_sum_to_that_of_red_alone():
    k, red = 3, 90
    likelihood, logits = LogisticMixture(mixture_components=k), logits_of(k, 3, 1, 0, 1.0)
    found = chances(likelihood, logits, [(red, *rest) for rest in product(range(256), repeat=2)]).sum()
    rows = logits.reshape(k, 10)
    gray = rows[:, [0, 1, 4]].reshape(1, -1, 1, 1)  # weight, mean and scale of red
    assert found.item() == pytest.approx(chances(likelihood, gray, [[red]]).item(), rel=1e-9)


@given(k=st.integers(1, 5), seed=seeds, scale=st.floats(0.1, 20))
@settings(deadline=None)
def test_the_mean_is_that_of_all_values_to_half_a_step(k, seed, scale):
    likelihood, logits = LogisticMixture(mixture_components=k), logits_of(k, 1, 1, seed, scale)
    exact = (chances(likelihood, logits, [[v] for v in range(256)]) * torch.arange(256) / 255).sum()
    assert abs(likelihood.mean(logits).item() - exact.item()) <= 0.5 / 255 + 1e-9


def colour(k=2):
    """Two narrow colours, each within a few steps, green and blue moving with red: few enough values to count all."""
    rows = torch.zeros(k, 10, dtype=torch.float64)
    rows[:, 0] = torch.tensor([0.0, 0.7])
    rows[:, 1:4] = torch.tensor([[0.0, 0.02, -0.04], [0.05, -0.02, 0.03]])
    rows[:, 4:7] = math.log(0.006)
    rows[:, 7:] = torch.tensor([[1.0, -1.0, 0.8], [0.5, 2.0, -0.3]])
    return rows.reshape(1, -1, 1, 1)


def test_draws_of_colours_are_as_frequent_as_they_are_likely():
    likelihood, logits = LogisticMixture(mixture_components=2), colour()
    span = range(106, 152)
    cube = torch.tensor(list(product(span, repeat=3)))
    chance = chances(likelihood, logits, cube)
    assert chance.sum().item() == pytest.approx(1, abs=1e-3)
    n = 200_000
    drawn = likelihood.sample(logits.expand(n, -1, -1, -1), torch.Generator().manual_seed(0)) * 255
    torch.testing.assert_close(drawn, drawn.round())
    code = ((drawn.reshape(n, 3).round().long() - 106) * torch.tensor([46**2, 46, 1])).sum(1)
    counts = torch.bincount(code.clamp(0, len(chance) - 1), minlength=len(chance)).double()
    often = chance * n > 8
    observed = torch.cat([counts[often], counts[~often].sum()[None]])
    expected = torch.cat([chance[often] * n, (n - (chance[often] * n).sum())[None]])
    assert often.sum() > 500
    assert chisquare(observed, expected).pvalue > 0.01
    mean = (chance[:, None] * cube).sum(0) / 255
    torch.testing.assert_close(likelihood.mean(logits).flatten(), mean, rtol=0, atol=2e-3)
    again = likelihood.sample(logits.expand(n, -1, -1, -1), torch.Generator().manual_seed(0)) * 255
    assert torch.equal(drawn, again)


def test_draws_of_gray_reach_black_and_white_as_often_as_the_tails_say():
    likelihood, logits = LogisticMixture(mixture_components=3), logits_of(3, 1, 1, 5)
    n = 100_000
    drawn = likelihood.sample(logits.expand(n, -1, -1, -1), torch.Generator().manual_seed(1))
    counts = torch.bincount((drawn.flatten() * 255).round().long(), minlength=256).double()
    expected = chances(likelihood, logits, [[v] for v in range(256)]) * n
    assert expected[0] > 100
    assert expected[255] > 100
    few = expected < 8
    pooled = [torch.cat([t[~few], t[few].sum()[None]]) for t in (counts, expected)]
    assert chisquare(pooled[0], pooled[1] * n / pooled[1].sum()).pvalue > 0.01


@pytest.mark.parametrize("channels", [1, 3])
def test_extreme_logits_have_finite_chances_and_gradients(channels):
    likelihood = LogisticMixture(mixture_components=2)
    for seed in range(20):
        logits = logits_of(2, channels, 8, seed, 300.0).float().requires_grad_()
        values = torch.randint(0, 256, (8, channels), generator=torch.Generator().manual_seed(seed))
        nll = likelihood.nll(logits, images(values).float())
        nll.sum().backward()
        assert torch.isfinite(nll).all()
        assert torch.isfinite(logits.grad).all()
        for pixels in (likelihood.mean(logits), likelihood.sample(logits)):
            assert torch.isfinite(pixels).all()
            assert ((pixels >= 0) & (pixels <= 1)).all()


def config(family="vae", network="dense", shape=(3, 8, 12), **changes):
    sizes = {"latent": 3, "encoder": (8, 12), "decoder": (12, 8), "classes": 2 if family == "cvae" else 0}
    likelihood = {"likelihood": "logistic-mixture", "mixture_components": 4}
    return ModelConfig(family=family, network=network, image_shape=shape, **{**sizes, **likelihood, **changes})


@pytest.mark.parametrize("shape", [(1, 8, 12), (3, 8, 12)])
@pytest.mark.parametrize(
    ("family", "network"),
    [
        *product(ONE_CODE, ("dense", "conv", "residual", "residual-half")),
        ("ladder", "dense"),
        ("ladder", "residual"),
        ("vq", "conv"),
    ],
)
def test_every_family_and_network_puts_out_what_it_needs(family, network, shape):
    torch.manual_seed(0)
    model = build(config(family, network, shape)).eval()
    x = torch.randint(0, 256, (5, *shape), dtype=torch.uint8)
    terms = model.terms(x / 255)
    assert tuple(terms.logits.shape[1:]) == model.config.logits_shape == (12 if shape[0] == 1 else 40, 8, 12)
    assert model.decode(terms.posterior.mean).shape == (5, *shape)
    drawn = model.draw_pixels(terms.posterior.mean) * 255
    torch.testing.assert_close(drawn, drawn.round())
    found = evaluate(model, x)
    assert found.constant == 0
    assert (found.reconstruction < 0).all()  # of discrete values: no density, no more than certain
    assert torch.isfinite(found.mse).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"output": "linear"}, "output linear is not for a logistic-mixture likelihood, which has its own"),
        ({"mixture_components": 0}, "mixture_components must be more than zero, not 0"),
        ({"mixture_components": 101}, "mixture_components must be at most 100, not 101"),
        ({"mixture_components": 2.5}, "mixture_components must be a whole number, not 2.5"),
    ],
)
def test_settings_that_cannot_be_are_said(changes, reason):
    with pytest.raises(ValueError, match=reason):
        config(**changes)


def test_a_config_from_before_has_its_components():
    old = config(likelihood="sigma").to_json()
    del old["mixture_components"]
    assert ModelConfig.from_json(old).mixture_components == 5


@pytest.mark.slow
def test_it_trains_to_fewer_bits_than_a_pixel_has_and_exports(small_train, tmp_path):
    run = small_train(
        likelihood="logistic-mixture",
        mixture_components=2,
        optimizer="adam",
        learning_rate=3e-3,
        epochs=1,
        latent=8,
        half=True,
    )
    bits = -run.metrics["elbo"] / (784 * math.log(2))
    assert bits < 5  # eight without a model
    assert LogisticMixture().log_prob_of_bytes(run.metrics["elbo"], 784) == run.metrics["elbo"]
    assert [file.name for file in export(run.path, tmp_path)] == ["encoder.pt2", "decoder.pt2"]
