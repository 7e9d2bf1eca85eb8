"""Where decoded images go: into memory, or onto the disk."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from explorer.datasets.on_disk import ImageFile, StoredImages, Stretch
from explorer.errors import DatasetError
from explorer.files.results import FileResult

MAX_BYTES = 8 << 30  # of one split in memory


class Sink(ABC):
    """Where decoded images go, in order."""

    def earlier(self) -> Iterable[FileResult]:
        """Gives what has become of the first files, which need not be decoded again; the score is how many images."""
        return ()

    @abstractmethod
    def put(self, result: FileResult, pixels: np.ndarray) -> None:
        """Takes a file's images uint8 [n, C, H, W], none of one that could not be read.

        Raises:
            DatasetError: there is no room for them.
        """

    @property
    @abstractmethod
    def images(self) -> torch.Tensor:
        """All that it has taken, uint8 [N, C, H, W]."""


class Memory(Sink):
    """Images in memory."""

    def __init__(self, count: int, shape: tuple[int, int, int]) -> None:
        """Makes room for so many (C, H, W). Raises DatasetError if they would take more than MAX_BYTES."""
        self._count, self._shape = 0, shape
        self._check(count)
        self._found = np.empty((count, *shape), np.uint8)

    def put(self, result: FileResult, pixels: np.ndarray) -> None:
        end = self._count + len(pixels)
        if end > len(self._found):
            self._check(2 * end)
            self._found = np.concatenate([self._found, np.empty((end, *self._shape), np.uint8)])
        self._found[self._count : end] = pixels
        self._count = end

    @property
    def images(self) -> torch.Tensor:
        return torch.from_numpy(self._found[: self._count])

    def _check(self, count: int) -> None:
        _, height, width = self._shape
        if (needed := count * math.prod(self._shape)) > MAX_BYTES:
            raise DatasetError(
                f"{count:,} images of {width} × {height} would take {needed / 2**30:.1f} GB of memory; the limit is "
                f"{MAX_BYTES >> 30} GB. Choose a smaller size, or make a data set of your own of them, which stays on "
                "the disk."
            )


class OnDisk(Sink):
    """Images in a file without a name, whose room the disk gives back with the last tensor of them."""

    def __init__(self, count: int, shape: tuple[int, int, int]) -> None:
        """Begins the file, in the system's folder for temporary ones ($TMPDIR), for about so many (C, H, W).

        Raises:
            DatasetError: there is no room for them.
        """
        self._count, self._shape, self._needed = 0, shape, count * math.prod(shape)
        try:
            if self._needed > shutil.disk_usage(tempfile.gettempdir()).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            handle, path = tempfile.mkstemp(prefix="latent-explorer-images-")
            self._file = os.fdopen(handle, "wb")
            weakref.finalize(self, self._file.close)
            self._reader = ImageFile(Path(path), "the folder", grows=True)
            with contextlib.suppress(OSError):  # Windows, which keeps it
                os.unlink(path)
        except OSError as error:
            raise self._full(error) from error

    def put(self, result: FileResult, pixels: np.ndarray) -> None:
        try:
            self._file.write(np.ascontiguousarray(pixels).data)
        except OSError as error:
            raise self._full(error) from error
        self._count += len(pixels)

    @property
    def images(self) -> torch.Tensor:
        try:
            self._file.close()
        except OSError as error:
            raise self._full(error) from error
        return StoredImages([Stretch(self._reader, 0, self._count)], self._shape)

    def _full(self, error: OSError) -> DatasetError:
        return DatasetError(
            f"The images, {self._needed / 1e6:,.0f} MB, could not be kept in {tempfile.gettempdir()} "
            f"({error.strerror or error}): choose a smaller size, or set TMPDIR to a folder on a disk with more room."
        )
