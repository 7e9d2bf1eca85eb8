"""`data.safetensors`: written as images come, of which memory holds none, and read without mapping it.

The header, which tells where each tensor is, is written last, into room that was left for it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.datasets.on_disk import BLOCK, ImageFile, StoredImages, Stretch
from explorer.datasets.sinks import Sink
from explorer.files.results import FileResult, Results, part_of

_ROOM = 4096  # bytes of the header, with the eight that give its length
_MOST_HEADER = 1 << 20
_DTYPES = {"I64": torch.int64, "U8": torch.uint8}  # the larger ones first: they are to begin at multiples of their size


class DataWriter(Sink):
    """The file while it is written: the images of one split after those of the other, then the rest.

    What has become of the files that they are decoded from is kept beside: where a process has died, the next one goes
    on from there.

    Attributes:
        digests: of the files of the split, empty of one that could not be read.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], name: str) -> None:
        """Begins it, or goes on, for images (C, H, W) of the data set that sentences call `name`.

        Raises:
            OSError, DatasetError: it cannot be written.
        """
        self._path, self._shape, self._name = path, shape, name
        self._header: dict[str, dict[str, Any]] = {}
        self._split, self._first, self._end = "", 0, 0
        self._before = self._files = 0  # the files of the splits before this one, and of this one
        self.digests: list[bytes] = []
        self._waiting: list[FileResult] = []
        self._results = Results(part_of(path))
        size = path.stat().st_size if path.exists() else 0
        if size < _ROOM + self._results.score * math.prod(shape):  # a machine has died before it wrote all of that
            self._results.discard()
            self._results, size = Results(part_of(path)), 0
        self._file = path.open("r+b" if size else "wb")
        self._file.write(b" " * _ROOM)

    def __enter__(self) -> DataWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._results.close()

    def begin(self, split: str, files: int = 0) -> None:
        """Begins the images of the next split, of so many files."""
        self._keep()
        self._split, self._first = split, self._end
        self._before, self._files, self.digests = self._before + self._files, files, []
        self._count(0)

    def earlier(self) -> Iterator[FileResult]:
        for result in self._results.rows(self._before, self._before + self._files):
            self.digests.append(result.digest or b"")
            self._count(math.prod(self._shape) * int(result.score or 0))
            yield result._replace(position=result.position - self._before)
        self._file.seek(_ROOM + self._end)

    def put(self, result: FileResult, pixels: np.ndarray) -> None:
        self.write(pixels)
        self.digests.append(result.digest or b"")
        self._waiting.append(result._replace(position=self._before + result.position, score=len(pixels)))
        if len(self._waiting) >= BLOCK:
            self._keep()

    def write(self, pixels: np.ndarray) -> None:
        """Appends images uint8 [n, C, H, W] to the split. Raises OSError."""
        self._file.write(np.ascontiguousarray(pixels).data)
        self._count(pixels.nbytes)

    def _count(self, nbytes: int) -> None:
        self._end += nbytes
        count = (self._end - self._first) // math.prod(self._shape)
        self._header[f"{self._split}.images"] = _entry("U8", (count, *self._shape), self._first, self._end)

    def _keep(self) -> None:
        """Keeps what has become of files, once their images are in the file."""
        self._file.flush()
        self._results.add(self._waiting)
        self._waiting = []

    @property
    def images(self) -> Tensor:
        """The images of the split so far."""
        self._keep()
        return _images(ImageFile(self._path, self._name, grows=True), self._header, self._split, _ROOM)

    def finish(self, tensors: Mapping[str, Tensor]) -> None:
        """Appends the rest, int64 or uint8, and waits until all is on the disk. Raises OSError."""
        if gap := -self._end % 8:
            self._append("gap", "U8", torch.zeros(gap, dtype=torch.uint8))
        for dtype, kind in _DTYPES.items():
            for name, tensor in tensors.items():
                if tensor.dtype == kind:
                    self._append(name, dtype, tensor)
        self._file.truncate()  # behind which an earlier process may have written more
        header = json.dumps(self._header).encode().ljust(_ROOM - 8)
        self._file.seek(0)
        self._file.write(len(header).to_bytes(8, "little") + header)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._results.discard()

    def _append(self, name: str, dtype: str, tensor: Tensor) -> None:
        self._file.write(tensor.contiguous().numpy().data)
        self._header[name] = _entry(dtype, tensor.shape, self._end, self._end + tensor.nbytes)
        self._end += tensor.nbytes


class DataReader:
    """The file, opened. Raises OSError, or ValueError for what is no such file."""

    def __init__(self, path: Path, name: str) -> None:
        """Opens it; `name` is what sentences call the data set."""
        self._file = ImageFile(path, name)
        length = int.from_bytes(self._bytes(0, 8), "little")
        if not 0 < length <= _MOST_HEADER:
            raise ValueError("its header is damaged")
        self._start = 8 + length
        try:
            self._header = json.loads(self._bytes(8, length))
            for entry in self._header.values():
                first, last = entry.get("data_offsets", (0, 0))
                if not 0 <= first <= last <= self._file.size - self._start:
                    raise ValueError("its header is damaged")
        except (AttributeError, TypeError, RecursionError) as error:
            raise ValueError("its header is damaged") from error

    @property
    def modified(self) -> int:
        """When it was written last, in nanoseconds since 1970."""
        return self._file.modified

    def images(self, split: str) -> Tensor:
        """Opens the images of a split, uint8 [N, C, H, W]; reads them, if they are few."""
        return _images(self._file, self._header, split, self._start)

    def tensor(self, name: str) -> Tensor | None:
        """Reads another tensor; None if there is none of that name."""
        if name not in self._header:
            return None
        dtype, shape, first, last = _checked(self._header[name])
        return torch.frombuffer(self._bytes(self._start + first, last - first), dtype=dtype).reshape(shape)

    def _bytes(self, offset: int, count: int) -> bytearray:
        found = bytearray(count)
        self._file.read_into(memoryview(found), [(0, count, offset)])
        return found


def _images(file: ImageFile, header: Mapping[str, Any], split: str, start: int) -> Tensor:
    dtype, shape, first, _ = _checked(header.get(f"{split}.images"))
    if dtype != torch.uint8 or len(shape) != 4:
        raise ValueError(f"its {split} images are none")
    count, channels, height, width = shape
    images = StoredImages([Stretch(file, start + first, count)], (channels, height, width))
    return images[:] if file.small else images


def _entry(dtype: str, shape: tuple[int, ...], first: int, last: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [first, last]}


def _checked(entry: Any) -> tuple[torch.dtype, tuple[int, ...], int, int]:
    """Reads what a header says of a tensor. Raises ValueError for what cannot be."""
    try:
        dtype, shape, (first, last) = _DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        sound = all(isinstance(side, int) and side >= 0 for side in shape)
    except (KeyError, TypeError) as error:
        raise ValueError("its header is damaged") from error
    if not sound or math.prod(shape) * dtype.itemsize != last - first:
        raise ValueError("its header is damaged")
    return dtype, shape, first, last
