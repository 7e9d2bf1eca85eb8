"""A data set of a person's own on its way in: decoded in a thread, so that the page stays alive meanwhile."""

from __future__ import annotations

import atexit
import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from explorer.datasets import DatasetInfo, own
from explorer.errors import DatasetError
from explorer.ui.jobs import Job


@dataclass(frozen=True)
class Origin:
    """What a person handed in: an uploaded file's bytes, or a folder or zip on the server."""

    ident: str
    """Differs between any two of them."""
    label: str
    """What sentences call it."""
    data: bytes | Path

    @contextlib.contextmanager
    def path(self) -> Iterator[Path]:
        """Where it lies: for an upload a temporary file under a name of ours, gone afterwards. Raises OSError."""
        if isinstance(self.data, Path):
            yield self.data
            return
        remove_leftovers()
        handle, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", suffix=".zip")
        _unlink_at_exit.add(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.data)
            yield Path(name)
        finally:
            _unlink(name)
            _unlink_at_exit.discard(name)


_PREFIX = "latent-explorer-upload-"
_unlink_at_exit: set[str] = set()


def remove_leftovers() -> None:
    """Remove the uploads of servers that were killed: what a person handed in must not stay on the disk."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*.zip"):
        pid = path.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdecimal() and not _is_alive(int(pid)):
            _unlink(path)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where the signal 0 is a Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _unlink(path: str | Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


@atexit.register
def _unlink_all() -> None:
    """A job's thread is broken off where the server ends: nothing of it gets to clean up."""
    for name in list(_unlink_at_exit):
        _unlink(name)


class Adding(Job):
    """One `own.create`. Cancelled, it leaves nothing behind."""

    def __init__(self, name: str, origin: Origin, size: int | None, channels: int | None) -> None:
        """Begins at once."""
        super().__init__()
        self.name, self.label = name, origin.label
        self.result: DatasetInfo | None = None
        self.existing = ""
        """`own:NAME` of the data set that has the same images, if that is why it failed."""
        self.begin(lambda: self._run(origin, size, channels), f"adding {name}")

    def _run(self, origin: Origin, size: int | None, channels: int | None) -> None:
        try:
            with origin.path() as path:
                self.result = own.create(
                    self.name, path, size=size, channels=channels, progress=self.report, label=origin.label
                )
        except own.AlreadyHere as error:
            self.existing, self.problem = error.name, str(error)
        except DatasetError as error:
            self.problem = str(error)
        except Exception as error:
            self.fail(error, origin.label, "taken in", "; choose a smaller size")
