"""Sets that torchvision unpacks, as `torchvision:NAME`: image sets of a size for training here, and no pickles.

It reads the arrays, and says which pictures are where; those are decoded as all others are here.

`torchvision.json` has of each its title, its source, and its files, with the addresses and MD5s that torchvision gives;
they are downloaded as all others are here. The folder of data sets is laid out as torchvision's `root`. Bytes are those
of TensorFlow Datasets' checksums, and for Imagenette of fast.ai's; for QMNIST and USPS nobody confirms them. They only
tell how far a download is. Licences are what LICENSE or README of the sets' repositories say (KMNIST, QMNIST, EuroSAT)
or what their home pages do; where neither does, the home page is named.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch

from explorer.datasets.base import ByteProgress, ImageDataset, Source, incomplete_notes
from explorer.datasets.folder import Form, decode_all, load_folder
from explorer.datasets.layout import unreadable_note
from explorer.errors import DatasetError
from explorer.files.download import Remote, check_md5, download_all
from explorer.files.entries import Entry, Files
from explorer.images.arrays import Size


@dataclass(frozen=True)
class Known:
    """What is known of one of them before it is there.

    Attributes:
        title, origin, shape, counts: as those of a `Source`.
        files: what is downloaded, each as a `Remote` with its MD5.
        needs: what torchvision unpacks it to, or reads as it is; paths in the folder of data sets.
        splits: the keywords by which torchvision's class reads a split; empty where it does not split the set.
        classes: their names, where torchvision does not say them.
    """

    title: str
    origin: str
    shape: tuple[int, int, int]
    counts: dict[str, int]
    files: list[dict[str, Any]]
    needs: list[str]
    splits: dict[str, dict[str, Any]]
    classes: list[str] = field(default_factory=list)


class TorchvisionSource(Source):
    """One of them."""

    def __init__(self, name: str, known: Known) -> None:
        """`name` is torchvision's class, with what EMNIST calls a split behind a dash."""
        self.name, self.known = f"torchvision:{name}", known
        self.title, self.origin, self.counts = known.title, known.origin, known.counts
        self.image_shape, self.splits = known.shape, tuple(known.splits)
        self.fetch_bytes = sum(file["nbytes"] for file in known.files)

    def present(self, root: Path) -> bool:
        return self._unpacked(root) or all((root / file["path"]).is_file() for file in self.known.files)

    def by_hand(self, root: Path) -> str:
        first, *more = (file["path"] for file in self.known.files)
        return f"put {Path(first).name}{f' and {len(more)} more files' if more else ''} into {(root / first).parent}"

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        if not self.present(root):
            raise self.missing(root)
        if not self._unpacked(root):
            self._unpack(root)
        side = self.known.shape[1]
        if not self.known.splits[split]:
            return load_folder(root / self.known.needs[0], split, size=size or side, channels=3, name=self.name)
        data = self._open(root, split)
        if not hasattr(data, "data"):
            return self._pictures(data, split, root, size or side, channels or 3)
        images = torch.from_numpy(np.asarray(data.data))
        labels = torch.from_numpy(np.asarray(data.targets if hasattr(data, "targets") else data.labels)).long()
        if self.name.startswith("torchvision:EMNIST"):
            images = images.transpose(-1, -2)  # NIST's files have them on their side
        if labels.dim() == 2:  # QMNIST's say more than the class
            labels = labels[:, 0]
        classes = [str(name).split(" - ")[0] for name in self.known.classes or data.classes]
        if classes[0] == "N/A":  # EMNIST counts letters from 1
            labels, classes = labels - 1, classes[1:]
        return ImageDataset(
            name=self.name,
            split=split,
            images=(images[:, None] if images.dim() == 3 else images).contiguous(),
            labels=labels,
            classes=classes,
            notes=incomplete_notes(len(images), split, self.counts[split], self.title),
        )

    def _pictures(self, data: Any, split: str, root: Path, size: Size, channels: int) -> ImageDataset:
        """Decodes the pictures whose paths and labels are the items of `data`."""
        items = [data[i] for i in range(len(data))]
        paths = [Path(path) for path, _ in items]
        entries = [Entry(path.relative_to(root).parts, path.stat().st_size, str(path)) for path in paths]
        found = decode_all(Files(entries, self.name), entries, Form(size, channels))
        why = {entries[i].path: reason for i, reason in found.reasons.items()}
        notes = [*found.notes, *([unreadable_note(why, len(entries))] if why else [])]
        if not len(found.images):
            raise DatasetError(f"{self.name} has no readable {split} images. {' '.join(notes)}".strip())
        labels = torch.tensor([items[i][1] for i in found.files])
        names = getattr(data, "classes", None) or [f"class {i}" for i in range(int(labels.max()) + 1)]
        return ImageDataset(
            name=self.name,
            split=split,
            images=found.images,
            labels=labels,
            classes=[name if isinstance(name, str) else name[0] for name in names],
            notes=[*notes, *incomplete_notes(len(labels), split, self.counts[split], self.title)],
        )

    def fetch(self, root: Path, progress: ByteProgress | None) -> None:
        """Downloads its files, and lets torchvision unpack them."""
        if not self._unpacked(root):
            wanted = [
                Remote(f["path"], f["urls"], f["nbytes"], partial(check_md5, md5=f["md5"])) for f in self.known.files
            ]
            download_all(self.name, wanted, root, progress)
            self._unpack(root)

    def _unpacked(self, root: Path) -> bool:
        return all((root / path).exists() for path in self.known.needs)

    def _unpack(self, root: Path) -> None:
        """Lets torchvision unpack files that are those it would download: of others it would fetch its own."""
        for file in self.known.files:
            try:
                check_md5(root / file["path"], file["md5"])
            except DatasetError as error:
                raise DatasetError(f"{root / file['path']} is damaged: remove it.") from error
        for split in self.splits:
            self._open(root, split, download=True)

    def _open(self, root: Path, split: str, **options: Any) -> Any:
        """Opens a split as torchvision does. Raises DatasetError where its files are damaged, or it is not there."""
        try:
            from torchvision import datasets
        except ImportError as error:
            raise DatasetError(f"torchvision reads {self.name}: run `pip install torchvision`.") from error
        kind = getattr(datasets, self.name.removeprefix("torchvision:").split("-")[0])
        # Of its own name, which the folder has; and without the pickles that old versions of torchvision left there.
        if "loader" in signature(kind).parameters:
            options["loader"] = str  # paths in place of pictures
        kind = type(kind.__name__, (kind,), {"_check_legacy_exist": lambda self: False})
        try:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of Python about its tarfile
                return kind(root, **self.known.splits[split], **options)
        except OSError:
            raise
        except Exception as error:  # whatever its readers make of a damaged file, assertions too
            why = str(error) or type(error).__name__
            places = ", ".join(str(root / path) for path in self.known.needs)
            raise DatasetError(f"{self.name} is damaged ({why}): remove {places}, and get it again.") from error


def _known(*, folder: str, files: list[list[Any]], shape: list[int], **about: Any) -> Known:
    """What an entry of `torchvision.json` says; each of its files is an address, an MD5, and a number of bytes."""
    remote = [
        {"path": (Path(folder) / url.rpartition("/")[2]).as_posix(), "urls": [url], "md5": md5, "nbytes": nbytes}
        for url, md5, nbytes in files
    ]
    needs = [file["path"].removesuffix(".gz") for file in remote]
    return Known(**{"files": remote, "shape": tuple(shape), "needs": needs, **about})


TORCHVISION = [
    TorchvisionSource(name, _known(**about))
    for name, about in json.loads(files("explorer.datasets").joinpath("torchvision.json").read_text("utf-8")).items()
]
