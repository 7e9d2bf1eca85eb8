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
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # to open a pipe would wait for its other end


class Lock:
    """A file or folder that this process has locked, until `release` or its death; `fd` is the open file."""

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
    """Locks a file or a folder; None when another process holds it after `wait` seconds.

    Raises:
        OSError: there is none, or it cannot be opened.
    """
    if fcntl is None:
        return Lock(-1)
    until = time.monotonic() + wait
    while True:
        fd = os.open(path, _FLAGS)
        try:
            # Another may lie there by now: to have locked the one that was deleted keeps nobody out.
            if _try(fd, shared=False) and os.path.samestat(os.fstat(fd), os.stat(path)):
                return Lock(fd)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        if time.monotonic() > until:
            return None
        time.sleep(0.01)


def is_locked(path: Path) -> bool:
    """Says whether a living process holds the lock."""
    if fcntl is None:
        return False
    try:
        fd = os.open(path, _FLAGS)
    except OSError:
        return False
    try:
        return not _try(fd, shared=True)
    finally:
        os.close(fd)


def _try(fd: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
