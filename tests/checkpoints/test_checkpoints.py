"""The folder format: what is saved comes back, and whatever happens to a folder is said in a sentence."""

import contextlib
import errno
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import explorer
from explorer.checkpoints.folder import find, is_slug, read, read_history, save, verify
from explorer.checkpoints.model import load
from explorer.errors import CheckpointError
from explorer.latents import Latents
from explorer.models import ModelConfig, Posterior, build

module = sys.modules["explorer.checkpoints.folder"]  # explorer.checkpoints is the function of that name

FILES = ["config.json", "metrics.json", "history.jsonl", "model.safetensors", "latents.safetensors"]
MODEL = {
    "family": "vae",
    "network": "dense",
    "image_shape": [1, 4, 4],
    "latent": 2,
    "encoder": [3],
    "decoder": [3],
    "likelihood": "bernoulli",
}
CONFIG = {
    "created": "2025-06-01T12:00:00+00:00",
    "model": MODEL,
    "dataset": {"name": "mnist-5k"},
    "classes": ["Ähre", "細胞"],
    "recipe": {"beta": 1.0},
}
METRICS = {"elbo": -12.5, "reconstruction": -10.0, "kl": 2.5, "loss": 12.5, "mse": 0.1}
HISTORY = [{"epoch": 1, "loss": 3.5}, {"epoch": 2, "loss": 2.5}]


def write(path, *, seed=0, config=None, model=MODEL, metrics=None, resume=None):
    torch.manual_seed(seed)
    network = build(ModelConfig.from_json(model))
    measured = {**METRICS, **(metrics or {})}
    if measured["elbo"] is not None:
        measured["reconstruction"] = measured["elbo"] + measured["kl"]
    terms = torch.full((5,), measured["kl"] or 0.0), torch.full((5,), measured["reconstruction"])
    latents = Latents(Posterior(torch.randn(5, 2), torch.randn(5, 2)), *terms, torch.arange(5)).to_tensors()
    save(
        path,
        config={**CONFIG, "model": model, **(config or {})},
        metrics=measured,
        history=HISTORY,
        model=network.state_dict(),
        latents=latents[0],
        latents_metadata=latents[1],
        resume=resume,
    )
    return network


def write_with(path, name):
    """A checkpoint that vouches for the file of that name: one that can be resumed, or one that has finished."""
    write(path, resume={"position": torch.tensor([1, 0])} if name == "optimizer.safetensors" else None)


def rewrite(path, name, text):
    """Change a file and vouch for the change, as somebody who means it can."""
    data = text if isinstance(text, bytes) else text.encode()
    (path / name).write_bytes(data)
    sums = dict(reversed(line.split("  ", 1)) for line in (path / "SHA256SUMS").read_text().splitlines())
    sums[name] = hashlib.sha256(data).hexdigest()
    (path / "SHA256SUMS").write_text("".join(f"{digest}  {file}\n" for file, digest in sums.items()))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty `runs`, and no shipped checkpoints."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "runs"


@pytest.fixture
def pair(runs):
    """`runs/bad`, to be damaged, beside `runs/good`."""
    write(runs / "good")
    write(runs / "bad")
    return runs


def assert_refused(runs, match):
    """`bad` is listed with its reason, cannot be loaded, and takes nothing else down."""
    listed = {c.id: c for c in explorer.checkpoints()}
    assert set(listed) == {"runs/bad", "runs/good"}
    assert listed["runs/good"].problem is None
    problem = listed["runs/bad"].problem
    assert problem is not None
    assert "\n" not in problem
    assert problem.endswith(".")
    assert match in problem
    assert listed["runs/bad"].summary == problem
    with pytest.raises(CheckpointError, match="runs/bad") as caught:
        load("runs/bad", device="cpu")
    assert "\n" not in str(caught.value)
    load("runs/good", device="cpu")


