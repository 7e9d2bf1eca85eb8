"""A data set of a person's own on its way in: decoded in a thread, so that the page stays alive meanwhile."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from explorer.datasets import DatasetError, DatasetInfo, own

_LOG = logging.getLogger(__name__)


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
        handle, name = tempfile.mkstemp(prefix="upload-", suffix=".zip")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.data)
            yield Path(name)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


class _Cancelled(BaseException):
    """Not an Exception: what decodes may not take it for a damaged picture."""


class Adding:
    """One `own.create` in a thread of the server. It goes on when the page is left, and ends with the server."""

    def __init__(self, name: str, origin: Origin, size: int | None, channels: int | None) -> None:
        """Begins at once."""
        self.name, self.label = name, origin.label
        self.result: DatasetInfo | None = None
        self.existing = ""
        """`own:NAME` of the data set that has the same images, if that is why it failed."""
        self.problem = ""
        """Why it failed, as a sentence."""
        self.cancelled = False
        self.share = 0.0
        """How much is decoded, 0 to 1."""
        self._begun = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(origin, size, channels), name=f"adding {name}", daemon=True
        )
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether it was cancelled and has not ended yet."""
        return self._stop.is_set()

    @property
    def seconds_left(self) -> float | None:
        """None while there is nothing to judge by."""
        spent = time.monotonic() - self._begun
        return None if self.share <= 0 or spent < 1 else spent * (1 - self.share) / self.share

    def cancel(self) -> None:
        """Let it stop at its next report, with nothing left behind."""
        self._stop.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for its end."""
        self._thread.join(seconds)

    def _run(self, origin: Origin, size: int | None, channels: int | None) -> None:
        try:
            with origin.path() as path:
                self.result = own.create(
                    self.name, path, size=size, channels=channels, progress=self._report, label=origin.label
                )
        except _Cancelled:
            self.cancelled = True
        except own.AlreadyHere as error:
            self.existing, self.problem = error.name, str(error)
        except DatasetError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = f"{origin.label} could not be taken in: {error.strerror or error}."
        except MemoryError:
            self.problem = f"The memory of this computer does not suffice for {origin.label}; choose a smaller size."
        except Exception as error:
            _LOG.exception("%s could not be added", self.name)
            self.problem = f"{origin.label} could not be added ({type(error).__name__})."

    def _report(self, done: int, total: int | None) -> None:
        self.share = done / total if total else 0.0
        if self._stop.is_set():
            raise _Cancelled
