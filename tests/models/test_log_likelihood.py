"""The importance-weighted bound against a linear Gaussian model, whose log p(x) has a closed form."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from explorer.models import ModelConfig, build
from explorer.models.evaluation import evaluate, log_likelihood
from explorer.models.vae import VAE

SHAPE = (1, 2, 3)
NOISE = 0.01
W = torch.tensor([[0.2, 0.1], [0.2, -0.1], [0.2, 0.1], [-0.2, 0.1], [-0.2, -0.1], [-0.2, 0.1]])
W[:, 1] -= W[:, 0] * (W[:, 0] @ W[:, 1]) / W[:, 0].square().sum()  # orthogonal: the exact posterior is diagonal
CENTRE = torch.full((6,), 0.5)


def settings(**changes):
    sizes = {"image_shape": SHAPE, "latent": 2, "encoder": (), "decoder": (), **changes}
    return ModelConfig(
        **{"family": "vae", "network": "dense", "likelihood": "gaussian", "noise_variance": NOISE, **sizes}
    )


def linear_gaussian(off_by=0.0):
    """x = m + W z + noise (Tipping & Bishop 1999, section 3), with its exact posterior, or one whose mean is off."""
    model = VAE(settings(output="linear"))
    precision = 1 + W.square().sum(0) / NOISE  # the diagonal of I + W'W / variance
    back = (W / NOISE / precision).T
    with torch.no_grad():
        encoder, decoder = model.encoder[-1], model.decoder[0]
        encoder.weight.copy_(torch.cat([back, torch.zeros_like(back)]))
        encoder.bias.copy_(torch.cat([off_by - back @ CENTRE, -precision.log()]))
        decoder.weight.copy_(W)
        decoder.bias.copy_(CENTRE)
    return model.eval()


def images(n):
    """Draws from the model, rounded to 8 bits."""
    generator = torch.Generator().manual_seed(0)
    z, noise = torch.randn(n, 2, generator=generator), torch.randn(n, 6, generator=generator)
    x = CENTRE + z @ W.T + noise * math.sqrt(NOISE)
    return (x.clamp(0, 1) * 255).round().to(torch.uint8).reshape(n, *SHAPE)


def closed_form(x):
    covariance = (W @ W.T).double().numpy() + NOISE * np.eye(6)
    return multivariate_normal(CENTRE.numpy(), covariance).logpdf(x.flatten(1).double().numpy() / 255)


@pytest.mark.parametrize("samples", [1, 7, 300])
def test_the_exact_posterior_gives_log_p_for_any_number_of_samples(samples):
    x = images(40)
    found = log_likelihood(linear_gaussian(), x, samples=samples)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, closed_form(x), atol=2e-4)


def test_the_bound_grows_with_samples_towards_log_p():
    x = images(200)
    model, exact = linear_gaussian(off_by=0.3), closed_form(x)
    gaps = [(exact - log_likelihood(model, x, samples=k).numpy()).mean() for k in (1, 4, 16, 256)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.2
    assert 0 < gaps[-1] < 0.1 * gaps[0]


def test_one_sample_is_the_elbo_on_average():
    x = images(1).expand(1500, -1, -1, -1).contiguous()
    model = linear_gaussian(off_by=0.2)
    found = log_likelihood(model, x, samples=1).double()
    evaluation = evaluate(model, x, seed=1)
    elbo = (evaluation.reconstruction - evaluation.kl).double()
    error = (found.var() / len(x) + elbo.var() / len(x)).sqrt()
    assert found.mean() == pytest.approx(elbo.mean().item(), abs=4 * error.item())
    precision = 1 + W.square().sum(0) / NOISE
    gap = 0.5 * (0.2**2 * precision).sum()  # KL of two Gaussians of one covariance
    assert closed_form(x[:1]).item() - found.mean() == pytest.approx(gap.item(), abs=4 * error.item())


@pytest.mark.parametrize("samples", [10, 1500])
def test_how_many_are_decoded_at_once_changes_nothing_and_a_seed_means_the_same(samples):
    x, model = images(7), linear_gaussian(off_by=0.3)
    found = log_likelihood(model, x, samples=samples, seed=4)
    for at_once in (3, 20, 64, 4000):
        other = log_likelihood(model, x, samples=samples, seed=4, batch_size=at_once)
        np.testing.assert_allclose(other, found, rtol=1e-6)
    assert not torch.equal(log_likelihood(model, x, samples=samples, seed=5), found)
    assert log_likelihood(model, x[:0]).shape == (0,)


def test_memory_holds_few_draws_however_many_are_asked_for(monkeypatch):
    model, drawn = linear_gaussian(), []
    log_weight = model.log_weight
    monkeypatch.setattr(model, "log_weight", lambda x, k, *more: drawn.append(len(x) * k) or log_weight(x, k, *more))
    for samples in (1, 100, 300, 5000):
        log_likelihood(model, images(20), samples=samples, batch_size=300)
    assert max(drawn) == 300
    assert sum(drawn) == 20 * (1 + 100 + 300 + 5000)


def test_it_says_how_far_it_is():
    seen = []
    log_likelihood(linear_gaussian(), images(5), samples=4, batch_size=8, progress=lambda *at: seen.append(at))
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_a_conditional_model_is_told_the_class():
    torch.manual_seed(0)
    model = build(settings(family="cvae", classes=2)).eval()
    x = images(4)
    first, second = (log_likelihood(model, x, torch.full((4,), y), samples=5) for y in (0, 1))
    mixed = log_likelihood(model, x, torch.tensor([0, 1, 0, 1]), samples=5)
    assert not torch.equal(first, second)
    assert torch.equal(mixed, torch.stack([first[0], second[1], first[2], second[3]]))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"samples": 0}, "at least one sample is needed, not 0"),
        ({"images": torch.zeros(2, 1, 3, 3, dtype=torch.uint8)}, r"takes images of \(1, 2, 3\), not \(1, 3, 3\)"),
        (
            {"model": build(settings(family="ae"))},
            "a model without a prior, or without a known likelihood, gives no probability",
        ),
        ({"model": build(settings(family="cvae", classes=2)), "labels": torch.tensor([0, 2])}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_is_an_error(options, reason):
    with pytest.raises(ValueError, match=reason):
        log_likelihood(**{"model": linear_gaussian(), "images": images(2), **options})
