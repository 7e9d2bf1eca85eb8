"""Texture crops: train and test never share a pixel, and every crop is where its label says."""

import io

import numpy as np
import pytest
from PIL import Image

from explorer import datasets
from explorer.errors import DatasetError, DatasetMissing


@pytest.fixture
def textures(tmp_path):
    """Two pictures whose pixels say where they are: the picture and the half by the value."""
    folder = tmp_path / "textures"
    folder.mkdir()
    for i, (name, size) in enumerate([("bark.png", (100, 60)), ("sand.png", (81, 40))]):
        values = np.full((size[1], size[0]), 10 + 100 * i, np.uint8)
        values[:, size[0] // 2 :] += 50
        Image.fromarray(values).save(folder / name)
    return tmp_path


def test_splits_come_from_different_halves(textures):
    for split, values in (("train", [10, 110]), ("test", [60, 160])):
        dataset = datasets.load("textures", split, root=textures)
        assert len(dataset) == {"train": 42_000, "test": 4_200}[split]
        assert dataset.image_shape == (1, 28, 28)
        assert dataset.classes == ["bark", "sand"]
        expected = np.array(values)[dataset.labels.numpy()]
        assert (dataset.images.numpy() == expected[:, None, None, None]).all()
        assert dataset.labels.bincount().tolist() == [len(dataset) // 2] * 2


def test_crops_lie_evenly_over_the_half(tmp_path):
    (tmp_path / "textures").mkdir()
    rows, columns = np.mgrid[:128, :128]
    Image.fromarray((columns + 128 * (rows % 2)).astype(np.uint8)).save(tmp_path / "textures" / "a.png")
    corners = datasets.load("textures", "test", root=tmp_path).images[:, 0, 0, 0].numpy() % 128
    assert corners.min() == 64
    assert corners.max() == 128 - 28
    counts = np.bincount(corners - 64)
    assert (np.abs(counts - 4200 / 37) < 5 * np.sqrt(4200 / 37)).all()


def test_size_and_repeatability(textures):
    dataset = datasets.load("textures", root=textures, size=16, channels=3)
    assert dataset.image_shape == (3, 16, 16)
    first = datasets.load("textures", root=textures).fingerprint
    datasets.clear_cache()
    assert datasets.load("textures", root=textures).fingerprint == first
    with pytest.raises(DatasetError, match=r"sand\.png is 81 x 40 pixels: half of it is too small"):
        datasets.load("textures", root=textures, size=48)


def test_a_new_picture_is_noticed(textures):
    assert len(datasets.load("textures", root=textures).classes) == 2
    Image.new("L", (64, 64)).save(textures / "textures" / "new.tif")
    assert datasets.load("textures", root=textures).classes == ["bark", "new", "sand"]


def test_names_that_differ_by_their_ending(textures):
    Image.new("RGB", (64, 64)).save(textures / "textures" / "bark.jpg")
    assert datasets.load("textures", root=textures).classes == ["bark.jpg", "bark.png", "sand"]


def test_a_broken_picture_and_other_files_are_left_out(textures):
    out = io.BytesIO()
    Image.new("L", (64, 64)).save(out, "PNG")
    (textures / "textures" / "broken.png").write_bytes(out.getvalue()[:50])
    (textures / "textures" / "README.txt").write_text("hello")
    dataset = datasets.load("textures", root=textures)
    assert dataset.classes == ["bark", "sand"]
    assert dataset.notes == ["1 of 3 files could not be read: broken.png (it is cut off or damaged)."]


def test_missing(tmp_path):
    with pytest.raises(DatasetMissing, match=r"Put pictures .*textures\."):
        datasets.load("textures", root=tmp_path)
    (tmp_path / "textures").mkdir()
    with pytest.raises(DatasetMissing):
        datasets.load("textures", root=tmp_path)
    (tmp_path / "textures" / "notes.txt").write_text("hello")
    with pytest.raises(DatasetError, match="has no readable pictures"):
        datasets.load("textures", root=tmp_path)
