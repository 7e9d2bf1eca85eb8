"""The importance-weighted bound as an objective: against torch.distributions, its gradient against differences."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from explorer.models import ModelConfig, build

SHAPE = (1, 3, 4)


def model(draws=4, family="iwae", **changes):
    torch.manual_seed(0)
    sizes = {"image_shape": SHAPE, "latent": 2, "encoder": (16,), "decoder": (16,), **changes}
    return build(ModelConfig(family=family, network="dense", likelihood="bernoulli", draws=draws, **sizes)).train()


def images(n, seed=0):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(seed)).round()


def test_its_loss_is_the_bound_of_as_many_draws():
    x, noise, net = images(5), torch.randn(20, 2), model(draws=4)
    terms = net.terms(x, noise)
    posterior = net.posterior(x)
    q = Normal(posterior.mean[:, None], torch.exp(0.5 * posterior.logvar)[:, None])
    z = q.mean + q.stddev * noise.unflatten(0, (5, 4))
    p = Independent(Bernoulli(logits=net.logits(z.flatten(0, 1)).unflatten(0, (5, 4))), 3)
    log_weight = p.log_prob(x[:, None]) + (Normal(0, 1).log_prob(z) - q.log_prob(z)).sum(2)
    bound = torch.logsumexp(log_weight, 1) - math.log(4)
    torch.testing.assert_close(terms.loss(), -bound.mean())
    # What is shown beside it is the ELBO of the first draw.
    torch.testing.assert_close(terms.nll, -p.log_prob(x[:, None])[:, 0])
    torch.testing.assert_close(terms.kl, posterior.kl())
    torch.testing.assert_close(terms.logits, net.logits(z[:, 0]))


def test_one_draw_is_the_vae():
    x = images(8)
    vae, one = model(family="vae"), model(draws=1)
    assert torch.equal(
        one.terms(x, torch.Generator().manual_seed(1)).loss(),
        vae.terms(x, torch.Generator().manual_seed(1)).loss(),
    )


def test_the_bound_grows_with_the_draws():
    x = images(1000)
    losses = [model(draws=k).terms(x, torch.Generator().manual_seed(2)).loss() for k in (1, 4, 16, 64)]
    bounds = [-loss.item() for loss in losses]
    assert bounds == sorted(bounds)
    assert bounds[-1] > bounds[0] + 0.01


def test_its_gradient_is_that_of_the_bound():
    x, noise, net = images(10), torch.randn(50, 2, generator=torch.Generator().manual_seed(3)), model(draws=5)
    parameters = list(net.parameters())
    gradient = torch.autograd.grad(net.terms(x, noise).loss(), parameters)
    for part in (slice(4), slice(4, None)):  # encoder, decoder
        chosen, along = parameters[part], gradient[part]
        length = math.sqrt(sum(g.square().sum().item() for g in along))

        def moved(step, chosen=chosen, along=along, length=length):
            with torch.no_grad():
                for p, g in zip(chosen, along, strict=True):
                    p.add_(g, alpha=step / length)
                loss = net.terms(x, noise).loss().item()
                for p, g in zip(chosen, along, strict=True):
                    p.sub_(g, alpha=step / length)
            return loss

        assert (moved(0.01) - moved(-0.01)) / 0.02 == pytest.approx(length, rel=0.01)


def test_evaluation_has_the_elbo():
    terms = model().eval().terms(images(3), torch.randn(3, 2))
    assert terms.extra is None
    assert len(terms.logits) == 3


def test_no_draws_are_refused():
    with pytest.raises(ValueError, match="draws must be more than zero, not 0"):
        model(draws=0)
