"""Where a run stands, told to whoever watches: `state.json` and the growing history, at next to no cost."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from explorer.models.devices import peak_memory
from explorer.training.run_folder import RunFiles

EVERY_SECONDS = 0.5  # between two writes of the state: a person sees no more

# What the end of training is called in lists of runs.
ENDS = {"finished": "finished", "stopped": "cancelled", "diverged": "failed"}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands: losses are averages over the epoch so far, in nats an image; times in seconds.

    `elbo` and `kl` are None for a model without a prior. `phase` is `starting`, `training`, `mapping` or `saving`.
    """

    phase: str
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    elbo: float | None = None
    reconstruction: float = 0.0
    kl: float | None = None
    images_per_second: float = 0.0
    seconds_left: float = 0.0

    @classmethod
    def from_json(cls, data: Any) -> Progress | None:
        """What `asdict` gave, or None when it is not that."""
        if not isinstance(data, dict) or not isinstance(data.get("phase"), str):
            return None
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {
            k: v for k, v in data.items() if k in known and isinstance(v, str | int | float | None)
        }
        return cls(**values)


class StatusWriter:
    """Writes the state of the run that this process trains."""

    def __init__(self, files: RunFiles) -> None:
        self.files = files
        before = files.state()
        kept: dict[str, Any] = {k: before[k] for k in ("queued_at", "test", "seconds", "epochs_done") if k in before}
        self.state: dict[str, Any] = {**kept, "state": "running", "since": time.time(), "pid": os.getpid()}
        self.state["progress"] = asdict(Progress(phase="starting"))
        self.device = torch.device("cpu")
        self._written = 0.0

    def begin(self) -> None:
        """Say that this process has the run. Raises OSError."""
        self._write()

    def _write(self) -> None:
        self.files.write_state(self.state)
        self._written = time.monotonic()

    def start(self, history: list[dict[str, Any]], device: torch.device, epochs: int) -> None:
        """The data are loaded, the model is built; `history` is what the run had when it was saved."""
        self.device = device
        self.files.write_history(history)
        self.state["progress"] = asdict(Progress(phase="starting", epochs=epochs, epoch=len(history)))
        self._count(history)
        self._write()

    def progress(self, progress: Progress) -> None:
        """Raises OSError: the folder is gone or the disk is full."""
        if progress.phase == "training" and time.monotonic() - self._written < EVERY_SECONDS:
            return
        self.state |= {"progress": asdict(progress), "memory": peak_memory(self.device)}
        self._write()

    def epoch(self, line: dict[str, Any]) -> None:
        """Append an epoch to the history. Raises OSError."""
        self.files.append_history(line)
        self._count([line])

    def _count(self, history: list[dict[str, Any]]) -> None:
        if history:
            last = history[-1]
            self.state |= {"test": last["test"], "seconds": last["seconds"], "epochs_done": last["epoch"]}

    def ended(self, status: str, message: str) -> None:
        """Raises OSError."""
        self.state |= {"state": ENDS[status], "since": time.time(), "message": message, "progress": None}
        self.state["retry"] = status == "stopped"  # a loss that diverged would diverge again
        self.files.forget_stop()
        self._write()

    def failed(self, error: BaseException) -> None:
        """Say why a run ended that could not go on, as far as the disk lets us."""
        if isinstance(error, KeyboardInterrupt | SystemExit):
            self.state |= {"state": "cancelled", "message": ""}
        else:
            self.state |= {"state": "failed", "message": in_a_sentence(error)}
        # Nearly all of it can be put right from outside: a full disk, data or a GPU that are not there just now.
        self.state |= {"since": time.time(), "progress": None, "retry": True}
        with contextlib.suppress(OSError):
            self.files.write_last_state(self.state)
            self.files.forget_stop()


def in_a_sentence(error: BaseException) -> str:
    """An exception as a person can read it: one line."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "there was not enough memory: choose a smaller batch or a smaller network"
    if isinstance(error, FileNotFoundError) and error.filename:
        file = Path(os.fsdecode(error.filename))
        gone = next((place for place in reversed(file.parents) if not place.exists()), file)
        return f"{gone} is gone: was it moved or deleted?"
    if isinstance(error, OSError) and error.strerror:
        return f"a file could not be written: {error.strerror}" + (f" ({error.filename})" if error.filename else "")
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError | OSError) and text else f"{type(error).__name__}: {text}".strip(": ")
