"""CIFAR-10 (Krizhevsky 2009): 32x32 colour, 10 classes, 50,000 train and 10,000 test images.

Read from its binary version (the Python version is a pickle, and nothing here is ever unpickled): records
of one byte of label and 3 x 32 x 32 bytes of image. Part of the set as an image folder,
`cifar10/{train,test}/<class>/*.png`, bare or in `cifar10-subset.zip`, is read too and says so in its notes.
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from explorer.datasets.base import SPLITS, ByteProgress, ImageDataset, Source, incomplete_notes
from explorer.datasets.folder import FolderSource
from explorer.errors import DatasetError
from explorer.files.download import Remote, check_md5, download_all
from explorer.images.arrays import Size

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RECORD = 1 + 3 * 32 * 32
BATCHES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
COUNTS = {"train": 50_000, "test": 10_000}
MAX_BATCH_BYTES = 50_000 * RECORD  # no batch holds more than the whole training set
ARCHIVE = "cifar-10-binary.tar.gz"
ARCHIVE_URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE_BYTES = 170_052_171
FOLDER = "cifar-10-batches-bin"


class Cifar10(Source):
    """The binary version, or a subset as an image folder."""

    name = "cifar10"
    title = "CIFAR-10, small photographs"
    origin = "Alex Krizhevsky, University of Toronto; free to use with citation of the 2009 report"
    image_shape = (3, 32, 32)
    fetch_bytes = ARCHIVE_BYTES
    counts = COUNTS

    def __init__(self, archive_md5: str = ARCHIVE_MD5) -> None:
        """`archive_md5` is what a downloaded archive must have."""
        self.archive_md5 = archive_md5

    def present(self, root: Path) -> bool:
        return (
            (root / ARCHIVE).is_file()
            or all((root / FOLDER / name).is_file() for names in BATCHES.values() for name in names)
            or self._subset(root) is not None
        )

    def by_hand(self, root: Path) -> str:
        return f"put {ARCHIVE} into {root}"

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        if all((root / FOLDER / name).is_file() for name in BATCHES[split]):
            batches = [_read_batch(root / FOLDER / name) for name in BATCHES[split]]
        elif (root / ARCHIVE).is_file():
            batches = _read_archive(root / ARCHIVE, BATCHES[split])
        elif subset := self._subset(root):
            return self._load_subset(subset, split, root)
        else:
            raise self.missing(root)
        records = np.concatenate(batches)
        return self._complete_or_noted(
            ImageDataset(
                name=self.name,
                split=split,
                images=torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()),
                labels=torch.from_numpy(records[:, 0].astype(np.int64)),
                classes=list(CLASSES),
            )
        )

    def fetch(self, root: Path, progress: ByteProgress | None) -> None:
        """Downloads the archive into `root`. It stays packed: reading it takes two seconds."""
        file = Remote(ARCHIVE, [ARCHIVE_URL], ARCHIVE_BYTES, partial(check_md5, md5=self.archive_md5))
        download_all(self.name, [file], root, progress)

    def _subset(self, root: Path) -> Path | None:
        folder, archive = root / "cifar10", root / "cifar10-subset.zip"
        if all((folder / split).is_dir() for split in SPLITS):
            return folder
        return archive if archive.is_file() else None

    def _load_subset(self, path: Path, split: str, root: Path) -> ImageDataset:
        found = FolderSource(path, self.name).load(split, root, 32, 3)
        strange = sorted(set(found.classes) - set(CLASSES))
        if strange or found.labels is None:
            raise DatasetError(f"{path} does not have CIFAR-10's classes ({', '.join(strange) or 'none at all'}).")
        number = torch.tensor([CLASSES.index(name) for name in found.classes])
        return self._complete_or_noted(replace(found, labels=number[found.labels], classes=list(CLASSES)))

    def _complete_or_noted(self, dataset: ImageDataset) -> ImageDataset:
        notes = incomplete_notes(len(dataset), dataset.split, COUNTS[dataset.split], "CIFAR-10")
        return replace(dataset, notes=[*dataset.notes, *notes])


def _records(data: bytes, name: str) -> np.ndarray:
    """uint8 [N, 3073]: the label, then red, green and blue, each by rows."""
    if not data or len(data) % RECORD:
        raise DatasetError(f"{name} has {len(data):,} bytes, which is not a whole number of {RECORD}-byte records.")
    return np.frombuffer(data, np.uint8).reshape(-1, RECORD)


def _read_batch(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BATCH_BYTES + 1)
    except OSError as error:
        raise DatasetError(f"{path} could not be read: {error.strerror or error}.") from error
    return _records(data, path.name)


def _read_archive(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """Reads the batches called `names`, in that order, in memory: nothing is extracted, no path is trusted."""
    found: dict[str, np.ndarray] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name not in names or not member.isreg() or member.size > MAX_BATCH_BYTES:
                    continue
                stream = archive.extractfile(member)
                assert stream is not None  # a regular file has contents
                found[name] = _records(stream.read(), name)
                if len(found) == len(names):
                    break
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DatasetError(f"{path} is cut off or damaged: {error}.") from error
    absent = [name for name in names if name not in found]
    if absent:
        raise DatasetError(f"{path} does not hold {', '.join(absent)}.")
    return [found[name] for name in names]
