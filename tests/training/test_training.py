"""The training loop: what it reaches, that it repeats itself, and that stopping it changes nothing."""

import math
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import explorer
from explorer.checkpoints.folder import find, read_history, read_tensors
from explorer.checkpoints.model import load
from explorer.latents import maps
from explorer.training import experiment, loop
from explorer.training.experiment import Experiment
from explorer.training.lifecycle import train
from explorer.training.presets import TrainConfig
from explorer.training.run_folder import RunFiles
from tests.background import python

TIMES = {"seconds", "images_per_second"}


@pytest.fixture(autouse=True)
def _looks_by_steps_alone(monkeypatch):
    """A slow machine looks at the loss after a second as well: at other steps, where tests count them."""
    monkeypatch.setattr(loop, "LOOK_SECONDS", math.inf)


def weights(path):
    return read_tensors(Path(path) / "model.safetensors")


def assert_same_tensors(one, other):
    assert set(one) == set(other)
    for name in one:
        assert torch.equal(one[name], other[name]), name


def without_times(history):
    return [{k: v for k, v in line.items() if k not in TIMES} for line in history]


def assert_same_run(one, other):
    """Bit for bit: weights, codes, history and metrics, save for how long it took."""
    assert_same_tensors(weights(one.path), weights(other.path))
    assert_same_tensors(
        read_tensors(one.path / "latents.safetensors"), read_tensors(other.path / "latents.safetensors")
    )
    assert without_times(read_history(one.path)) == without_times(read_history(other.path))
    assert one.metrics == other.metrics
    assert one.status == other.status == "finished"


def resumed(run):
    """The experiment as the run's folder left it."""
    return Experiment.resume(run.path, TrainConfig(preset="", device="cpu"))


def after_each_step(monkeypatch, change):
    """Let `change` see the run, a step's sums and what the step was given; the loop goes on with what it returns."""
    make_step = loop.make_step

    def made(run):
        step = make_step(run)
        return lambda *given: change(run, step(*given), *given)

    monkeypatch.setattr(loop, "make_step", made)


def stop_at(look):
    """A `should_stop` that says yes at that look (from 1) and after."""
    looks = []

    def should_stop():
        looks.append(None)
        return len(looks) >= look

    return should_stop


SMALL = {"epochs": 3, "batch_size": 40}  # 4,000 images: 100 steps an epoch, of which the loop looks at 32, 64 and 96