def test_what_is_saved_comes_back(runs):
    network = write(runs / "one")
    info = find("runs/one")
    assert info.problem is None
    assert info.config == {"schema": 1, **CONFIG}
    assert info.metrics == METRICS
    assert info.created == datetime(2025, 6, 1, 12, tzinfo=UTC)
    assert (info.id, info.name, info.shipped) == ("runs/one", "one", False)
    assert read_history(info.path) == HISTORY
    model = load("runs/one", device="cpu")
    expected = network.state_dict()
    found = model.network.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    assert model.classes == ["Ähre", "細胞"]
    assert len(model.latents) == 5


def test_a_summary_is_one_line(runs):
    write(runs / "one")
    write(runs / "two", model={**MODEL, "family": "ae"}, metrics={"elbo": None, "kl": None})
    write(runs / "three", metrics={"active_units": 1})
    assert find("runs/one").summary == "mnist-5k · dense VAE · 2 latents · squared error 0.1000"
    assert find("runs/two").summary == "mnist-5k · dense autoencoder · 2 latents · squared error 0.1000"
    assert find("runs/three").summary == "mnist-5k · dense VAE · 2 latents, 1 active · squared error 0.1000"


def test_they_are_listed_newest_first_shipped_or_not(runs):
    days = {"a": "2025-01-02", "b": "2025-01-03T00:00:00", "c": "2025-01-01T23:00:00+00:00"}  # with and without zone
    for name, day in days.items():
        write((module.SHIPPED if name == "c" else runs) / name, config={"created": day})
    listed = explorer.checkpoints()
    assert [c.id for c in listed] == ["runs/b", "runs/a", "c"]
    assert [c.shipped for c in listed] == [False, False, True]


def test_a_shipped_one_goes_by_its_name_and_an_own_one_by_runs(runs):
    write(module.SHIPPED / "same", metrics={"elbo": -1.0})
    write(runs / "same", metrics={"elbo": -2.0})
    write(runs / "mine", metrics={"elbo": -3.0})
    assert find("same").metrics["elbo"] == -1.0
    assert find("runs/same").metrics["elbo"] == -2.0
    assert find("mine").id == find("runs/mine").id == "runs/mine"
    assert find(runs / "same").metrics["elbo"] == -2.0
    assert find(str(runs / "same")).path == runs / "same"


def test_no_folder_is_no_checkpoints(runs):
    assert explorer.checkpoints() == []
    with pytest.raises(CheckpointError, match="there is no checkpoint 'first'; there are: none"):
        find("first")


def test_sha256sum_accepts_it(runs):
    if shutil.which("sha256sum") is None:
        pytest.skip("there is no sha256sum here")
    write(runs / "one", resume={"position": torch.tensor([1, 0])})
    found = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=runs / "one", capture_output=True, text=True, check=True
    )
    vouched = [*FILES, "optimizer.safetensors"]
    vouched.remove("history.jsonl")  # which grows while the run can go on
    assert sorted(found.stdout.splitlines()) == sorted(f"{name}: OK" for name in vouched)


