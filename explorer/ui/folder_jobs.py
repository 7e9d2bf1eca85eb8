"""Work on all pictures of a folder or zip, by a job that goes on where an ended server, or a cancelled job, was."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import streamlit as st

from explorer.checkpoints.folder import runs_folder
from explorer.errors import DatasetError
from explorer.files.pictures import Progress
from explorer.files.results import Results
from explorer.ui.jobs import Job
from explorer.ui.origin import Origin

_LEFT = 7 * 86_400  # seconds after which what was done in part is deleted
_places = threading.BoundedSemaphore(2)  # such jobs at once, of all who use this server

Done = TypeVar("Done")


def begin(key: str, origin: Origin | None, starts: Callable[[Origin], Job[Done]]) -> None:
    """As a callback: lets a session have a job, unless its last one is on its way, as after a double click."""
    job: Job[Done] | None = st.session_state.get(key)
    if origin is not None and (job is None or not job.running):
        st.session_state[key] = starts(origin)


def start(
    origin: Origin, about: str, work: Callable[[Path, Results, Progress], Done], doing: str, failed: str
) -> Job[Done]:
    """Begins work on what was handed in, at once or when one of the others has ended.

    Args:
        origin: what was handed in.
        about: all that results depend on but the files.
        work: what is done with its path; it keeps what becomes of each file in the results, and goes on with those that
            are there.
        doing, failed: as of `Job`.
    """

    def of_job(job: Job[Done]) -> Done:
        with origin.path() as path:
            results = _results(origin, f"{about} {origin.ident}")
            done = work(path, results, job.report)
            results.discard()
        return done

    return Job(of_job, doing, failed, places=_places, of_session=True)


def goes_on(origin: Origin | None) -> bool:
    """Tells whether what is done of it in part is kept."""
    return origin is not None and isinstance(origin.data, Path)


def remove_old() -> None:
    """Deletes what was done in part and has been left for a week."""
    with contextlib.suppress(OSError):  # there is none
        for old in _folder().iterdir():
            with contextlib.suppress(OSError):  # somebody else has just deleted it
                if time.time() - old.stat().st_mtime > _LEFT:
                    old.unlink()


def _folder() -> Path:
    return runs_folder() / ".results"


def _results(origin: Origin, about: str) -> Results:
    """Keeps results of a folder on this computer, with what was done in part; of uploads in memory alone."""
    if goes_on(origin):
        remove_old()
        with contextlib.suppress(OSError, DatasetError):  # nothing can be written there, or another does the same
            _folder().mkdir(parents=True, exist_ok=True)
            return Results(_folder() / sha256(about.encode("utf-8", "replace")).hexdigest()[:32], about)
    return Results()
