"""The ladder: its densities against torch's own distributions, its bound, a likelihood in closed form, its cut."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, MultivariateNormal, Normal

import explorer
from explorer.models import ModelConfig, build
from explorer.models.evaluation import log_likelihood
from explorer.models.ladder import LadderPosterior, LadderVAE, with_prior

DENSE = {"network": "dense", "encoder": (24, 16), "decoder": (16, 24), "layers": (3, 5)}
RESIDUAL = {
    "network": "residual",
    "encoder": (8, 12),
    "decoder": (12, 8),
    "batch_norm": True,
    "layers": (4, 2, 1),
    "grids": (1, 2, 7),
}
KINDS = pytest.mark.parametrize("kind", [DENSE, RESIDUAL], ids=["dense", "residual"])


def ladder(kind: dict[str, object], side: tuple[int, int] = (28, 28), **more: object) -> LadderVAE:
    """A model in evaluation, whose first weights are moved so that no layer is as it starts."""
    torch.manual_seed(1)
    model = build(ModelConfig(family="ladder", image_shape=(1, *side), **{**kind, **more}))  # type: ignore[arg-type]
    assert isinstance(model, LadderVAE)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return model.eval()


def images(count: int = 3, side: tuple[int, int] = (28, 28)) -> Tensor:
    return (torch.rand(count, 1, *side, generator=torch.Generator().manual_seed(2)) < 0.3).float()


def test_its_weights_are_the_layers_densities():
    """In the latents' own numbers, with each posterior written as the product of two normal densities."""
    model, x, k = ladder(DENSE), images(), 4
    noise = torch.randn(len(x) * k, model.latent, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        got = model.log_weight(x, k, noise)
        body = model.body
        up = body.upward(x.repeat_interleave(k, 0))
        log_p = log_q = torch.zeros(len(noise))
        state = None
        for layer, drawn in enumerate(noise.split((3, 5), 1)):
            prior = Normal(torch.zeros(3), torch.ones(3))
            if state is not None:
                mean, logvar = body.prior(layer, state)
                prior = Normal(mean, torch.exp(logvar / 2))
            seen = Normal(body.means[layer](up[layer]), torch.exp(body.logvars[layer](up[layer]) / 2))
            precision = prior.scale**-2 + seen.scale**-2
            middle = (prior.loc * prior.scale**-2 + seen.loc * seen.scale**-2) / precision
            posterior = Normal(middle, precision**-0.5)
            latents = posterior.loc + drawn * posterior.scale
            log_p = log_p + prior.log_prob(latents).sum(1)
            log_q = log_q + posterior.log_prob(latents).sum(1)
            state = body.below(layer, body.top(drawn), latents)
        fit = Bernoulli(logits=body.pixels(state)).log_prob(x.repeat_interleave(k, 0)).flatten(1).sum(1)
    torch.testing.assert_close(got.flatten(), fit + log_p - log_q, rtol=1e-4, atol=1e-3)


@KINDS
def test_the_average_weight_is_the_bound(kind):
    """One draw's log-weight differs from the ELBO by log-ratios whose average over draws is the KL."""
    model, x = ladder(kind), images(1)
    with torch.no_grad():
        many = x.expand(4000, -1, -1, -1)
        noise = torch.randn(len(many), model.latent, generator=torch.Generator().manual_seed(4))
        terms = model.terms(many, noise)
        elbo = -terms.nll - terms.kl.sum(1)
        weights = model.log_weight(many, 1, noise).flatten()
    assert float((weights - elbo).mean().abs()) < 5 * float((weights - elbo).std()) / math.sqrt(len(many))


@KINDS
def test_a_draw_has_the_density_its_posterior_gives(kind):
    model, x = ladder(kind), images()
    noise = torch.randn(len(x), model.latent, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        posterior = model.posterior(x)
        z = posterior.sample(noise)
        weight = model.log_weight(x, 1, noise).flatten()
        fit = model.likelihood.log_prob(model.logits(z), x)
        by_hand = fit + model.log_prior(z) - posterior.log_prob(z).sum(1)
        pairs = posterior.log_prob(z[:, None])
    torch.testing.assert_close(weight, by_hand, rtol=1e-4, atol=1e-3)
    assert pairs.shape == (3, 3, model.latent)
    torch.testing.assert_close(pairs.diagonal().T, posterior.log_prob(z), rtol=1e-4, atol=1e-3)


@KINDS
def test_the_stored_posterior_is_the_way_down_along_the_means(kind):
    model, x = ladder(kind), images()
    with torch.no_grad():
        posterior = model.posterior(x)
        torch.testing.assert_close(posterior.sample(torch.zeros_like(posterior.mean)), posterior.mean)
        draws = [posterior.sample(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
        twice = posterior.repeat(2).sample(torch.zeros(6, model.latent))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    torch.testing.assert_close(twice, posterior.mean.repeat_interleave(2, 0), rtol=1e-4, atol=1e-5)


def test_moments_alone_give_no_draws():
    """As measures make posteriors of stored ones: there is no density to compare then, and they say so."""
    stored = LadderPosterior(torch.zeros(2, 3), torch.zeros(2, 3))
    assert torch.equal(stored.kl(), torch.zeros(2, 3))
    for ask in (stored.sample, lambda: stored.log_prob(torch.zeros(2, 3))):
        with pytest.raises(NotImplementedError):
            ask()


def test_precisions_add():
    mean, logvar = torch.tensor([[2.0, -1.0, 3.0]]), torch.tensor([[0.0, 3.0, -80.0]])
    found = with_prior(mean, logvar)
    precision = 1 + torch.exp(-logvar.double())
    torch.testing.assert_close(found.mean.double(), mean.double() * torch.exp(-logvar.double()) / precision)
    torch.testing.assert_close(found.logvar.double(), -precision.log())


def test_a_linear_ladders_likelihood_is_a_gaussians():
    """Two layers and a pixel's noise, all linear: p(x) is known (Bishop 2006, eq. 2.115)."""
    kind = {**DENSE, "layers": (2, 3), "likelihood": "gaussian", "output": "linear", "noise_variance": 0.3}
    model = ladder(kind, side=(2, 3))
    body = model.body
    torch.manual_seed(6)
    body.down[0], body.down[1] = nn.Linear(2, 16), nn.Linear(3, 24)
    with torch.no_grad():
        body.priors[0].weight[3:] = 0  # of the spread, which shall not depend on what is above
        for logvars in body.logvars:
            logvars.bias += 3  # a posterior that is too narrow somewhere would take far more draws
        out, middle, top = body.out[0], body.priors[0], body.down[0]
        across = middle.weight[:3] @ top.weight
        offset = middle.weight[:3] @ top.bias + middle.bias[:3]
        down = out.weight @ body.down[1].weight
        covariance = across @ across.T + torch.diag(body.prior(1, body.down[0](torch.zeros(1, 2)))[1][0].exp())
        mean = down @ offset + out.weight @ body.down[1].bias + out.bias
        exact = MultivariateNormal(mean, down @ covariance @ down.T + 0.3 * torch.eye(6))
        pixels = torch.tensor([[0, 60, 120, 200, 255, 30], [90, 90, 10, 0, 250, 255]], dtype=torch.uint8)
        want = exact.log_prob(pixels / 255)
    got = log_likelihood(model, pixels.view(2, 1, 2, 3), samples=20_000, batch_size=20_000)
    torch.testing.assert_close(got, want, rtol=0, atol=0.03)


@KINDS
def test_the_cut_keeps_the_layers_above_it(kind):
    model = ladder(kind)
    z = model.sample_prior(50, generator=torch.Generator().manual_seed(7))
    sizes = [layer.size for layer in model.layers]
    for layer in range(len(sizes) + 1):
        cut = model.redraw_below(z, layer, 0.5, torch.Generator().manual_seed(8))
        stay = sum(sizes[:layer])
        assert torch.equal(cut[:, :stay], z[:, :stay])
        assert bool((cut[:, stay:] != z[:, stay:]).all())
        if stay < model.latent:
            assert float(cut[:, stay:].std()) == pytest.approx(0.5, rel=0.2)


def test_a_residual_ladders_layers_are_grids():
    model = ladder(RESIDUAL)
    assert [tuple(layer) for layer in model.layers] == [("layer 1 of 3", 4), ("layer 2 of 3", 8), ("layer 3 of 3", 49)]
    assert model.latent == len(model.groups) == 61
    wide = ladder(RESIDUAL, side=(30, 21))
    assert wide.logits(torch.zeros(2, wide.latent)).shape == (2, 1, 30, 21)
    assert wide.layers[2].size == 8 * 6


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layers": ()}, "layers must be a list of one or more whole numbers for a ladder"),
        ({"layers": (4, 0, 1)}, "layers must be more than zero"),
        ({"grids": (1, 7)}, "grids must have a side for each of the 3 layers of a residual ladder, not 2"),
        ({"grids": (7, 4, 1)}, "grids must have the top layer's side first"),
        ({"grids": (1, 4, 15)}, "grids of 28 x 28 images have at most 14 places a side, not 15"),
        ({"layers": (1, 9, 4000), "grids": (1, 2, 7)}, "layers and grids make 196,037 latents: take at most 65,536"),
        ({"network": "dense", "layers": (4,)}, "encoder must have a width, or at most one for each of the 1 layers"),
        ({"network": "conv"}, "network must be dense or residual for a ladder, not conv"),
    ],
)
def test_what_cannot_be_a_ladder_is_said_in_a_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        ladder(RESIDUAL, **change)


@pytest.mark.slow
@KINDS
def test_a_stopped_run_goes_on_bit_for_bit(small_train, kind):
    options = {"family": "ladder", **kind, "epochs": 2, "batch_size": 100, "warmup_share": 0.5}
    whole = small_train("whole", **options)
    looks = iter([False, True])
    stopped = small_train("stopped", should_stop=lambda: next(looks, True), **options)
    assert stopped.status == "cancelled"
    resumed = small_train(out=stopped.path, resume=True)
    assert resumed.metrics == whole.metrics
    first, second = (explorer.load(run.path, device="cpu") for run in (whole, resumed))
    weights = second.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in first.network.state_dict().items())
    assert first.latents.kl_by_latent is not None
