"""Work in a thread of the server that a page follows and can cancel; it goes on when the page is left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Generic, TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.errors import CheckpointError, DatasetError, RunError
from explorer.files.hosting import limits
from explorer.ui import people
from explorer.ui.components.pulse.component import pulse
from explorer.ui.markdown import plain
from explorer.ui.people import Person
from explorer.ui.wording import duration

_LOG = logging.getLogger(__name__)
_SECONDS = 0.5  # between two looks at a job
_AWAY = 120.0  # seconds without its browser: for so long Streamlit keeps a session that may come back
_ASKED = 0.5  # seconds between two looks at whether a place has become free

Result = TypeVar("Result")


_places: dict[str, threading.BoundedSemaphore] = {}  # of each person: as many as have started a job here


def _places_of(person: Person | None) -> threading.BoundedSemaphore | None:
    """The places for a person's jobs; None where there may be any number."""
    if person is None or (most := limits(person.owner).jobs) is None:
        return None
    return _places.setdefault(person.ident, threading.BoundedSemaphore(most))


class Cancelled(BaseException):
    """Not an Exception: what decodes may not take it for a damaged picture."""


class Job(Generic[Result]):
    """A thread with how far it is and what came of it. It begins at once.

    Attributes:
        doing: what it does, for the screen, such as "Ranking cells.zip"; the work may change it.
        result: what the work returned; None until then, and where it failed or was cancelled.
        problem: why it failed, as a sentence.
        error: what the problem is the sentence of, where it is one of ours.
        cancelled: whether it was ended before its time.
        waiting: whether as many others are on their way as may be.
        done, of: of what is counted: pictures, or bytes.
    """

    def __init__(
        self,
        work: Callable[[Job[Result]], Result],
        doing: str,
        failed: str,
        *,
        advice: str = "",
        places: threading.BoundedSemaphore | None = None,
        of_session: bool = False,
    ) -> None:
        """Begins the work, which calls `report` again and again.

        Args:
            work: what is done; it is given the job.
            doing: what it does, for the screen.
            failed: begins the sentence on an error that has none of its own: "cells.zip could not be ranked".
            advice: ends it where memory runs out.
            places: how many jobs of its kind are on their way at once; others wait.
            of_session: whether it ends with the session that began it, where nobody else sees what comes of it.
        """
        self.doing = doing
        self.result: Result | None = None
        self.problem = ""
        self.error: Exception | None = None
        self.cancelled = False
        self.waiting = False
        self.done, self.of = 0, 0
        self._failed, self._advice = failed, advice
        # A person's own places come first: who waits for one must not hold one of everybody's.
        self._places = [found for found in (_places_of(people.current()), places) if found is not None]
        context = get_script_run_ctx() if of_session else None
        self._session = None if context is None else context.session_id
        self._seen = self._begun = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work,), name=doing, daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Job[Result]], Result]) -> None:
        try:
            with self._place():
                self.result = work(self)
        except Cancelled:
            self.cancelled = True
        except (DatasetError, CheckpointError, RunError) as error:
            self.error, self.problem = error, str(error)
        except OSError as error:
            self.problem = f"{self._failed}: {error.strerror or error}."
        except MemoryError:
            self.problem = f"{self._failed}: this computer has too little memory{self._advice}."
        except Exception as error:
            _LOG.exception("%s", self._failed)
            self.problem = f"{self._failed} ({type(error).__name__})."

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Waits until no more others are on their way than may be: of its person, and of its kind."""
        with ExitStack() as held:
            for places in self._places:
                while not places.acquire(timeout=_ASKED if self.waiting else 0):
                    self.waiting = True
                    self.report(0, None)
                held.callback(places.release)
            if self.waiting:
                self.waiting = False
                self._begun = time.monotonic()
            yield

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
        return min(self.done / self.of, 1.0) if self.of else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None while there is nothing to judge by."""
        spent = time.monotonic() - self._begun
        return None if self.share <= 0 or spent < 1 else spent * (1 - self.share) / self.share

    def cancel(self) -> None:
        """Lets it stop at its next report."""
        self._stop.set()

    def join(self, seconds: float | None = None) -> None:
        """Waits for its end."""
        self._thread.join(seconds)

    def report(self, done: int, of: int | None) -> None:
        """Notes how far it is.

        Raises:
            Cancelled: somebody wants it to stop, or its session's browser has been away for a while.
        """
        self.done, self.of = done, of or 0
        if self._session is None or not runtime.exists() or runtime.get_instance().is_active_session(self._session):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _AWAY:
            self.cancel()
        if self._stop.is_set():
            raise Cancelled


def follow(
    job: Job[Result],
    key: str,
    *,
    counted: bool = False,
    may_cancel: bool = True,
    on_end: Callable[[], None] | None = None,
) -> None:
    """Draws how far a job is and a button that cancels it; at its end the whole page is drawn again.

    Args:
        job: the job.
        key: the widgets' keys begin with it.
        counted: whether what is counted is shown, or else a percentage.
        may_cancel: whether the person may: else there is no button.
        on_end: called in the run in which the end is noticed.
    """
    st.fragment(_follow)(job, key, counted, may_cancel, on_end)


def _follow(job: Job[Result], key: str, counted: bool, may_cancel: bool, on_end: Callable[[], None] | None) -> None:
    if not job.running:
        if on_end is not None:
            on_end()
        st.rerun()
    pulse(f"{key}_pulse", _SECONDS)
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_progress"):
        st.progress(job.share, f"{plain(job.doing)}: {_stage(job, counted)}")
        if may_cancel:
            st.button("Cancel", key=f"{key}_cancel", on_click=job.cancel, disabled=job.stopping)


def _stage(job: Job[Result], counted: bool) -> str:
    if job.stopping:
        return "stopping …"
    if job.waiting:
        return "waiting for another one to end …"
    if job.done == 0:
        return "starting …"
    if job.share >= 1:
        return "finishing …"
    left = job.seconds_left
    done = f"{job.done:,} of {job.of:,}" if counted else f"{job.share:.0%}"
    return done if left is None else f"{done} · {duration(left)} left"
