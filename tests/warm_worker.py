"""Imported by a fork server: what is loaded here, the workers of runs that tests start need not load again.

For `explorer.runs.queue` this is its module `subprocess`, where a test has the fixture `warm_workers`.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import types
from collections.abc import Sequence
from multiprocessing import reduction
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from typing import IO

import torch

from explorer import datasets
from explorer.runs import worker
from explorer.runs.queue import LOCK_FD

__all__ = ["DEVNULL", "STDOUT", "Popen", "server", "work"]

torch.set_num_threads(1)
server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload([__name__])
if "pytest" not in sys.modules:  # in the fork server
    for split in ("train", "test"):
        datasets.load("mnist-5k", split)


def work(path: Path, log: int | None = None) -> None:
    """What `python -m explorer.runs.worker` does, without the seconds that its start takes."""
    log = os.open(path / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND) if log is None else log
    os.dup2(log, 1)
    os.dup2(log, 2)
    os._exit(worker.main(path))


class Popen:
    """A worker of the queue: a child of the fork server, with the environment, the lock and the log that it gets."""

    def __init__(
        self, command: Sequence[str], *, stdout: IO[bytes], env: dict[str, str], pass_fds: Sequence[int], **_: object
    ) -> None:
        # Streamlit's test runner leaves its script behind as the main module, and a new process would run that first.
        main, sys.modules["__main__"] = sys.modules["__main__"], types.ModuleType("__main__")
        try:
            self._process = server.Process(target=_started, args=(Path(command[-1]), _Files(stdout, *pass_fds), env))
            self._process.start()
        finally:
            sys.modules["__main__"] = main

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()


class _Files:
    """Open files on their way into the child: log and lock."""

    def __init__(self, log: IO[bytes], lock: int) -> None:
        self.numbers = log.fileno(), lock

    def __reduce__(self) -> tuple:
        return _received, tuple(reduction.DupFd(number) for number in self.numbers)


def _received(*files: object) -> tuple[int, ...]:
    return tuple(file.detach() for file in files)  # type: ignore[attr-defined]


def _started(path: Path, files: tuple[int, int], environment: dict[str, str]) -> None:
    log, lock = files
    os.setsid()
    os.environ.clear()
    os.environ.update(environment, **{LOCK_FD: str(lock)})
    work(path, log)