@pytest.mark.parametrize("family", ["vae", "ae"])
def test_the_same_config_trains_the_same_weights(small_train, family):
    torch.manual_seed(1)
    one = small_train("one", epochs=2, family=family)
    torch.manual_seed(2)
    other = small_train("other", epochs=2, family=family)
    assert_same_run(one, other)
    different = small_train("different", epochs=2, family=family, seed=1)
    assert not torch.equal(weights(one.path)["encoder.1.weight"], weights(different.path)["encoder.1.weight"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Runs that nobody stopped, by their settings."""
    made = {}

    def get(**options):
        key = tuple(sorted(options.items()))
        if key not in made:
            config = TrainConfig(
                preset="mlp-2d",
                dataset="mnist-5k",
                device="cpu",
                epochs=options["epochs"],
                settings={"encoder": (16,), "decoder": (16,), **{k: v for k, v in options.items() if k != "epochs"}},
            )
            made[key] = train(config, tmp_path_factory.mktemp("undisturbed") / "run")
        return made[key]

    return get


@given(
    look=st.integers(1, 12),
    optimizer=st.sampled_from(["adam", "rmsprop"]),
    schedule=st.sampled_from(["constant", "cosine"]),
)
@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    small_train, undisturbed, tmp_path_factory, look, optimizer, schedule
):
    chosen = {**SMALL, "optimizer": optimizer, "schedule": schedule}
    out = tmp_path_factory.mktemp("stopped") / "run"
    run = small_train(out=out, should_stop=stop_at(look), **chosen)
    if run.status == "cancelled":
        position = read_tensors(out / "optimizer.safetensors")["position"].tolist()
        assert position[0] * 100 + position[1] < 300
        assert len(run.history) == position[0]
        assert load(out, device="cpu").sample(1).shape == (1, 1, 28, 28)
        torch.manual_seed(99)
        run = small_train(out=out, resume=True)
    assert_same_run(run, undisturbed(**chosen))


def test_a_run_may_be_stopped_again_and_again(small_train, undisturbed, tmp_path):
    run = small_train(should_stop=stop_at(1), **SMALL)
    stops = 0
    while run.status == "cancelled":
        stops += 1
        run = small_train(out=run.path, resume=True, should_stop=stop_at(1))
    assert stops > 5
    assert_same_run(run, undisturbed(**SMALL))


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_stopped_convolution_goes_on_too(small_train, monkeypatch, optimizer):
    """Its weights are laid out channels last, in which a fused Adam needs its state to be as well."""
    full = experiment.datasets.load
    monkeypatch.setattr(experiment.datasets, "load", lambda *a, **k: full(*a, **k).subset(slice(0, 400)))
    chosen = {
        "network": "conv",
        "latent": 3,
        "encoder": (4, 8),
        "decoder": (8, 4),
        "batch_size": 10,
        "epochs": 2,
        "optimizer": optimizer,
    }
    whole = small_train("whole", **chosen)
    stopped = small_train("stopped", should_stop=stop_at(1), **chosen)
    assert stopped.status == "cancelled"
    assert read_tensors(stopped.path / "optimizer.safetensors")["position"].tolist() == [0, 32]
    assert_same_run(whole, small_train("stopped", resume=True))


def test_the_optimizer_comes_back_bit_for_bit(small_train):
    run = small_train(should_stop=stop_at(2), **SMALL, optimizer="adam")
    stored = read_tensors(run.path / "optimizer.safetensors")
    assert_same_tensors({k: v for k, v in resumed(run).snapshot().items() if not k.startswith("model.")}, stored)
    assert {name.split(".")[1] for name in stored if name.startswith("optimizer.")} == {"step", "exp_avg", "exp_avg_sq"}


def test_more_epochs_may_be_asked_for_on_resuming(small_train, undisturbed):
    run = small_train(should_stop=stop_at(2), **SMALL)
    longer = small_train(out=run.path, resume=True, epochs=4)
    assert_same_run(longer, undisturbed(epochs=4, batch_size=40))


def test_random_state_of_another_device_does_not_stop_a_resumption(small_train):
    run = small_train(should_stop=stop_at(2), **SMALL)
    again = resumed(run)
    state = again.snapshot()
    state["noise"] = torch.zeros(16, dtype=torch.uint8)  # as long as a GPU's
    again.restore(state)
    assert again.at.generator.get_state().numel() > 16


def test_a_run_that_diverges_keeps_its_last_good_epoch(small_train, monkeypatch):
    """Learning rate 1e-3 for two epochs, then one that breaks everything."""
    good = small_train("good", epochs=2)
    monkeypatch.setattr(loop, "learning_rate", lambda recipe, epoch, steps, epochs: 1e-3 if epoch < 2 else 1e30)
    run = small_train("bad", epochs=5)
    assert run.status == "failed"
    assert "not finite" in run.message
    assert "step" in run.message
    assert "epoch 3" in run.message
    assert "learning rate" in run.message
    assert len(run.history) == 2
    assert all(torch.isfinite(w).all() for w in weights(run.path).values())
    assert_same_tensors(weights(run.path), weights(good.path))
    assert find(run.path).config["status"] == "failed"
    assert find(run.path).config["message"] == run.message
    assert math.isfinite(run.metrics["elbo"])
    # The cause gone, it goes on from there.
    monkeypatch.undo()
    assert small_train(out=run.path, resume=True, epochs=3).status == "finished"


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"learning_rate": 1e30, "optimizer": "rmsprop"}, "try a lower learning rate"),
        ({"beta": 1e308}, "beta is 1e+308, which makes numbers too large to compute with: try a smaller one"),
        ({"beta": 1e39, "batch_norm": True, "optimizer": "adam"}, "beta is 1e+39"),
        ({"beta": 4.0, "learning_rate": 1e30, "optimizer": "rmsprop"}, "try a lower learning rate"),
    ],
)
def test_a_run_that_diverges_at_once_is_no_model(small_train, settings, advice):
    run = small_train(epochs=3, **settings)
    assert (run.status, run.history, run.metrics) == ("failed", [], {})
    assert "of epoch 1: there is no model; " in run.message
    assert advice in run.message
    with pytest.raises(explorer.CheckpointError, match=r"config\.json is missing"):
        load(run.path, device="cpu")


def test_what_was_saved_within_the_first_epoch_is_no_model_either_when_it_diverges(small_train, monkeypatch):
    run = small_train(should_stop=stop_at(1), **SMALL)
    assert load(run.path, device="cpu").info.summary.endswith(" · stopped after 0 of 3 epochs")
    monkeypatch.setattr(loop, "learning_rate", lambda recipe, epoch, steps, epochs: 1e30)
    assert small_train(out=run.path, resume=True).status == "failed"
    assert not {"config.json", "model.safetensors", "optimizer.safetensors"} & {p.name for p in run.path.iterdir()}


def test_a_history_that_was_damaged_is_kept_and_said(small_train, undisturbed):
    run = small_train(should_stop=stop_at(10), **SMALL)
    file = run.path / "history.jsonl"
    first, second = file.read_bytes().splitlines(keepends=True)[:2]
    file.write_bytes(first[:200] + b"\0" + first[201:] + second)
    damaged = file.read_bytes()
    run = small_train(out=run.path, resume=True, should_stop=stop_at(1))
    assert [line["epoch"] for line in run.history] == [2]
    run = small_train(out=run.path, resume=True)
    assert run.message.startswith("history.jsonl was damaged: 1 of 2 epochs are missing from the curves")
    assert (run.path / "history.damaged-2.jsonl").read_bytes() == damaged
    assert [line["epoch"] for line in read_history(run.path)] == [2, 3]
    assert_same_tensors(weights(run.path), weights(undisturbed(**SMALL).path))


def test_a_history_that_lost_its_end_costs_no_epoch(small_train):
    run = small_train(should_stop=stop_at(10), **SMALL)
    (run.path / "history.jsonl").unlink()
    run = small_train(out=run.path, resume=True, should_stop=stop_at(1))
    assert run.message == "history.jsonl was damaged: 2 of 2 epochs are missing from the curves"
    assert RunFiles(run.path).status().epochs_done == 2


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_run_is_not_resumed_to_fewer_epochs_than_it_has(small_train, epochs):
    run = small_train(should_stop=stop_at(10), **SMALL)
    with pytest.raises(ValueError, match="has trained for 2 epochs already: ask for more"):
        small_train(out=run.path, resume=True, epochs=epochs)
    assert small_train(out=run.path, resume=True).status == "finished"
    with pytest.raises(ValueError, match="has trained for 3 epochs already: ask for more"):
        small_train(out=run.path, resume=True, epochs=epochs)


def test_the_step_that_is_named_is_the_one(small_train, monkeypatch):
    def spoil(run, sums):
        return sums * torch.nan if (run.at.epoch, run.at.step) == (1, 69) else sums

    after_each_step(monkeypatch, lambda run, sums, *_: spoil(run, sums))
    run = small_train(**SMALL)
    assert "at step 70 of epoch 2" in run.message


def test_it_learns_what_an_image_is(tiny_run):
    """Better than any model that decodes every code to one image, the best of which is the mean image."""
    data = {split: explorer.dataset("mnist-5k", split=split).images.float() / 255 for split in ("train", "test")}
    mean = data["train"].mean(0).clamp(1e-3, 1 - 1e-3)
    x = data["test"]
    baseline = (x * mean.log() + (1 - x) * torch.log1p(-mean)).flatten(1).sum(1).mean().item()
    assert baseline == pytest.approx(-207, abs=3)  # so that a change of the data shows
    assert tiny_run.metrics["elbo"] > baseline


@pytest.mark.slow
def test_five_epochs_are_far_better_than_the_mean_image(tmp_path):
    config = TrainConfig(preset="mlp-2d", dataset="mnist-5k", epochs=5, device="cpu")
    run = train(config, tmp_path / "run")
    assert run.metrics["elbo"] > -195
    assert [line["test"]["elbo"] for line in run.history] == sorted(line["test"]["elbo"] for line in run.history)


def test_history_and_metrics_say_the_same(small_train):
    run = small_train(epochs=2, beta=2.0)
    assert [line["epoch"] for line in run.history] == [1, 2]
    assert read_history(run.path) == run.history
    last = run.history[-1]["test"]
    assert {k: run.metrics[k] for k in last} == last
    assert last["loss"] == pytest.approx(-last["reconstruction"] + 2 * last["kl"])
    for line in run.history:
        train_terms = line["train"]
        assert train_terms["elbo"] == pytest.approx(train_terms["reconstruction"] - train_terms["kl"])
        assert train_terms["loss"] == pytest.approx(-train_terms["reconstruction"] + 2 * train_terms["kl"])
        assert sum(line["kl_by_latent"]) == pytest.approx(line["test"]["kl"], abs=1e-3)


def test_averages_over_an_epoch_are_those_of_the_images(small_train):
    """With a rate at which no weight moves, what training averages is what evaluation measures, but for its draws."""
    run = small_train(epochs=1, batch_size=300, learning_rate=1e-12)  # 300 does not divide 4,000
    images = explorer.dataset("mnist-5k", split="train").images
    expected = load(run.path, device="cpu").evaluate(images).metrics()
    for name in ("elbo", "reconstruction", "loss", "kl"):
        assert run.history[0]["train"][name] == pytest.approx(expected[name], rel=1e-3)


def test_progress_counts_every_step(small_train):
    seen = []
    small_train(on_progress=seen.append, **SMALL)
    steps = [(p.epoch, p.step) for p in seen if p.phase == "training"]
    assert steps == [(e, s) for e in (1, 2, 3) for s in (32, 64, 96, 100)]
    assert {(p.epochs, p.steps) for p in seen if p.phase == "training"} == {(3, 100)}
    assert [p.phase for p in seen][-2:] == ["mapping", "saving"]
    assert all(p.images_per_second > 0 and p.seconds_left >= 0 for p in seen if p.phase == "training")
    assert seen[-3].elbo == pytest.approx(seen[-3].reconstruction - seen[-3].kl)


@pytest.mark.parametrize("batch_size", [4001, 65_536])
def test_a_batch_larger_than_the_data_set_is_the_data_set(small_train, batch_size):
    seen = []
    run = small_train(epochs=1, batch_size=batch_size, on_progress=seen.append)
    assert run.status == "finished"
    assert seen[0].steps == 1
    assert run.history[0]["images_per_second"] <= 4000 / run.history[0]["seconds"] * 1.1
    assert seen[0].images_per_second == pytest.approx(run.history[0]["images_per_second"], rel=0.5)


def test_every_image_counts_once_an_epoch(small_train, monkeypatch):
    seen = []
    after_each_step(monkeypatch, lambda run, sums, index, *_: (seen.append(run.train_set.images[index] / 255), sums)[1])
    small_train(epochs=2, batch_size=300)  # which does not divide 4,000
    images = torch.cat(seen)
    expected = explorer.dataset("mnist-5k", split="train").images.double().sum() / 255
    assert len(images) == 8000
    assert images[:4000].double().sum().item() == pytest.approx(float(expected), rel=1e-6)
    assert images[4000:].double().sum().item() == pytest.approx(float(expected), rel=1e-6)
    assert not torch.equal(images[:4000], images[4000:])


def test_the_rate_of_each_step_follows_the_schedule(small_train, monkeypatch):
    rates = []
    after_each_step(monkeypatch, lambda run, sums, *_: (rates.append(run.optimizer.param_groups[0]["lr"]), sums)[1])
    small_train(epochs=2, schedule="cosine", learning_rate=1e-2)
    assert rates[0] == pytest.approx(1e-2)
    assert rates[40] == pytest.approx(1e-2 * (0.01 + 0.99 / 2))
    assert rates[-1] == pytest.approx(1e-4, rel=0.1)
    assert rates == sorted(rates, reverse=True)


def picture(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (28, 28), value).save(path)


def test_a_folder_of_one_image_says_what_is_missing(small_train, tmp_path):
    picture(tmp_path / "one" / "a" / "0.png", 99)
    with pytest.raises(explorer.DatasetError, match="too few images for a test set"):
        small_train(dataset=f"folder:{tmp_path / 'one'}", epochs=1)


@pytest.mark.parametrize(("family", "latent"), [("vae", 2), ("vae", 5), ("ae", 2), ("ae", 5)])
def test_one_image_to_train_on_and_one_to_test(small_train, tmp_path, family, latent):
    for split in ("train", "test"):
        picture(tmp_path / "one" / split / "a" / "0.png", 99)
    run = small_train(dataset=f"folder:{tmp_path / 'one'}", epochs=3, family=family, latent=latent)
    assert run.status == "finished"
    model = load(run.path, device="cpu")
    assert len(model.latents) == 1
    assert model.latents.maps
    assert model.sample(2).isfinite().all()
    assert model.classes == ["a"]


def test_a_final_checkpoint_has_its_maps(small_train):
    plane = load(small_train("plane", epochs=1).path, device="cpu").latents
    assert set(plane.maps) == {"plane"}
    pca = load(small_train("pca", epochs=1, latent=4).path, device="cpu").latents
    assert set(pca.maps) == {"pca"}
    assert 0.5 < pca.quality["pca"]["trustworthiness"] < 1
    assert 0.1 < pca.quality["pca"]["accuracy_codes"] <= 1


def test_a_map_that_fails_does_not_cost_the_run(small_train, tmp_path, monkeypatch):
    def dies(codes, *, seed):
        raise RuntimeError("the machine died")

    monkeypatch.setattr(maps, "fit_umap", dies)
    with pytest.raises(RuntimeError, match="died"):
        small_train(epochs=2, latent=4, umap=True)
    assert find(tmp_path / "run").config["epochs_done"] == 2
    before = weights(tmp_path / "run")

    def principal_plane(codes, *, seed):  # in place of UMAP, whose import takes longer than all that is tested here
        return maps.Map("umap", maps.pca(codes).points, codes)

    monkeypatch.setattr(maps, "fit_umap", principal_plane)
    run = small_train(out=tmp_path / "run", resume=True)
    assert run.status == "finished"
    assert_same_tensors(weights(run.path), before)
    assert set(load(run.path, device="cpu").latents.maps) == {"umap", "pca"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"preset": "mlp-9d"}, "no preset 'mlp-9d'"),
        ({"epochs": 0}, "epochs must be more than zero"),
        ({"colour": "red"}, "unknown setting"),
        ({"latent": -1}, "latent must be more than zero"),
        ({"latent": "many"}, "latent must be a whole number"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"dataset": "imagenet"}, "no data set 'imagenet'"),
        ({"network": "conv", "encoder": (4,) * 6, "decoder": (4,) * 6}, "need more than 32 pixels a side"),
    ],
)
def test_a_bad_config_is_a_value_error_and_leaves_nothing(small_train, tmp_path, options, reason):
    with pytest.raises(ValueError, match=reason):
        small_train(**options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "a" * 65])
def test_a_run_has_a_slug_for_a_name(small_train, tmp_path, name):
    with pytest.raises(ValueError, match="cannot be a run's name"):
        small_train(out=tmp_path / name)


def test_a_name_that_is_taken(small_train):
    run = small_train(epochs=1)
    before = weights(run.path)
    with pytest.raises(ValueError, match="there already"):
        small_train(epochs=1, seed=1)
    assert_same_tensors(weights(run.path), before)


def test_a_finished_run_has_nothing_to_resume(small_train, tmp_path):
    run = small_train(epochs=1)
    with pytest.raises(ValueError, match="cannot be resumed"):
        small_train(out=run.path, resume=True)
    with pytest.raises(ValueError, match="there is no checkpoint"):
        small_train(out=tmp_path / "nowhere", resume=True)


def test_other_data_cannot_be_gone_on_with(small_train, monkeypatch):
    run = small_train(should_stop=stop_at(2), **SMALL)
    full = experiment.datasets.load
    monkeypatch.setattr(experiment.datasets, "load", lambda *a, **k: full(*a, **k).subset(slice(0, 400)))
    with pytest.raises(ValueError, match="had 4,000 training images and now has 400"):
        small_train(out=run.path, resume=True)


def test_files_that_do_not_fit_together_are_a_value_error(small_train):
    from safetensors.torch import save_file

    run = small_train(should_stop=stop_at(2), **SMALL)
    state = run.path / "optimizer.safetensors"
    save_file({"position": torch.tensor([0, 32])}, state)
    sums = run.path / "SHA256SUMS"
    kept = [line for line in sums.read_text().splitlines(keepends=True) if "optimizer" not in line]
    sums.write_text("".join(kept))
    with pytest.raises(ValueError, match="do not fit together"):
        small_train(out=run.path, resume=True)


COMMAND = [
    *("-m", "explorer", "train", "--preset", "mlp-2d", "--dataset", "mnist-5k", "--device", "cpu"),
    *("--encoder", "16", "--decoder", "16", "--batch-size", "40"),
]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
ROOT = Path(__file__).parents[2]


def start(arguments):
    return python(*arguments, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(process, text):
    """Read stderr until it says so."""
    said, end = b"", time.monotonic() + 120
    assert process.stderr is not None
    while text not in said:
        assert time.monotonic() < end, said
        chunk = os.read(process.stderr.fileno(), 4096)
        assert chunk, said
        said += chunk


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_leaves_a_run_that_goes_on(small_train, undisturbed, tmp_path, number):
    with start([*COMMAND, "--epochs", "8", "--out", str(tmp_path / "run")]) as process:
        wait_for(process, b"epoch 2/8")
        time.sleep(random.Random(0).random() / 10)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert f"go on with --resume {tmp_path / 'run'}".encode() in out
    assert find(tmp_path / "run").config["status"] == "cancelled"
    assert load(tmp_path / "run", device="cpu").sample(1).shape == (1, 1, 28, 28)
    resumed = small_train(out=tmp_path / "run", resume=True)
    assert_same_run(resumed, undisturbed(epochs=8, batch_size=40))


def test_a_killed_process_leaves_what_it_had_saved(small_train, undisturbed, tmp_path):
    with start([*COMMAND, "--epochs", "8", "--save-seconds", "0", "--out", str(tmp_path / "run")]) as process:
        wait_for(process, b"epoch 3/8")
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    info = find(tmp_path / "run")
    assert info.config["status"] == "running"
    assert info.config["epochs_done"] >= 1
    assert load(tmp_path / "run", device="cpu").sample(1).shape == (1, 1, 28, 28)
    assert_same_run(small_train(out=tmp_path / "run", resume=True), undisturbed(epochs=8, batch_size=40))
