"""Each published row, with its numbers worked out by hand from the write-ups."""

import dataclasses
import math

import pytest
import torch

from explorer.models import build
from explorer.optimisation import learning_rate, make_optimizer
from explorer.presets import PRESETS, Recipe, preset
from explorer.training import model_config

RMSPROP_200 = {"optimizer": "rmsprop", "learning_rate": 1e-3, "batch_size": 100, "epochs": 200}
ADAM_100 = {"optimizer": "adam", "learning_rate": 2e-3, "batch_size": 128, "epochs": 100}

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
}

# Weights and biases, layer by layer.
PARAMETERS = {
    "mlp-2d": [784 * 256 + 256, 256 * 4 + 4, 2 * 256 + 256, 256 * 784 + 784],
    "mlp-2d-mse": [784 * 128 + 128, 128 * 4 + 4, 2 * 128 + 128, 128 * 784 + 784],
    "ae-2d": [784 * 256 + 256, 256 * 2 + 2, 2 * 256 + 256, 256 * 784 + 784],
    "conv-100": [
        *(9 * 1 * 16 + 16, 9 * 16 * 32 + 32, 1568 * 200 + 200),
        *(100 * 1568 + 1568, 9 * 32 * 32 + 32, 9 * 32 * 16 + 16, 9 * 16 * 1 + 1),
    ],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_is_as_published(name):
    recipe = dataclasses.asdict(preset(name).recipe)
    assert {key: recipe[key] for key in PUBLISHED[name]} == PUBLISHED[name]
    assert preset(name).dataset == "mnist"
    assert preset(name).source
    assert preset(name).published


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
def test_every_preset_trains_a_step(name):
    chosen = preset(name)
    assert chosen.name == name
    model = build(model_config(chosen.recipe, (1, 28, 28)))
    terms = model.terms(torch.rand(2, 1, 28, 28))
    (terms.misfit + chosen.recipe.beta * terms.kl).mean().backward()
    make_optimizer(model, chosen.recipe).step()
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_rmsprop_has_the_constants_of_keras():
    recipe = preset("conv-100").recipe
    optimizer = make_optimizer(build(model_config(recipe, (1, 28, 28))), recipe)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["alpha"], group["eps"], group["momentum"]) == (1e-3, 0.9, 1e-7, 0)


def test_an_unknown_preset_names_the_known():
    with pytest.raises(ValueError, match="mlp-2d, mlp-2d-mse, ae-2d, conv-100"):
        preset("mlp-3d")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("family", "gan"),
        ("network", "transformer"),
        ("likelihood", "poisson"),
        ("optimizer", "sgd"),
        ("schedule", "linear"),
        ("init", "zeros"),
        ("latent", 0),
        ("latent", 4097),
        ("latent", 2.5),
        ("latent", "2"),
        ("latent", True),
        ("encoder", ()),
        ("encoder", (0,)),
        ("encoder", (10**9,)),
        ("encoder", 256),
        ("encoder", "256"),
        ("decoder", (128, -1)),
        ("decoder", (1.5,)),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("learning_rate", None),
        ("noise_variance", -0.5),
        ("beta", -1.0),
        ("beta", math.nan),
        ("beta", math.inf),
        ("batch_size", 0),
        ("batch_size", 65_537),
        ("epochs", 0),
        ("epochs", 100_001),
    ],
)
def test_a_bad_value_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name}|{name}s|{name.removesuffix('_size')}"):
        Recipe(**{name: value})


def test_a_recipe_comes_back_from_json():
    recipe = preset("conv-100").recipe
    asdict = {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(recipe).items()}
    assert Recipe(**asdict) == recipe


def test_every_field_has_its_help():
    assert all(f.metadata["help"] for f in dataclasses.fields(Recipe))


def test_the_cosine_runs_from_the_whole_rate_to_a_hundredth():
    recipe = Recipe(schedule="cosine", epochs=10, learning_rate=0.5)
    assert learning_rate(recipe, 0) == pytest.approx(0.5)
    assert learning_rate(recipe, 5) == pytest.approx(0.5 * (0.01 + 0.99 / 2))
    assert learning_rate(recipe, 10) == pytest.approx(0.005)
    assert learning_rate(recipe, 11) == pytest.approx(0.005)
    scheduler_rates = [learning_rate(recipe, e) for e in range(11)]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10, eta_min=0.005)
    for rate in scheduler_rates:
        assert theirs.get_last_lr()[0] == pytest.approx(rate)
        optimizer.step()
        theirs.step()


def test_a_constant_rate_is_constant():
    recipe = Recipe(epochs=10, learning_rate=0.5)
    assert {learning_rate(recipe, e) for e in (0, 0.5, 10)} == {0.5}
