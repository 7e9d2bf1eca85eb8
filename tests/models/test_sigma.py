"""Models that learn the noise of their pixels: the likelihood `sigma`."""

import copy
import math

import pytest
import torch
from safetensors.torch import load, save
from torch.distributions import Independent, Normal

from explorer import dataset
from explorer.checkpoints.model import load as load_model
from explorer.models import ModelConfig, build
from explorer.models.base import NOISE_WINDOW
from explorer.models.evaluation import evaluate
from explorer.models.likelihoods import LEAST_NOISE
from explorer.models.registry import LIKELIHOODS
from tests.models.one_code import ONE_CODE


def made(family="vae", seed=0, **changes):
    torch.manual_seed(seed)
    sizes = {"image_shape": (1, 6, 5), "latent": 3, "encoder": (16,), "decoder": (16,), "draws": 1}
    sizes |= {"classes": 2} if family == "cvae" else {}
    return build(ModelConfig(family=family, network="dense", **{"likelihood": "sigma", **sizes, **changes}))


def batches(n, size=32):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(size, 1, 6, 5, generator=generator) for _ in range(n)]


def mse_of(model, terms, x):
    return (model.likelihood.location(terms.logits.detach()) - x).square().mean()


every = pytest.mark.parametrize(("family", "output"), [(f, o) for f in ONE_CODE for o in ("sigmoid", "linear")])


@every
def test_a_batch_in_training_is_judged_by_its_own_variance(family, output):
    model = made(family, output=output)
    for x in batches(3):
        terms = model.terms(x)
        location = model.likelihood.location(terms.logits)
        normal = Normal(location, mse_of(model, terms, x).sqrt())
        torch.testing.assert_close(terms.nll, -Independent(normal, 3).log_prob(x))


@every
def test_in_evaluation_the_variance_is_the_one_that_was_learnt(family, output):
    model = made(family, output=output)
    for x in batches(20):
        model.terms(x)
    model.eval()
    state = copy.deepcopy(model.state_dict())
    x = batches(1)[0]
    terms = model.terms(x)
    normal = Normal(model.likelihood.location(terms.logits), math.sqrt(model.noise_variance_value))
    torch.testing.assert_close(terms.nll, -Independent(normal, 3).log_prob(x))
    torch.testing.assert_close(model.likelihood.log_prob(terms.logits, x), -terms.nll)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())


def test_the_first_batch_sets_the_variance_and_the_next_move_it():
    model = made(noise_variance=0.5)
    assert model.noise_variance_value == 0.5
    seen, images = [], 0
    expected = 0.0
    for x in batches(100):
        seen.append(mse_of(model, model.terms(x), x).item())
        images += len(x)
        expected += (seen[-1] - expected) * 32 / min(images, NOISE_WINDOW)
        assert model.noise_variance_value == pytest.approx(expected, rel=1e-5)
        if images <= NOISE_WINDOW:  # the plain mean at first
            assert model.noise_variance_value == pytest.approx(sum(seen) / len(seen), rel=1e-5)
    assert images > NOISE_WINDOW
    assert int(model.noise_images) == images


def test_the_last_batch_of_an_epoch_counts_by_its_images():
    model = made()
    x = batches(1, 99)[0]
    torch.manual_seed(0)
    whole = mse_of(model, model.terms(x[:98]), x[:98]).item()
    one = mse_of(model, model.terms(x[98:]), x[98:]).item()
    assert model.noise_variance_value == pytest.approx((98 * whole + one) / 99, rel=1e-5)


def test_a_batch_larger_than_the_window_is_all_that_counts():
    model = made()
    for x in batches(2, NOISE_WINDOW + 500):
        expected = mse_of(model, model.terms(x), x).item()
    assert model.noise_variance_value == pytest.approx(expected, rel=1e-5)


def test_a_resumed_model_goes_on_bit_for_bit():
    """Through safetensors, as a run is stored, in the midst of the plain mean and after it."""
    data = batches(80)
    for stop in (3, 75):
        undisturbed = made()
        for x in data:
            undisturbed.terms(x, torch.Generator().manual_seed(0))
        first, second = made(), made(seed=5)
        for x in data[:stop]:
            first.terms(x, torch.Generator().manual_seed(0))
        second.load_state_dict(load(save(first.state_dict())))
        for x in data[stop:]:
            second.terms(x, torch.Generator().manual_seed(0))
        assert all(torch.equal(v, undisturbed.state_dict()[k]) for k, v in second.state_dict().items())


