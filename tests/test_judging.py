"""Pictures against the test set: terms and shares recomputed by hand, on a small trained model."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

import explorer
from explorer.checkpoints import CheckpointInfo
from explorer.judging import DRAWS, better_than, judge, score, sentence
from explorer.latents import Density, Latents
from explorer.loaded import Model, load
from explorer.models import ModelConfig, build


@pytest.fixture(scope="module")
def model(tiny_run):
    return load(tiny_run.path, device="cpu")


@pytest.fixture(scope="module")
def digits():
    return explorer.dataset("mnist-5k", split="test").images


@pytest.fixture
def made(tmp_path):
    """Makes an untrained model of four pixels' side with stored codes of 40 random images of two classes."""

    def make(family, **changes):
        torch.manual_seed(0)
        config = ModelConfig(
            family=family,
            network="dense",
            image_shape=(1, 4, 4),
            latent=3,
            encoder=(8,),
            decoder=(8,),
            likelihood="bernoulli",
            **changes,
        )
        network = build(config).eval().requires_grad_(False)
        made = Model(CheckpointInfo("x", tmp_path, False, {"classes": ["a", "b"]}), network, torch.device("cpu"))
        labels = torch.arange(40) % 2
        made.__dict__["latents"] = Latents.of(made.evaluate(small(40, seed=1), labels), labels)
        return made

    return make


def small(n, seed=0):
    return torch.randint(0, 256, (n, 1, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_on_the_test_images_themselves_it_is_the_stored_score(model, digits):
    latents = model.latents
    found = score(model, digits)
    torch.testing.assert_close(found.posterior.mean, latents.mean)
    torch.testing.assert_close(found.kl, latents.kl)
    gap = found.log_likelihood - latents.reconstruction  # eight draws against one
    error = gap.double().std().item() / len(gap) ** 0.5
    assert abs(gap.double().mean().item()) < max(5 * error, 0.3)
    shares = better_than(model, found.log_likelihood - found.kl)
    assert shares.mean().item() == pytest.approx(0.5, abs=0.01)


def test_the_terms_by_hand(model, digits):
    x = digits[:3]
    found = score(model, x, seed=5)
    mean, logvar = model.encode(x)
    q = Normal(mean, (0.5 * logvar).exp())
    torch.testing.assert_close(found.kl, kl_divergence(q, Normal(0.0, 1.0)).sum(1), rtol=1e-4, atol=1e-4)
    half = torch.randn(DRAWS // 2, model.latent, generator=torch.Generator().manual_seed(5))
    total = torch.zeros(3)
    for noise in (*half, *-half):
        white = model.decode(mean + noise * q.scale).double().clamp(1e-7, 1 - 1e-7)
        target = x.double() / 255
        total += (target * white.log() + (1 - target) * (1 - white).log()).flatten(1).sum(1).float()
    torch.testing.assert_close(found.log_likelihood, total / DRAWS, rtol=1e-3, atol=0.05)


def test_a_picture_is_judged_alike_alone_and_in_company(model, digits):
    many, one = judge(model, digits[:150]), judge(model, digits[140:141])
    torch.testing.assert_close(many.elbo[140:141], one.elbo, rtol=1e-4, atol=1e-2)
    assert torch.equal(many.neighbours[140:141], one.neighbours)
    assert not torch.equal(one.elbo, judge(model, digits[140:141], seed=1).elbo)


def test_shares_neighbours_and_votes_by_hand(model, digits):
    latents = model.latents
    found = judge(model, digits[:20], k=7)
    stored = latents.reconstruction - latents.kl
    for row in range(20):
        assert found.better_than[row].item() == pytest.approx((stored < found.elbo[row]).float().mean().item())
        distance = (latents.mean - found.code[row]).norm(dim=1)
        nearest = distance.argsort()[:7]
        torch.testing.assert_close(distance[found.neighbours[row]], distance[nearest])
        assert found.neighbours[row, 0] == row  # itself: it is a test image
        votes = [model.classes[y] for y in latents.labels[found.neighbours[row]].tolist()]
        assert dict(found.class_votes[row]) == pytest.approx({c: votes.count(c) / 7 for c in set(votes)})
        shares = [share for _, share in found.class_votes[row]]
        assert shares == sorted(shares, reverse=True)
    torch.testing.assert_close(found.code_share, Density.of(latents.posterior).share(found.code))
    torch.testing.assert_close(found.reconstruction, model.reconstruct(digits[:20]))
    assert found.test_items == 1000


def test_noise_is_worse_than_every_digit(model):
    noise = torch.randint(0, 256, (2, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = judge(model, noise)
    assert (found.better_than == 0).all()
    assert found.sentence(1) == (
        "Reconstructs worse than every one of the 1,000 test images that the model was measured on."
    )


def test_a_plain_autoencoder_is_judged_by_its_reconstruction(made):
    model = made("ae")
    x = small(6)
    found = judge(model, x)
    assert not found.has_prior
    torch.testing.assert_close(found.elbo, model.evaluate(x).reconstruction)
    assert (found.kl == 0).all()
    stored = model.latents.reconstruction
    expected = torch.stack([(stored < e).float().mean() for e in found.elbo])
    torch.testing.assert_close(found.better_than, expected)
    assert found.code_share.shape == (6,)


def test_a_conditional_model_is_told_the_likelier_class_or_the_given_one(made):
    model = made("cvae", classes=2)
    x = small(12)
    found = judge(model, x)
    code = model.encode(x).mean
    fits = torch.stack(
        [model.network.likelihood.log_prob(model.network.logits(code, torch.full((12,), y)), x / 255) for y in (0, 1)]
    )
    assert torch.equal(found.told, fits.argmax(0))
    torch.testing.assert_close(found.reconstruction, model.decode(code, found.told))
    ones = torch.ones(12, dtype=torch.int64)
    told = judge(model, x, ones)
    assert torch.equal(told.told, ones)
    same = found.told == 1
    torch.testing.assert_close(told.elbo[same], found.elbo[same])
    with pytest.raises(ValueError, match="labels"):
        judge(model, x, torch.full((12,), 2))


def test_codes_without_labels_have_no_votes(made):
    model = made("vae")
    model.__dict__["latents"] = Latents.of(model.evaluate(small(10)), None)
    found = judge(model, small(2), k=99)
    assert found.class_votes is None
    assert found.neighbours.shape == (2, 10)


def test_what_cannot_be_judged(model, digits):
    with pytest.raises(ValueError, match="uint8"):
        judge(model, digits[:2] / 255)
    with pytest.raises(ValueError, match="takes images"):
        judge(model, torch.zeros(2, 3, 28, 28, dtype=torch.uint8))
    with pytest.raises(ValueError, match="neighbour"):
        judge(model, digits[:2], k=0)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "worse than every one of"), (0.0004, "better than less than 1% of"), (0.124, "better than 12% of"),
     (0.9996, "better than more than 99% of"), (1.0, "better than every one of")],
)  # fmt: skip
def test_sentences(share, said):
    measured = "the 10,000 test images that the model was measured on."
    assert sentence(share, 10_000) == f"Reconstructs {said} {measured}"


def test_a_test_image_is_no_neighbour_of_itself(model, digits):
    everything, others = judge(model, digits[:1], k=5), judge(model, digits[:1], k=5, without=0)
    assert everything.neighbours[0, 0] == 0
    assert others.neighbours.shape == (1, 5)
    assert others.neighbours[0, :4].tolist() == everything.neighbours[0, 1:].tolist()
