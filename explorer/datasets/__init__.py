"""Images in: every source yields an ImageDataset, uint8 [N, C, H, W], in memory or read where they are indexed.

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

import contextlib
import os
from dataclasses import replace

from explorer.datasets.base import ByteProgress, DatasetInfo, ImageDataset, Source, data_root, join_splits
from explorer.datasets.cache import DatasetCache
from explorer.datasets.cifar10 import Cifar10
from explorer.datasets.duplicates import duplicate_notes
from explorer.datasets.folder import FolderSource, load_folder
from explorer.datasets.idx import load_idx
from explorer.datasets.malaria import Malaria
from explorer.datasets.medmnist import MEDMNIST
from explorer.datasets.mnist import FASHION_MNIST, MNIST
from explorer.datasets.mnist_5k import Mnist5k
from explorer.datasets.on_disk import resized
from explorer.datasets.own import catalog
from explorer.datasets.shapes import Shapes
from explorer.datasets.textures import Textures
from explorer.datasets.torchvision_sets import TORCHVISION
from explorer.errors import DatasetError, DatasetMissing, DownloadFailed
from explorer.files.download import mirror_variable
from explorer.files.shipped import command
from explorer.images.arrays import Size, check_size, sides

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
    "info",
    "is_drawable",
    "is_own",
    "is_whole",
    "join_splits",
    "load",
    "load_folder",
    "load_idx",
]

# In the order in which a list of choices shows them.
SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Mnist5k(),
        MNIST,
        FASHION_MNIST,
        Cifar10(),
        Textures(),
        Malaria(),
        Shapes(),
        *TORCHVISION,
        *MEDMNIST,
    )
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
        images = resized(dataset.images, size, channels)
        dataset = dataset if images is dataset.images else replace(dataset, images=images)
        if split == "test" and isinstance(source, FolderSource):  # of those that are kept it is known
            with contextlib.suppress(DatasetError):  # which whoever asks for the training set is told
                train = load(name, "train", root=root, size=size, channels=channels)
                dataset = replace(dataset, notes=[*dataset.notes, *duplicate_notes(train, dataset)])
        return dataset

    shape = None if size is None else sides(size)
    key = (source.name, split, str(place.absolute()), shape, channels, source.stamp(place))
    return _cache.get(key, read)


def available(root: str | os.PathLike[str] | None = None) -> list[DatasetInfo]:
    """Lists every data set with a name of its own, there or not, a person's own last. Quick: no data are read."""
    place = data_root(root)
    return [source.info(place) for source in SOURCES.values()] + catalog.available(place)


def info(name: str, root: str | os.PathLike[str] | None = None) -> DatasetInfo | None:
    """Describes one of those that `available` lists, without a look at the others; None for any other name."""
    place = data_root(root)
    if name in SOURCES:
        return SOURCES[name].info(place)
    return next((own for own in catalog.available(place) if own.name == name), None)


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
    source, place = _source(name), data_root(root)
    try:
        source.fetch(place, progress)
    except DownloadFailed as error:
        raise DownloadFailed(
            f"{error} Behind a proxy set HTTPS_PROXY, where only a mirror can be reached EXPLORER_MIRROR or "
            f"{mirror_variable(name)}, for a certificate of your network SSL_CERT_FILE; or {source.by_hand(place)}."
        ) from error
    except OSError as error:
        raise DatasetError(f"{name} could not be stored: {_reason(error)}.") from error
    clear_cache()


def is_own(name: str) -> bool:
    """Says whether a data set is of a person's own images. Raises DatasetError if no data set can have that name."""
    return _source(name).own


def is_whole(name: str) -> bool:
    """Says whether both splits of a data set are encoded on the spot. Raises DatasetError as `is_own` does."""
    return _source(name).whole


def is_drawable(name: str) -> bool:
    """Says whether a person can draw such images with a finger; False of a data set that is not known here."""
    return name in SOURCES and SOURCES[name].drawable


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
            f"There is no data set {name!r}; `{command('data list')}` lists those there are, and for your own images "
            "there are own:NAME and folder:PATH."
        )
    return SOURCES[name]
