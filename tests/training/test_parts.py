"""Training on after the end, stopping early, and keeping the best epoch: alone, in stages, and after being killed."""

from __future__ import annotations

import importlib
import itertools

import pytest
import torch

import explorer
from explorer.checkpoints.folder import SHIPPED, read_history, read_tensors
from explorer.models import FAMILIES, register
from explorer.training import experiment
from explorer.training.presets import TrainConfig

SMALL = {"batch_size": 10}  # 400 images: 40 steps an epoch, of which the loop looks at 32 and 40


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    full = experiment.datasets.load
    monkeypatch.setattr(experiment.datasets, "load", lambda *a, **k: full(*a, **k).subset(slice(0, 400)))


@pytest.fixture
def scripted(monkeypatch):
    """Lets a run have these test ELBOs, epoch by epoch, whatever it learns."""

    def script(*elbos):
        judge = experiment.Experiment.end_epoch

        def end_epoch(run, test):
            return judge(run, {**test, "elbo": elbos[run.at.epoch]})

        monkeypatch.setattr(experiment.Experiment, "end_epoch", end_epoch)

    return script


@pytest.fixture
def staged():
    """The family of two stages that only tests know."""
    with pytest.MonkeyPatch.context() as patch:
        for part in ("_things", "_words"):
            patch.setattr(FAMILIES, part, dict(getattr(FAMILIES, part)))
        for module, family in (("bits", "BitModel"), ("staged_bits", "StagedBits")):
            register(getattr(importlib.import_module(f"tests.families.{module}"), family))
        yield {"family": "staged-bits", "latent": 3, **SMALL}


def weights(run):
    return read_tensors(run.path / "model.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stop_at(look):
    looks = itertools.count(1)
    return lambda: next(looks) >= look


def assert_same_run(one, other):
    assert same(weights(one), weights(other))
    assert one.metrics == other.metrics
    assert one.message == other.message
    rates = [[line["learning_rate"] for line in read_history(run.path)] for run in (one, other)]
    assert rates[0] == rates[1]


def restarted_until_it_ends(small_train, name, **options):
    """Trains with a stop at every look."""
    run = small_train(name, should_stop=stop_at(1), **options)
    while run.status == "cancelled":
        run = small_train(out=run.path, resume=True, should_stop=stop_at(1))
    return run


# --- training on ---------------------------------------------------------------------------------------------------


def test_a_finished_run_trains_on_as_if_it_had_been_asked_for_all_at_once(small_train):
    whole = small_train("whole", epochs=4, **SMALL)
    first = small_train("first", epochs=2, **SMALL)
    longer = small_train(out=first.path, resume=True, epochs=4)
    assert_same_run(longer, whole)
    assert [line["epoch"] for line in read_history(longer.path)] == [1, 2, 3, 4]
    info = explorer.load(longer.path, device="cpu").info
    assert (info.config["epochs_done"], info.config["recipe"]["epochs"], info.config["plan"]) == (4, 4, [2, 2])


@pytest.mark.parametrize("moment", [None, 2], ids=["ended", "stopped"])
def test_more_epochs_have_a_schedule_of_their_own_and_no_new_warm_up(small_train, moment):
    options = {"schedule": "cosine", "warmup_share": 0.5, "beta": 2.0, **SMALL}
    run = small_train("run", epochs=4, should_stop=moment and stop_at(moment), **options)
    run = small_train(out=run.path, resume=True, epochs=8)
    rates, betas = ([line[name] for line in run.history] for name in ("learning_rate", "beta"))
    assert rates[:4] == rates[4:]
    assert betas == [1.0] + 7 * [2.0]


def test_what_was_planned_stays_when_a_run_is_asked_for_more_or_less(small_train):
    options = {"schedule": "cosine", **SMALL}
    whole = small_train("whole", epochs=4, **options)
    run = small_train("run", epochs=4, should_stop=stop_at(2), **options)
    run = small_train(out=run.path, resume=True, epochs=6, should_stop=stop_at(3))
    run = small_train(out=run.path, resume=True, epochs=4)
    assert_same_run(run, whole)
    less = small_train("less", epochs=4, should_stop=stop_at(3), **options)
    less = small_train(out=less.path, resume=True, epochs=3)
    assert [line["learning_rate"] for line in less.history] == [line["learning_rate"] for line in whole.history][:3]


def test_more_epochs_train_the_last_stage(small_train, staged):
    run = small_train("run", epochs=3, **staged)
    before = explorer.load(run.path, device="cpu").network.state_dict()
    run = small_train(out=run.path, resume=True, epochs=9)  # a third of which would be 3, and the first stage 6
    after = explorer.load(run.path, device="cpu").network.state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"on"}
    stopped = small_train("stopped", epochs=3, should_stop=stop_at(5), **staged)
    assert len(stopped.history) == 2
    assert_same_run(small_train(out=stopped.path, resume=True, epochs=9), run)


