"""Tiny models and runs of a few seconds' training, which the parts of the campaign damage or interrupt."""

from __future__ import annotations

import multiprocessing
import shutil
import stat
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from typing import Any

import torch

import explorer
from benchmarks.faults.folders import damage
from explorer.checkpoints.folder import find, read_history, read_tensors

_TIMES = {"seconds", "images_per_second"}
_NARROW = {"encoder": (16,), "decoder": (16,), "batch_size": 40}
_KINDS: dict[str, dict[str, Any]] = {
    "plane": {"preset": "mlp-2d", "settings": _NARROW},
    "five": {"preset": "mlp-2d", "settings": {**_NARROW, "latent": 5, "likelihood": "sigma"}},
    "plain": {"preset": "ae-2d", "settings": _NARROW},
    "classes": {"preset": "cvae", "settings": _NARROW},
}


def config(kind: str, epochs: int, **more: Any) -> explorer.TrainConfig:
    """The config of a tiny run on the embedded digits."""
    given = _KINDS[kind]
    return explorer.TrainConfig(
        dataset="mnist-5k", device="cpu", precision="float32", umap=False, epochs=epochs, **given, **more
    )


def train_sound(place: Path) -> None:
    """Trains one of each kind into `place/sound`, and one that was stopped, unless they are there."""
    if (place / "sound").is_dir():
        return
    making = place / "making"
    shutil.rmtree(making, ignore_errors=True)
    for kind in _KINDS:
        explorer.train(config(kind, 2), making / kind)
    explorer.train(config("plane", 3), making / "stopped", should_stop=iter([False] * 150 + [True] * 10**6).__next__)
    making.rename(place / "sound")


def put_damaged(place: Path, rng: Random) -> str:
    """Leaves two folders in `place/runs`, `sound` and `damaged`, and says what is wrong with the latter."""
    empty(place / "runs")
    names = sorted(path.name for path in (place / "sound").iterdir())
    one, other = rng.sample(names, 2)
    shutil.copytree(place / "sound" / other, place / "runs" / "sound")
    shutil.copytree(place / "sound" / one, place / "runs" / "damaged")
    return f"{one}, {damage(place / 'runs' / 'damaged', rng)}"


def train_undisturbed(place: Path, epochs: Mapping[str, int], **more: Any) -> None:
    """Trains into `place/undisturbed` what runs of each kind must come to, unless they are there."""
    for kind, count in epochs.items():
        if not (place / "undisturbed" / kind).is_dir():
            explorer.train(config(kind, count, **more), place / "undisturbed" / kind)


def fork_server() -> ForkServerContext:
    """Makes what starts processes that have PyTorch and the data already: see `benchmarks.faults.warm`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.faults.warm"])
    return context


def empty(folder: Path) -> None:
    """Makes a folder empty, whatever has become of what is in it."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def assert_same(one: Path, other: Path) -> None:
    """Raises AssertionError unless two runs ended in the same weights, codes, metrics and history, bit for bit."""
    for name in ("model.safetensors", "latents.safetensors"):
        a, b = read_tensors(one / name), read_tensors(other / name)
        assert set(a) == set(b), name
        assert all(torch.equal(a[key], b[key]) for key in a), name
    assert find(one).metrics == find(other).metrics, "metrics"
    lines = [[{k: v for k, v in line.items() if k not in _TIMES} for line in read_history(p)] for p in (one, other)]
    assert lines[0] == lines[1], "history"


def assert_none_damaged() -> None:
    """Raises AssertionError if the list of models has one that cannot be opened."""
    problems = [f"{info.name}: {info.problem}" for info in explorer.checkpoints() if info.problem]
    assert not problems, f"a list has a damaged model, {problems[0]}"


def assert_one_sentence(text: str) -> None:
    """Raises AssertionError unless it is a message that a person can read."""
    bad = not 0 < len(text) < 1000 or any(part in text.strip() for part in ("\n", "Traceback", "site-packages"))
    assert not bad, f"no sentence: {text[:200]!r}"
