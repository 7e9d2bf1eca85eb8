"""Runs on a Ray cluster, which $EXPLORER_RAY names; without it every run is a process on this computer.

Ray ends a process that it has lost its cluster for, so neither the app nor a run imports it: a dispatcher does, a
process of its own that ends when no run waits (`explorer.runs.dispatcher`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from explorer.checkpoints.folder import runs_folder
from explorer.files.locks import is_locked
from explorer.files.regular import append_regular

_AGAIN = 10.0  # seconds between two dispatchers, of which the first may have found no cluster
_PREFIX = "Ray, "  # begins the name of what runs of a cluster wait for
_PACKAGE = Path(__file__).parents[2]
_started = -_AGAIN


def address() -> str:
    """The cluster's address, as `ray start` says it; "" where there is none."""
    return os.environ.get("EXPLORER_RAY", "").strip()


def device_of(asked: str) -> str | None:
    """What a run with this device waits for; None where it is a device of this computer."""
    return f"{_PREFIX}{asked}" if address() else None


def on_cluster(device: str) -> bool:
    """Whether a run that waits for this waits for a cluster."""
    return device.startswith(_PREFIX)


def folder() -> Path:
    """Where the dispatcher of these runs has its log; it holds the folder's lock."""
    return runs_folder() / ".ray"


def environment() -> dict[str, str]:
    """The environment of the processes that are started for runs."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(_PACKAGE), os.environ.get("PYTHONPATH")]))}


def dispatch() -> list[subprocess.Popen[bytes]]:
    """Starts the dispatcher unless there is one; gives its process, if it did. Raises OSError."""
    global _started
    if is_locked(folder()) or time.monotonic() - _started < _AGAIN:
        return []
    _started = time.monotonic()
    folder().mkdir(exist_ok=True)
    with append_regular(folder() / "log.txt") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "explorer.runs.dispatcher"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )
    return [process]
