"""Bodies of networks: how their weights start, batch norm, the layers that stand for others."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from explorer.models import ModelConfig, build
from explorer.models.layers import BatchNorm1d
from tests.models.one_code import ONE_CODE

NETWORKS = ("dense", "conv")


def config(network="dense", family="vae", **changes):
    defaults = {"image_shape": (1, 28, 28), "latent": 5, "encoder": (8, 16), "decoder": (16, 8)}
    defaults |= {"classes": 2} if family == "cvae" else {}
    return ModelConfig(family=family, network=network, likelihood="bernoulli", **{**defaults, **changes})


def weighted(model):
    return [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]


def test_a_transposed_convolution_that_keeps_the_size_is_a_convolution():
    # What the decoder's comment claims, and why Keras' Conv2DTranspose(3, padding="same") is a Conv2d there.
    torch.manual_seed(0)
    x = torch.randn(2, 4, 7, 7)
    transposed = torch.nn.ConvTranspose2d(4, 6, 3, stride=1, padding=1)
    plain = torch.nn.Conv2d(4, 6, 3, padding=1)
    with torch.no_grad():
        plain.weight.copy_(transposed.weight.transpose(0, 1).flip(2, 3))
        plain.bias.copy_(transposed.bias)
    torch.testing.assert_close(plain(x), transposed(x))


def xavier(into, out, kernel):
    return math.sqrt(6 / ((into + out) * kernel))  # Glorot & Bengio 2010, eq. 16


def kaiming(into, out, kernel):
    return math.sqrt(6 / (into * kernel))  # He et al. 2015, eq. 10: variance 2 / fan in; a uniform's is limit^2 / 3


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("bound", [xavier, kaiming], ids=["xavier", "kaiming"])
def test_weights_are_uniform_within_their_bounds(network, bound):
    torch.manual_seed(0)
    sizes = {"encoder": (32, 64), "decoder": (64, 32), "latent": 50}
    layers = weighted(build(config(network, init=bound.__name__, **sizes)))
    assert len(layers) >= 6
    for layer in layers:
        out, into, *kernel = layer.weight.shape
        limit = bound(into, out, math.prod(kernel))
        assert layer.weight.abs().max() <= limit
        if layer.weight.numel() > 1000:
            assert layer.weight.abs().max() > 0.98 * limit
            assert layer.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.1)
        assert layer.bias.eq(0).all()


def test_kaiming_keeps_the_size_of_a_signal_through_relus_and_xavier_loses_it():
    torch.manual_seed(0)
    x = torch.randn(500, 1, 16, 16)
    scale = {}
    for init in ("kaiming", "xavier"):
        model = build(config(init=init, image_shape=(1, 16, 16), encoder=(256,) * 8))
        scale[init] = model.encoder[:-1](x).square().mean().sqrt().item()
    assert scale["kaiming"] == pytest.approx(1, rel=0.5)  # eight ReLUs of 256: the mean square stays 1
    assert scale["xavier"] == pytest.approx(2**-4, rel=0.5)  # and halves at each of the eight


@pytest.mark.parametrize("init", ["pytorch", "xavier", "kaiming"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("family", ONE_CODE)
def test_batch_norm_is_between_each_hidden_layer_and_its_relu(family, network, init):
    model = build(config(network, family, batch_norm=True, init=init))
    plain = build(config(network, family, init=init))
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    for half, without in ((model.encoder, plain.encoder), (model.decoder, plain.decoder)):
        for before, layer in pairwise(half):
            if isinstance(layer, nn.ReLU):
                assert isinstance(before, kinds)
            if isinstance(layer, kinds):
                assert isinstance(before, nn.Linear | nn.Conv2d)
                width = before.out_features if isinstance(before, nn.Linear) else before.out_channels
                assert layer.num_features == width
                assert layer.weight.eq(1).all()
                assert layer.bias.eq(0).all()
                assert layer.running_mean.eq(0).all()
                assert layer.running_var.eq(1).all()
        # Nothing else changes, and the last layer is not normalised.
        kept = [type(layer) for layer in half if not isinstance(layer, kinds)]
        assert kept == [type(layer) for layer in without]
        assert len(half) - len(without) == sum(isinstance(layer, nn.ReLU) for layer in half)


@pytest.mark.parametrize("network", NETWORKS)
def test_batch_norm_goes_by_the_batch_in_training_and_by_what_it_has_seen_after(network):
    torch.manual_seed(0)
    model = build(config(network, batch_norm=True))
    x = torch.rand(64, 1, 28, 28)
    in_training = model.posterior(x[:4]).mean
    assert not torch.allclose(model.posterior(x[:8]).mean[:4], in_training)
    for _ in range(100):  # a momentum of 0.1: the running statistics are then the batch's own
        model.posterior(x)
    whole = model.posterior(x).mean
    model.eval()
    torch.testing.assert_close(model.posterior(x[:1]).mean, model.posterior(x).mean[:1], rtol=1e-4, atol=1e-5)
    # But for the variance's n / (n - 1).
    torch.testing.assert_close(model.posterior(x).mean, whole, rtol=0.1, atol=0.03)
    seen = {k: v.clone() for k, v in model.state_dict().items()}
    model.posterior(x)
    assert all(torch.equal(v, seen[k]) for k, v in model.state_dict().items())


def test_batch_norm_is_what_its_formula_says():
    torch.manual_seed(0)
    layer = BatchNorm1d(6)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.uniform_(-1, 1)
    x = 3 + 2 * torch.randn(50, 6)
    expected = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * layer.weight + layer.bias
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.running_mean, 0.1 * x.mean(0))
    torch.testing.assert_close(layer.running_var, 0.9 + 0.1 * x.var(0))
    layer.eval()
    expected = (x - layer.running_mean) / (layer.running_var + 1e-5).sqrt() * layer.weight + layer.bias
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_last_batch_of_one_image_trains(network):
    """4,001 images in batches of 100 leave one over, which has no variance to be normalised by."""
    torch.manual_seed(0)
    model = build(config(network, batch_norm=True))
    model.terms(torch.rand(32, 1, 28, 28))
    before = {k: v.clone() for k, v in model.named_buffers()}
    terms = model.terms(torch.rand(1, 1, 28, 28))
    (terms.nll.mean() + terms.kl.sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    if network == "dense":
        assert all(torch.equal(v, before[k]) for k, v in model.named_buffers())


@pytest.mark.parametrize("network", NETWORKS)
def test_batch_norm_comes_back_from_its_state(network):
    torch.manual_seed(0)
    one, other = (build(config(network, batch_norm=True)) for _ in range(2))
    for _ in range(3):
        one.terms(torch.rand(16, 1, 28, 28))
    other.load_state_dict(one.state_dict())
    x = torch.rand(4, 1, 28, 28)
    assert torch.equal(one.eval().posterior(x).mean, other.eval().posterior(x).mean)