def test_a_run_that_trains_on_may_be_stopped_again_and_again(small_train):
    whole = small_train("whole", epochs=3, schedule="one-cycle", **SMALL)
    whole = small_train(out=whole.path, resume=True, epochs=5)
    run = restarted_until_it_ends(small_train, "run", epochs=3, schedule="one-cycle", **SMALL)
    run = small_train(out=run.path, resume=True, epochs=5, should_stop=stop_at(1))
    while run.status == "cancelled":
        run = small_train(out=run.path, resume=True, should_stop=stop_at(1))
    assert_same_run(run, whole)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"half": True}, "as of all runs in half precision; train it anew without"),
        ({"train_on": False}, "the optimiser's state was not kept; train it anew with its settings"),
    ],
)
def test_a_run_without_its_state_says_why_it_cannot_train_on(small_train, options, reason):
    run = small_train(epochs=1, **options, **SMALL)
    assert not (run.path / "optimizer.safetensors").exists()
    with pytest.raises(ValueError, match=f"it has finished, after 1 epochs, and .*{reason}"):
        small_train(out=run.path, resume=True, epochs=2)


def test_a_model_that_ships_cannot_train_on():
    with pytest.raises(ValueError, match="as of all models that ship; train a model of your own with its settings"):
        explorer.train(TrainConfig(preset="", epochs=100), SHIPPED / "mnist-mlp-2d", resume=True)


# --- stopping early, keeping the best ------------------------------------------------------------------------------


def test_it_stops_early_and_keeps_the_best(small_train, scripted):
    two = small_train("two", epochs=2, **SMALL)
    scripted(-5.0, -3.0, -4.0, -3.0, -2.0)
    run = small_train(epochs=9, patience=2, keep_best=True, **SMALL)
    assert len(run.history) == 4
    assert run.message == (
        "It stopped early, after epoch 4: the last 2 epochs were no better. Kept: epoch 2, whose test ELBO is highest."
    )
    assert same(weights(run), weights(two))
    assert run.metrics["elbo"] == run.history[1]["test"]["elbo"]
    assert not explorer.load(run.path, device="cpu").info.unfinished


def test_patience_waits_for_the_end_of_warm_up(small_train, scripted):
    scripted(-1.0, -2.0, -3.0, -4.0, -5.0, -6.0)
    assert len(small_train(epochs=6, patience=1, warmup_epochs=3, **SMALL).history) == 4


def test_without_an_elbo_it_is_the_loss_that_counts(small_train):
    run = small_train(epochs=3, family="ae", keep_best=True, **SMALL)
    best = min(run.history, key=lambda line: line["test"]["loss"])["epoch"]
    assert run.message == f"Kept: epoch {best}, whose loss on the test images is lowest."


def test_each_stage_stops_by_itself(small_train, staged, scripted):
    scripted(-5.0, -3.0, -4.0, -9.0, -8.0, -7.0, -7.5, -6.0)
    run = small_train(epochs=15, patience=1, keep_best=True, **staged)
    assert [line["epoch"] for line in run.history] == list(range(1, 8))
    assert run.message == (
        "Stage 1 stopped early, after epoch 3: the last epoch was no better. "
        "Kept of stage 1: epoch 2, whose test ELBO is highest. "
        "Stage 2 stopped early, after epoch 7: the last epoch was no better. "
        "Kept of stage 2: epoch 6, whose test ELBO is highest."
    )
    again = restarted_until_it_ends(small_train, "again", epochs=15, patience=1, keep_best=True, **staged)
    assert_same_run(again, run)


def test_a_run_that_stopped_early_trains_on_from_what_was_kept(small_train, scripted):
    scripted(-5.0, -3.0, -4.0, -3.5, -2.0, -2.5, -2.6)
    run = small_train(epochs=9, patience=1, keep_best=True, **SMALL)
    assert len(run.history) == 3
    run = small_train(out=run.path, resume=True, epochs=6)
    assert run.message.endswith("Kept: epoch 5, whose test ELBO is highest.")
    assert len(run.history) == 6
