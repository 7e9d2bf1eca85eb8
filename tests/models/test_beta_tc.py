"""The KL in three parts: by hand with torch.distributions, over all batches there are, and against closed forms."""

import math
from itertools import permutations

import pytest
import torch
from torch.distributions import Normal

from explorer.models import ModelConfig, Posterior, build
from explorer.models.evaluation import evaluate
from explorer.models.registry import SAMPLINGS

SHAPE = (1, 3, 4)


def model(**changes):
    torch.manual_seed(0)
    sizes = {"image_shape": SHAPE, "latent": 3, "encoder": (16,), "decoder": (16,), **changes}
    made = build(ModelConfig(**{"family": "beta-tc", "network": "dense", "likelihood": "bernoulli", **sizes}))
    made.train_images = 1000
    return made.train()


def images(n):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(0))


def by_hand(net, x, noise, weight):
    """The means of the three parts; `weight` is what image j counts for at the code of image i."""
    posterior = net.posterior(x)
    q = [Normal(m, s) for m, s in zip(posterior.mean, torch.exp(0.5 * posterior.logvar), strict=True)]
    parts = torch.zeros(3)
    for i, one in enumerate(q):
        z = one.mean + one.stddev * noise[i]
        weights = torch.tensor([weight(i, j) for j in range(len(q))]).log()
        joint = torch.logsumexp(torch.stack([other.log_prob(z).sum() for other in q]) + weights, 0)
        marginals = torch.logsumexp(torch.stack([other.log_prob(z) for other in q]) + weights[:, None], 0).sum()
        parts += torch.stack(
            [one.log_prob(z).sum() - joint, joint - marginals, marginals - Normal(0, 1).log_prob(z).sum()]
        )
    return parts / len(q)


def stratified(i, j):
    if j == i:
        return 1 / 1000
    return (1000 - 5) / (1000 * 5) if j == (i + 1) % 6 else 1 / 5


@pytest.mark.parametrize(("sampling", "weight"), [("weighted", lambda i, j: 1 / 6000), ("stratified", stratified)])
def test_each_part_has_its_weight(sampling, weight):
    x, noise = images(6), torch.randn(6, 3)
    net = model(sampling=sampling, information_weight=0.5, dimension_weight=2.0)
    net.beta = 7.0
    information, correlation, dimensions = by_hand(net, x, noise, weight)
    terms = net.terms(x, noise)
    posterior = net.posterior(x)
    q = Normal(posterior.mean, torch.exp(0.5 * posterior.logvar))
    z = q.mean + q.stddev * noise
    estimate = (q.log_prob(z) - Normal(0, 1).log_prob(z)).sum(1).mean()
    torch.testing.assert_close(information + correlation + dimensions, estimate)
    loss = terms.nll.mean() + 0.5 * information + 7 * correlation + 2 * dimensions
    closed = terms.kl.sum(1).mean() - estimate  # the KL itself is not estimated
    torch.testing.assert_close(terms.loss(), loss + closed)


@pytest.mark.parametrize("sampling", list(SAMPLINGS))
def test_with_weights_of_one_it_is_the_vae(sampling):
    x, noise = images(6), torch.randn(6, 3)
    net, vae = model(sampling=sampling), model(family="vae")
    assert torch.equal(net.terms(x, noise).loss(), vae.terms(x, noise).loss())
    assert net.terms(x[:1], noise[:1]).extra is None  # and where there is no other image to compare with
    net.beta = 3.0
    assert not torch.equal(net.terms(x, noise).loss(), vae.terms(x, noise).loss())


def test_stratified_sampling_is_right_on_average():
    """Over all batches of an image with three of six others, whose densities at its code are these."""
    densities = torch.tensor([3.0, 0.1, 0.7, 2.0, 0.01, 5.0, 1.3])
    weights = SAMPLINGS["stratified"](4, 7).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(4))
    estimates = [weights[0] @ densities[[0, *others]] for others in permutations(range(1, 7), 3)]
    torch.testing.assert_close(torch.stack(estimates).mean(), densities.mean())


def test_stratified_sampling_of_all_images_is_their_average():
    torch.testing.assert_close(SAMPLINGS["stratified"](2, 2).exp(), torch.full((2, 2), 0.5))


def test_figures_of_codes_that_are_gaussian_as_a_whole():
    """Centres and spreads add up to N(0, S): each part of the KL has a closed form."""
    whole = torch.tensor([[1.5, 0.8, 0.0], [0.8, 1.0, -0.2], [0.0, -0.2, 0.6]])
    own = 0.2
    generator = torch.Generator().manual_seed(0)
    root = torch.linalg.cholesky(whole - own * torch.eye(3))
    mean = torch.randn(20_000, 3, generator=generator) @ root.T
    found = model().figures(Posterior(mean, torch.full_like(mean, math.log(own))))
    variances = whole.diagonal()
    expected = {
        "mutual information": 0.5 * (torch.logdet(whole) - 3 * math.log(own)),
        "total correlation": 0.5 * (variances.log().sum() - torch.logdet(whole)),
        "dimension-wise KL": 0.5 * (variances - 1 - variances.log()).sum(),
    }
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, abs=0.12)
    assert model().figures(Posterior(mean, torch.full_like(mean, math.log(own)))) == found


def test_figures_of_one_image():
    found = model().figures(Posterior(torch.zeros(1, 3), torch.zeros(1, 3)))
    assert found == pytest.approx({"mutual information": 0, "total correlation": 0, "dimension-wise KL": 0}, abs=1e-5)


def test_evaluation_charges_the_kl_as_it_is():
    found = evaluate(model(), (255 * images(20)).to(torch.uint8))
    metrics = found.metrics(6.0)
    assert metrics["loss"] == pytest.approx(-metrics["elbo"])
    assert found.extra == 0


@pytest.mark.parametrize("name", ["information_weight", "dimension_weight"])
def test_a_negative_weight_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be zero or more, not -1"):
        model(**{name: -1.0})
