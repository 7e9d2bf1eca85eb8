"""Replaces several files of a folder together: after a crash at any moment all of them are new, or none is.

The new files are written to `.next` in the folder, which is then renamed `.commit`: that rename is the moment at which
they count. Moving them into place from there can be repeated by whoever comes by, so that a reader finishes what a
writer's death has left. Other files of the folder, such as a log that grows, are not touched.

A folder a save, and a file that points to the newest, would need none of this, but then `model.safetensors` and the
others would no longer be where people, `sha256sum -c` and every checkpoint that ships have them: in the folder itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from explorer.files.locks import lock
from explorer.files.regular import read_regular

NEW = ".new-"  # begins the name of a folder that is being made
_NEXT, _COMMIT, _PLAN = ".next", ".commit", ".plan"
_MOST_PLAN = 1 << 20  # bytes


def commit(folder: Path, files: Mapping[str, bytes], remove: Iterable[str] = ()) -> None:
    """Writes `files` into the folder and deletes those of `remove`, together. The last of `files` is moved last.

    Raises:
        OSError: the disk is full, or the folder is gone or cannot be written; what was there still is.
    """
    fresh = folder / _NEXT
    shutil.rmtree(fresh, ignore_errors=True)  # of a writer that died
    fresh.mkdir()
    try:
        for name, data in files.items():
            write_through(fresh / name, data)
        plan = [f"-{name}" for name in remove] + [f"+{name}" for name in files]
        write_through(fresh / _PLAN, "\n".join(plan).encode())
        _sync(fresh)
        _finish(folder, wait=10.0)  # of a writer that died
        fresh.rename(folder / _COMMIT)
        _sync(folder)
        _finish(folder, wait=10.0)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def pending(folder: Path) -> bool:
    """Says whether files of a commit are still to be moved."""
    return os.path.isdir(folder / _COMMIT)  # which, unlike Path.is_dir, takes a name of any length


def recover(folder: Path) -> None:
    """Finishes a commit that was cut short. Any process may do so at any time; it waits a second for another.

    Raises:
        OSError: the folder cannot be written, or another process is at it for long.
    """
    _finish(folder, wait=1.0)


def _finish(folder: Path, *, wait: float) -> None:
    """Moves the files of a commit, if there is one, alone: a second process might go on with a plan that is over."""
    while pending(folder):
        try:
            held = lock(folder / _COMMIT, wait=wait)
        except FileNotFoundError:  # another process has just done it
            continue
        if held is None:
            raise TimeoutError(f"another process is saving into {folder}")
        with held:
            _move(folder)
        return  # what is left cannot be removed, or is none of ours


def _move(folder: Path) -> None:
    ready = folder / _COMMIT
    try:
        plan = read_regular(ready / _PLAN, _MOST_PLAN).decode().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        with contextlib.suppress(OSError):  # emptied by a process that died before it removed the folder
            ready.rmdir()
        return
    for line in filter(None, plan):
        name = Path(line[1:]).name
        with contextlib.suppress(FileNotFoundError):  # moved before whoever did it died
            if line[0] == "+":
                os.replace(ready / name, folder / name)
            else:
                (folder / name).unlink()
    (ready / _PLAN).unlink()
    with contextlib.suppress(OSError):
        ready.rmdir()
    _sync(folder)


def write_through(file: Path, data: bytes) -> None:
    """Writes a file and waits until it is on the disk."""
    with open(file, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def replace_file(file: Path, data: bytes) -> None:
    """Replaces one small file, or the link that is there: readers see the old or the new one."""
    with replacement(file) as f:
        f.write(data)


@contextlib.contextmanager
def replacement(file: Path) -> Iterator[BinaryIO]:
    """Writes what replaces one file, or the link that is there: readers see the old or the new one."""
    # A name that nobody can foresee, and "x": nobody can have laid a link there that is then written through.
    fresh = file.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(fresh, "xb") as f:
            yield f
        os.replace(fresh, file)
    except BaseException:
        with contextlib.suppress(OSError, ValueError):
            fresh.unlink()
        raise


@contextlib.contextmanager
def new_folder(path: Path, key: str = "") -> Iterator[Path]:
    """Makes a folder as a whole or not at all: what is written into the one that is given appears at `path`.

    With a key, that folder is the one in which a process that was killed, or interrupted by its user, was at work for
    the same key, if there is one.

    Raises:
        FileExistsError: something of that name is there.
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh, held = path.parent / f"{NEW}{key}", None
    if key:
        fresh.mkdir(exist_ok=True)
        held = lock(fresh, wait=0)
    if held is None:
        fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=NEW))
        held = lock(fresh)  # as long as it is being made nobody takes it for what a dead process left
    try:
        yield fresh
        fresh.chmod(0o755)  # mkdtemp's 0700 would lock others out of a shared folder
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        fresh.rename(path)
    except BaseException as error:
        if not (key and isinstance(error, KeyboardInterrupt)):
            shutil.rmtree(fresh, ignore_errors=True)
        raise
    finally:
        if held is not None:
            held.release()


def _sync(folder: Path) -> None:
    """Makes renames in a folder durable, where the system lets a folder be synced."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
