"""Damaged checkpoints and runs: listed with a reason, or opened with numbers that are finite and fit each other."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import torch

import explorer
from benchmarks.faults.sound import assert_one_sentence, put_damaged, train_sound
from explorer import runs
from explorer.checkpoints.model import Model, load
from explorer.errors import CheckpointError


def prepare(place: Path) -> None:
    """Trains what is damaged."""
    train_sound(place)


def attempt(place: Path, rng: Random) -> str:
    """Damages one, lists all, and opens it unless the list says what is wrong."""
    said = put_damaged(place, rng)
    try:
        found = {info.name: info for info in explorer.checkpoints()}
        names = {info.name for info in runs.runs()}
        assert "sound" in found, "the one beside it is gone from the list"
        assert found["sound"].problem is None, found["sound"].problem
        assert "sound" in names or not (place / "runs" / "sound" / "run.json").exists(), "the sound run is not listed"
        if "damaged" not in found:
            return f"{said}: not listed as a model"
        if found["damaged"].problem:
            assert_one_sentence(found["damaged"].problem)
            return f"{said}: {found['damaged'].problem}"
        _assert_finite(found["damaged"].metrics)
        try:
            _use(load("runs/damaged", device="cpu"))
        except CheckpointError as error:
            assert_one_sentence(str(error))
            return f"{said}: {error}"
        return f"{said}: opens"
    except Exception as error:
        error.add_note(said)
        raise


def _use(model: Model) -> None:
    """Raises AssertionError unless what a screen shows of it is finite and fits."""
    stored = model.latents
    count = len(stored)
    finite = (stored.mean, stored.kl, stored.reconstruction)
    assert all(bool(torch.isfinite(values).all()) for values in finite), "codes or terms are not finite"
    assert all(len(values) == count for values in finite), "lengths differ"
    assert stored.mean.shape[1] == model.latent, "codes have another length"
    assert bool((stored.index >= 0).all()), "a row's item is negative"
    assert len(set(stored.index.tolist())) == count, "rows share an item"
    if stored.labels is not None:
        classes = max(len(model.classes), 1)
        assert bool(((stored.labels >= 0) & (stored.labels < classes)).all()), "a label is no class"
    for one in stored.maps.values():
        assert one.points.shape == (count, 2), "a map has another length"
        assert bool(torch.isfinite(one.points).all()), "a map has points that are not finite"
    assert bool(torch.isfinite(model.decode(stored.mean[:2], None)).all()), "a decoded picture is not finite"


def _assert_finite(value: object) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            _assert_finite(inner)
    assert not isinstance(value, float) or math.isfinite(value), "a measure is not finite"
