"""Pictures against the test set: terms and shares recomputed by hand, on a small trained model."""

import hashlib
from dataclasses import replace

import pytest
import torch
from scipy.stats import ks_2samp
from torch.distributions import Normal, kl_divergence

import explorer
from explorer.checkpoints.folder import CheckpointInfo
from explorer.checkpoints.model import Model, load
from explorer.evaluation.scores import Scores, better_than, compared, judge, rescore, score, sentence
from explorer.latents import Density, Latents
from explorer.models import ModelConfig, Posterior, build


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


def test_percentiles_of_images_like_the_test_sets_are_spread_evenly(made):
    """Also where a draw of the code matters far more than the image: averages, or a shared draw, fail here."""
    model = made("vae")
    base = small(1)
    like_it = torch.randint(-3, 4, (4000, 1, 4, 4), generator=torch.Generator().manual_seed(2))
    images = (base.long() + like_it).clamp(0, 255).to(torch.uint8)
    model.__dict__["latents"] = Latents.of(model.evaluate(images[:2000]), None)
    for asked in (images[:2000], images[2000:]):
        found = score(model, asked)
        assert ks_2samp(found.elbo, model.latents.reconstruction - model.latents.kl).pvalue > 0.01
        shares = better_than(model, found.elbo)
        for level in (0.01, 0.05, 0.5, 0.95):
            error = (2 * level * (1 - level) / 2000) ** 0.5
            assert (shares < level).float().mean().item() == pytest.approx(level, abs=3 * error)


def test_on_the_test_images_themselves_it_is_the_stored_score_but_for_the_draw(model, digits):
    latents = model.latents
    found = score(model, digits)
    torch.testing.assert_close(found.posterior.mean, latents.mean)
    torch.testing.assert_close(found.kl, latents.kl)
    gap = found.log_likelihood - latents.reconstruction
    error = gap.double().std().item() / len(gap) ** 0.5
    assert abs(gap.double().mean().item()) < 3 * error
    assert ks_2samp(better_than(model, found.elbo), torch.rand(1000)).pvalue > 0.01


def test_the_terms_by_hand(model, digits):
    x = digits[:3]
    found = score(model, x, seed=5)
    mean, logvar = model.encode(x)
    q = Normal(mean, (0.5 * logvar).exp())
    torch.testing.assert_close(found.kl, kl_divergence(q, Normal(0.0, 1.0)).sum(1), rtol=1e-4, atol=1e-4)
    for i in range(3):
        digest = hashlib.sha256(b"5" + bytes(x[i].flatten().tolist())).digest()
        noise = torch.randn(model.latent, generator=torch.Generator().manual_seed(int(digest[:4].hex(), 16)))
        white = model.decode((mean[i] + noise * q.scale[i])[None]).double().clamp(1e-7, 1 - 1e-7)
        target = x[i].double() / 255
        expected = (target * white.log() + (1 - target) * (1 - white).log()).sum()
        assert found.log_likelihood[i].item() == pytest.approx(expected.item(), rel=1e-3)


def test_versions_of_a_picture_are_scored_under_one_draw(model, digits):
    first, latents = digits[:100], model.latents
    fainter = (first.float() * 0.995).to(torch.uint8)
    posterior = Posterior(latents.mean[:100], latents.posterior.logvar[:100])
    stored = Scores(posterior, latents.reconstruction[:100], latents.kl[:100], None)
    for judged in (judge(model, first), judge(model, first, scored=stored)):
        torch.testing.assert_close(rescore(model, judged, first), judged.elbo)
        drawn = score(model, first).elbo
        assert torch.equal(rescore(model, judged, first, drawn), rescore(model, judged, first))
        paired, apart = rescore(model, judged, fainter), score(model, fainter).elbo
        assert (paired - judged.elbo).std() < 0.5 * (apart - score(model, first, seed=1).elbo).std()


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
        others = stored[torch.arange(1000) != row]
        assert found.better_than[row].item() == pytest.approx((others < found.elbo[row]).float().mean().item())
        distance = (latents.mean - found.code[row]).norm(dim=1)
        distance[row] = torch.inf  # itself: it is a test image
        nearest = distance.argsort()[:7]
        torch.testing.assert_close(distance[found.neighbours[row]], distance[nearest])
        votes = [model.classes[y] for y in latents.labels[found.neighbours[row]].tolist()]
        assert dict(found.class_votes[row]) == pytest.approx({c: votes.count(c) / 7 for c in set(votes)})
        shares = [share for _, share in found.class_votes[row]]
        assert shares == sorted(shares, reverse=True)
    expected = Density.of(latents.posterior).share(found.code, torch.arange(20))
    torch.testing.assert_close(found.code_share, expected)
    torch.testing.assert_close(found.reconstruction, model.reconstruct(digits[:20]))
    assert found.test_items == 1000
    assert found.own.tolist() == list(range(20))
    assert found.sentence().endswith("of its 999 other test images.")


