"""Tells whoever watches where a run stands: its status and the growing history, at next to no cost."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import replace
from pathlib import Path
from socket import gaierror
from typing import Any
from urllib.error import URLError

import torch

from explorer.models.devices import peak_memory
from explorer.training.experiment import Experiment
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import Progress, RunState

EVERY_SECONDS = 0.5  # between two writes of the status: a person sees no more


class StatusWriter:
    """Writes the status of the run that this process trains."""

    def __init__(self, files: RunFiles) -> None:
        self.files = files
        self.status = replace(
            files.status(),
            state=RunState.RUNNING,
            since=time.time(),
            pid=os.getpid(),
            message="",
            progress=Progress(phase="starting"),
            memory=None,
            retry=True,
        )
        self.device = torch.device("cpu")
        self._written = 0.0

    def begin(self) -> None:
        """Says that this process has the run. Raises OSError."""
        self._write()

    def _write(self, **changes: Any) -> None:
        self.status = replace(self.status, **changes)
        self.files.write_status(self.status)
        self._written = time.monotonic()

    def start(self, run: Experiment) -> None:
        """Says that data and model are there, as the run was saved. Raises OSError."""
        self.device = run.device
        self.files.write_history(run.history)
        self._count(run.history)
        progress = Progress(phase="starting", epochs=run.epochs, epoch=run.at.epoch)
        self._write(progress=progress, epochs_done=run.at.epoch, message=run.message)

    def progress(self, progress: Progress) -> None:
        """Raises OSError: the folder is gone or the disk is full."""
        if progress.phase == "training" and time.monotonic() - self._written < EVERY_SECONDS:
            return
        self._write(progress=progress, memory=peak_memory(self.device))

    def epoch(self, line: dict[str, Any]) -> None:
        """Appends an epoch to the history. Raises OSError."""
        self.files.append_history(line)
        self._count([line])

    def _count(self, history: list[dict[str, Any]]) -> None:
        if history:
            last = history[-1]
            self.status = replace(self.status, test=last["test"], seconds=last["seconds"], epochs_done=last["epoch"])

    def ended(self, state: RunState, message: str) -> None:
        """Raises OSError."""
        self.files.forget_stop()
        retry = state is not RunState.FAILED  # a loss that diverged would diverge again
        self._write(state=state, since=time.time(), message=message, progress=None, retry=retry)

    def failed(self, error: BaseException) -> None:
        """Says why a run ended that could not go on, as far as the disk lets us."""
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        self.status = replace(
            self.status,
            state=RunState.CANCELLED if stopped else RunState.FAILED,
            since=time.time(),
            message="" if stopped else describe_error(error),
            progress=None,
            retry=True,  # nearly all of it can be put right from outside: a full disk, data that are not there just now
        )
        with contextlib.suppress(OSError):
            self.files.write_last_status(self.status)
            self.files.forget_stop()


def describe_error(error: BaseException) -> str:
    """Words an exception for a person: one line."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return "there was not enough memory: choose a smaller batch or a smaller network"
    if isinstance(error, OSError) and (said := _describe_os_error(error)):
        return said
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError | OSError) and text else f"{type(error).__name__}: {text}".strip(": ")


def _describe_os_error(error: OSError) -> str:
    """Says what the system refused; empty where the error's own words are all that is known."""
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        return _describe_os_error(error.reason)
    files = [Path(os.fsdecode(file)) for file in (error.filename, error.filename2) if isinstance(file, str | bytes)]
    if isinstance(error, FileNotFoundError):
        for place in (place for file in files for place in (*reversed(file.parents), file)):
            if not os.path.exists(place):
                return f"{place} is gone: was it moved or deleted?"
    if not error.strerror:
        return ""
    if error.errno in _OF_WRITING:
        return f"a file could not be written: {error.strerror}" + (f" ({files[0]})" if files else "")
    if files:
        return f"{files[0]} could not be used: {error.strerror}"
    connecting = isinstance(error, ConnectionError | TimeoutError | gaierror) or error.errno in _OF_NETWORKS
    return f"a connection failed: {error.strerror}" if connecting else f"the system reported: {error.strerror}"


_OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_OF_NETWORKS = {errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH}
