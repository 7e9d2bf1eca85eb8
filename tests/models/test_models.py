"""Every family with every network: what `LatentModel` promises."""

import math

import pytest
import torch
from torch import nn

from explorer.models import GaussianPosterior, ModelConfig, PointPosterior, build
from explorer.models.likelihoods import Bernoulli, Gaussian
from explorer.models.residual import Block
from tests.models.one_code import ONE_CODE

NETWORKS = ("dense", "conv", "residual", "residual-half")


def config(family="vae", network="dense", **changes):
    defaults = {
        "image_shape": (1, 28, 28),
        "latent": 5,
        "encoder": (8, 16),
        "decoder": (16, 8),
        "likelihood": "bernoulli",
        "classes": 3 if family == "cvae" else 0,
    }
    return ModelConfig(family=family, network=network, **{**defaults, **changes})


every = pytest.mark.parametrize(
    ("family", "network", "shape"),
    [(f, n, s) for f in ONE_CODE for n in NETWORKS for s in ((1, 28, 28), (3, 32, 32))],
)


@every
def test_shapes(family, network, shape):
    model = build(config(family, network, image_shape=shape))
    x = torch.rand(4, *shape)
    posterior = model.posterior(x)
    assert posterior.mean.shape == posterior.logvar.shape == (4, 5)
    assert posterior.mean.dtype == posterior.logvar.dtype == torch.float32
    assert model.logits(posterior.mean).shape == x.shape
    terms = model.terms(x)
    assert terms.nll.shape == (4,)
    assert terms.kl.shape == (4, 5)
    assert terms.logits.shape == x.shape
    assert model.has_prior == bool(torch.isfinite(posterior.logvar).all())
    if not model.has_prior:
        assert terms.kl.eq(0).all()


@every
def test_images_are_in_the_unit_interval(family, network, shape):
    model = build(config(family, network, image_shape=shape))
    images = model.decode(1000 * torch.randn(8, 5))
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1


@every
def test_gradients_reach_every_parameter(family, network, shape):
    torch.manual_seed(0)
    model = build(config(family, network, image_shape=shape))
    for block in model.modules():
        if isinstance(block, Block):  # at its start the identity: what is before its last convolution learns after it
            nn.init.normal_(block.body[-1].weight, std=0.1)
    terms = model.terms(torch.rand(16, *shape), torch.Generator().manual_seed(0))
    (terms.nll + terms.kl.sum(1)).mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@every
def test_an_image_does_not_depend_on_its_neighbours(family, network, shape):
    model = build(config(family, network, image_shape=shape)).eval()
    x = torch.rand(4, *shape)
    torch.testing.assert_close(model.posterior(x).mean[:1], model.posterior(x[:1]).mean)


@pytest.mark.parametrize("family", ONE_CODE)
def test_the_same_seed_builds_the_same_weights(family):
    def weights(seed):
        torch.manual_seed(seed)
        return build(config(family)).state_dict()

    one, same, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_the_terms_are_the_objective_of_the_draw_that_they_made():
    model = build(config())
    x = torch.rand(4, 1, 28, 28)
    terms = model.terms(x, torch.Generator().manual_seed(3))
    posterior = model.posterior(x)
    noise = torch.randn(4, 5, generator=torch.Generator().manual_seed(3))
    logits = model.logits(posterior.mean + noise * torch.exp(posterior.logvar / 2))
    torch.testing.assert_close(terms.logits, logits)
    torch.testing.assert_close(terms.nll, Bernoulli().nll(logits, x))
    prior = torch.distributions.Normal(torch.zeros(4, 5), torch.ones(4, 5))
    q = torch.distributions.Normal(posterior.mean, torch.exp(posterior.logvar / 2))
    torch.testing.assert_close(terms.kl, torch.distributions.kl_divergence(q, prior))


def test_draws_of_a_posterior_have_its_mean_and_variance():
    n = 40_000
    mean, logvar = torch.tensor([0.5, -2.0, 0.0]), torch.tensor([0.0, -3.0, 2.0])
    draws = GaussianPosterior(mean.repeat(n, 1), logvar.repeat(n, 1)).sample(torch.Generator().manual_seed(0)).double()
    variance = logvar.double().exp()
    # Five standard errors, of a mean and of a variance of a Gaussian.
    assert ((draws.mean(0) - mean).abs() < 5 * (variance / n).sqrt()).all()
    assert ((draws.var(0) - variance).abs() < 5 * variance * math.sqrt(2 / n)).all()
    correlation = torch.corrcoef(draws.T)
    assert (correlation - torch.eye(3)).abs().max() < 5 / math.sqrt(n)


def test_a_deterministic_code_is_its_own_draw():
    mean = torch.randn(3, 2)
    assert torch.equal(PointPosterior(mean, torch.full((3, 2), -torch.inf)).sample(), mean)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"family": "gan"}, "family must be one of ae, vae, "),
        ({"network": "transformer"}, "network must be one of dense, conv"),
        ({"init": "ones"}, "init must be one of pytorch, xavier, kaiming"),
        ({"output": "linear"}, "set output to sigmoid"),
        (
            {"network": "conv", "image_shape": (1, 30, 2)},
            "2 layers that halve the sides need more than 2 pixels a side, not 30 x 2: take fewer of them",
        ),
        ({"network": "conv", "decoder": (8,)}, "same number of layers"),
        *(
            ({"network": network, "encoder": (), "decoder": ()}, "encoder must be a list of one or more whole numbers")
            for network in NETWORKS
            if network != "dense"
        ),
    ],
)
def test_what_does_not_fit_together(changes, reason):
    with pytest.raises(ValueError, match=reason):
        build(config(**{"family": "vae", **changes}))


def test_a_config_comes_back_from_json():
    import json

    one = config("ae", "conv", likelihood="sigma", output="linear", batch_norm=True)
    assert ModelConfig.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_config_of_an_older_version_has_no_batch_norm_and_a_sigmoid():
    stored = {k: v for k, v in config().to_json().items() if k not in ("batch_norm", "output", "binarise")}
    assert ModelConfig.from_json(stored) == config()


def test_a_noise_variance_may_be_written_as_a_whole_number():
    stored = {**config(likelihood="gaussian").to_json(), "noise_variance": 1}
    assert build(ModelConfig.from_json(stored)).likelihood == Gaussian(1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"latent": None},
        {"latent": "many"},
        {"latent": 0},
        {"latent": 10**6},
        {"latent": math.inf},
        {"image_shape": [28, 28]},
        {"image_shape": 28},
        {"encoder": [-1]},
        {"decoder": [math.nan]},
        {"likelihood": "poisson"},
        {"noise_variance": 0.0},
        {"noise_variance": "much"},
        {"noise_variance": True},
        {"noise_variance": 10**400},
        {"output": "tanh"},
        {"output": ["linear"]},
        {"output": "linear"},  # of a bernoulli
        {"binarise": True, "likelihood": "gaussian"},
        {"binarise": 1},
        {"batch_norm": 1},
        {"batch_norm": "yes"},
        {"family": ["vae"]},
        {"network": None},
        {"init": 3},
        {"colour": "red"},
    ],
)
def test_a_foreign_config_is_a_value_error(change):
    with pytest.raises(ValueError):  # noqa: PT011 - Python's own words are as good as ours here
        ModelConfig.from_json({**config().to_json(), **change})


@pytest.mark.parametrize("name", ["family", "network", "image_shape", "latent", "encoder", "decoder", "likelihood"])
def test_an_incomplete_config_is_a_value_error(name):
    data = config().to_json()
    del data[name]
    with pytest.raises(ValueError, match=name):
        ModelConfig.from_json(data)
