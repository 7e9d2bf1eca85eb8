"""IDX, the file format of MNIST: a big-endian header of sizes, then unsigned bytes; often gzipped.

Header: two zero bytes, the type (0x08: unsigned byte), the number of dimensions, then a uint32 a dimension.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from explorer.errors import DatasetError
from explorer.images.arrays import CHANNELS, Size, check_size

if TYPE_CHECKING:
    from explorer.datasets.base import ImageDataset

UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 4  # N, C, H, W; a larger number is not an image file but noise
MAX_BYTES = 2 << 30  # unpacked; the largest of MNIST's relatives (EMNIST by class) has 547 MB
CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads the array in an IDX file, gzipped or plain (told apart by content, not by name): uint8, writable.

    Raises:
        DatasetError: it is anything but a complete IDX file of unsigned bytes.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return read_stream(file, path.name)
    except OSError as error:
        raise DatasetError(f"{path} could not be read: {error.strerror or error}.") from error


def read_stream(file: io.BufferedIOBase, name: str, limit: int = MAX_BYTES) -> np.ndarray:
    """Reads the same of an open file, in at most `limit` bytes; `name` is what errors call it. Raises DatasetError."""
    try:
        gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not gzipped:
            return _read(file, name, limit)
        with gzip.GzipFile(fileobj=file) as stream:
            return _read(stream, name, limit)
    except EOFError:
        raise DatasetError(f"{name} is cut off: its gzip data end early.") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{name} is damaged: {error}.") from error


def load_idx(path: str | os.PathLike[str], *, size: Size | None = None, channels: int | None = None) -> ImageDataset:
    """Reads the images [N, H, W] or [N, C, H, W] of an IDX file, without labels, as a data set with the split `all`.

    They are resized to `size` and converted to `channels` if these are given. Raises DatasetError.
    """
    import torch  # which the processes that read files from outside do without

    from explorer.datasets.base import ImageDataset
    from explorer.images.batches import resize_batch

    check_size(size, channels)
    array = read_idx(path)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] not in CHANNELS:
        raise DatasetError(f"{Path(path).name} of shape {list(array.shape)} does not hold images [N, H, W].")
    images = resize_batch(torch.from_numpy(array), size, channels)
    return ImageDataset(name=Path(path).name, split="all", images=images, labels=None, classes=[])


def _read(stream: io.BufferedIOBase, name: str, limit: int) -> np.ndarray:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DatasetError(f"{name} is not an IDX file: it does not begin with the format's magic number.")
    kind, dimensions = magic[2], magic[3]
    if kind != UNSIGNED_BYTE:
        raise DatasetError(f"{name} holds IDX data of type 0x{kind:02x}; only unsigned bytes (0x08) can be read.")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise DatasetError(f"{name} has {dimensions} dimensions; 1 to {MAX_DIMENSIONS} can be read.")
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DatasetError(f"{name} is cut off within its header.")
    shape = struct.unpack(f">{dimensions}I", sizes)
    expected = math.prod(shape)
    if expected > limit:
        raise DatasetError(f"{name} claims {expected:,} bytes of data, more than the limit of {limit:,}.")

    # Memory grows with what is really there, never with what the header claims. One byte past the end is
    # asked for: it shows surplus data, and makes gzip verify its checksum.
    data = bytearray()
    while chunk := stream.read(min(CHUNK, expected + 1 - len(data))):
        data += chunk
    if len(data) < expected:
        raise DatasetError(f"{name} is cut off: it holds {len(data):,} of {expected:,} bytes of data.")
    if len(data) > expected:
        raise DatasetError(f"{name} holds more data than the {expected:,} bytes that its header names.")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
