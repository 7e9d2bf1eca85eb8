"""A checkpoint opened for use."""

import shutil
import sys

import numpy as np
import pytest
import torch

import explorer
from explorer.checkpoints.folder import CheckpointInfo
from explorer.checkpoints.model import Model, load
from explorer.latents import Latents
from explorer.models import ModelConfig, Posterior, build


@pytest.fixture
def model(tiny_runs):
    return load("runs/tiny", device="cpu")


@pytest.fixture(scope="module")
def digits():
    return explorer.dataset("mnist-5k", split="test").images[:32]


def test_shapes(model, digits):
    posterior = model.encode(digits)
    assert posterior.mean.shape == posterior.logvar.shape == (32, 2)
    for images in (model.decode(posterior.mean), model.reconstruct(digits), model.sample(32)):
        assert images.shape == (32, 1, 28, 28)
        assert images.dtype == torch.float32
        assert images.min() >= 0
        assert images.max() <= 1
    assert model.image_shape == (1, 28, 28)
    assert model.latent == 2
    assert model.has_prior
    assert model.classes == [str(i) for i in range(10)]
    assert model.draw(0).shape == (0, 2)
    assert model.decode(np.zeros((0, 2))).shape == (0, 1, 28, 28)


def test_it_is_the_network_that_was_trained(model, tiny_run, digits):
    latents = model.latents
    assert len(latents) == 1000
    torch.testing.assert_close(model.encode(digits).mean, latents.mean[:32])
    torch.testing.assert_close(model.encode(digits).logvar, latents.posterior.logvar[:32])
    data = explorer.dataset("mnist-5k", split="test")
    assert torch.equal(latents.labels, data.labels)
    metrics = model.evaluate(data.images).metrics()
    for name in ("elbo", "reconstruction", "kl", "loss", "mse", "active_units", "n"):
        assert metrics[name] == pytest.approx(tiny_run.metrics[name], rel=1e-5)


def test_bytes_and_floats_are_the_same_images(model, digits):
    expected = model.encode(digits)
    as_float = digits.float() / 255
    before = as_float.clone()
    for images in (digits.numpy(), as_float, as_float.numpy(), as_float.double(), as_float.double().numpy()):
        torch.testing.assert_close(model.encode(images).mean, expected.mean)
    assert torch.equal(as_float, before)


def test_read_only_memory_is_read(model, digits):
    images = digits.numpy().copy()
    images.flags.writeable = False
    torch.testing.assert_close(model.encode(images).mean, model.encode(digits).mean)


def test_a_reconstruction_is_the_decoded_mean(model, digits):
    assert torch.equal(model.reconstruct(digits), model.decode(model.encode(digits).mean))


def test_many_are_done_in_parts(model, digits):
    codes = model.draw(2500)
    torch.testing.assert_close(model.decode(codes)[2400:], model.decode(codes[2400:]))
    images = digits.repeat(80, 1, 1, 1)
    torch.testing.assert_close(model.encode(images).mean[-32:], model.encode(digits).mean)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (torch.zeros(1, 28, 28), "not \\[1, 28, 28\\]"),
        (torch.zeros(2, 1, 32, 32), "takes images of \\[N, 1, 28, 28\\], not \\[2, 1, 32, 32\\]"),
        (torch.zeros(2, 3, 28, 28), "not \\[2, 3, 28, 28\\]"),
        (torch.zeros(0, 1, 28, 28), "no images"),
        (torch.full((1, 1, 28, 28), 1.01), "in \\[0, 1\\]"),
        (torch.full((1, 1, 28, 28), -0.01), "in \\[0, 1\\]"),
        (torch.full((1, 1, 28, 28), torch.nan), "in \\[0, 1\\]"),
        (torch.full((1, 1, 28, 28), 255), "in \\[0, 1\\]"),
    ],
)
def test_images_that_the_model_does_not_take(model, images, reason):
    for call in (model.encode, model.reconstruct, model.evaluate):
        with pytest.raises(ValueError, match=reason):
            call(images)


def test_it_is_evaluated_on_bytes_alone(model, digits):
    images = digits.float() / 255
    before = images.clone()
    with pytest.raises(ValueError, match="uint8"):
        model.evaluate(images)
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (torch.zeros(2), "not \\[2\\]"),
        (torch.zeros(2, 3), "codes of this model are \\[N, 2\\], not \\[2, 3\\]"),
        (torch.tensor([[0.0, torch.nan]]), "finite"),
        (torch.tensor([[torch.inf, 0.0]]), "finite"),
    ],
)
def test_codes_that_the_model_does_not_take(model, codes, reason):
    with pytest.raises(ValueError, match=reason):
        model.decode(codes)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_are_of_the_prior(model, temperature):
    n = 50_000
    codes = model.draw(n, temperature=temperature, seed=1).double()
    assert codes.mean(0).abs().max() < 5 * temperature / n**0.5
    covariance = torch.cov(codes.T)
    # Five standard errors of a Gaussian's sample covariance: at most sqrt(2 / n) of its variance.
    assert (covariance - temperature**2 * torch.eye(2)).abs().max() < 5 * temperature**2 * (2 / n) ** 0.5


