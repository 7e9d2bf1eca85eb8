"""The classifiers that ship: small, right about real images, and with features that tell good samples from bad."""

from pathlib import Path

import pytest
import torch

from explorer import datasets, load
from explorer.evaluation.classifier import FOLDER, classifier_of
from explorer.evaluation.samples import closeness, frechet_distance, memorisation
from explorer.evaluation.subject import NotMeasured, Subject

SHIPPED = sorted(file.stem for file in Path(str(FOLDER)).glob("*.safetensors"))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_is_small_and_has_its_accuracy(name):
    trained = classifier_of(name)
    assert (Path(str(FOLDER)) / f"{name}.safetensors").stat().st_size < 500_000
    assert 1.5 / trained.network.classes < trained.about["accuracy"] <= 1
    images = torch.randint(0, 256, (3, *trained.network.image_shape), dtype=torch.uint8)
    assert trained.embed(images).isfinite().all()


def test_it_tells_digits():
    digits, trained = datasets.load("mnist-5k", "test"), classifier_of("mnist-5k")
    found = trained.network.head(trained.embed(digits.images).relu()).argmax(1)
    assert (found == digits.labels).double().mean() > 0.98


def test_its_features_put_noise_and_missing_classes_far_away():
    digits, trained = datasets.load("mnist-5k", "train"), classifier_of("mnist-5k")
    real = trained.embed(datasets.load("mnist-5k", "test").images)
    noisy = (digits.images[:1000].int() + torch.randint(-99, 99, (1000, 1, 28, 28))).clamp(0, 255).to(torch.uint8)
    same, noise, few = (
        frechet_distance(trained.embed(images), real)
        for images in (digits.images[::4], noisy, digits.images[digits.labels < 5])
    )
    assert same < 0.2 * min(noise, few)


@pytest.fixture(scope="module")
def subject():
    train, test = (datasets.load("mnist-5k", split).subset(range(0, 1000, 4)) for split in ("train", "test"))
    return Subject(load("mnist-conv-100", device="cpu"), train, test)


def test_samples_are_measured(subject):
    found = closeness(subject) | memorisation(subject)
    assert found["frechet_distance"] > 0
    assert 0 <= found["recall"] <= 1
    assert 0 < found["precision"] <= 1
    assert closeness(Subject(subject.model, subject.train, subject.test)) == {k: found[k] for k in closeness(subject)}


def test_copies_are_near_and_new_images_as_far_as_the_test_set(subject):
    for drawn, expected in ((subject.train_features, 0), (subject.real_features, 1)):
        measured = Subject(subject.model, subject.train, subject.test)
        measured.__dict__["sample_features"] = drawn
        assert memorisation(measured)["memorisation"] == pytest.approx(expected, abs=0.01)


def test_images_of_another_size_have_no_features(subject):
    larger = datasets.load("mnist-5k", "test", size=32)
    with pytest.raises(NotMeasured, match="takes images of 28 x 28 pixels"):
        closeness(Subject(load("cells-both", device="cpu"), larger, larger))