@pytest.mark.parametrize("name", [*FILES, "optimizer.safetensors"])
@given(data=st.data())
@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_noticed(tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("flipped") / "run"
    write_with(folder, name)
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    (folder / name).write_bytes(content)
    problem = read(folder).problem
    assert problem is not None
    assert problem.endswith(".")
    assert "\n" not in problem
    with pytest.raises(CheckpointError):
        load(folder, device="cpu")


@pytest.mark.parametrize("name", [*FILES, "optimizer.safetensors", "SHA256SUMS"])
def test_a_missing_file(pair, name):
    write_with(pair / "bad", name)
    (pair / "bad" / name).unlink()
    assert_refused(pair, f"{name} is missing")


@pytest.mark.parametrize("name", [*FILES, "optimizer.safetensors", "SHA256SUMS"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_file_that_is_cut_short(pair, name, share):
    write_with(pair / "bad", name)
    content = (pair / "bad" / name).read_bytes()
    (pair / "bad" / name).write_bytes(content[: int(share * len(content))])
    assert_refused(pair, "SHA256SUMS" if name == "SHA256SUMS" else name)


@pytest.mark.parametrize("name", [*FILES, "SHA256SUMS"])
def test_a_file_that_is_a_folder(pair, name):
    (pair / "bad" / name).unlink()
    (pair / "bad" / name).mkdir()
    assert_refused(pair, name)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"schema": 2}, "newer version (schema 2; this one reads up to 1)"),
        ({"schema": 10**6}, "newer version"),
        ({"schema": "1"}, "no schema version"),
        ({"schema": None}, "no schema version"),
        ({"schema": 0}, "no schema version"),
        ({"schema": True}, "no schema version"),
        ({"model": {**MODEL, "family": "gan"}}, "model family 'gan' is unknown"),
        ({"model": {**MODEL, "family": ["vae"]}}, ""),
        (
            {"model": {**MODEL, "network": "transformer"}},
            "network must be one of dense, conv, residual, residual-half, not 'transformer'",
        ),
        ({"model": {**MODEL, "likelihood": "poisson"}}, "likelihood must be one of bernoulli, gaussian, sigma"),
        ({"model": {**MODEL, "network": "conv", "encoder": [2] * 6, "decoder": [2] * 6}}, "more than 32 pixels a side"),
        ({"model": {**MODEL, "latent": 10**9}}, "latent must be at most 4,096"),
        ({"model": {**MODEL, "latent": float("inf")}}, "latent must be a whole number"),
        ({"model": {**MODEL, "encoder": "wide"}}, ""),
        ({"model": {**MODEL, "colour": "red"}}, "unknown model setting 'colour'"),
        ({"model": {k: v for k, v in MODEL.items() if k != "latent"}}, "latent"),
        ({"model": None}, "model or data set is missing"),
        ({"dataset": {"name": 3}}, "model or data set is missing"),
        ({"dataset": []}, "model or data set is missing"),
        ({"classes": 7}, "classes"),
        ({"recipe": [1]}, "recipe"),
        ({"created": "yesterday"}, "created must be a date and time, not 'yesterday'"),
        ({"created": 5}, "created must be a date and time"),
        ({"created": None}, "created must be a date and time"),
    ],
)
def test_a_config_of_another_kind(pair, change, match):
    rewrite(pair / "bad", "config.json", json.dumps({"schema": 1, **CONFIG, **change}))
    assert_refused(pair, match)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", '"schema"', "\x00\x01", b"\xff\xfe{}", "[" * 100_000, '{"schema": 1}']
)
def test_a_config_that_is_none(pair, text):
    rewrite(pair / "bad", "config.json", text)
    assert_refused(pair, "config.json")


@pytest.mark.parametrize("text", ["", "[]", "null", '{"elbo": "much"}', '{"elbo": [1]}', "[" * 100_000])
def test_metrics_that_are_none(pair, text):
    rewrite(pair / "bad", "metrics.json", text)
    assert_refused(pair, "")


@pytest.mark.parametrize("name", ["../good/config.json", "/etc/passwd", "a/b", "", "..", ".", "a\0b"])
def test_sums_that_name_a_file_elsewhere(pair, name):
    with (pair / "bad" / "SHA256SUMS").open("a") as f:
        f.write(f"{hashlib.sha256(b'').hexdigest()}  {name}\n")
    assert_refused(pair, "")


def test_sums_that_leave_a_file_out(pair):
    sums = (pair / "bad" / "SHA256SUMS").read_text().splitlines(keepends=True)
    (pair / "bad" / "SHA256SUMS").write_text("".join(line for line in sums if "model.safetensors" not in line))
    assert_refused(pair, "does not vouch for model.safetensors")


def test_weights_of_another_model(pair):
    rewrite(pair / "bad", "config.json", json.dumps({"schema": 1, **CONFIG, "model": {**MODEL, "encoder": [4]}}))
    with pytest.raises(CheckpointError, match="its weights do not fit its config") as caught:
        load("runs/bad", device="cpu")
    assert "\n" not in str(caught.value)


