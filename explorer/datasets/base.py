"""A data set once it is loaded, and what every source of one must offer."""

from __future__ import annotations

import hashlib
import os
import shlex
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
import torch

from explorer.datasets.on_disk import BLOCK, join, pick
from explorer.errors import DatasetError, DatasetMissing
from explorer.files.download import ByteProgress
from explorer.files.shipped import command
from explorer.images import pictures
from explorer.images.arrays import Size
from explorer.latents.items import Items

_SHOWN = 12  # images, in a notebook
SPLITS = ("train", "test")


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Gives the folder of the data sets: `root`, else $EXPLORER_DATA, else ./data. It need not exist."""
    return Path(root or os.environ.get("EXPLORER_DATA") or "data").expanduser()


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """One split of a data set, in memory; of a large one the images stay on the disk (`explorer.datasets.on_disk`).

    Loaded data sets are shared between callers: treat the tensors as read-only.
    """

    name: str
    """What `explorer.datasets.load` was asked for, such as `mnist`."""
    split: str
    """`train` or `test`, of some `validation`; `all` for a person's own images that were not split."""
    images: torch.Tensor
    """uint8 [N, C, H, W], on the CPU, 0 is black."""
    labels: torch.Tensor | None
    """int64 [N], each an index into `classes`; None for images without classes."""
    classes: list[str]
    """The names of the classes; empty exactly when there are no labels."""
    group: list[str] | None = None
    """For each image what it must not be separated from in a split, such as the patient; N names or None."""
    notes: list[str] = field(default_factory=list)
    """What a person should know about this data, one sentence each: files left out, a subset in use."""
    factors: dict[str, torch.Tensor] | None = None
    """What the images were drawn from where that is known: by name whole numbers from 0, int64 [N]."""
    items: Items | None = None
    """The names of the images' files, and what a table says of them, where that is known."""

    def __post_init__(self) -> None:
        """Checks that the parts fit together; raises DatasetError."""
        if self.images.dtype != torch.uint8 or self.images.dim() != 4:
            raise DatasetError(
                f"{self.name}: images must be uint8 [N, C, H, W], not {self.images.dtype} {list(self.images.shape)}."
            )
        if 0 in self.images.shape[1:]:
            raise DatasetError(f"{self.name}: images of shape {list(self.images.shape)} have no pixels.")
        count = len(self.images)
        if self.group is not None and len(self.group) != count:
            raise DatasetError(f"{self.name}: {len(self.group)} groups for {count} images.")
        if self.items is not None and len(self.items) != count:
            raise DatasetError(f"{self.name}: {len(self.items)} file names for {count} images.")
        if any(len(values) != count for values in (self.factors or {}).values()):
            raise DatasetError(f"{self.name}: a factor does not have a value for each of {count} images.")
        if self.labels is None:
            if self.classes:
                raise DatasetError(f"{self.name}: there are classes but no labels.")
            return
        if self.labels.dtype != torch.int64 or self.labels.dim() != 1:
            raise DatasetError(
                f"{self.name}: labels must be int64 [N], not {self.labels.dtype} {list(self.labels.shape)}."
            )
        if len(self.labels) != count:
            raise DatasetError(f"{self.name}: {len(self.labels)} labels for {count} images.")
        if count and not (int(self.labels.min()) >= 0 and int(self.labels.max()) < len(self.classes)):
            raise DatasetError(
                f"{self.name}: labels run from {int(self.labels.min())} to {int(self.labels.max())}, "
                f"but there are {len(self.classes)} classes."
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.image_shape))
        classes = f", {len(self.classes):,} classes" if self.classes else ""
        return f"<ImageDataset {self.name}, {self.split}: {len(self):,} images of {shape}{classes}>"

    def _repr_html_(self) -> str:
        """In a notebook: what it is, and its first images."""
        return f"{escape(repr(self)[1:-1])}<br>{pictures.inline(self.images[:_SHOWN], _SHOWN)}"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def positions_of(self, name: str) -> torch.Tensor:
        """Finds the images of the class called `name`: int64 [M]. Raises DatasetError if there are none."""
        if self.labels is None or name not in self.classes:
            known = f"it has {', '.join(self.classes)}" if self.classes else "its images have no classes"
            raise DatasetError(f"{self.name} has no class {name!r}: {known}.")
        where = torch.nonzero(self.labels == self.classes.index(name)).flatten()
        if len(where) == 0:
            raise DatasetError(f"The {self.split} set of {self.name} has no images of {name}.")
        return where

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex of the shape, the images' bytes and the labels' bytes: equal data, equal values."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        for start in range(0, len(self), BLOCK):
            digest.update(self.images[start : start + BLOCK].contiguous().numpy().data)
        if self.labels is not None:
            digest.update(self.labels.contiguous().numpy().data)
        return digest.hexdigest()

    def subset(self, index: torch.Tensor | np.ndarray | Sequence[int] | slice) -> ImageDataset:
        """Picks the images that `index` (positions, a mask bool [N], or a slice) names, in its order.

        Raises:
            DatasetError: a position is out of range.
        """
        try:
            if not isinstance(index, slice):
                index = torch.as_tensor(index)
                if index.numel() == 0 or index.dtype not in (torch.bool, torch.float32, torch.float64):
                    index = index.long()
            where = torch.arange(len(self))[index]
        except (IndexError, TypeError, ValueError, RuntimeError) as error:
            raise DatasetError(f"{self.name}: no such subset of {len(self)} images ({error}).") from error
        return replace(
            self,
            images=pick(self.images, where),
            labels=None if self.labels is None else self.labels[where],
            group=None if self.group is None else [self.group[i] for i in where.tolist()],
            notes=list(self.notes),
            factors=None if self.factors is None else {n: values[where] for n, values in self.factors.items()},
            items=None if self.items is None else self.items.pick(where.tolist()),
        )


