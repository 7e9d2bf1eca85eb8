"""The ELBO against closed forms: a linear-Gaussian model, and a decoder that ignores its code."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from explorer.models import GaussianPosterior, LatentModel, ModelConfig, build
from explorer.models.evaluation import active_units, evaluate, to_float

SHAPE = (1, 2, 2)


def config(likelihood="gaussian", noise_variance=0.01, family="vae", **changes):
    sizes = {"image_shape": SHAPE, "latent": 2, "encoder": (8,), "decoder": (8,), **changes}
    return ModelConfig(family=family, network="dense", likelihood=likelihood, noise_variance=noise_variance, **sizes)


class LinearGaussian(LatentModel):
    """x = m + W z + noise: everything about it has a closed form (Tipping & Bishop 1999, section 3).

    W's columns are orthogonal, so that the exact posterior is diagonal; |W z| stays so small that m + W z is
    in (0, 1), where the decoder's sigmoid can undo a logit.
    """

    family = "toy"

    def __init__(self, off_by=0.0):
        super().__init__(config())
        self.w = torch.nn.Parameter(torch.tensor([[0.05, 0.02], [0.05, -0.02], [-0.05, 0.02], [-0.05, -0.02]]))
        self.m = torch.full((4,), 0.5)
        self.off_by = off_by

    def posterior(self, x):
        precision = 1 + self.w.square().sum(0) / 0.01  # the diagonal of I + W'W / variance
        mean = (x.flatten(1) - self.m) @ self.w / 0.01 / precision
        return GaussianPosterior(mean + self.off_by, -precision.log().expand_as(mean))

    def logits(self, z, labels=None):
        return torch.logit(self.m + z @ self.w.T).reshape(-1, *SHAPE)

    def log_marginal(self, x):
        covariance = self.w @ self.w.T + 0.01 * torch.eye(4)
        return MultivariateNormal(self.m, covariance).log_prob(x.flatten(1))


def images(n, seed=0):
    return torch.randint(80, 176, (n, *SHAPE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def mean_and_error(values):
    return values.double().mean().item(), values.double().std().item() / math.sqrt(len(values))


def test_the_elbo_of_the_exact_posterior_is_the_log_marginal():
    model = LinearGaussian()
    x = images(5000)
    found = evaluate(model, x)
    exact = model.log_marginal(x / 255.0)
    # One draw of z an image: equal in expectation.
    gap, error = mean_and_error(found.reconstruction - found.kl - exact.detach())
    assert abs(gap) < 5 * error
    assert error < 0.02
    assert found.metrics()["elbo"] == pytest.approx(exact.double().mean().item(), abs=5 * error)


def test_another_posterior_has_an_elbo_lower_by_its_kl_from_the_exact_one():
    model = LinearGaussian(off_by=0.5)
    x = images(5000)
    found = evaluate(model, x)
    precision = 1 + model.w.detach().square().sum(0) / 0.01
    divergence = (0.5 * 0.5**2 * precision).sum().item()  # of two Gaussians of one variance, 0.5 apart
    gap, error = mean_and_error(found.reconstruction - found.kl - model.log_marginal(x / 255.0).detach())
    assert gap == pytest.approx(-divergence, abs=5 * error)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_decoder_that_ignores_its_code(likelihood):
    torch.manual_seed(0)
    model = build(config(likelihood, 0.1))
    last = model.decoder[-2]
    torch.nn.init.zeros_(last.weight)
    x = images(50)
    found = evaluate(model, x)
    y, mean = x / 255.0, torch.sigmoid(last.bias.detach()).reshape(SHAPE)
    if likelihood == "bernoulli":
        exact = y * torch.log(mean) + (1 - y) * torch.log1p(-mean)
        binary = evaluate(model, 255 * x.gt(128).to(torch.uint8))
        theirs = Bernoulli(mean).log_prob(x.gt(128).float()).flatten(1).sum(1)
        torch.testing.assert_close(binary.reconstruction, theirs)
    else:
        exact = Normal(mean, math.sqrt(0.1)).log_prob(y)
    torch.testing.assert_close(found.reconstruction, exact.flatten(1).sum(1))
    torch.testing.assert_close(found.mse, (mean - y).square().flatten(1).mean(1))
    q = Normal(found.posterior.mean, torch.exp(found.posterior.logvar / 2))
    kl = kl_divergence(q, Normal(torch.zeros(50, 2), torch.ones(50, 2)))
    torch.testing.assert_close(found.kl, kl.sum(1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.kl_by_group, kl.mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_metrics_hang_together(beta):
    model = build(config("gaussian", 0.5))
    found = evaluate(model, images(20))
    metrics = found.metrics(beta)
    assert metrics["elbo"] == pytest.approx(metrics["reconstruction"] - metrics["kl"], rel=1e-12)
    # Noise of variance 0.5 makes the loss the sum of squared errors + beta KL.
    assert metrics["loss"] == pytest.approx(4 * metrics["mse"] + beta * metrics["kl"], rel=1e-5)
    assert metrics["n"] == 20


def test_a_plain_autoencoder_has_no_elbo():
    found = evaluate(build(config("gaussian", 0.5, family="ae")), images(20))
    metrics = found.metrics()
    assert metrics["elbo"] is None
    assert metrics["kl"] is None
    assert metrics["loss"] == pytest.approx(4 * metrics["mse"], rel=1e-5)
    assert found.kl_by_group.eq(0).all()


def test_it_is_deterministic_and_follows_its_seed_alone():
    model = build(config())
    torch.manual_seed(0)
    one = evaluate(model, images(30), seed=3)
    torch.manual_seed(1)
    same = evaluate(model, images(30), seed=3)
    other = evaluate(model, images(30), seed=4)
    assert torch.equal(one.reconstruction, same.reconstruction)
    assert not torch.equal(one.reconstruction, other.reconstruction)
    assert torch.equal(one.kl, other.kl)


def test_it_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    evaluate(build_without_draws(), images(3))
    assert torch.equal(torch.get_rng_state(), before)


def build_without_draws():
    with torch.random.fork_rng(devices=[]):
        return build(config())


@pytest.mark.parametrize("training", [True, False])
def test_it_restores_the_mode(training):
    model = build(config()).train(training)
    seen = []
    model.encoder.register_forward_hook(lambda module, *_: seen.append(module.training))
    evaluate(model, images(3))
    assert seen == [False]
    assert model.training is training


def test_it_restores_the_mode_after_an_error():
    model = build(config()).train()
    model.decoder = None
    with pytest.raises(TypeError):
        evaluate(model, images(3))
    assert model.training


def test_batches_are_put_together_in_order():
    model = build(config("bernoulli"))
    x = images(23)
    whole, parts = evaluate(model, x), evaluate(model, x, batch_size=5)
    torch.testing.assert_close(parts.posterior.mean, whole.posterior.mean)
    torch.testing.assert_close(parts.kl, whole.kl)
    torch.testing.assert_close(parts.kl_by_group, whole.kl_by_group)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 2, 2\), not \(1, 3, 3\)"):
        evaluate(build(config()), torch.zeros(2, 1, 3, 3, dtype=torch.uint8))


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="no images"):
        evaluate(build(config()), torch.zeros(0, 1, 2, 2, dtype=torch.uint8))


def test_active_units_are_those_whose_mean_varies_by_more_than_a_hundredth():
    codes = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)).double()
    codes = (codes - codes.mean(0)) / codes.std(0)
    codes = codes * torch.tensor([0.0099, 0.0101, 1.0, 0.0]).sqrt() + torch.tensor([9.0, 0.0, -3.0, 5.0])
    assert active_units(codes.float()) == 2


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_images_have_no_active_units(n):
    assert active_units(torch.randn(n, 3)) == 0


def test_images_become_floats_in_the_unit_interval_and_stay_as_they_were():
    x = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    found = to_float(x, torch.device("cpu"))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 0.2, 1.0]))
    assert x.flatten().tolist() == [0, 51, 255]
