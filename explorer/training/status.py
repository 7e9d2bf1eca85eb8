"""Tells whoever watches where a run stands: its status and the growing history, at next to no cost."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    if isinstance(error, FileNotFoundError) and error.filename:
        file = Path(os.fsdecode(error.filename))
        gone = next((place for place in reversed(file.parents) if not place.exists()), file)
        return f"{gone} is gone: was it moved or deleted?"
    if isinstance(error, OSError) and error.strerror:
        return f"a file could not be written: {error.strerror}" + (f" ({error.filename})" if error.filename else "")
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError | OSError) and text else f"{type(error).__name__}: {text}".strip(": ")
