"""Shapes are what their factors say, each combination once, the same every time."""

import torch

from explorer import datasets
from explorer.datasets.shapes import FACTORS, SHAPES


def load(split):
    return datasets.load("shapes", split)


def test_every_combination_is_there_once():
    table = torch.cat([torch.stack([*load(split).factors.values()], 1) for split in ("train", "test")])
    assert len(table) == len(table.unique(dim=0)) == torch.tensor([*FACTORS.values()]).prod()
    assert (table.amax(0) + 1).tolist() == [*FACTORS.values()]
    assert table.amin(0).eq(0).all()
    assert load("test").classes == list(SHAPES)
    assert torch.equal(load("test").labels, load("test").factors["shape"])


def test_place_and_size_are_seen_in_the_pixels():
    data = load("test")
    bright = data.images[:, 0].double() / 255
    area = bright.sum((1, 2))
    for axis, name in ((1, "x"), (2, "y")):
        middle = (bright.sum(axis) * torch.arange(28)).sum(1) / area
        assert (middle - data.factors[name] - 7.5).abs().max() < 0.1
    squares = data.factors["shape"] == 0
    sides = 2 * (3 + 0.5 * data.factors["scale"][squares])
    torch.testing.assert_close(area[squares], sides.double() ** 2, rtol=0.03, atol=0.2)


def test_a_rotation_looks_different_for_every_shape():
    data = load("train")
    same = torch.stack([data.factors[n] for n in ("shape", "scale", "x", "y")], 1)
    _, group = same.unique(dim=0, return_inverse=True)
    for one in group.unique()[::40]:
        images = data.images[group == one].flatten(1)
        assert len(images.unique(dim=0)) == len(images)


def test_splits_are_fixed():
    first = load("test").fingerprint
    datasets.clear_cache()
    assert load("test").fingerprint == first


def test_a_subset_keeps_its_factors():
    some = load("test").subset([5, 2])
    assert torch.equal(some.factors["x"], load("test").factors["x"][[5, 2]])
