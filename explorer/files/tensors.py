"""Reads safetensors files: what they hold without their data, and the tensors in memory of their own.

The format: 8 bytes with the length of a header, the header in JSON, the data. safetensors itself maps a file into
memory and hands out views of it, and then a file that is cut off meanwhile, as `cp` does first of all, ends the process
by SIGBUS. So nothing here maps a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from explorer.files.regular import json_object, open_regular, read_regular

MOST_BYTES = 4 << 30  # of a file
_MOST_HEADER = 16 << 20


@dataclass(frozen=True)
class Header:
    """What a file says that it holds: by name the type (`F32`, `I64`) and shape of each tensor, and the metadata."""

    tensors: dict[str, tuple[str, tuple[int, ...]]]
    metadata: dict[str, str]


def read_header(file: Path) -> Header:
    """Reads what a file says that it holds.

    Raises:
        OSError: it is not there, no regular file, or unreadable.
        ValueError: it is no safetensors file, or its length is not what it says.
    """
    with open_regular(file) as f:
        size = os.fstat(f.fileno()).st_size
        length = int.from_bytes(f.read(8), "little")
        if size > MOST_BYTES:
            raise ValueError(f"it has {size >> 30:,} GB, more than the limit of {MOST_BYTES >> 30}")
        if size < 8 or length > min(size - 8, _MOST_HEADER):
            raise ValueError("it has no header")
        header = json_object(f.read(length))
    metadata = header.pop("__metadata__", {})
    try:
        tensors = {name: _entry(value) for name, value in header.items()}
        end = max((int(value["data_offsets"][1]) for value in header.values()), default=0)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError("its header is no header of tensors") from error
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its header is no header of tensors")
    if size != 8 + length + end:
        raise ValueError(f"it has {size:,} bytes instead of {8 + length + end:,}")
    return Header(tensors, metadata)


def _entry(value: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    return str(value["dtype"]), tuple(map(int, value["shape"]))


def read_tensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads the tensors of a file into memory of their own, on the CPU, and the text beside them.

    Raises:
        OSError: it is not there, no regular file, too large or unreadable.
        ValueError: it is no safetensors file, or is cut off.
    """
    header = read_header(file)
    try:
        return load(read_regular(file, MOST_BYTES)), header.metadata
    except (SafetensorError, RuntimeError, KeyError) as error:  # the last for a type that is none
        raise ValueError(str(error)) from error