def test_sizes_that_would_fill_the_memory_are_never_allocated(pair):
    huge = {**MODEL, "encoder": [65_536, 65_536, 65_536], "decoder": [65_536, 65_536, 65_536]}  # 70 GB
    rewrite(pair / "bad", "config.json", json.dumps({"schema": 1, **CONFIG, "model": huge}))
    with pytest.raises(CheckpointError, match="do not fit"):
        load("runs/bad", device="cpu")


class Trap:
    """Unpickling it would leave a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "latents.safetensors"])
def test_a_pickle_is_never_unpickled(pair, tmp_path, name):
    sprung = tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    assert pickle.loads(trap) is None
    assert sprung.exists()  # the trap works
    sprung.unlink()
    torch.save({"weights": Trap(sprung)}, tmp_path / "torch")
    for content in (trap, (tmp_path / "torch").read_bytes()):
        rewrite(pair / "bad", name, content)
        with pytest.raises(CheckpointError, match=f"{name} is damaged"):
            _ = load("runs/bad", device="cpu").latents
    explorer.checkpoints()
    assert not sprung.exists()


def test_latents_of_another_kind(pair):
    from safetensors.torch import save as tensor_bytes

    for tensors in ({}, {"index": torch.arange(3)}, {"kept_latents": torch.tensor([9]), "index": torch.arange(3)}):
        rewrite(pair / "bad", "latents.safetensors", tensor_bytes(tensors))
        with pytest.raises(
            CheckpointError, match=r"latents\.safetensors is damaged: [a-z_]+ (is missing|has the shape)"
        ):
            _ = load("runs/bad", device="cpu").latents


def test_a_foreign_folder_is_listed_with_its_reason(pair):
    shutil.rmtree(pair / "bad")
    (pair / "bad").mkdir()
    (pair / "bad" / "weights.h5").write_bytes(b"\x89HDF")
    assert_refused(pair, "config.json is missing")


def test_what_is_hidden_or_a_file_is_not_listed(runs):
    write(runs / "one")
    (runs / "notes.txt").write_text("mine")
    for name in (".git", ".ipynb_checkpoints", ".one.abc.tmp", "not a slug"):
        (runs / name).mkdir()
    assert [c.id for c in explorer.checkpoints()] == ["runs/one"]


@pytest.mark.parametrize("name", ["a.tmp", "a.older", "a.older.older", "A-1_b.c"])
def test_a_slug_of_any_ending_is_listed(runs, name):
    write(runs / name)
    assert [c.id for c in explorer.checkpoints()] == [f"runs/{name}"]
    assert find(f"runs/{name}").problem is None


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/a", "-a", ".a", "a b", "a\n", "a\0", "ü", "a" * 65])
def test_what_is_no_slug(name):
    assert not is_slug(name)


@pytest.mark.parametrize("name", ["a", "mnist-mlp-2d", "A_1.b", "0", "a" * 64])
def test_what_is_a_slug(name):
    assert is_slug(name)


@pytest.mark.parametrize(
    "name", ["../outside", "runs/../../outside", "runs/../../../etc", "./../outside", "x/../../outside", ".."]
)
def test_a_name_that_climbs_is_refused_though_there_is_something(runs, tmp_path, monkeypatch, name):
    write(tmp_path / "outside")
    write(runs / "one")
    monkeypatch.chdir(runs)
    with pytest.raises(CheckpointError, match="there is no checkpoint") as caught:
        load(name, device="cpu")
    assert str(caught.value).endswith("there are: runs/one")
    load(Path("..") / "outside", device="cpu")  # a path, meant as one


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000, "runs/", "runs/.hidden", "/", "a\nb", "-", "\udcff/x"])
def test_an_odd_name_is_a_checkpoint_error(runs, name):
    with pytest.raises(CheckpointError):
        find(name)


@given(name=st.text(max_size=30))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_checkpoint_error(runs, name):
    with pytest.raises(CheckpointError):
        find(name)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_second_save_replaces_the_first(runs):
    write(runs / "one", metrics={"elbo": -1.0}, resume={"position": torch.tensor([1, 0])})
    write(runs / "one", metrics={"elbo": -2.0})
    assert find("runs/one").metrics["elbo"] == -2.0
    assert names(runs) == ["one"]
    assert names(runs / "one") == sorted([*FILES, "SHA256SUMS"])


def test_a_full_disk_leaves_what_was_there(runs, monkeypatch):
    write(runs / "one", metrics={"elbo": -1.0})
    done = []

    def full(descriptor):
        done.append(descriptor)
        if len(done) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(runs / "one", metrics={"elbo": -2.0})
    assert find("runs/one").metrics["elbo"] == -1.0
    assert names(runs) == ["one"]


class Death(BaseException):
    """The machine goes down: nothing after it happens, not even the cleaning up."""


def die_at(monkeypatch, moment):
    """Die at that step (from 1) of those that change what is on the disk; the steps taken are in the list."""
    steps = []

    def dying(original):
        def step(*args, **options):
            steps.append(original)
            if len(steps) == moment:
                raise Death
            return original(*args, **options)

        return step

    for owner, name in ((os, "replace"), (os, "fsync"), (Path, "rename"), (Path, "unlink"), (Path, "rmdir")):
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    return steps


def weights_of(seed):
    torch.manual_seed(int(seed))
    return build(ModelConfig.from_json(MODEL)).state_dict()["decoder.0.bias"]


LOOKS = [lambda: explorer.checkpoints()[0], lambda: find("runs/one")]


@pytest.mark.parametrize("look", LOOKS)
def test_after_a_crash_at_any_moment_all_of_a_save_is_there_or_nothing(runs, monkeypatch, look):
    """From a run that can be resumed to one that has finished: files change, come and go."""
    with monkeypatch.context() as patched:
        steps = die_at(patched, 0)
        write(runs / "counted", seed=1, metrics={"elbo": -1.0}, resume={"position": torch.tensor([1, 0])})
        write(runs / "counted", seed=2, metrics={"elbo": -2.0})
    shutil.rmtree(runs / "counted")
    seen = []
    for moment in range(1, len(steps) // 2 + 3):
        shutil.rmtree(runs / "one", ignore_errors=True)
        write(runs / "one", seed=1, metrics={"elbo": -1.0}, resume={"position": torch.tensor([1, 0])})
        with monkeypatch.context() as patched, contextlib.suppress(Death):
            die_at(patched, moment)
            write(runs / "one", seed=2, metrics={"elbo": -2.0})
        info = look()
        assert info.problem is None
        assert (runs / "one" / "optimizer.safetensors").exists() == (info.metrics["elbo"] == -1.0)
        opened = load("runs/one", device="cpu")
        assert torch.equal(opened.network.state_dict()["decoder.0.bias"], weights_of(-info.metrics["elbo"]))
        seen.append(info.metrics["elbo"])
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {-1.0, -2.0}
    write(runs / "one", metrics={"elbo": -3.0})
    assert find("runs/one").metrics["elbo"] == -3.0
    assert names(runs / "one") == sorted([*FILES, "SHA256SUMS"])


def test_several_readers_may_finish_the_same_save(runs, monkeypatch):
    write(runs / "one", metrics={"elbo": -1.0})
    with monkeypatch.context() as patched, contextlib.suppress(Death):
        die_at(patched, 12)
        write(runs / "one", metrics={"elbo": -2.0})
    assert (runs / "one" / ".commit").is_dir()
    found = []
    readers = [threading.Thread(target=lambda: found.append(find("runs/one").metrics["elbo"])) for _ in range(6)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found == [-2.0] * 6
    assert names(runs / "one") == sorted([*FILES, "SHA256SUMS"])


def test_a_live_history_is_no_damage_and_a_finished_one_is_vouched_for(runs):
    write(runs / "one", resume={"position": torch.tensor([1, 0])})
    history = runs / "one" / "history.jsonl"
    history.write_text(history.read_text() + '{"epoch": 99}\n')
    assert find("runs/one").problem is None
    write(runs / "one")
    history.write_text(history.read_text() + '{"epoch": 99}\n')
    assert "history.jsonl is damaged" in (explorer.checkpoints()[0].problem or "")


def test_a_run_that_has_saved_nothing_yet_is_no_damaged_checkpoint(runs):
    (runs / "begun").mkdir(parents=True)
    (runs / "begun" / "run.json").write_text("{}")
    assert explorer.checkpoints() == []


def test_readers_never_see_half_a_checkpoint(runs):
    """A page lists and opens while a run saves; either may look between two moves of the other's."""
    path = runs / "one"
    write(path, seed=0)
    failures, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            try:
                failures.extend(c.problem for c in explorer.checkpoints() if c.problem)
            except Exception as error:
                failures.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for seed in range(1, 60):
            write(path, seed=seed, metrics={"elbo": float(-seed)})
    finally:
        stop.set()
        thread.join()
    assert not failures
    assert find("runs/one").metrics["elbo"] == -59.0
    assert names(runs) == ["one"]


