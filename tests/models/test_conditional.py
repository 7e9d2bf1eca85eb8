"""Models whose decoder is told the class: what they add to the other families."""

import math

import pytest
import torch

from explorer import dataset
from explorer.checkpoints.exporting import export
from explorer.checkpoints.folder import find
from explorer.checkpoints.model import load
from explorer.datasets import ImageDataset
from explorer.models import ModelConfig, build
from explorer.models.conditional import cycle_labels
from explorer.models.evaluation import evaluate, likeliest_classes
from explorer.training.frames import FrameWriter
from tests.training.frames import read_frame

SHAPE = (1, 8, 8)


def made(network="dense", seed=0, **changes):
    torch.manual_seed(seed)
    sizes = {"image_shape": SHAPE, "latent": 4, "encoder": (8,), "decoder": (8,), "classes": 3}
    return build(ModelConfig(family="cvae", network=network, **{"likelihood": "bernoulli", **sizes, **changes}))


every_network = pytest.mark.parametrize("network", ["dense", "conv"])


@every_network
def test_the_label_changes_the_image_and_not_the_code(network):
    model = made(network).eval()
    z = torch.randn(1, 4).repeat(3, 1)
    images = model.decode(z, torch.tensor([0, 1, 2]))
    assert images.shape == (3, *SHAPE)
    assert all((images[i] - images[j]).abs().max() > 1e-4 for i, j in ((0, 1), (0, 2), (1, 2)))
    torch.testing.assert_close(model.decode(z[:1]), images[:1])  # no label is the first class
    x = torch.rand(5, *SHAPE)
    generators = (torch.Generator().manual_seed(1) for _ in range(2))
    one, other = (
        model.terms(x, generator, torch.full((5,), label)) for generator, label in zip(generators, (0, 2), strict=True)
    )
    assert torch.equal(one.kl, other.kl)
    assert not torch.equal(one.logits, other.logits)


@every_network
def test_each_class_has_gradients_of_its_own(network):
    """Whoever is not in the batch has no gradient: the columns of the decoder's first layer that its label drives."""
    model = made(network)
    model.terms(torch.rand(6, *SHAPE), labels=torch.tensor([0, 2, 0, 2, 0, 2])).nll.mean().backward()
    told = model.decoder[0].weight.grad[:, 4:].abs().amax(0)
    assert told[0] > 0
    assert told[1] == 0
    assert told[2] > 0
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_it_needs_classes():
    with pytest.raises(ValueError, match="needs images with classes"):
        made(classes=0)


@pytest.mark.parametrize("classes", [-1, 1.5, True, "many", 10**6])
def test_a_foreign_number_of_classes(classes):
    stored = {**made().config.to_json(), "classes": classes}
    with pytest.raises(ValueError, match="classes must be"):
        ModelConfig.from_json(stored)


def told_apart():
    """A model whose decoder draws class y as the gray y / 4 + 1 / 4, whatever the code."""
    model = made(likelihood="gaussian", output="linear", noise_variance=0.01).eval()
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()
        first, last = model.decoder[0], model.decoder[2]
        first.weight[0, 4:] = torch.tensor([0.25, 0.5, 0.75])
        last.weight[:, 0] = 1.0
    return model


def grays(labels):
    return ((labels.float() / 4 + 0.25)[:, None, None, None].expand(-1, *SHAPE) * 255).round().to(torch.uint8)


def test_evaluation_is_of_the_class_that_it_is_told():
    model, labels = told_apart(), torch.tensor([0, 1, 2, 2])
    right = evaluate(model, grays(labels), labels)
    assert right.mse.max() < 1e-5
    wrong = evaluate(model, grays(labels), 2 - labels)
    torch.testing.assert_close(wrong.mse, torch.tensor([0.25, 0.0, 0.25, 0.25]), atol=3e-3, rtol=0)
    constant = 32 * math.log(2 * math.pi * 0.01)
    torch.testing.assert_close(wrong.reconstruction, -wrong.mse * 64 / 0.02 - constant, rtol=1e-4, atol=1e-2)


def test_without_labels_it_is_the_class_that_explains_an_image_best():
    model, labels = told_apart(), torch.tensor([2, 0, 1, 0])
    x = grays(labels)
    found = likeliest_classes(model, x / 255, torch.randn(4, 4))
    assert torch.equal(found, labels)
    told, untold = evaluate(model, x, labels), evaluate(model, x)
    assert torch.equal(told.reconstruction, untold.reconstruction)


@pytest.mark.parametrize("labels", [[0, 1, 3], [0, -1, 2]])
def test_labels_that_are_none(labels):
    with pytest.raises(ValueError, match="labels"):
        evaluate(made(), torch.zeros(3, *SHAPE, dtype=torch.uint8), torch.tensor(labels))


