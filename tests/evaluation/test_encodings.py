"""Codes that a job makes: those of the model, and kept on the disk until the data go."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

import explorer
from explorer.datasets import own
from explorer.errors import DatasetError
from explorer.evaluation import encodings


@pytest.fixture(scope="module")
def model():
    return explorer.load("mnist-conv-100")


@pytest.fixture(scope="module")
def images():
    return explorer.dataset("mnist-5k", split="test").subset(slice(0, 250))


@pytest.fixture(scope="module")
def codes(model, images):
    reports = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "_BLOCK", 100)
        found = encodings.encode(model, images, lambda done, of: reports.append((done, of)))
    assert reports == [(0, 250), (100, 250), (200, 250), (250, 250)]
    return found


def test_codes_and_places_are_those_of_the_model(model, images, codes):
    whole = model.evaluate(images.images)
    torch.testing.assert_close(codes.mean, whole.posterior.mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(codes.posterior.logvar, whole.posterior.logvar, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(codes.kl_by_group, whole.kl_by_group, rtol=1e-3, atol=1e-4)
    assert torch.equal(codes.labels, images.labels)
    assert list(codes.maps) == list(model.mapped.maps)
    for kind, found in codes.maps.items():
        torch.testing.assert_close(found.points, model.mapped.maps[kind].place(codes.mean), rtol=1e-3, atol=1e-3)
    assert codes.quality["umap"]["placed"] == 1.0


def test_kept_codes_are_the_same_ones(model, images, codes, tmp_path):
    file = tmp_path / "codes" / "a.safetensors"
    assert encodings.kept(file, model, images) is None
    encodings.keep(file, codes)
    found = encodings.kept(file, model, images)
    for name in ("mean", "kl", "reconstruction", "labels", "kl_by_group"):
        assert torch.equal(getattr(found, name), getattr(codes, name)), name
    torch.testing.assert_close(found.posterior.logvar, codes.posterior.logvar, rtol=1e-3, atol=1e-3)
    assert found.quality == codes.quality
    assert all(torch.equal(found.maps[kind].points, codes.maps[kind].points) for kind in codes.maps)
    assert encodings.kept(file, model, images.subset(slice(0, 10))) is None  # of other images
    file.write_bytes(file.read_bytes()[:-5])
    assert encodings.kept(file, model, images) is None
    for i in range(12):
        encodings.keep(file.with_name(f"{i}.safetensors"), codes)
    assert len(list(file.parent.iterdir())) == 8


def test_codes_of_the_models_that_were_looked_at_last_are_kept(model, images, codes, tmp_path):
    files = [tmp_path / f"{i}.safetensors" for i in range(8)]
    for i, file in enumerate(files):
        encodings.keep(file, codes)
        os.utime(file, (i, i))
    assert encodings.kept(files[0], model, images) is not None
    encodings.keep(tmp_path / "new.safetensors", codes)
    assert files[0].exists()
    assert not files[1].exists()


def test_codes_go_with_the_data_that_they_are_of(images, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    np.savez(tmp_path / "some.npz", images=images.images[:40, 0].numpy(), labels=images.labels[:40].numpy())
    own.create("some", tmp_path / "some.npz")
    mine = explorer.dataset("own:some", split="test")
    file = encodings.encodings_file("abc", mine)
    assert file.is_relative_to(tmp_path / "data" / "own" / "some")
    assert file != encodings.encodings_file("abd", mine)
    assert encodings.encodings_file("abc", images).parent == tmp_path / "data" / "codes"
    file.parent.mkdir()
    file.touch()
    own.remove("some")
    assert not file.exists()


def test_a_full_disk_is_said_before_hours_of_work(model, images, tmp_path, monkeypatch):
    encodings.check_room(tmp_path / "codes" / "a.safetensors", model, images)
    monkeypatch.setattr(encodings, "free_bytes", lambda folder: 200_000_000)
    with pytest.raises(DatasetError, match=r"the codes of mnist-5k, .* MB, do not fit beside"):
        encodings.check_room(tmp_path / "codes" / "a.safetensors", model, images)