def test_temperature_zero_is_the_mean_of_the_prior(model):
    assert model.draw(3, temperature=0).eq(0).all()
    torch.testing.assert_close(model.sample(3, temperature=0), model.decode(torch.zeros(3, 2)))


def test_a_seed_gives_the_same_draws(model):
    assert torch.equal(model.draw(5, seed=1), model.draw(5, seed=1))
    assert not torch.equal(model.draw(5, seed=1), model.draw(5, seed=2))
    assert torch.equal(model.sample(5, seed=1), model.decode(model.draw(5, seed=1)))


@pytest.mark.parametrize(("n", "temperature"), [(-1, 1.0), (1, -1.0), (1, float("nan")), (1, float("inf"))])
def test_draws_that_make_no_sense(model, n, temperature):
    with pytest.raises(ValueError, match="cannot draw"):
        model.draw(n, temperature=temperature)


def autoencoder(tmp_path, codes):
    d = codes.shape[1]
    config = ModelConfig(
        family="ae",
        network="dense",
        image_shape=(1, 4, 4),
        latent=d,
        encoder=(4,),
        decoder=(4,),
        likelihood="bernoulli",
    )
    model = Model(CheckpointInfo("ae", tmp_path, False), build(config).eval(), torch.device("cpu"))
    n = len(codes)
    posterior = Posterior(codes, torch.full_like(codes, -torch.inf))
    model.__dict__["latents"] = Latents(posterior, torch.zeros(n), torch.zeros(n), torch.arange(n))
    return model


def test_a_plain_autoencoder_draws_from_the_gaussian_fitted_to_its_codes(tmp_path):
    generator = torch.Generator().manual_seed(0)
    mixing = torch.tensor([[3.0, 1.0, 0.0], [0.0, 0.5, 0.2], [0.0, 0.0, 10.0]])
    codes = torch.randn(2000, 3, generator=generator) @ mixing + torch.tensor([100.0, -5.0, 0.0])
    model = autoencoder(tmp_path, codes)
    assert not model.has_prior
    n = 50_000
    drawn = model.draw(n, seed=1)
    theirs = np.cov(codes.double().numpy().T)
    scale = np.sqrt(np.outer(theirs.diagonal(), theirs.diagonal()))
    assert (np.abs(np.cov(drawn.double().numpy().T) - theirs) < 5 * scale * (2 / n) ** 0.5 + scale / 2000).all()
    gap = (drawn.double().mean(0) - codes.double().mean(0)).abs().numpy()
    assert (gap < 5 * np.sqrt(theirs.diagonal() / n) + 1e-4).all()
    torch.testing.assert_close(model.draw(2, temperature=0), codes.mean(0).repeat(2, 1))


@pytest.mark.parametrize("d", [1, 2, 60])
def test_codes_that_vary_only_together_are_drawn_from_too(tmp_path, d):
    # A covariance of rank one, and large: its smallest eigenvalue may come out below zero.
    line = 1e3 * torch.randn(500, 1, generator=torch.Generator().manual_seed(0)) @ torch.ones(1, d)
    drawn = autoencoder(tmp_path, line).draw(100)
    assert torch.isfinite(drawn).all()
    torch.testing.assert_close(drawn, drawn[:, :1].expand(100, d), rtol=1e-3, atol=1.0)


def test_a_single_code_is_drawn_again(tmp_path):
    code = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(autoencoder(tmp_path, code).draw(3), code.repeat(3, 1))


def test_a_name_a_run_and_a_path_open_the_same(tiny_runs, tiny_run):
    codes = torch.zeros(1, 2)
    for name in ("tiny", "runs/tiny", tiny_run.path, str(tiny_run.path)):
        torch.testing.assert_close(load(name, device="cpu").decode(codes), load("tiny", device="cpu").decode(codes))


def test_opening_leaves_the_global_generator_alone(tiny_runs):
    before = torch.get_rng_state()
    load("tiny", device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_ask_for_no_gradients(model):
    assert not any(p.requires_grad for p in model.network.parameters())
    assert not model.network.training


def test_an_unknown_device_is_a_value_error(tiny_runs):
    with pytest.raises(ValueError, match="unknown device 'abacus'"):
        load("tiny", device="abacus")


def test_missing_latents_are_a_checkpoint_error(tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "copy")
    (tmp_path / "copy" / "latents.safetensors").unlink()
    with pytest.raises(explorer.CheckpointError, match=r"latents\.safetensors"):
        load(tmp_path / "copy", device="cpu")


def test_the_public_names():
    assert all(hasattr(explorer, name) for name in explorer.__all__)
    assert sys.modules["explorer.checkpoints.folder"].checkpoints is explorer.checkpoints