def test_noise_is_worse_than_every_digit(model):
    noise = torch.randint(0, 256, (2, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = judge(model, noise)
    assert (found.better_than == 0).all()
    assert found.sentence(1) == ("The model explains it worse than every one of its 1,000 test images.")


def test_a_plain_autoencoder_is_judged_by_its_reconstruction(made):
    model = made("ae")
    x = small(6)
    found = judge(model, x)
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
    assert torch.equal(found.condition, fits.argmax(0))
    torch.testing.assert_close(found.reconstruction, model.decode(code, found.condition))
    ones = torch.ones(12, dtype=torch.int64)
    told = judge(model, x, ones)
    assert torch.equal(told.condition, ones)
    same = found.condition == 1
    torch.testing.assert_close(told.elbo[same], found.elbo[same])
    with pytest.raises(ValueError, match="labels"):
        judge(model, x, torch.full((12,), 2))


def test_codes_without_labels_have_no_votes(made):
    model = made("vae")
    model.__dict__["latents"] = Latents.of(model.evaluate(small(10)), None)
    found = judge(model, small(2, seed=3), k=99)
    assert found.class_votes is None
    assert found.neighbours.shape == (2, 10)


@pytest.mark.unchecked
def test_what_cannot_be_judged(model, digits):
    with pytest.raises(ValueError, match="uint8"):
        judge(model, digits[:2] / 255)
    with pytest.raises(ValueError, match="takes images"):
        judge(model, torch.zeros(2, 3, 28, 28, dtype=torch.uint8))
    with pytest.raises(ValueError, match="neighbour"):
        judge(model, digits[:2], k=0)


@pytest.mark.parametrize(
    ("share", "how", "which"),
    [(0.0, "worse", "every one"), (0.0004, "worse", "almost all"), (0.01, "better", "1%"), (0.124, "better", "12%"),
     (0.9996, "better", "almost all"), (1.0, "better", "every one")],
)  # fmt: skip
def test_sentences(share, how, which):
    assert compared(share) == (how, which)
    assert sentence(share, 10_000) == f"The model explains it {how} than {which} of its 10,000 test images."


@pytest.mark.parametrize(
    ("items", "own", "said"),
    [(1, True, "It is the model's only test image: there is no other to compare it with."),
     (1, False, "The model explains it worse than its only test image."),
     (2, True, "The model explains it worse than its only other test image."),
     (3, True, "The model explains it worse than every one of its 2 other test images."),
     (2, False, "The model explains it worse than every one of its 2 test images.")],
)  # fmt: skip
def test_sentences_of_few_test_images(items, own, said):
    assert sentence(0.0, items, own=own) == said


@pytest.mark.parametrize("items", [1, 2, 3])
def test_one_of_few_test_images_is_compared_with_the_others_alone(made, items):
    model, x = made("vae"), small(items)
    labels = torch.zeros(items, dtype=torch.int64)
    model.__dict__["latents"] = Latents.of(model.evaluate(x, labels), labels)
    found = judge(model, x[:1], without=0)
    assert sorted(found.neighbours[0].tolist()) == list(range(1, items))
    assert found.better_than.isnan().all() == (items == 1)
    assert items == 1 or float(found.better_than) in {i / (items - 1) for i in range(items)}
    assert found.class_votes == ([[]] if items == 1 else [[("a", 1.0)]])


def test_a_test_image_is_known_where_the_density_is_of_a_sample(made, monkeypatch):
    model = made("vae")
    monkeypatch.setattr("explorer.latents.density._MOST", 10 * model.latent)  # 10 of 40 codes
    found = judge(model, small(40, seed=1), k=39)
    assert found.own.tolist() == list(range(40))
    assert not (found.neighbours == torch.arange(40)[:, None]).any()


def test_a_test_image_is_compared_with_the_others_alone(model, digits):
    """With itself left out of its neighbours and of the density, whether or not somebody says which it is."""
    density = Density.of(model.latents.posterior)
    told = judge(model, digits[3:4], k=5, density=density, without=3)
    found = judge(model, digits[3:4], k=5, density=density)
    assert 3 not in found.neighbours
    assert torch.equal(told.neighbours, found.neighbours)
    none = torch.tensor([-1])
    assert told.code_share == found.code_share == density.share(told.code, torch.tensor([3]))
    shares = judge(model, digits, density=density).code_share
    with_itself = density.share(model.latents.mean, none.expand(1000))
    assert shares.mean() < with_itself.mean()
    every = judge(model, digits[:2], k=1000)
    assert every.neighbours.shape == (2, 999)


def test_known_scores_are_taken_as_they_are(model, digits):
    latents = model.latents
    known = Scores(Posterior(latents.mean[:2], latents.posterior.logvar[:2]), torch.tensor([-5.0, -1e6]),
                   torch.tensor([1.0, 2.0]), None)  # fmt: skip
    found = judge(model, digits[:2], scored=known)
    assert found.elbo.tolist() == [-6.0, -1000002.0]
    assert found.better_than.tolist() == [1.0, 0.0]


def test_of_equal_votes_the_nearer_neighbour_comes_first(made):
    model = made("vae")
    image = small(1, seed=7)
    latents = model.latents
    order = (latents.mean - model.encode(image).mean).norm(dim=1).argsort()
    labels = torch.empty(40, dtype=torch.int64)
    labels[order] = torch.tensor([1, 0] * 20)
    model.__dict__["latents"] = replace(latents, labels=labels)
    assert judge(model, image, k=6).class_votes == [[("b", 0.5), ("a", 0.5)]]
    assert judge(model, image, k=5).class_votes == [[("b", 0.6), ("a", 0.4)]]
