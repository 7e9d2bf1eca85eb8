"""The ranking of a folder or a zip in a thread, so that the page stays alive meanwhile."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from pathlib import Path

from explorer.checkpoints import CheckpointError
from explorer.datasets import DatasetError
from explorer.loaded import Model
from explorer.ranking import Ranking, rank
from explorer.ui.adding import Origin

_LOG = logging.getLogger(__name__)


class _Cancelled(BaseException):
    """Not an Exception: what decodes may not take it for a damaged picture."""


class RankingJob:
    """One `explorer.ranking.rank`. It goes on when the page is left, and ends with the server."""

    def __init__(self, origin: Origin, model: Model) -> None:
        """Begins at once."""
        self.label = origin.label
        self.model = model
        self.result: Ranking | None = None
        self.csv = b""
        self.problem = ""
        """Why it failed, as a sentence."""
        self.cancelled = False
        self.done, self.of = 0, 0
        """Pictures, readable or not."""
        self._begun = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(origin,), name=f"ranking {self.label}", daemon=True)
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
        return None if self.done == 0 or spent < 1 else spent * (self.of - self.done) / self.done

    def cancel(self) -> None:
        """Let it stop at its next report."""
        self._stop.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for its end."""
        self._thread.join(seconds)

    def _run(self, origin: Origin) -> None:
        place = ""
        try:
            with origin.path() as path:
                place = str(path)
                found = rank(path, self.model, progress=self._report)
            self.csv = _csv(found)
            self.result = found
        except _Cancelled:
            self.cancelled = True
        except (DatasetError, CheckpointError) as error:
            # An upload lies in a temporary file, whose name says nothing to a person.
            self.problem = str(error).replace(place, self.label) if place else str(error)
        except OSError as error:
            self.problem = f"{self.label} could not be read: {error.strerror or error}."
        except MemoryError:
            self.problem = f"The memory of this computer does not suffice for {self.label}."
        except Exception as error:
            _LOG.exception("%s could not be ranked", self.label)
            self.problem = f"{self.label} could not be ranked ({type(error).__name__})."

    def _report(self, done: int, of: int) -> None:
        self.done, self.of = done, of
        if self._stop.is_set():
            raise _Cancelled


def _csv(ranking: Ranking) -> bytes:
    with tempfile.TemporaryDirectory(prefix="ranking-") as folder:
        path = Path(folder) / "ranking.csv"
        ranking.write_csv(path)
        return path.read_bytes()
