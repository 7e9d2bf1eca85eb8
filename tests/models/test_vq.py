"""The VQ-VAE: its codebook, its prior over grids, its two stages, and what it cannot take."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy import stats

import explorer
from explorer.latents import Latents
from explorer.models import ModelConfig, build
from explorer.models.evaluation import evaluate, log_likelihood
from explorer.models.vq_codebook import Codebook, perplexity
from explorer.models.vq_prior import GridPrior

SMALL = {
    "family": "vq",
    "network": "conv",
    "encoder": (8, 16),
    "decoder": (16, 8),
    "codebook": 12,
    "entry_size": 3,
    "grid_blocks": 1,
    "prior_layers": 1,
    "prior_width": 64,
    "likelihood": "sigma",
}


def small(**changes):
    torch.manual_seed(0)
    return build(ModelConfig(image_shape=(1, 8, 12), **{**SMALL, **changes})).eval()


def learnt_prior(classes=0, grid=(3, 4), size=7):
    """A prior whose weights are anything."""
    torch.manual_seed(1)
    prior = GridPrior(size, grid, classes, layers=2, width=64).eval()
    torch.nn.init.normal_(prior.head.weight, std=0.3)
    return prior.requires_grad_(False)


def test_a_codebook_moves_to_the_means_of_what_it_is_assigned():
    """Two far clusters and two entries: each ends at a cluster's mean."""
    torch.manual_seed(0)
    codebook = Codebook(2, 3)
    centres = torch.tensor([[5.0, 0.0, 0.0], [-5.0, 1.0, 2.0]])
    vectors = centres.repeat(50, 1) + 0.1 * torch.randn(100, 3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(1500):
        index = codebook.follow(vectors, generator)
    assert torch.equal(index, codebook.nearest(vectors))
    means = torch.stack([vectors[::2].mean(0), vectors[1::2].mean(0)])
    torch.testing.assert_close(codebook.entries[index[:2]], means, atol=1e-3, rtol=1e-3)


def test_an_entry_that_nothing_is_assigned_to_starts_again_at_a_vector_of_the_batch():
    codebook = Codebook(3, 2)
    vectors = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    codebook.follow(vectors)
    codebook.entries[2] = codebook.sums[2] = 1e6
    codebook.counts[2] = 0.01
    codebook.follow(vectors, torch.Generator().manual_seed(3))
    assert codebook.entries[2].abs().max() < 4


@pytest.mark.parametrize("counts", [[5, 5, 5, 5], [1, 0, 0, 0], [7, 1, 2, 0]])
def test_perplexity_is_the_exponential_of_the_entropy(counts):
    index = torch.repeat_interleave(torch.arange(4), torch.tensor(counts))
    assert perplexity(index, 4) == pytest.approx(math.exp(stats.entropy(counts)))


def test_an_untrained_prior_is_uniform():
    model = small()
    x = torch.rand(3, 1, 8, 12)
    terms = model.terms(x)
    assert model.grid == (2, 3)
    torch.testing.assert_close(terms.kl, torch.full((3, 2), 3 * math.log(12)))
    torch.testing.assert_close(model.log_prior(terms.posterior.mean), torch.full((3,), -6 * math.log(12)))


def test_the_prior_is_a_distribution_and_sees_only_what_came_before():
    """The probabilities of all grids of two places add up to one."""
    prior = learnt_prior(grid=(1, 2), size=5)
    grids = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    assert float((-prior(grids).sum(1)).exp().sum()) == pytest.approx(1, abs=1e-5)
    assert prior(grids)[:5, 0].std() == pytest.approx(0, abs=1e-6)  # whatever the second is


def test_drawn_grids_have_the_prior_s_frequencies():
    prior = learnt_prior(classes=2, grid=(1, 2), size=3)
    grids = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    labels = torch.ones(9, dtype=torch.int64)
    expected = (-prior(grids, labels).sum(1)).double().exp()
    count = 20_000
    chance = torch.rand(count, 2, generator=torch.Generator().manual_seed(0))
    drawn = prior.draw(chance, torch.ones(count, dtype=torch.int64))
    found = torch.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9)
    assert stats.chisquare(found.numpy(), (expected / expected.sum() * count).numpy()).pvalue > 1e-3


def test_at_temperature_zero_each_entry_is_the_likeliest():
    prior = learnt_prior()
    drawn = prior.draw(torch.rand(2, 12), temperature=0.0)
    for place in range(12):
        others = drawn[:1].repeat(7, 1)
        others[:, place] = torch.arange(7)
        assert int(prior(others)[:, place].argmin()) == drawn[0, place]