def test_its_buffers_are_in_the_state_and_other_models_have_none():
    assert {"noise_variance", "noise_images"} <= set(made().state_dict())
    for likelihood in ("bernoulli", "gaussian"):
        model = made(likelihood=likelihood)
        assert not list(model.buffers())
        assert model.noise_variance_value == 0.5
        model.terms(batches(1)[0])
        assert model.likelihood == LIKELIHOODS[likelihood](0.5)


def test_it_finds_the_noise_that_is_there():
    """Images of one pattern under noise of variance 0.01: a decoder that knows the pattern leaves just that."""
    torch.manual_seed(0)
    model = made("ae", output="linear")
    pattern = torch.rand(1, 1, 6, 5)
    with torch.no_grad():
        for parameter in model.decoder[-2].parameters():
            parameter.zero_()
        model.decoder[-2].bias.copy_(pattern.flatten())
    for _ in range(100):
        model.terms(pattern + 0.1 * torch.randn(64, 1, 6, 5))
    assert model.noise_variance_value == pytest.approx(0.01, rel=0.05)


def test_the_variance_has_a_floor():
    model = made("ae", output="linear")
    with torch.no_grad():
        for parameter in model.decoder[-2].parameters():
            parameter.zero_()
    nll = model.terms(torch.zeros(4, 1, 6, 5)).nll
    assert nll.isfinite().all()
    assert model.noise_variance_value == pytest.approx(LEAST_NOISE)


def test_a_gradient_does_not_pass_through_the_buffer():
    model = made()
    for x in batches(3):
        model.zero_grad()
        model.terms(x).nll.mean().backward()
    assert not model.noise_variance.requires_grad
    assert all(p.grad is not None for p in model.decoder.parameters())


def test_evaluation_takes_the_whole_of_it():
    model = made(output="linear")
    for x in batches(5):
        model.terms(x)
    images = torch.randint(0, 256, (50, 1, 6, 5), dtype=torch.uint8)
    found = evaluate(model, images)
    metrics = found.metrics(1.0)
    assert found.constant == 0.0
    assert metrics["loss"] == pytest.approx(-metrics["elbo"])
    assert model.training


@pytest.mark.slow
def test_training_balances_reconstruction_and_kl_by_itself():
    """What the sigma-VAE is for: the noise falls as the images get better, whatever it started at."""
    found = []
    for start in (0.01, 10.0):
        model = made(output="linear", noise_variance=start)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        # Images of two hidden causes with noise of variance 0.0025.
        torch.manual_seed(1)
        basis = torch.randn(2, 30) * 0.2
        x = 0.5 + torch.randn(512, 2) @ basis + 0.05 * torch.randn(512, 30)
        generator = torch.Generator().manual_seed(0)
        for _ in range(400):
            terms = model.terms(x.reshape(-1, 1, 6, 5), generator)
            optimizer.zero_grad()
            (terms.nll.mean() + terms.kl.sum(1).mean()).backward()
            optimizer.step()
        found.append(model.noise_variance_value)
    assert found[0] == pytest.approx(found[1])
    assert 0.002 < found[0] < 0.006


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_checkpoint_keeps_what_was_learnt(small_train, batch_norm):
    # 4,000 images in batches of 1,333 leave a last batch of one.
    run = small_train(epochs=2, likelihood="sigma", batch_norm=batch_norm, batch_size=1333)
    model = load_model(run.path, device="cpu")
    assert 0.03 < model.network.noise_variance_value < 0.3
    assert model.network.noise_variance_value != 0.5
    images = dataset("mnist-5k", split="test").images
    found = model.evaluate(images)
    assert found.metrics(1.0)["elbo"] == pytest.approx(run.metrics["elbo"], rel=1e-5)
    # On test images the variance is the training images', which is not far from their own.
    own = 784 / 2 * (math.log(2 * math.pi * found.metrics()["mse"]) + 1)
    assert -own - 5 < found.metrics()["reconstruction"] <= -own + 1e-2
