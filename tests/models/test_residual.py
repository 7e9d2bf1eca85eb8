"""Residual bodies: their shapes, that blocks begin as the identity, and that they learn and come back from a file."""

import pytest
import torch
from torch import nn

from explorer.checkpoints.folder import find
from explorer.checkpoints.model import load
from explorer.models import ModelConfig, build
from explorer.models.residual import Block

WIDTHS = (8, 8, 12, 16)


def config(family="vae", **changes):
    sizes = {"image_shape": (1, 28, 28), "latent": 3, "encoder": WIDTHS, "decoder": WIDTHS[::-1]}
    return ModelConfig(
        **{"family": family, "network": "residual", "likelihood": "gaussian", **sizes, **changes},
    )


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (3, 12, 20)])
def test_sides_are_halved_where_a_width_changes(shape):
    model = build(config(image_shape=shape))
    x = torch.rand(2, *shape)
    sides = []
    for layer in model.encoder:
        x = layer(x)
        if isinstance(layer, Block):
            sides.append(tuple(x.shape[2:]))
    _, h, w = shape
    assert sides == [(h, w), (h, w), (h // 2, w // 2), (h // 4, w // 4)]
    assert x.shape == (2, 6)
    assert model.logits(torch.zeros(2, 3)).shape == (2, *shape)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 13, 21)])
def test_half_the_sides_are_the_largest_that_blocks_of_the_half_size_network_see(shape):
    model = build(config(network="residual-half", image_shape=shape))
    _, h, w = shape
    first, second, third = ((-(-h // n), -(-w // n)) for n in (2, 4, 8))
    for body, x, expected in (
        (model.encoder, torch.rand(2, *shape), [first, first, second, third]),
        (model.decoder, torch.zeros(2, 3), [third, second, first, first]),
    ):
        sides = []
        for layer in body:
            x = layer(x)
            if isinstance(layer, Block):
                sides.append(tuple(x.shape[2:]))
        assert sides == expected
    assert x.shape == (2, *shape)


@pytest.mark.parametrize("init", ["pytorch", "xavier", "kaiming"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_block_is_the_identity_at_the_start_whatever_the_first_weights(init, batch_norm):
    model = build(config(init=init, batch_norm=batch_norm))
    blocks = [m for m in model.modules() if isinstance(m, Block)]
    assert len(blocks) == len(WIDTHS) * 2
    for block in blocks:
        width = block.body[-1].out_channels
        x = torch.randn(2, width, 4, 4)
        assert torch.equal(block(x), x)
        assert block.body[-3 - batch_norm].weight.abs().max() > 0  # the other convolution has weights to learn with


def test_batch_norm_is_before_every_nonlinearity():
    layers = list(build(config(batch_norm=True)).modules())
    nonlinear = [i for i, layer in enumerate(layers) if isinstance(layer, nn.SiLU)]
    assert nonlinear
    assert all(isinstance(layers[i - 1], nn.BatchNorm2d) for i in nonlinear)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in build(config()).modules())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_shape": (1, 30, 2)}, "2 layers that halve the sides need more than 2 pixels a side, not 30 x 2"),
        ({"decoder": (16, 8, 8, 8)}, "must change their width equally often in a residual network, not 2 and 1 times"),
        ({"encoder": (8,), "decoder": (8, 16)}, "not 0 and 1 times"),
        ({"network": "residual-half", "image_shape": (1, 8, 4)}, "3 layers that halve the sides need more than 4"),
        ({"encoder": (8, 16, 16, 8), "decoder": (8, 8)}, "not 2 and 0 times"),
    ],
)
def test_sizes_that_do_not_fit_are_said(changes, message):
    with pytest.raises(ValueError, match=message):
        build(config(**changes))


@pytest.mark.parametrize("network", ["residual", "residual-half"])
def test_it_learns_and_comes_back(small_train, network):
    run = small_train(
        network=network,
        encoder=(8, 12, 16),
        decoder=(16, 12, 8),
        batch_norm=True,
        optimizer="adam",
        learning_rate=3e-3,
        epochs=2,
        latent=8,
    )
    # The best that one image for all can do on these digits is -207 nats.
    assert run.metrics["elbo"] > -190
    assert "residual VAE" in find(run.path).summary
    model = load(run.path, device="cpu")
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    assert model.reconstruct(images).shape == (2, 1, 28, 28)
