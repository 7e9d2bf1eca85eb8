"""What is measured of a model together: figures by name, and why others are absent."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from explorer import datasets, load
from explorer.checkpoints.folder import CheckpointInfo, save_measures
from explorer.checkpoints.model import Model
from explorer.errors import CheckpointError
from explorer.evaluation.measures import MEASURES, measure
from explorer.evaluation.subject import Subject
from explorer.files.locks import lock
from explorer.models import FAMILIES, build
from explorer.training.experiment import model_config
from explorer.training.presets import PRESETS, Recipe


def subject(name, count=20, **options):
    model = load(name, device="cpu")
    test = datasets.load("mnist-5k", "test").subset(range(count))
    return Subject(model, test, test, **options)


def test_every_measure_has_a_figure_or_a_reason():
    for name in ("mnist-mlp-2d", "mnist-ae-2d", "mnist-conv-100"):
        found = measure(subject(name, draws=2))
        assert set(found.values) | set(found.absent) == set(MEASURES)
        assert not set(found.values) & set(found.absent)
        assert all(reason.endswith(".") for reason in found.absent.values())
        assert all(math.isfinite(value) for value in found.values.values())


def test_more_draws_come_closer_and_bits_follow_them():
    few, many = (measure(subject("mnist-conv-100", draws=k)).values for k in (1, 30))
    assert few["log_likelihood"] < many["log_likelihood"]
    assert few["bits_per_dim"] > many["bits_per_dim"]
    elbo = measure(subject("mnist-conv-100")).values["bits_per_dim"]
    assert elbo == pytest.approx(few["bits_per_dim"], abs=0.02)
    nats = few["log_likelihood"]  # with noise of variance 1/2
    bits = 8 + math.log2(255 / 256) - nats / 784 / math.log(2) + (1 / 255**2) / 12 / math.log(2)
    assert few["bits_per_dim"] == pytest.approx(bits, abs=1e-6)


def test_a_model_without_a_prior_has_no_likelihood():
    absent = measure(subject("mnist-ae-2d", draws=2)).absent
    assert absent["log_likelihood"] == absent["bits_per_dim"] == "The model has no prior."


def test_at_least_one_draw():
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        subject("mnist-mlp-2d", draws=0)


def test_a_run_that_is_trained_keeps_no_measures(tmp_path):
    held = lock(tmp_path)
    with held, pytest.raises(CheckpointError, match="is being trained"):
        save_measures(tmp_path, {})


def test_a_model_of_one_class_is_measured_on_its_class(small_train):
    run = small_train(only="3", epochs=1)
    found = Subject.of(load(run.path, device="cpu"))
    assert found.test.labels.unique().tolist() == found.train.labels.unique().tolist() == [3]
    assert found.evaluation.metrics()["elbo"] == pytest.approx(run.metrics["elbo"], rel=1e-5)


def test_factors_are_measured_where_they_are_known():
    train, test = (datasets.load("shapes", split).subset(range(0, 4000, 40)) for split in ("train", "test"))
    found = measure(Subject(load("mnist-mlp-2d", device="cpu"), train, test))
    assert {"mig", "disentanglement", "completeness", "informativeness", "probe_accuracy"} <= set(found.values)
    assert 0 <= found.values["mig"] < 1
    assert 0 < found.values["mutual_information"] <= math.log(100)
    assert "no classifier" in found.absent["frechet_distance"]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_is_measured(family):
    recipe = next((p.recipe for p in PRESETS.values() if p.recipe.family == family and p.dataset == "mnist"), None)
    recipe = replace(Recipe(), family=family) if recipe is None else recipe
    train, test = (datasets.load("mnist-5k", split).subset(range(0, 900, 45)) for split in ("train", "test"))
    torch.manual_seed(0)
    network = build(model_config(recipe, (1, 28, 28), 10)).eval().requires_grad_(False)
    about = {"dataset": {"name": "mnist-5k"}, "classes": test.classes}
    model = Model(CheckpointInfo(family, Path(family), False, about), network, torch.device("cpu"))
    found = measure(Subject(model, train, test, draws=2))
    assert set(found.values) | set(found.absent) == set(MEASURES)
    assert all(math.isfinite(value) for value in found.values.values())
    if model.has_prior:
        assert {"log_likelihood", "frechet_distance", "knn_accuracy"} <= set(found.values)
