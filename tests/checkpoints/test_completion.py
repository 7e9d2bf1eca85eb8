"""The rest of a picture drawn from its upper part: what is given, what is not looked at, what cannot be asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import explorer
from explorer.checkpoints.folder import CheckpointInfo
from explorer.checkpoints.model import Model
from explorer.models import ModelConfig, build

ROWS, HEIGHT, WIDTH = 4, 16, 12


@pytest.fixture(scope="module")
def model() -> Model:
    """Weights are anything; the codebook has followed some images, and the prior does not draw all entries alike."""
    torch.manual_seed(0)
    network = build(
        ModelConfig(
            family="vq",
            network="conv",
            image_shape=(1, HEIGHT, WIDTH),
            encoder=(8, 8),
            decoder=(8, 8),
            codebook=12,
            entry_size=3,
            prior_layers=1,
            prior_width=64,
            classes=2,
            class_prior=True,
        )
    )
    for _ in range(200):  # whose batch norm forgets how it started
        network.terms(torch.rand(16, 1, HEIGHT, WIDTH), torch.Generator().manual_seed(0))
    network.eval()
    torch.nn.init.normal_(network.prior.head.weight, std=0.3)
    info = CheckpointInfo("random", Path(), shipped=False)
    return Model(info, network.requires_grad_(False), torch.device("cpu"))


def entries(model, images):
    """Which entries images are made of, [N, rows, columns]: of what they are, not of what they decode to."""
    return model.network.indices(model.encode(images).mean).unflatten(1, model.network.grid)


def test_nothing_below_the_line_is_looked_at(model):
    image = torch.rand(1, 1, HEIGHT, WIDTH)
    other = image.clone()
    other[:, :, HEIGHT // 2 :] = torch.rand(1, 1, HEIGHT // 2, WIDTH)
    made = model.complete(image, 2, 5)
    assert made.shape == (5, 1, HEIGHT, WIDTH)
    assert torch.equal(made, model.complete(other, 2, 5))
    other[:, :, : HEIGHT // 2] = torch.linspace(0, 1, WIDTH)
    assert not torch.equal(made, model.complete(other, 2, 5))


def test_the_given_rows_stay_and_the_others_are_drawn(model):
    image = torch.rand(1, 1, HEIGHT, WIDTH)
    given = image[:, :, : HEIGHT // 2]
    mirrored = torch.cat([given, given.flip(2)], 2)
    code = model.encode(mirrored).mean
    expected = model.network.complete(code.repeat(5, 1), 2, 0.7, torch.Generator().manual_seed(3))
    assert torch.equal(model.complete(image, 2, 5, temperature=0.7, seed=3), model.decode(expected))
    kept = model.network.indices(expected).unflatten(1, model.network.grid)
    assert (kept[:, :2] == entries(model, mirrored)[:, :2]).all()
    assert len(kept[:, 2:].flatten(1).unique(dim=0)) > 1


def test_seed_temperature_and_class_matter(model):
    image = torch.rand(1, 1, HEIGHT, WIDTH)
    made = model.complete(image, 1, 4)
    assert torch.equal(made, model.complete(image, 1, 4, seed=0))
    assert not torch.equal(made, model.complete(image, 1, 4, seed=1))
    assert not torch.equal(made, model.complete(image, 1, 4, label=1))
    coldest = model.complete(image, 1, 4, temperature=0.0)
    assert torch.equal(coldest, coldest[:1].expand_as(coldest))


@pytest.mark.parametrize("rows", [0, ROWS, -1, 99])
def test_some_rows_are_given_and_not_all(model, rows):
    with pytest.raises(ValueError, match="from 1 to 3 rows"):
        model.complete(torch.rand(1, 1, HEIGHT, WIDTH), rows, 1)


def test_a_model_that_draws_codes_as_a_whole_cannot():
    with pytest.raises(ValueError, match="as a whole"):
        explorer.load("mnist-mlp-2d").complete(torch.rand(1, 1, 28, 28), 14, 1)
