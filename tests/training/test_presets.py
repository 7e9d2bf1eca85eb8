"""Each published row, with its numbers worked out by hand from the write-ups."""

import dataclasses

import pytest
import torch

from explorer.models import build
from explorer.training.config import beta_at
from explorer.training.experiment import model_config
from explorer.training.optimizer import learning_rate, make_optimizer
from explorer.training.presets import PRESETS, TrainConfig, preset

RMSPROP_200 = {"optimizer": "rmsprop", "learning_rate": 1e-3, "batch_size": 100, "epochs": 200}
ADAM_100 = {"optimizer": "adam", "learning_rate": 2e-3, "batch_size": 128, "epochs": 100}
FRAMEWORK = {
    "family": "vae",
    "network": "dense",
    "latent": 16,
    "likelihood": "gaussian",
    "output": "linear",
    "beta": 100.0,
    "optimizer": "adam",
    "learning_rate": 1e-5,
    "decay": 1e-5,
    "schedule": "constant",
    "batch_size": 100,
    "epochs": 70,
    "warmup_epochs": 0,
    "warmup_share": 3 / 7,
}

PUBLISHED = {
    "mlp-2d": {
        **RMSPROP_200,
        "family": "vae",
        "network": "dense",
        "latent": 2,
        "encoder": (256,),
        "decoder": (256,),
        "likelihood": "bernoulli",
        "beta": 1.0,
    },
    "mlp-2d-mse": {
        **ADAM_100,
        "family": "vae",
        "network": "dense",
        "latent": 2,
        "encoder": (128,),
        "decoder": (128,),
        "likelihood": "gaussian",
        "noise_variance": 0.392,
        "beta": 1.0,
    },
    "ae-2d": {
        **ADAM_100,
        "family": "ae",
        "network": "dense",
        "latent": 2,
        "encoder": (256,),
        "decoder": (256,),
    },
    "conv-100": {
        "family": "vae",
        "network": "conv",
        "latent": 100,
        "encoder": (16, 32),
        "decoder": (32, 16),
        "likelihood": "gaussian",
        "noise_variance": 0.5,
        "beta": 1.0,
        "optimizer": "rmsprop",
        "learning_rate": 1e-3,
        "batch_size": 64,
        "epochs": 50,
        "schedule": "constant",
        "init": "xavier",
    },
    "small-dense": {**FRAMEWORK, "encoder": (420, 210, 105), "decoder": (200, 400, 800)},
    "dense": {**FRAMEWORK, "encoder": (1024, 512, 256), "decoder": (256, 512, 1024)},
}

