"""Images that stay on the disk: a tensor that is read where it is indexed.

They are read, and not mapped: a mapped file that is cut off ends the process.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from explorer.errors import DatasetError
from explorer.images.arrays import Size, sides
from explorer.images.batches import resize_batch

IN_MEMORY = 512 << 20  # bytes: smaller files of images are read as a whole
BLOCK = 1024  # images that are gone through at a time


class ImageFile:
    """An open file of which images are a part: it can be read as long as nothing changes it, renamed or not."""

    def __init__(self, path: Path, name: str, *, grows: bool = False) -> None:
        """Opens it; `name` is what sentences call the data set. One that `grows` may change. Raises OSError."""
        self._file, self._name, self._grows = path.open("rb", buffering=0), name, grows
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._state = self._now()

    @property
    def size(self) -> int:
        """Its bytes when it was opened."""
        return self._state[0]

    @property
    def small(self) -> bool:
        """Whether it has so few bytes by now that its images are best read as a whole."""
        return self._now()[0] <= IN_MEMORY

    @property
    def modified(self) -> int:
        """When it was written last before it was opened, in nanoseconds since 1970."""
        return self._state[1]

    def read_into(self, buffer: memoryview, pieces: Iterable[tuple[int, int, int]]) -> None:
        """Fills pieces of the buffer, from a first byte to before a last one, with the file's from an offset on.

        Raises:
            DatasetError: the file has changed, or cannot be read.
        """
        file = self._file
        try:
            with self._lock:
                sound = self._grows or self._now() == self._state
                for first, last, offset in pieces if sound else ():
                    file.seek(offset)
                    while sound and first < last:  # a single call reads at most 2 GB
                        first += (count := file.readinto(buffer[first:last]))
                        sound = count > 0
        except OSError as error:
            raise DatasetError(f"The images of {self._name} could not be read ({error.strerror or error}).") from error
        if not sound:
            raise DatasetError(f"The images of {self._name} have changed on the disk while they were in use.")

    def _now(self) -> tuple[int, int]:
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class Stretch:
    """So many images in a file, one behind the other from an offset on."""

    file: ImageFile
    offset: int
    count: int


class StoredImages(Tensor):
    """Images uint8 [N, C, H, W] on the disk; those that an index names are read, in its order, into memory.

    Whatever else can be done with a tensor is done with a copy of all of them in memory.
    """

    _stretches: tuple[Stretch, ...]
    _stored: tuple[int, int, int]
    _rows: np.ndarray | None
    _as: tuple[Size | None, int | None]

    @staticmethod
    def __new__(
        cls,
        stretches: Sequence[Stretch],
        shape: tuple[int, int, int],
        rows: np.ndarray | None = None,
        size: Size | None = None,
        channels: int | None = None,
    ) -> StoredImages:
        """Makes the tensor of the images (C, H, W) in some stretches, one after the other.

        Args:
            stretches: where the images are.
            shape: of an image as it is stored.
            rows: which of them, and in which order, int64 [N]; None for all.
            size, channels: what images are turned into, as `resize_batch` does it.
        """
        count = sum(stretch.count for stretch in stretches) if rows is None else len(rows)
        shown = (shape[0] if channels is None else channels, *(shape[1:] if size is None else sides(size)))
        made = Tensor._make_wrapper_subclass(cls, (count, *shown), dtype=torch.uint8)
        made._stretches, made._stored, made._rows, made._as = tuple(stretches), shape, rows, (size, channels)
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        args, kwargs = tree_map_only(cls, lambda images: images[:], (args, kwargs or {}))
        return func(*args, **kwargs)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"<StoredImages {list(self.shape)}>"

    def __iter__(self) -> Iterator[Tensor]:
        return (image for block in self.split(BLOCK) for image in block)

    def split(self, split_size: int, dim: int = 0) -> Iterator[Tensor]:  # type: ignore[override]
        """Reads so many images at a time."""
        return (self[start : start + split_size] for start in range(0, len(self), split_size))

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, tuple):
            first, rest = index[0], index[1:]
            found = self[first]
            return found[rest] if found.dim() < 4 else found[(slice(None), *rest)]
        if isinstance(index, slice):
            return self._read(np.arange(len(self))[index] if index.step else np.arange(*index.indices(len(self))))
        where = torch.as_tensor(index)
        if where.dtype == torch.bool:
            if len(where) != len(self):
                raise IndexError(f"a mask of {len(where)} for {len(self)} images")
            where = where.nonzero().flatten()
        rows = where.cpu().long().numpy()
        found = self._read(self._checked(rows.reshape(-1)))
        return found.reshape(*rows.shape, *self.shape[1:])

    def pick(self, rows: Tensor) -> StoredImages:
        """Picks images by their positions int64 [M], without reading them."""
        chosen = self._checked(rows.cpu().long().numpy())
        return StoredImages(
            self._stretches, self._stored, chosen if self._rows is None else self._rows[chosen], *self._as
        )

    def shown_as(self, size: Size | None, channels: int | None) -> StoredImages:
        """Gives them in another shape, as `resize_batch` makes it of those that are read."""
        return StoredImages(self._stretches, self._stored, self._rows, size, channels)

    def joined(self, other: StoredImages) -> StoredImages:
        """Appends other images that are shown alike. Raises ValueError for others."""
        if (self._stored, self._as) != (other._stored, other._as):
            raise ValueError("images of different shapes cannot be joined")
        mine, theirs = (np.arange(len(one)) if one._rows is None else one._rows for one in (self, other))
        before = sum(stretch.count for stretch in self._stretches)
        return StoredImages(
            (*self._stretches, *other._stretches), self._stored, np.concatenate([mine, theirs + before]), *self._as
        )

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        if len(rows) and not (-len(self) <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"a position is out of range for {len(self)} images")
        return np.where(rows < 0, rows + len(self), rows)

    def _read(self, rows: np.ndarray) -> Tensor:
        if self._rows is not None:
            rows = self._rows[rows]
        found = np.empty((len(rows), *self._stored), np.uint8)
        each, before = found[:1].nbytes or 1, 0
        buffer = found.reshape(-1).data
        for stretch in self._stretches:
            mine = np.flatnonzero((rows >= before) & (rows < before + stretch.count))
            # What lies side by side, there and here, is read at once.
            apart = (np.diff(rows[mine]) != 1) | (np.diff(mine) != 1)
            begins = np.flatnonzero(np.concatenate([np.ones(min(1, len(mine)), bool), apart]))
            firsts, counts = mine[begins], np.diff(begins, append=len(mine))
            offsets = stretch.offset + (rows[firsts] - before) * each
            pieces = zip((firsts * each).tolist(), ((firsts + counts) * each).tolist(), offsets.tolist(), strict=True)
            stretch.file.read_into(buffer, pieces)
            before += stretch.count
        return resize_batch(torch.from_numpy(found), *self._as)


def bytes_in_memory(images: Tensor) -> int:
    """Counts the bytes that images take of memory."""
    return 0 if isinstance(images, StoredImages) else images.nbytes


def resized(images: Tensor, size: Size | None, channels: int | None) -> Tensor:
    """Gives images in another shape: see `resize_batch`."""
    if isinstance(images, StoredImages):
        shape = list(images.shape[1:])
        wanted = [channels or shape[0], *(shape[1:] if size is None else sides(size))]
        return images if wanted == shape else images.shown_as(size, channels)
    return resize_batch(images, size, channels)


def pick(images: Tensor, where: Tensor) -> Tensor:
    """Picks images by their positions, int64 [M]."""
    return images.pick(where) if isinstance(images, StoredImages) else images[where]


def join(one: Tensor, other: Tensor) -> Tensor:
    """Joins images of one shape."""
    if isinstance(one, StoredImages) and isinstance(other, StoredImages):
        return one.joined(other)
    return torch.cat([one, other])
