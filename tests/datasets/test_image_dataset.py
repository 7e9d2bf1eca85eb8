"""ImageDataset: what it refuses, what a subset keeps, what the fingerprint tells apart."""

import dataclasses

import numpy as np
import pytest
import torch

from explorer.datasets import ImageDataset
from explorer.errors import DatasetError


def _dataset(**changes) -> ImageDataset:
    parts = {
        "name": "some",
        "split": "test",
        "images": torch.arange(6 * 12).reshape(6, 3, 2, 2).to(torch.uint8),
        "labels": torch.tensor([0, 1, 2, 0, 1, 2]),
        "classes": ["a", "b", "c"],
        "group": list("uvwxyz"),
        "notes": ["a note"],
    }
    return ImageDataset(**(parts | changes))


def test_what_it_says_of_itself():
    dataset = _dataset()
    assert len(dataset) == 6
    assert dataset.image_shape == (3, 2, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": torch.zeros(6, 3, 2, 2)}, r"must be uint8 \[N, C, H, W\], not torch.float32 \[6, 3, 2, 2\]"),
        ({"images": torch.zeros(6, 2, 2, dtype=torch.uint8)}, r"not torch.uint8 \[6, 2, 2\]"),
        ({"images": torch.zeros(6, 3, 0, 2, dtype=torch.uint8)}, "no pixels"),
        ({"labels": torch.tensor([0, 1])}, "2 labels for 6 images"),
        ({"labels": torch.tensor([0, 1, 2, 0, 1, 3])}, "run from 0 to 3, but there are 3 classes"),
        ({"labels": torch.tensor([0, 1, 2, 0, 1, -1])}, "run from -1 to 2"),
        ({"labels": torch.zeros(6, dtype=torch.int32)}, "must be int64"),
        ({"labels": torch.zeros(6, 1, dtype=torch.int64)}, r"not torch.int64 \[6, 1\]"),
        ({"labels": None}, "classes but no labels"),
        ({"classes": []}, "there are 0 classes"),
        ({"group": ["u"]}, "1 groups for 6 images"),
    ],
)
def test_parts_that_do_not_fit(changes, message):
    with pytest.raises(DatasetError, match=f"^some: .*{message}"):
        _dataset(**changes)


@pytest.mark.parametrize(
    "index",
    [
        [4, 0, 0],
        np.array([4, 0, 0]),
        torch.tensor([4, 0, 0]),
        slice(1, 5, 2),
        [True, False, True, False, False, True],
        np.array([True, False, True, False, False, True]),
        [-1],
    ],
)
def test_subset(index):
    dataset = _dataset()
    part = dataset.subset(index)
    kept = np.arange(6)[index].tolist()
    assert len(part) == len(kept)
    assert torch.equal(part.images, dataset.images[kept])
    assert part.labels.tolist() == [[0, 1, 2, 0, 1, 2][i] for i in kept]
    assert part.group == ["uvwxyz"[i] for i in kept]
    assert (part.name, part.split, part.classes, part.notes) == ("some", "test", ["a", "b", "c"], ["a note"])


def test_subset_of_nothing_and_of_images_alone():
    bare = _dataset(labels=None, classes=[], group=None)
    assert bare.subset([1]).labels is None
    assert bare.subset([1]).group is None
    assert len(bare.subset([])) == 0
    assert len(_dataset().subset(slice(0, 0))) == 0


@pytest.mark.unchecked
@pytest.mark.parametrize("index", [[6], [-7], ["a"], [0.5], torch.ones(5, dtype=torch.bool), None])
def test_no_such_subset(index):
    with pytest.raises(DatasetError, match=r"^some: no such subset"):
        _dataset().subset(index)


def test_fingerprint():
    dataset = _dataset()
    assert len(dataset.fingerprint) == 64
    assert dataset.fingerprint == _dataset(name="other", notes=[], group=None).fingerprint
    assert dataset.fingerprint == dataset.subset(slice(None)).fingerprint
    changed = dataset.images.clone()
    changed[5, 2, 1, 1] += 1
    others = [
        _dataset(images=changed),
        _dataset(images=dataset.images.reshape(6, 3, 1, 4)),
        _dataset(labels=torch.tensor([0, 1, 2, 0, 1, 1])),
        _dataset(labels=None, classes=[]),
        dataset.subset([1, 0, 2, 3, 4, 5]),
    ]
    assert len({dataset.fingerprint, *(other.fingerprint for other in others)}) == 6


def test_fingerprint_of_images_that_are_a_view():
    dataset = _dataset()
    assert _dataset(images=dataset.images.permute(0, 1, 3, 2)).fingerprint != dataset.fingerprint


def test_where_the_images_of_a_class_are():
    assert _dataset().positions_of("b").tolist() == [1, 4]
    with pytest.raises(DatasetError, match=r"some has no class 'd': it has a, b, c\."):
        _dataset().positions_of("d")
    with pytest.raises(DatasetError, match="its images have no classes"):
        _dataset(labels=None, classes=[]).positions_of("a")
    with pytest.raises(DatasetError, match="The test set of some has no images of d"):
        _dataset(classes=[*"abcd"]).positions_of("d")
