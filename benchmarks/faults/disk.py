"""A disk that is full or read-only at some write of a training: a sentence, nothing lost, and the same bits in the end.

Python's audit events tell of every file that is opened to be written, renamed, removed or made; from some event on
each of them fails, as do flushes, until the disk has room again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import explorer
from benchmarks.faults.sound import (
    assert_none_damaged,
    assert_one_sentence,
    assert_same,
    config,
    train_undisturbed,
)
from explorer import runs

_KINDS = ("plane", "five", "plain", "classes")
_EPOCHS = 3
_REMOVALS = {"os.remove", "os.rmdir"}  # which a full disk lets happen
_CHANGES = {"os.rename", "os.mkdir", "os.link", "os.symlink", "os.truncate", *_REMOVALS}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_fsync = os.fsync


class _Disk:
    """What becomes of writes below a folder."""

    def __init__(self) -> None:
        self.folder, self.error, self.left = "", 0, -1
        self.refused = 0

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """An audit event of the interpreter."""
        if not self.folder or not (name in _CHANGES or (name == "open" and self._writes(arguments))):
            return
        if name in _REMOVALS and self.error != errno.EROFS:
            return
        paths = [str(one) for one in arguments if isinstance(one, str | os.PathLike)]
        # A relative path is of a folder that is open: that of `shutil.rmtree`.
        if any(path.startswith(self.folder) or not os.path.isabs(path) for path in paths):
            self.write()

    def write(self) -> None:
        """One more write. Raises OSError once there is no more room."""
        if not self.folder:
            return
        self.left -= 1
        if self.left < 0:
            self.refused += 1
            raise OSError(self.error, os.strerror(self.error))

    @staticmethod
    def _writes(arguments: tuple[Any, ...]) -> bool:
        _, mode, flags = (*arguments, None, 0)[:3]
        return bool(isinstance(flags, int) and flags & _WRITES) or bool(mode and set(str(mode)) & set("wax+"))


_disk = _Disk()


def _flush(fd: Any) -> None:
    _disk.write()
    _fsync(fd)


def prepare(place: Path) -> None:
    """Trains what the disturbed ones must come to, and counts from now on what is written."""
    train_undisturbed(place, dict.fromkeys(_KINDS, _EPOCHS), save_seconds=0.0)
    os.fsync = _flush
    sys.addaudithook(_disk.event)


def attempt(place: Path, rng: Random) -> str:
    """Trains on a disk that fails from some write on, then goes on with room again."""
    kind, error = rng.choice(_KINDS), rng.choice((errno.ENOSPC, errno.EROFS, errno.EDQUOT))
    after = rng.choice((rng.randrange(12), rng.randrange(80), rng.randrange(300)))
    path = place / "runs" / "disturbed"
    shutil.rmtree(path, ignore_errors=True)
    said = f"{kind}, {errno.errorcode[error]} from write {after} on"
    wanted = config(kind, _EPOCHS, save_seconds=0.0)
    with _failing(path.parent, error, after):
        try:
            explorer.train(wanted, path)
            outcome = "it ends all the same"
        except (OSError, ValueError) as problem:
            outcome = str(problem)
    assert_one_sentence(outcome)
    assert_none_damaged()
    runs.runs()
    if not path.exists():
        explorer.train(wanted, path)
    elif runs.run("disturbed").state != "finished":
        explorer.train(wanted, path, resume=True)
    assert_same(path, place / "undisturbed" / kind)
    return f"{said}: {outcome}"


@contextlib.contextmanager
def _failing(folder: Path, error: int, after: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    _disk.folder, _disk.error, _disk.left = str(folder), error, after
    try:
        yield
    finally:
        _disk.folder = ""