def join_splits(train: ImageDataset, test: ImageDataset) -> ImageDataset:
    """Joins splits of images of one shape, those for training first; a column `split` of its items tells them apart."""
    items = [data.items or Items([""] * len(data)) for data in (train, test)]
    both = items[0].joined(items[1])
    split = ["training"] * len(train) + ["test"] * len(test)
    return replace(
        test,
        split="all",
        images=join(train.images, test.images),
        labels=None if train.labels is None or test.labels is None else torch.cat([train.labels, test.labels]),
        group=None if train.group is None or test.group is None else [*train.group, *test.group],
        notes=list(dict.fromkeys([*train.notes, *test.notes])),
        factors=None,
        items=replace(both, columns={**both.columns, "split": split}),
    )


@dataclass(frozen=True)
class DatasetInfo:
    """A data set as a list of choices shows it, without loading it."""

    name: str
    title: str
    present: bool
    how: str
    """One sentence on how to get it; empty when it is present."""
    image_shape: tuple[int, int, int] | None
    """(C, H, W) as it is loaded by default, where that is known beforehand."""
    origin: str
    """Where the data come from and under which licence."""
    fetch_bytes: int
    """What `explorer.datasets.fetch` downloads, about; 0 where it cannot be downloaded."""
    part_of: str = ""
    """The data set whose images these are some of: they stand in for it where it is not on this machine."""


def incomplete_notes(found: int, split: str, complete: int, title: str) -> list[str]:
    """Words a note for a split that has not as many images as the complete data set has; none if it has."""
    return [] if found == complete else [f"{found:,} {split} images, not the {complete:,} of the complete {title}."]


def bytes_text(count: int) -> str:
    """Words a size: 1.2 GB, 12 MB, 0.4 MB."""
    if count >= 1e9:
        return f"{count / 1e9:,.1f} GB"
    return f"{max(count / 1e6, 0.1):,.{0 if count >= 1e7 else 1}f} MB"


class Source(ABC):
    """Where one data set comes from. A new source is a subclass in a file of its own."""

    name: str
    title: str
    origin: str
    image_shape: tuple[int, int, int] | None = None
    fetch_bytes: int = 0
    """What `fetch` downloads, about; 0 where it cannot be downloaded."""
    part_of: str = ""
    """The data set whose images these are some of."""
    counts: Mapping[str, int] = {}
    """The images of each complete split, as far as they are known."""
    own: bool = False
    """Whether the images are a person's own: all of them are mapped, those that a model is trained on, too."""
    whole: bool = False
    """Whether both splits are encoded where a model that was trained on other images shows them."""
    drawable: bool = False
    """Whether a person can draw such an image with a finger, in white on black."""
    splits: tuple[str, ...] = SPLITS
    """What `load` takes: SPLITS, and where there is one `validation`, to choose and calibrate by."""

    @abstractmethod
    def present(self, root: Path) -> bool:
        """Says whether all of it lies under `root` or where the system keeps it. Fast: look, do not read."""

    def how(self, root: Path) -> str:
        """Says in one sentence how to get it."""
        place = "" if root == Path("data") else f" --data-root {shlex.quote(str(root))}"
        fetch = command(f"data fetch {self.name}{place}")
        return f"Download it ({bytes_text(self.fetch_bytes)}) with `{fetch}`, or {self.by_hand(root)}."

    def by_hand(self, root: Path) -> str:
        """Says in a clause how to get it without `fetch`: which files to put where."""
        return f"put its files into {root / self.name}"

    @abstractmethod
    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        """Reads one split. A source may leave `size` and `channels` to the caller, who resizes what differs.

        Raises:
            DatasetMissing, DatasetError: it is not there, or damaged.
        """

    def fetch(self, root: Path, progress: ByteProgress | None) -> None:
        """Downloads it to `root`. Raises DatasetError if that fails, or if there is nowhere to get it."""
        raise DatasetError(f"{self.name} cannot be downloaded. {self.how(root)}")

    def stamp(self, root: Path) -> Hashable:
        """Changes when the files that a person may edit have changed; nothing is cached across a change."""
        return None

    def missing(self, root: Path) -> DatasetMissing:
        """Makes the error that says that it is not there and how to get it."""
        return DatasetMissing(f"{self.name} is not on this machine. {self.how(root)}")

    def info(self, root: Path) -> DatasetInfo:
        """Describes it for `explorer.datasets.available`."""
        try:
            present = self.present(root)
        except OSError:  # a folder that may not be looked into
            present = False
        return DatasetInfo(
            name=self.name,
            title=self.title,
            present=present,
            how="" if present else self.how(root),
            image_shape=self.image_shape,
            origin=self.origin,
            fetch_bytes=self.fetch_bytes,
            part_of=self.part_of,
        )
