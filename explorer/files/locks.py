"""Locks between processes. The system takes one away from a process that dies, whatever kills it."""

from __future__ import annotations

import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: one can train there, but not in the background, and nothing keeps processes apart
    fcntl = None  # type: ignore[assignment]

_SECONDS = 5.0  # a look at a lock holds it for an instant, which is no reason to give up


class Lock:
    """A file or folder that this process has locked, until `release` or its death."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def lock(path: Path, *, wait: float = _SECONDS) -> Lock | None:
    """Locks a folder, or a file that is made if need be; None when another process holds it after `wait` seconds.

    Raises:
        OSError: the file cannot be made or opened.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    fd = os.open(path, flags, 0o644)
    until = time.monotonic() + wait
    try:
        while not _try(fd, shared=False):
            if time.monotonic() > until:
                os.close(fd)
                return None
            time.sleep(0.01)
    except BaseException:
        os.close(fd)
        raise
    return Lock(fd)


def is_locked(file: Path) -> bool:
    """Says whether a living process holds the lock."""
    try:
        fd = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(fd, shared=True)
    finally:
        os.close(fd)


def _try(fd: int, *, shared: bool) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