def test_guidance_sharpens_towards_the_class():
    """(1 + w) log p(entry | class) - w log p(entry), for the first entry; Ho & Salimans 2022, eq. 6."""
    prior = learnt_prior(classes=2, grid=(1, 1), size=4)
    every = torch.arange(4)[:, None]
    told, untold = -prior(every, torch.ones(4, dtype=torch.int64))[:, 0], -prior(every)[:, 0]
    expected = (3 * told - 2 * untold).softmax(0)
    chance = (torch.arange(20_000)[:, None] + 0.5) / 20_000
    drawn = prior.draw(chance, torch.ones(20_000, dtype=torch.int64), guidance=2.0)
    torch.testing.assert_close(torch.bincount(drawn[:, 0], minlength=4) / 20_000, expected, atol=1e-3, rtol=0)


def test_a_completed_code_keeps_its_upper_rows():
    model = small()
    codes = model.sample_prior(5, generator=torch.Generator().manual_seed(0))
    other = model.complete(codes, 1, generator=torch.Generator().manual_seed(1))
    assert torch.equal(other[:, :9], codes[:, :9])
    assert not torch.equal(other[:, 9:], codes[:, 9:])


def test_what_is_blended_is_quantised_when_it_is_decoded():
    model = small()
    codes = model.sample_prior(2, generator=torch.Generator().manual_seed(0))
    blend = 0.4 * codes[:1] + 0.6 * codes[1:]
    quantised = model.entries[model.indices(blend)].flatten(1)
    assert not torch.equal(blend, quantised)
    assert torch.equal(model.decode(blend), model.decode(quantised))


def test_its_importance_weights_are_its_elbo():
    model = small()
    images = torch.randint(256, (4, 1, 8, 12), dtype=torch.uint8)
    evaluation = evaluate(model, images)
    bound = log_likelihood(model, images, samples=3)
    torch.testing.assert_close(bound, evaluation.reconstruction - evaluation.kl, rtol=1e-4, atol=1e-3)


def test_stored_codes_name_entries_of_the_codebook():
    model = small()
    evaluation = evaluate(model, torch.randint(256, (40, 1, 8, 12), dtype=torch.uint8))
    tensors, metadata = replace(Latents.of(evaluation, None), codebook=model.entries).to_tensors()
    assert tensors["entries"].dtype == torch.uint8
    assert tensors["mean"].numel() == 0
    assert torch.equal(Latents.from_tensors(tensors, metadata).mean, evaluation.posterior.mean)


OPTIONS = {**SMALL, "epochs": 3, "prior_share": 0.67, "batch_size": 40, "schedule": "cosine", "class_prior": True}


def test_a_run_stopped_in_either_stage_goes_on_bit_for_bit(small_train):
    whole = small_train("whole", **OPTIONS)
    for stop in (1, 5):
        looks = iter([False] * stop)
        run = small_train(f"stopped-{stop}", should_stop=lambda looks=looks: next(looks, True), **OPTIONS)
        assert run.status == "cancelled"
        resumed = small_train(out=run.path, resume=True)
        assert resumed.metrics == whole.metrics
        first, second = (explorer.load(r.path, device="cpu").network.state_dict() for r in (whole, resumed))
        assert all(torch.equal(first[name], second[name]) for name in first)
    kl = [line["test"]["kl"] for line in whole.history]
    assert kl[0] == pytest.approx(49 * math.log(12), rel=1e-5)
    assert kl[2] < kl[1] < kl[0]
    assert whole.history[1]["test"]["mse"] == pytest.approx(whole.history[0]["test"]["mse"])
    model = explorer.load(whole.path, device="cpu")
    assert torch.equal(model.draw(3, labels=[0, 1, 2]), model.draw(3, labels=[0, 1, 2]))
    assert not torch.equal(model.draw(3, labels=[0, 1, 2]), model.draw(3, labels=[3, 4, 5]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"codebook": 1}, "codebook must be at least 2"),
        ({"network": "dense"}, "set network to conv"),
        ({"prior_width": 100}, "multiple of 64"),
        ({"encoder": (8, 8, 8, 8), "decoder": (8, 8, 8, 8)}, "sides divisible by 16, not 8 x 12"),
        ({"class_prior": True}, "needs images with classes"),
        ({"encoder": (8,)}, "same number of layers"),
    ],
)
def test_what_it_cannot_take_is_said_in_a_sentence(changes, words):
    with pytest.raises(ValueError, match=words):
        small(**changes)


def test_a_collapsed_codebook_is_said():
    model = small(codebook=256)
    assert "about 2 of its 256 entries" in model.warning({"perplexity": 2.2})
    assert not model.warning({"perplexity": 100.0})