def test_what_is_opened_while_a_run_saves_is_of_one_save(runs, monkeypatch):
    """A save comes in between the look at the metrics and that at the codes, which are then of different weights."""
    opening = sys.modules["explorer.checkpoints.model"]
    write(runs / "one", metrics={"elbo": -1.0})
    look, saves = opening.read_tensors, iter([1, 2])

    def slow(file):
        found = look(file)
        if (number := next(saves, None)) is not None:
            write(runs / "one", seed=number, metrics={"elbo": -10.0 * number})
        return found

    monkeypatch.setattr(opening, "read_tensors", slow)
    model = load("runs/one", device="cpu")
    assert model.info.metrics["elbo"] == -20.0
    assert float((model.latents.reconstruction - model.latents.kl).mean()) == -20.0
    assert torch.equal(model.network.state_dict()["decoder.0.bias"], weights_of(2))


def test_a_history_line_that_was_cut_short_is_left_out(tmp_path):
    (tmp_path / "history.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')
    assert read_history(tmp_path) == [{"epoch": 1}, {"epoch": 2}]
    assert read_history(tmp_path / "nowhere") == []


def test_verify_passes_what_save_wrote(runs):
    write(runs / "one")
    verify(runs / "one")


# What ships. The list is that of the folder, whatever is in it.
SHIPPED = [c for c in explorer.checkpoints() if c.shipped]
each_shipped = pytest.mark.parametrize("info", SHIPPED, ids=[c.id for c in SHIPPED])


def test_the_models_that_ship():
    assert {c.id for c in SHIPPED} >= {
        "mnist-mlp-2d",
        "mnist-mlp-2d-mse",
        "mnist-ae-2d",
        "mnist-conv-100",
        "mnist-vamp-2d",
        "mnist-ladder",
        "mnist-residual-mixture",
        "fashion-mlp-2d",
        "fashion-conv-32",
        "cells-healthy-linear",
        "cells-infected-linear",
        "cells-healthy-conv",
        "cells-infected-conv",
        "cells-both",
        "textures-vq",
        "cifar-vq",
    }


def size(path):
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def test_all_that_ship_are_under_60_megabytes():
    assert sum(size(c.path) for c in SHIPPED) < 60e6


@each_shipped
def test_a_shipped_one_is_whole_and_small(info):
    assert info.problem is None
    verify(info.path)
    assert size(info.path) < 5e6
    assert not (info.path / "optimizer.safetensors").exists()
    model = load(info.id, device="cpu")
    assert model.sample(4).shape == (4, *model.image_shape)
    assert info.config["status"] == "finished"
    assert len(read_history(info.path)) == info.config["epochs_done"] == info.config["recipe"]["epochs"]
    latents = model.latents
    assert len(latents) == info.metrics["n"] == info.config["dataset"]["test_images"]
    assert latents.labels is not None
    only = info.config["dataset"].get("only")
    expected = range(len(model.classes)) if only is None else [model.classes.index(only)]
    assert set(latents.labels.tolist()) == set(expected)
    assert set(latents.maps) == ({"plane"} if model.latent == 2 else {"umap", "pca"})
    for name, m in latents.maps.items():
        assert m.points.shape == (len(latents), 2)
        assert torch.isfinite(m.points).all()
        assert all(0 <= value <= 1 for value in latents.quality[name].values())
        torch.testing.assert_close(m.place(latents.mean[:100]), m.points[:100], rtol=0.02, atol=0.05)


@pytest.mark.data
@each_shipped
def test_a_shipped_one_measures_what_it_says(info, data_root):
    model = load(info.id, device="cpu")
    data = explorer.dataset(info.config["dataset"]["name"], split="test", root=data_root)
    only = info.config["dataset"].get("only")
    where = torch.arange(len(data)) if only is None else data.positions_of(only)
    latents, metrics = model.latents, info.metrics
    assert torch.equal(latents.labels, data.labels[latents.index])
    assert latents.group == (None if data.group is None else [data.group[i] for i in latents.index.tolist()])
    every = torch.arange(len(latents))
    assert len(where) == metrics["n"]
    whole = model.network.entries is None
    if not whole:  # nothing is drawn, so that a part of the images has the figures that it had
        assert torch.equal(latents.index, where)
        elbo = latents.reconstruction - latents.kl
        for name, values in {"reconstruction": latents.reconstruction, "kl": latents.kl, "elbo": elbo}.items():
            assert values.double().mean().item() == pytest.approx(metrics[name], rel=1e-3)
        order = torch.randperm(len(where), generator=torch.Generator().manual_seed(0))
        every = order[: len(where) // 8].sort().values
        where = where[every]
    seen = data.subset(where)
    found = model.evaluate(seen.images, seen.labels, seed=metrics["measured_on"]["seed"])
    again = found.metrics(info.config["recipe"]["beta"])
    assert again["mse"] == pytest.approx(metrics["mse"], rel=1e-3 if whole else 0.2)
    if whole:
        for name in ("elbo", "reconstruction", "kl", "loss"):
            assert again[name] == (None if metrics[name] is None else pytest.approx(metrics[name], rel=1e-3))
        assert abs(again["active_units"] - metrics["active_units"]) <= 1
    rows = torch.searchsorted(where, latents.index[every])
    by_latent = latents.kl_by_latent  # none where latents are not charged one by one
    kept = torch.ones(model.latent, dtype=torch.bool) if by_latent is None else found.kl_by_group > 1e-2
    same = torch.ones(len(rows), dtype=torch.bool)
    if not whole:  # where two entries are as near, a rounding decides
        same = (latents.mean[every] - found.posterior.mean[rows]).abs().amax(1) < 2e-3
        assert same.float().mean() > 0.99
    every, rows = every[same], rows[same]
    for stored, computed in ((latents.mean, found.posterior.mean), (latents.posterior.logvar, found.posterior.logvar)):
        torch.testing.assert_close(stored[every][:, kept], computed[rows][:, kept], rtol=2e-3, atol=2e-3)
    torch.testing.assert_close(latents.kl[every], found.kl[rows], rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(latents.reconstruction[every], found.reconstruction[rows], rtol=1e-3, atol=0.1)


@pytest.mark.skipif("mnist-conv-100" not in {c.id for c in SHIPPED}, reason="mnist-conv-100 is not here")
def test_conv_100_is_as_good_as_published():
    assert find("mnist-conv-100").metrics["loss"] <= 28.2  # SciNet 2022: 28.217
