"""Models of a few seconds' training, and damaged ones: what the tests of the app open instead of shipped models."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

import explorer

PLANE, AUTOENCODER, CONV = "runs/tiny-2d", "runs/tiny-ae", "runs/tiny-conv"

DAMAGED = {
    "runs/flipped-byte": "model.safetensors is damaged",
    "runs/missing-file": "metrics.json is missing",
    "runs/newer-schema": "newer version",
    "runs/unknown-family": "'gan' is unknown",
}
"""What is wrong with each of the damaged ones, as the app says it."""


def once(factory: pytest.TempPathFactory) -> Path:
    """The folder of all of them, made when a session first asks: the tests of pages and of the browser share it.

    Of workers that test side by side the first one trains, and each takes a copy.
    """
    folder = factory.getbasetemp() / "runs-of-the-app"
    if folder.exists():
        return folder
    if "PYTEST_XDIST_WORKER" not in os.environ:
        made = factory.mktemp("runs-being-trained")
        train_all(made)
        return made.rename(folder)
    shared = factory.getbasetemp().parent / "trained-once"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            (shared / "runs").mkdir()
            train_all(shared / "runs")
            (shared / "done").touch()
    shutil.copytree(shared / "runs", folder)
    return folder


def train_all(folder: Path) -> None:
    """Train on mnist-5k into `folder`, and damage copies."""
    one = {"dataset": "mnist-5k", "device": "cpu"}
    train(folder, PLANE, explorer.TrainConfig(preset="mlp-2d-mse", epochs=8, **one))
    train(folder, AUTOENCODER, explorer.TrainConfig(preset="ae-2d", epochs=4, seed=1, **one))
    train(folder, CONV, explorer.TrainConfig(preset="conv-100", epochs=1, settings={"latent": 8}, **one))
    damage(folder, folder / "tiny-2d")


def train(folder: Path, ident: str, config: explorer.TrainConfig) -> None:
    run = explorer.train(config, folder / ident.removeprefix("runs/"))
    assert run.status == "finished"


def damage(folder: Path, sound: Path) -> None:
    """One copy of a sound checkpoint for each way to spoil it in DAMAGED."""
    places = {ident: folder / ident.removeprefix("runs/") for ident in DAMAGED}
    for place in places.values():
        shutil.copytree(sound, place)
    weights = places["runs/flipped-byte"] / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-100] ^= 1
    weights.write_bytes(data)
    (places["runs/missing-file"] / "metrics.json").unlink()
    edit_config(places["runs/newer-schema"], schema=99)
    edit_config(places["runs/unknown-family"], model={"family": "gan"})


def edit_config(place: Path, **changes: object) -> None:
    config = json.loads((place / "config.json").read_text())
    for name, value in changes.items():
        config[name] = {**config[name], **value} if isinstance(value, dict) else value
    (place / "config.json").write_text(json.dumps(config))
