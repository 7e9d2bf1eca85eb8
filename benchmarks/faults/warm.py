"""Imported by a fork server: what is loaded here, its children need not load again."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import torch

from explorer import datasets, runs
from explorer.runs import worker
from explorer.training.presets import TrainConfig

torch.set_num_threads(1)
for split in ("train", "test"):
    datasets.load("mnist-5k", split)


def work(path: Path) -> None:
    """Does what `python -m explorer.runs.worker` does, without the seconds that its start takes."""
    log = os.open(path / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os._exit(worker.main(path))


def serve_runs(name: str, ahead: float, wanted: list[TrainConfig]) -> None:
    """Submits a run for each config and keeps the queue going, as the app does, until it is killed.

    Args:
        name: makes the names of its runs its own.
        ahead: seconds by which its clock is wrong.
        wanted: what to train; what has its folder already is not submitted again.
    """
    true = time.time
    time.time = lambda: true() + ahead
    while True:
        for number, config in enumerate(wanted):
            with contextlib.suppress(runs.RunError):  # another process changes the queue: the next turn does it
                if not Path(os.environ["EXPLORER_RUNS"], f"run-{name}-{number}").exists():
                    runs.submit(config, f"run-{name}-{number}")
        with contextlib.suppress(runs.RunError):
            runs.advance()
        time.sleep(0.2)