def test_other_families_do_not_read_labels():
    torch.manual_seed(0)
    plain = build(
        ModelConfig(
            family="vae",
            network="dense",
            image_shape=SHAPE,
            latent=4,
            encoder=(8,),
            decoder=(8,),
            likelihood="bernoulli",
        )
    )
    x = torch.zeros(2, *SHAPE, dtype=torch.uint8)
    assert torch.equal(evaluate(plain, x, torch.tensor([7, 9])).kl, evaluate(plain, x).kl)
    z = torch.randn(2, 4)
    assert torch.equal(plain.decode(z, torch.tensor([7, 9])), plain.decode(z))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A few epochs of the preset on mnist-5k, narrow: the run."""
    from explorer.training.lifecycle import train
    from explorer.training.presets import TrainConfig

    settings = {"encoder": (64,), "decoder": (64,), "latent": 3, "learning_rate": 5e-3}
    config = TrainConfig(preset="cvae", dataset="mnist-5k", epochs=8, device="cpu", umap=False, settings=settings)
    return train(config, tmp_path_factory.mktemp("conditional") / "run")


def test_it_trains_and_is_loaded(trained):
    model = load(trained.path, device="cpu")
    assert model.conditional
    assert model.config.classes == 10
    assert trained.history[-1]["test"]["elbo"] > trained.history[0]["test"]["elbo"]
    assert find(trained.path).summary.startswith("mnist-5k · dense conditional VAE · 3 latents")
    digits = dataset("mnist-5k")
    metrics = model.evaluate(digits.images, digits.labels).metrics()
    for name in ("elbo", "kl", "mse"):
        assert metrics[name] == pytest.approx(trained.metrics[name], rel=1e-5)
    wrong = model.evaluate(digits.images, (digits.labels + 1) % 10).metrics()
    assert wrong["elbo"] < metrics["elbo"] - 5  # nats: the decoder listens


def test_a_loaded_one_decodes_as_it_is_told(trained):
    model = load(trained.path, device="cpu")
    codes = model.draw(5)
    labels = [3, 1, 4, 1, 5]
    images = model.decode(codes, labels)
    for i, label in enumerate(labels):
        torch.testing.assert_close(model.decode(codes[i : i + 1], label), images[i : i + 1])
    torch.testing.assert_close(model.decode(codes), model.decode(codes, 0))
    torch.testing.assert_close(model.sample(12, seed=2), model.decode(model.draw(12, seed=2), cycle_labels(12, 10)))
    torch.testing.assert_close(model.sample(12, seed=2, labels=7), model.decode(model.draw(12, seed=2), 7))
    digits = dataset("mnist-5k").subset(range(50))
    given = model.reconstruct(digits.images, digits.labels)
    torch.testing.assert_close(given, model.decode(model.encode(digits.images).mean, digits.labels))
    best = (model.reconstruct(digits.images) - digits.images / 255).square().mean((1, 2, 3))
    assert best.mean() < (given - digits.images / 255).square().mean()
    assert len(model.decode(codes[:0], [])) == 0
    for wrong in ([0], [10] * 5, -1):
        with pytest.raises(ValueError, match="labels"):
            model.decode(codes, wrong)


def test_the_same_config_trains_the_same_weights(small_train):
    one, same = (small_train(name, preset="cvae", epochs=1, latent=2) for name in ("one", "same"))
    first, second = (load(run.path, device="cpu").network.state_dict() for run in (one, same))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert one.metrics == same.metrics


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(small_train):
    options = {"preset": "cvae", "epochs": 2, "latent": 2, "batch_size": 40}
    whole = small_train("whole", **options)
    looks = iter([False, True])
    stopped = small_train("stopped", should_stop=lambda: next(looks, True), **options)
    assert stopped.status == "cancelled"
    resumed = small_train(out=stopped.path, resume=True)
    assert resumed.metrics == whole.metrics


def test_frames_show_the_classes(tmp_path):
    """Each image by its own class, the samples class by class."""
    model = told_apart()
    labels = torch.arange(12) % 3
    images = ImageDataset("x", "test", grays(labels), labels, ["a", "b", "c"])
    FrameWriter(tmp_path, images, model).offer(1, torch.zeros(4), last=True)
    frame = read_frame(tmp_path, 1)
    shown = frame.reconstructions[:, 0, 0, 0].float() / 255
    assert shown[:3].tolist() == pytest.approx([0.25, 0.5, 0.75], abs=0.01)
    drawn = frame.samples[:, 0, 0, 0].float() / 255
    torch.testing.assert_close(drawn, cycle_labels(len(drawn), 3) / 4 + 0.25, atol=0.01, rtol=0)


def test_an_exported_decoder_takes_labels(trained, tmp_path):
    model = load(trained.path, device="cpu")
    _, decoder = export(trained.path, tmp_path)
    codes, labels = torch.randn(7, 3), torch.arange(7)
    found = torch.export.load(decoder).module()(codes, labels)
    torch.testing.assert_close(found, model.decode(codes, labels))


def test_data_without_classes(tmp_path, small_train):
    from PIL import Image

    for i in range(20):
        Image.new("L", (28, 28), 10 * i).save(tmp_path / f"{i}.png")
    with pytest.raises(ValueError, match="needs images with classes"):
        small_train("none", preset="cvae", dataset=f"folder:{tmp_path}")