# Weights and biases, layer by layer, on images of 28 x 28.
PARAMETERS = {
    "mlp-2d": [784 * 256 + 256, 256 * 4 + 4, 2 * 256 + 256, 256 * 784 + 784],
    "mlp-2d-mse": [784 * 128 + 128, 128 * 4 + 4, 2 * 128 + 128, 128 * 784 + 784],
    "ae-2d": [784 * 256 + 256, 256 * 2 + 2, 2 * 256 + 256, 256 * 784 + 784],
    "conv-100": [
        *(9 * 1 * 16 + 16, 9 * 16 * 32 + 32, 1568 * 200 + 200),
        *(100 * 1568 + 1568, 9 * 32 * 32 + 32, 9 * 32 * 16 + 16, 9 * 16 * 1 + 1),
    ],
    "small-dense": [
        *(784 * 420 + 420, 420 * 210 + 210, 210 * 105 + 105, 105 * 32 + 32),
        *(16 * 200 + 200, 200 * 400 + 400, 400 * 800 + 800, 800 * 784 + 784),
    ],
    "dense": [
        *(784 * 1024 + 1024, 1024 * 512 + 512, 512 * 256 + 256, 256 * 32 + 32),
        *(16 * 256 + 256, 256 * 512 + 512, 512 * 1024 + 1024, 1024 * 784 + 784),
    ],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_is_as_published(name):
    recipe = dataclasses.asdict(preset(name).recipe)
    assert {key: recipe[key] for key in PUBLISHED[name]} == PUBLISHED[name]
    assert preset(name).dataset == "mnist"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_it_is_in_sentences(name):
    chosen = preset(name)
    assert chosen.summary.endswith(".")
    assert chosen.notes.endswith(".")
    assert chosen.source
    assert chosen.published


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_preset_has_the_parameters_of_its_layers(name):
    model = build(model_config(preset(name).recipe, (1, 28, 28)))
    layers = [sum(p.numel() for p in layer.parameters(recurse=False)) for layer in model.modules()]
    assert [count for count in layers if count] == PARAMETERS[name]


def test_conv_100_has_its_layers_in_the_published_order():
    model = build(model_config(preset("conv-100").recipe, (1, 28, 28)))
    encoder, decoder = ([type(layer).__name__ for layer in half] for half in (model.encoder, model.decoder))
    block = ["Conv2d", "ReLU"]
    assert encoder == [*block, "MaxPool2d", *block, "MaxPool2d", "Flatten", "Linear"]
    # Its transposed convolutions are convolutions: see test_models. The sigmoid is the likelihood's.
    assert decoder == ["Linear", "ReLU", "Unflatten", *block, "Upsample", *block, "Upsample", "Conv2d"]
    assert model.decoder[2].unflattened_size == (32, 7, 7)


@pytest.mark.parametrize("name", ["mlp-2d", "mlp-2d-mse", "ae-2d"])
def test_a_dense_preset_has_its_layers_in_the_published_order(name):
    model = build(model_config(preset(name).recipe, (1, 28, 28)))
    encoder, decoder = ([type(layer).__name__ for layer in half] for half in (model.encoder, model.decoder))
    assert encoder == ["Flatten", "Linear", "ReLU", "Linear"]
    assert decoder == ["Linear", "ReLU", "Linear", "Unflatten"]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_every_preset_trains_a_step(name, shape):
    chosen = preset(name)
    assert chosen.name == name
    model = build(model_config(chosen.recipe, shape, classes=10))
    terms = model.terms(torch.rand(2, *shape))
    assert terms.kl.shape == (2, len(model.groups))
    assert all(torch.isfinite(term).all() for term in (terms.nll, terms.kl, terms.logits))
    before = [p.detach().clone() for p in model.parameters()]
    terms.loss(beta_at(chosen.recipe, 1), chosen.recipe.free_bits).backward()
    make_optimizer(model, chosen.recipe).step()
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert any(not torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("name", ["small-dense", "dense"])
def test_a_beta_of_100_against_this_noise_is_squared_errors_plus_kl(name):
    recipe = preset(name).recipe
    torch.manual_seed(0)
    model = build(model_config(recipe, (1, 28, 28)))
    x = torch.rand(5, 1, 28, 28)
    terms = model.terms(x)
    loss = terms.nll + recipe.beta * terms.kl.sum(1)
    torch.testing.assert_close(loss, 100 * ((terms.logits - x).square().flatten(1).sum(1) + terms.kl.sum(1)))


@pytest.mark.parametrize("name", ["small-dense", "dense"])
def test_beta_warms_up_over_three_sevenths_of_however_many_epochs(name):
    assert [beta_at(preset(name).recipe, e) for e in (0, 15, 30, 31, 70)] == pytest.approx([0, 50, 100, 100, 100])
    short = TrainConfig(preset=name, epochs=7).recipe()
    assert [beta_at(short, e) for e in (0, 1.5, 3, 7)] == pytest.approx([0, 50, 100, 100])
    assert learning_rate(short, 7, 600) == pytest.approx(1e-5 / (1 + 1e-5 * 4200))


def test_cells_linear_is_as_published():
    """Linear layers with ReLU, two batch norms on either side, sigmoid, BCE + KL, Adam, ten epochs, the rate halved."""
    recipe = preset("cells-linear").recipe
    model = build(model_config(recipe, (3, 64, 64)))
    encoder, decoder = ([type(layer).__name__ for layer in half] for half in (model.encoder, model.decoder))
    hidden = ["Linear", "BatchNorm1d", "ReLU"]
    assert encoder == ["Flatten", *hidden, *hidden, "Linear"]
    assert decoder == [*hidden, *hidden, "Linear", "Unflatten"]
    assert (recipe.likelihood, recipe.output, recipe.beta) == ("bernoulli", "sigmoid", 1.0)
    assert (recipe.optimizer, recipe.epochs) == ("adam", 10)
    rates = [learning_rate(recipe, epoch, 100) for epoch in (0, 0.99, 1, 1.5, 2, 9.99)]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 1e-3 / 512])
    assert {TrainConfig(preset="cells-linear", settings={"init": i}).recipe().init for i in ("xavier", "kaiming")} == {
        "xavier",
        "kaiming",
    }


def test_the_models_of_cells_can_be_compared():
    """The same data and the same number of latents, and both on one class or, told which, on both."""
    linear, conv = preset("cells-linear"), preset("cells-conv")
    assert linear.dataset == conv.dataset == "malaria"
    assert linear.recipe.latent == conv.recipe.latent
    for chosen in (linear, conv):
        both = TrainConfig(preset=chosen.name, settings={"family": "cvae"}).recipe()
        assert model_config(both, (3, 64, 64), classes=2).classes == 2
        assert model_config(chosen.recipe, (3, 64, 64), classes=2).classes == 0


def test_an_unknown_preset_names_the_known():
    with pytest.raises(ValueError, match="mlp-2d, mlp-2d-mse, ae-2d, conv-100, small-dense, dense"):
        preset("mlp-3d")
