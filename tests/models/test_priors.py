"""Learnt priors against torch.distributions, and what a model with one says of itself."""

import copy
import math

import pytest
import torch
from safetensors.torch import load, save
from scipy import integrate
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, StudentT

from explorer.latents.holes import find_holes
from explorer.models import ModelConfig, Posterior, build
from explorer.models.evaluation import evaluate, log_likelihood
from explorer.models.priors import Mixture
from explorer.models.registry import PRIORS

LEARNT = [name for name in PRIORS if PRIORS[name] is not None]


def made(family="vae", seed=0, **changes):
    torch.manual_seed(seed)
    sizes = {"image_shape": (1, 4, 3), "latent": 2, "encoder": (8,), "decoder": (8,), "components": 5}
    sizes |= {"classes": 2} if family == "cvae" else {}
    return build(
        ModelConfig(
            **{"family": family, "network": "dense", "likelihood": "bernoulli", "prior": "vamp"} | sizes | changes
        )
    )


def images(n=40):
    return torch.randint(0, 256, (n, 1, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def stirred(model):
    """The model with parameters of its prior that are not those of the start."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.prior.parameters():
            parameter.copy_(2 * torch.randn(parameter.shape, generator=generator))
    return model


def theirs(model):
    """Its prior by torch.distributions."""
    prior = model.prior
    if model.config.prior == "mixture":
        mean, logvar, odds = prior.mean, prior.logvar, prior.log_odds
    else:
        mean, logvar = model.encoder(torch.sigmoid(prior.pseudo_inputs)).chunk(2, dim=1)
        odds = torch.zeros(len(mean))
    each = Normal(mean, torch.exp(0.5 * logvar))
    if model.config.posterior == "student-t":
        nu = model.config.degrees
        each = StudentT(nu, mean, torch.exp(0.5 * logvar) * math.sqrt((nu - 2) / nu))
    return MixtureSameFamily(Categorical(logits=odds), Independent(each, 1))


KINDS = [{"prior": name} for name in LEARNT] + [{"prior": "vamp", "posterior": "student-t"}, {"family": "cvae"}]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@every_kind
def test_its_density_is_torch_s(kind, monkeypatch):
    model, z = stirred(made(**kind)), torch.randn(50, 2)
    torch.testing.assert_close(model.log_prior(z), theirs(model).log_prob(z))
    torch.testing.assert_close(model.log_prior(z.double()).float(), model.log_prior(z))
    monkeypatch.setattr("explorer.models.priors._AT_ONCE", 70)  # 7 codes at a time
    torch.testing.assert_close(model.log_prior(z), theirs(model).log_prob(z))
    assert model.log_prior(z[:0]).shape == (0,)


@every_kind
def test_its_moments_are_those_of_its_draws(kind):
    model = stirred(made(**kind)).eval()
    expected = theirs(model)
    mean, spread = model.prior_spread()
    torch.testing.assert_close(mean, expected.mean)
    torch.testing.assert_close(spread, expected.stddev)
    drawn = model.sample_prior(40_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), mean, rtol=0.05, atol=0.05)
    torch.testing.assert_close(drawn.std(0), spread, rtol=0.05, atol=0.05)
    # Draws follow the density: the mean of -log p is the entropy, which a grid gives as well.
    axis = torch.linspace(-15, 15, 601)
    grid = torch.cartesian_prod(axis, axis)
    log_p = expected.log_prob(grid).detach()
    entropy = -(log_p.exp() * log_p).sum() * (axis[1] - axis[0]) ** 2
    assert -model.log_prior(drawn).mean().item() == pytest.approx(float(entropy), abs=0.1)


@every_kind
def test_at_temperature_zero_a_draw_is_a_component_s_mean(kind):
    model = stirred(made(**kind)).eval()
    drawn = model.sample_prior(60, 0.0, torch.Generator().manual_seed(0))
    assert len(drawn.unique(dim=0)) <= 5
    again = model.sample_prior(60, 0.0, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)
    assert not torch.equal(drawn, model.sample_prior(60, 0.0, torch.Generator().manual_seed(1)))


@every_kind
@torch.no_grad()
def test_the_kl_is_an_unbiased_estimate(kind):
    """Of one image, against the integral over both latents."""
    model = stirred(made(**kind)).eval()
    x = images(1).expand(20_000, -1, -1, -1) / 255
    q = model.posterior(x[:1])
    with torch.no_grad():
        kl = model.terms(x, torch.Generator().manual_seed(0)).kl
    assert kl.shape == (20_000, 1)
    axes = [
        torch.linspace(*(float(m + f * s) for f in (-12, 12)), 801)
        for m, s in zip(q.mean[0], q.logvar[0].exp().sqrt(), strict=True)
    ]
    grid = torch.cartesian_prod(*axes)
    log_q = q.log_prob(grid).sum(1)
    integrand = (log_q.exp() * (log_q - theirs(model).log_prob(grid))).reshape(801, 801)
    expected = integrate.trapezoid(integrate.trapezoid(integrand.detach().numpy(), axes[1]), axes[0])
    assert kl.mean().item() == pytest.approx(expected, abs=4 * float(kl.std()) / math.sqrt(len(kl)) + 2e-3)


@every_kind
def test_all_latents_are_one_group(kind):
    model = made(**kind)
    assert [tuple(group) for group in model.groups] == [("code", 2)]
    assert model.latent == 2
    assert model.has_plane
    assert model.learns_prior
    found = evaluate(model, images())
    assert found.kl_by_group.shape == (1,)
    torch.testing.assert_close(found.kl.mean(), found.kl_by_group[0])
    metrics = found.metrics()
    assert metrics["elbo"] == pytest.approx(metrics["reconstruction"] - metrics["kl"])


@every_kind
def test_one_importance_weight_is_the_elbo_and_more_come_nearer(kind):
    model = stirred(made(**kind)).eval()
    x = images(60)
    labels = torch.zeros(60, dtype=torch.int64)
    elbo = sum(evaluate(model, x, labels, seed=seed).metrics()["elbo"] for seed in range(20)) / 20
    one = torch.stack([log_likelihood(model, x, labels, samples=1, seed=seed) for seed in range(20)]).mean()
    assert one.item() == pytest.approx(elbo, abs=0.1)
    assert log_likelihood(model, x, labels, samples=100).mean() > one


def test_pseudo_inputs_start_as_training_images_and_are_learnt():
    model = made(components=8)
    model.start(images())
    started = torch.sigmoid(model.prior.pseudo_inputs.detach())
    torch.testing.assert_close(started, images()[::5] / 255, atol=0.021, rtol=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model.terms(images() / 255, torch.Generator().manual_seed(0)).loss().backward()
        optimizer.step()
    now = torch.sigmoid(model.prior.pseudo_inputs)
    assert ((now - started).abs() > 1e-4).float().mean() > 0.9  # black ones, too
    assert now.min() >= 0
    assert now.max() <= 1
    few = made(components=8)
    few.start(images(3))  # fewer images than components
    assert torch.isfinite(few.terms(images() / 255).loss())


@every_kind
def test_the_mixture_is_made_once_in_evaluation_and_anew_after_training(kind, monkeypatch):
    model = stirred(made(**kind))
    calls = []
    mixture = type(model.prior).mixture
    monkeypatch.setattr(type(model.prior), "mixture", lambda *a: calls.append(1) or mixture(*a))
    evaluate(model, images(), batch_size=10)
    assert len(calls) == 1
    before = model.log_prior(torch.zeros(1, 2))
    assert len(calls) == 2
    model.terms(images() / 255).loss().backward()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.step()
    evaluate(model, images())
    with torch.no_grad():
        model.eval()
        after, again = (model.log_prior(torch.zeros(1, 2)) for _ in range(2))
    assert torch.equal(after, again)
    assert not torch.equal(before, after)


@every_kind
def test_a_resumed_model_goes_on_bit_for_bit(kind):
    first, second = made(**kind), made(seed=1, **kind)
    first.start(images())
    second.load_state_dict(load(save(first.state_dict())))
    found = [model.terms(images() / 255, torch.Generator().manual_seed(0)).loss() for model in (first, second)]
    assert torch.equal(*found)


def test_other_models_have_nothing_of_it():
    """The weights of a seed and the draws are what they were."""
    model = made(prior="normal")
    learnt = made(prior="mixture")
    assert {name for name in learnt.state_dict() if name not in model.state_dict()} == {
        "prior.mean",
        "prior.logvar",
        "prior.log_odds",
    }
    assert all(torch.equal(value, learnt.state_dict()[name]) for name, value in model.state_dict().items())
    assert model.prior_name == "N(0, I)"
    assert learnt.prior_name == "a mixture of 5 Gaussians"
    assert made().prior_name == "a VampPrior of 5 pseudo-inputs"
    assert not model.learns_prior
    stored = {k: v for k, v in model.config.to_json().items() if k not in ("prior", "posterior", "degrees")}
    assert ModelConfig.from_json(stored) == model.config


def test_a_gaussian_of_a_mixture_that_is_one_is_the_normal_prior():
    model, usual = made(prior="mixture", components=1), made(prior="normal")
    with torch.no_grad():
        model.prior.mean.zero_()
    z = torch.randn(9, 2)
    torch.testing.assert_close(model.log_prior(z), usual.log_prior(z))
    assert isinstance(model.prior.mixture(model.posterior), Mixture)
    x = images() / 255
    noise = torch.zeros(40, 2)
    assert copy.deepcopy(model).terms(x, noise).nll.equal(usual.terms(x, noise).nll)


def test_holes_of_a_learnt_prior_are_where_it_draws():
    """By a mixture that is N(0, I), as those of N(0, I); by one of two far clouds, never between the two."""
    model, usual = made(prior="mixture", components=2).requires_grad_(False), made(prior="normal")
    mean = torch.randn(300, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.3])
    posterior = Posterior(mean, torch.full_like(mean, -3.0))
    model.prior.mean.zero_()
    found, expected = find_holes(posterior, model), find_holes(posterior, usual)
    assert (found.hole != expected.hole).double().mean() < 0.01
    assert found.mass == pytest.approx(expected.mass, abs=0.01)
    model.prior.mean.copy_(torch.tensor([[-20.0, 0.0], [20.0, 0.0]]))
    apart = find_holes(Posterior(mean[:2] + 500, torch.full((2, 2), -3.0)), model)
    assert apart.hole.any()
    assert not apart.hole[:, apart.x.abs() < 10].any()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"components": 0}, "components must be more than zero, not 0"),
        ({"prior": "flow"}, "prior must be one of normal, vamp, mixture"),
        ({"batch_norm": True}, "batch_norm would count the pseudo-inputs of the prior vamp as images"),
        ({"posterior": "truncated-normal"}, "set posterior to gaussian, or prior to mixture"),
    ],
)
def test_what_cannot_be_is_an_error(changes, reason):
    with pytest.raises(ValueError, match=reason):
        made(**changes)
