"""Training on images that stay on the disk: what it is in memory, bit for bit; and a file that is cut off meanwhile."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from explorer import datasets
from explorer.checkpoints.folder import read_tensors
from explorer.datasets import on_disk, own
from explorer.datasets.on_disk import StoredImages
from explorer.errors import DatasetError
from explorer.training import experiment
from explorer.training.lifecycle import train
from explorer.training.presets import TrainConfig


@pytest.fixture(autouse=True)
def _dots(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "dots.npz", images=rng.integers(0, 256, (90, 12, 12), np.uint8), labels=rng.integers(0, 2, 90))
    own.create("dots", tmp_path / "dots.npz")


def _config(**options):
    return TrainConfig(preset="mlp-2d", dataset="own:dots", epochs=2, device="cpu", umap=False, **options)


@pytest.mark.parametrize("only", [None, "1"], ids=["all", "one class"])
def test_images_on_the_disk_train_bit_for_bit_as_in_memory(only, tmp_path, monkeypatch):
    files = ("model.safetensors", "latents.safetensors", "mapped.safetensors")
    expected = train(_config(only=only), tmp_path / "memory")
    datasets.clear_cache()
    monkeypatch.setattr(on_disk, "IN_MEMORY", 0)
    assert isinstance(datasets.load("own:dots", "train").images, StoredImages)
    found = train(_config(only=only), tmp_path / "disk")
    assert found.metrics == expected.metrics
    for name in files:
        one, other = (read_tensors(run.path / name) for run in (found, expected))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name
    assert (found.path / "config.json").read_text().count(datasets.load("own:dots", "train").fingerprint) == 1


def test_images_that_are_cut_off_end_a_run_in_a_sentence_and_it_can_be_resumed(tmp_path, monkeypatch):
    expected = train(_config(), tmp_path / "whole")
    datasets.clear_cache()
    monkeypatch.setattr(on_disk, "IN_MEMORY", 0)
    file = tmp_path / "data" / "own" / "dots" / "data.safetensors"
    content, status = file.read_bytes(), file.stat()
    ends = experiment.Experiment.end_epoch

    def cut(run, test):
        if run.at.epoch == 1:
            os.truncate(file, 5000)
        return ends(run, test)

    monkeypatch.setattr(experiment.Experiment, "end_epoch", cut)
    with pytest.raises(
        DatasetError, match=r"^The images of own:dots have changed on the disk while they were in use\.$"
    ):
        train(_config(save_seconds=0), tmp_path / "cut")
    monkeypatch.undo()
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    datasets.clear_cache()
    again = train(TrainConfig(preset="", device="cpu"), tmp_path / "cut", resume=True)
    assert again.metrics == expected.metrics
