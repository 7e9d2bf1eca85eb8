"""Convolutional bodies take images of any sides, and leave those that can be halved exactly as they always were."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from explorer.models import ModelConfig, build

convolutional = pytest.mark.parametrize("network", ["conv", "residual", "residual-half"])


def config(network, shape, halvings=2, **changes):
    changes_of_width = {"conv": 0, "residual": halvings, "residual-half": halvings - 1}[network]
    widths = tuple(range(4, 5 + changes_of_width)) if network != "conv" else (4,) * halvings
    return ModelConfig(
        family="vae",
        network=network,
        image_shape=shape,
        latent=3,
        encoder=widths,
        decoder=widths[::-1],
        likelihood="bernoulli",
        **changes,
    )


@convolutional
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_an_image_of_any_sides_comes_back_in_them(network, data):
    halvings = data.draw(st.integers(1, 4))
    side = st.integers(2 ** (halvings - 1) + 1, 40)
    shape = (data.draw(st.sampled_from([1, 3])), data.draw(side), data.draw(side))
    model = build(config(network, shape, halvings))
    x = torch.rand(2, *shape)
    sides = []
    for layer in model.encoder:
        x = layer(x)
        if x.ndim == 4:
            sides.append(tuple(x.shape[2:]))
    on_the_way = list(dict.fromkeys(sides))
    assert len(on_the_way) == halvings + (network != "residual-half")  # whose first layer halves the sides
    assert on_the_way[-1] == tuple(-(-side // 2**halvings) for side in shape[1:])
    x = torch.zeros(1, 3)
    back = []
    for layer in list(model.decoder)[: -2 if network == "residual-half" else None]:  # its last two make the pixels
        x = layer(x)
        if x.ndim == 4:
            back.append(tuple(x.shape[2:]))
    assert list(dict.fromkeys(back)) == on_the_way[::-1]  # each layer up gives what its layer down was given
    x = model.decoder(torch.zeros(1, 3))
    assert x.shape == (1, *shape)


@pytest.mark.parametrize("sides", [(4, 6), (3, 6), (5, 5), (1, 2)])
def test_a_doubled_image_is_each_pixel_twice_cut_to_the_sides_it_had(sides):
    x = torch.rand(2, 3, *(-(-side // 2) for side in sides))
    doubled = nn.Upsample(scale_factor=2)(x)[..., : sides[0], : sides[1]]
    assert torch.equal(nn.Upsample(sides)(x), doubled)


@convolutional
def test_batch_norm_takes_one_image_whose_sides_are_a_pixel_at_last(network):
    """As the last of an epoch may be: a channel has then a single value."""
    model = build(config(network, (1, 4, 3), batch_norm=True))
    terms = model.terms(torch.rand(1, 1, 4, 3))
    (terms.nll.sum() + terms.kl.sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@convolutional
def test_a_side_that_is_used_up_is_said(network):
    with pytest.raises(ValueError, match="3 layers that halve the sides need more than 4 pixels a side, not 28 x 4"):
        build(config(network, (1, 28, 4), 3))
