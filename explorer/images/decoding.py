"""Pictures decoded by other processes, which may break down, take too long, or need too much memory: this one goes on.

Every picture from outside is decoded here, one file or thousands. The processes (`worker.py`) are started when they are
first needed, at most `processes.decoders` of them, and serve whoever asks. They end with the program.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from PIL import Image

from explorer.errors import ImageError
from explorer.images import memory, processes
from explorer.images.processes import Effort, borrowed
from explorer.images.reading import MAX_FILE_BYTES, UPLOAD_BYTES, Picture
from explorer.images.stacks import FIRST, Planes
from explorer.images.tasks import ReadPicture, Task

_SMALL = 64 << 20  # bytes of memory that each process may take at any time; for more it takes its turn

Result = TypeVar("Result")


def decode_image(source: bytes | str | os.PathLike[str], *, name: str | None = None) -> Image.Image:
    """Decodes a file, or a file's bytes, upright, in mode `L` (gray) or `RGB`, 8 bits; see `reading.read`.

    Args:
        source: the file's path or its bytes.
        name: what an error calls the picture.

    Raises:
        ImageError: it cannot be read, or exceeds a limit.
    """
    if not isinstance(source, bytes):
        name = name or Path(source).name
        try:
            status = os.stat(source)
            if status.st_size > MAX_FILE_BYTES:
                raise _too_large(name, status.st_size)
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                raise ImageError(name, "it is no file")  # a pipe or a device may have no end
            source = Path(source).read_bytes()
        except (OSError, ValueError) as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(name, getattr(error, "strerror", None) or str(error)) from error
    return read_one(source, name or "The image", ReadPicture()).image


def read_picture(
    data: bytes, name: str, *, at_most: int | None = None, planes: Planes = FIRST, effort: Effort | None = None
) -> Picture:
    """Decodes a picture that somebody hands in, in at most UPLOAD_BYTES of memory, and says what was done to it.

    Args:
        data: the file's bytes.
        name: what an error calls the picture.
        at_most: the picture is shrunk where its longer side has more pixels; a JPEG while it is decoded.
        planes: which frames and channel of the file it takes; not `all` frames.
        effort: which it counts for.

    Raises:
        ImageError: it cannot be read, or exceeds a limit.
        DatasetError: as `decode`.
    """
    return read_one(data, name, ReadPicture(at_most=at_most, most_bytes=UPLOAD_BYTES, **vars(planes)), effort)


def read_one(data: bytes, name: str, task: Task[Result], effort: Effort | None = None) -> Result:
    """Does a task with one file's bytes. Raises ImageError, and DatasetError as `decode` does."""
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(name, len(data))
    (found,) = decode([(name, data)], task, effort)
    if isinstance(found, ImageError):
        raise found
    return found


def decode(
    files: Sequence[tuple[str, bytes]], task: Task[Result], effort: Effort | None = None
) -> Iterator[Result | ImageError]:
    """Does a task with some files, one after another: yields for each, in order, what came of it, or why nothing did.

    Args:
        files: names and bytes.
        task: what is done with each.
        effort: which they count for.

    Raises:
        DatasetError: the effort is too large by now or was stopped, or pictures cannot be decoded at all.
    """
    at, granted = 0, _SMALL
    while at < len(files):
        if effort is not None:
            effort.check()
        asked = files[at:] if granted == _SMALL else files[at : at + 1]
        # Before a process is: who has one may not wait for what only others can give back.
        room = contextlib.nullcontext() if granted == _SMALL else memory.decoding.taken(granted)
        with room, borrowed(effort) as process:
            process.send(asked, task, granted)
            granted = _SMALL
            for name, data in asked:
                found: Result | ImageError
                try:
                    values = process.receive(processes.FILE_SECONDS + task.seconds_per_megabyte * len(data) / 1e6)
                    if "needs" in values:
                        granted = values["needs"]
                        break
                    found = (
                        ImageError(name, values["error"]) if "error" in values else task.result(values, process.take)
                    )
                except EOFError:
                    process.kill()
                    values = {"seconds": processes.FILE_SECONDS if process.late else 0.0, "last": True}
                    found = ImageError(name, process.reason)
                at += 1
                if effort is not None:
                    effort.spend(values["seconds"], len(data))
                yield found
                if values["last"]:
                    break


def _too_large(name: str, length: int) -> ImageError:
    return ImageError(name, f"it has {length >> 20:,} MB, more than the limit of {MAX_FILE_BYTES >> 20}")
