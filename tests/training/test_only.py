"""Training on one class of a data set, and weights stored as float16."""

import json

import pytest
import torch

from explorer import dataset
from explorer.__main__ import main
from explorer.checkpoints.folder import find, read_tensors
from explorer.checkpoints.model import load
from explorer.errors import DatasetError
from explorer.training.presets import TrainConfig
from tests.training.frames import read_probe

LIGHT = ("--encoder", "16", "--decoder", "16", "--device", "cpu", "--dataset", "mnist-5k", "--no-umap")


def run_main(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def sevens(tmp_path_factory):
    """A run on the sevens of mnist-5k, made by the command line."""
    path = tmp_path_factory.mktemp("only") / "run"
    assert run_main("train", "--preset", "mlp-2d", "--only", "7", "--epochs", 2, "--out", path, *LIGHT) == 0
    return path


def test_it_is_trained_and_measured_on_one_class(sevens):
    config, metrics = find(sevens).config, find(sevens).metrics
    train, test = dataset("mnist-5k", split="train"), dataset("mnist-5k")
    where = torch.nonzero(test.labels == 7).flatten()
    stored = config["dataset"]
    assert stored["only"] == "7"
    assert stored["train_images"] == int((train.labels == 7).sum())
    assert stored["test_images"] == metrics["n"] == len(where)
    assert (stored["train_sha256"], stored["test_sha256"]) == (train.fingerprint, test.fingerprint)
    model = load(sevens, device="cpu")
    assert model.classes == test.classes
    found = model.evaluate(test.images[where]).metrics()
    assert metrics["elbo"] == pytest.approx(found["elbo"], rel=1e-6)
    latents = model.latents
    assert torch.equal(latents.index, where)
    assert latents.labels.eq(7).all()
    torch.testing.assert_close(latents.mean, model.encode(test.images[where]).mean)
    assert find(sevens).summary.startswith("mnist-5k, 7 · ")


def test_frames_name_the_images_by_their_place_in_the_split(sevens):
    probe, test = read_probe(sevens), dataset("mnist-5k")
    assert test.labels[probe.index].eq(7).all()
    assert torch.equal(probe.originals, test.images[probe.index[: len(probe.originals)]])


def test_evaluate_measures_the_same_class(sevens, capsys):
    assert run_main("evaluate", sevens, "--json", "--device", "cpu") == 0
    found = json.loads(capsys.readouterr().out)
    metrics = find(sevens).metrics
    assert found["n"] == metrics["n"]
    assert found["elbo"] == pytest.approx(metrics["elbo"], rel=1e-6)


def test_a_resumed_run_keeps_to_its_class(small_train, tmp_path):
    def train(name, **options):
        return small_train(name, epochs=3, batch_size=10, only="3", **options)

    whole = train("whole")
    looks = iter([False, True])
    stopped = train("stopped", should_stop=lambda: next(looks, True))
    assert stopped.status == "cancelled"
    (stopped.path / "run.json").unlink()  # as of a checkpoint from elsewhere
    resumed = small_train(out=stopped.path, resume=True)
    assert resumed.metrics == whole.metrics
    assert find(resumed.path).config["dataset"]["only"] == "3"


@pytest.mark.parametrize(
    ("name", "sentence"), [("ten", "mnist-5k has no class 'ten': it has 0, 1, 2"), ("", "no class ''")]
)
def test_a_class_that_is_none(small_train, name, sentence):
    with pytest.raises(DatasetError, match=sentence):
        small_train(only=name)


@pytest.mark.parametrize("option", [("--only", "8"), ("--half",)], ids=" ".join)
def test_resume_keeps_to_what_was_asked(sevens, capsys, option):
    assert run_main("train", "--resume", sevens, *option) == 1
    assert f"leave {option[0]} out" in capsys.readouterr().err


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    path = tmp_path_factory.mktemp("half") / "run"
    options = ("--epochs", 1, "--half", "--batch-norm", "--likelihood", "sigma")
    assert run_main("train", "--preset", "mlp-2d", *options, "--out", path, *LIGHT) == 0
    return path


def test_half_precision_is_measured_as_it_is_stored(halved):
    weights = read_tensors(halved / "model.safetensors")
    learnt = [w for name, w in weights.items() if name.endswith((".weight", ".bias"))]
    assert len(learnt) == 12
    assert all(w.dtype == torch.float16 for w in learnt)
    assert weights["noise_variance"].dtype == weights["encoder.2.running_var"].dtype == torch.float32
    model, digits, metrics = load(halved, device="cpu"), dataset("mnist-5k"), find(halved).metrics
    assert all(w.dtype == torch.float32 for w in model.network.parameters())
    found = model.evaluate(digits.images).metrics()
    assert found["elbo"] == pytest.approx(metrics["elbo"], rel=1e-6)
    torch.testing.assert_close(model.latents.mean, model.encode(digits.images).mean)


def test_of_checkpoint_asks_for_what_was_asked(sevens, halved):
    one, other = (TrainConfig.of_checkpoint(find(path).config) for path in (sevens, halved))
    assert (one.only, one.half) == ("7", False)
    assert (other.only, other.half) == (None, True)
    assert other.settings["likelihood"] == "sigma"


def test_a_stopped_run_is_stored_in_full(small_train):
    looks = iter([False, True])
    stopped = small_train("stopped", epochs=3, half=True, batch_size=40, should_stop=lambda: next(looks, True))
    assert stopped.status == "cancelled"
    assert {w.dtype for w in read_tensors(stopped.path / "model.safetensors").values()} == {torch.float32}
    resumed = small_train(out=stopped.path, resume=True)
    assert {w.dtype for w in read_tensors(resumed.path / "model.safetensors").values()} == {torch.float16}
