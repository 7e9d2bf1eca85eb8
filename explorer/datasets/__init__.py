"""Images in: every source yields an ImageDataset, whole and in memory, uint8 [N, C, H, W].

    from explorer import datasets
    from explorer.datasets import own

    digits = datasets.load("mnist", split="test")
    mine = datasets.load("folder:~/cells", size=64)
    own.create("cells", Path("cells.zip"))  # decoded once and kept: datasets.load("own:cells")
    datasets.available()                    # what there is, and how to get what is not on this machine

Data lie in `root`: the argument, else $EXPLORER_DATA, else ./data. What is missing is an error that says
how to get it; nothing is downloaded unasked and nothing takes its place.

To add a data set: a module with a subclass of `base.Source`, and a line in SOURCES.
"""

from __future__ import annotations

import os
from dataclasses import replace

from explorer.datasets.base import ByteProgress, DatasetInfo, ImageDataset, Source, data_root
from explorer.datasets.cache import DatasetCache
from explorer.datasets.cifar10 import Cifar10
from explorer.datasets.folder import FolderSource, load_folder
from explorer.datasets.idx import load_idx
from explorer.datasets.malaria import Malaria
from explorer.datasets.mnist import FASHION_MNIST, MNIST
from explorer.datasets.mnist_5k import Mnist5k
from explorer.datasets.own import catalog
from explorer.datasets.shapes import Shapes
from explorer.datasets.textures import Textures
from explorer.errors import DatasetError, DatasetMissing
from explorer.images.arrays import Size, check_size, sides
from explorer.images.batches import resize_batch

__all__ = [
    "DatasetError",
    "DatasetInfo",
    "DatasetMissing",
    "ImageDataset",
    "available",
    "check",
    "clear_cache",
    "data_root",
    "fetch",
    "load",
    "load_folder",
    "load_idx",
]

# In the order in which a list of choices shows them.
SOURCES: dict[str, Source] = {
    source.name: source for source in (Mnist5k(), MNIST, FASHION_MNIST, Cifar10(), Textures(), Malaria(), Shapes())
}

_cache = DatasetCache()


def load(
    name: str,
    split: str = "test",
    *,
    root: str | os.PathLike[str] | None = None,
    size: Size | None = None,
    channels: int | None = None,
) -> ImageDataset:
    """Loads a split of a data set. The same call again returns the same object: treat it as read-only.

    Args:
        name: one of `available()`, `own:NAME` or `folder:PATH`.
        split: `train` or `test`; `malaria` also has `validation`, of patients that are in neither of the others.
        root: the folder of the data sets; see `data_root`.
        size: pixels a side, or height and width. None leaves images as they are; those in a folder get
            a shape that suits them all.
        channels: 1 (gray) or 3 (colour); None as for `size`.

    Raises:
        DatasetMissing: it is not on this machine.
        DatasetError: it is damaged, unknown, or cannot be had in this shape.
    """
    check_size(size, channels)
    source, place = _source(name), data_root(root)
    if split not in source.splits:
        raise DatasetError(f"There is no split {split!r} of {name}; there are {' and '.join(source.splits)}.")

    def read() -> ImageDataset:
        try:
            dataset = source.load(split, place, size, channels)
        except OSError as error:
            raise DatasetError(f"{name} could not be read: {_reason(error)}.") from error
        images = resize_batch(dataset.images, size, channels)
        return dataset if images is dataset.images else replace(dataset, images=images)

    shape = None if size is None else sides(size)
    key = (source.name, split, str(place.absolute()), shape, channels, source.stamp(place))
    return _cache.get(key, read)


def available(root: str | os.PathLike[str] | None = None) -> list[DatasetInfo]:
    """Lists every data set with a name of its own, there or not, a person's own last. Quick: no data are read."""
    place = data_root(root)
    return [source.info(place) for source in SOURCES.values()] + catalog.available(place)


def check(name: str, root: str | os.PathLike[str] | None = None) -> None:
    """Raises DatasetMissing, with how to get it, or DatasetError unless a data set of that name is there. Fast."""
    source, place = _source(name), data_root(root)
    try:
        there = source.present(place)
    except OSError as error:
        raise DatasetError(f"{name} could not be read: {_reason(error)}.") from error
    if not there:
        raise source.missing(place)


def fetch(name: str, root: str | os.PathLike[str] | None = None, progress: ByteProgress | None = None) -> None:
    """Downloads a data set; what is there and intact, or arrived before a download was cut off, is not fetched again.

    Args:
        progress: called with bytes done and bytes in all; an exception that it raises cancels the download.

    Raises:
        DatasetError: it fails, or the data set is not one that can be downloaded.
    """
    try:
        _source(name).fetch(data_root(root), progress)
    except OSError as error:
        raise DatasetError(f"{name} could not be stored: {_reason(error)}.") from error
    clear_cache()


def clear_cache() -> None:
    """Forgets what has been loaded, to free memory or after files were changed by hand."""
    _cache.clear()


def _reason(error: OSError) -> str:
    return f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")


def _source(name: str) -> Source:
    kind, _, path = name.partition(":")
    if kind == "folder" and path:
        return FolderSource(path)
    if kind == "own" and path:
        return catalog.OwnSource(path)
    if name not in SOURCES:
        raise DatasetError(
            f"There is no data set {name!r}; there are {', '.join(SOURCES)} and, for your own images, own:NAME and "
            "folder:PATH."
        )
    return SOURCES[name]
