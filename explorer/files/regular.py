"""Reads files that anybody may have laid there: regular ones alone, so that none blocks or never ends, and bounded."""

from __future__ import annotations

import errno
import json
import os
import stat
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

MOST_JSON = 16 << 20  # bytes of a JSON file: 65,536 classes with long names take less


def open_regular(file: Path) -> BufferedReader:
    """Opens a regular file, or a link to one. Raises OSError for anything else, such as a pipe or a device."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # a pipe would wait for somebody who writes
    return open(_regular(os.open(file, flags), file), "rb")


def append_regular(file: Path) -> BufferedWriter:
    """Opens a regular file to add to its end; makes it if need be. Raises OSError, for a pipe or a device, too."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
    return open(_regular(os.open(file, flags, 0o644), file), "ab")


def _regular(fd: int, file: Path) -> int:
    """The descriptor of an open file; raises OSError, and closes it, unless that is a regular one."""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "it is no regular file", str(file))


def read_regular(file: Path, most: int) -> bytes:
    """Reads a regular file of at most so many bytes into memory. Raises OSError."""
    with open_regular(file) as f:
        size = os.fstat(f.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size >> 20:,} MB, more than the limit of {most >> 20:,}", str(file))
        return f.read(most)  # not without a number: it may grow


def read_json(file: Path) -> dict[str, Any]:
    """Reads a file with one JSON object.

    Raises:
        OSError: it is not there, no regular file, too large or unreadable.
        ValueError: it holds something else.
    """
    return json_object(read_regular(file, MOST_JSON))


def json_object(text: str | bytes) -> dict[str, Any]:
    """Reads one JSON object. Raises ValueError, a clause, for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value
