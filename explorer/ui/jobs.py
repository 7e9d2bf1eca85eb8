"""Work in a thread of the server that a page can follow and cancel; it goes on when the page is left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class Cancelled(BaseException):
    """Not an Exception: what decodes may not take it for a damaged picture."""


class Job:
    """A thread with how far it is. A subclass does the work in the callable that it gives to `begin`."""

    def __init__(self) -> None:
        self.problem = ""
        """Why it failed, as a sentence."""
        self.cancelled = False
        self.done, self.of = 0, 0
        """Of what is counted: pictures, or bytes."""
        self._stop = threading.Event()
        self._begun = time.monotonic()
        self._thread = threading.Thread()  # until it begins

    def begin(self, work: Callable[[], None], name: str) -> None:
        self._begun = time.monotonic()

        def run() -> None:
            try:
                work()
            except Cancelled:
                self.cancelled = True

        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether it was cancelled and has not ended yet."""
        return self._stop.is_set()

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return self.done / self.of if self.of else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None while there is nothing to judge by."""
        spent = time.monotonic() - self._begun
        return None if self.share <= 0 or spent < 1 else spent * (1 - self.share) / self.share

    def cancel(self) -> None:
        """Let it stop at its next report."""
        self._stop.set()

    def fail(self, error: Exception, what: str, done: str, advice: str = "") -> None:
        """Say why `what` could not be `done`, of an error that has no sentence of its own; for an `except` clause."""
        if isinstance(error, OSError):
            self.problem = f"{what} could not be {done}: {error.strerror or error}."
        elif isinstance(error, MemoryError):
            self.problem = f"The memory of this computer does not suffice for {what}{advice}."
        else:
            _LOG.exception("%s could not be %s", what, done)
            self.problem = f"{what} could not be {done} ({type(error).__name__})."

    def join(self, seconds: float | None = None) -> None:
        """Wait for its end."""
        self._thread.join(seconds)

    def report(self, done: int, of: int | None) -> None:
        """Note how far it is. Raises Cancelled once somebody wants it to stop."""
        self.done, self.of = done, of or 0
        if self._stop.is_set():
            raise Cancelled
