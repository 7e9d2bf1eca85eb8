"""The processes that decode pictures: started, watched, lent to one caller at a time, and ended."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from explorer.errors import DatasetError
from explorer.images.tasks import Task
from explorer.images.worker import message, read_bytes, read_json

FILE_SECONDS = 30.0  # for one file
_START_SECONDS = 60.0

# Processor seconds for the files of one folder or zip together. A usual picture takes 0.02 to 2 a megabyte.
_SECONDS, _SECONDS_PER_MEGABYTE = 60.0, 10.0

# Packages without what they import by themselves: PyTorch alone takes seconds, and hundreds of megabytes.
_PROGRAM = """
import os.path, sys, types
for name in ("explorer", "explorer.datasets"):
    package = types.ModuleType(name)
    package.__path__ = [os.path.join(sys.argv[1], *name.split(".")[1:])]
    sys.modules[name] = package
from explorer.images.worker import main
main()
"""


def decoders() -> int:
    """How many pictures are decoded at a time, each by a process: $EXPLORER_DECODERS, or one for each core, up to 8.

    Raises:
        DatasetError: the variable is no such number.
    """
    text = os.environ.get("EXPLORER_DECODERS", "").strip()
    if text and not (text.isascii() and text.isdecimal() and int(text)):
        raise DatasetError(f"EXPLORER_DECODERS is how many processes decode pictures, such as 4, not {text!r}.")
    return min(8, int(text or os.cpu_count() or 1))


class Effort:
    """What decoding the files of one folder or zip has taken so far, and how it is ended."""

    def __init__(self, label: str) -> None:
        """Begins at nothing. `label` is what sentences call the folder or zip."""
        self._label = label
        self._seconds = self._megabytes = 0.0
        self._end: DatasetError | None = None
        self._busy: set[Process] = set()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Ends what is on its way, from another thread."""
        with self._lock:
            self._end = self._end or DatasetError(f"Reading {self._label} was stopped.")
            for process in self._busy:
                process.kill()

    def check(self) -> None:
        """Raises DatasetError if it was stopped, or has been too much by now."""
        if self._end is not None:
            raise self._end

    def begin(self, process: Process) -> None:
        """Notes that a process is at work for it; raises as `check`."""
        with self._lock:
            self.check()
            self._busy.add(process)

    def end(self, process: Process) -> None:
        """Notes that a process is done."""
        with self._lock:
            self._busy.discard(process)

    def spend(self, seconds: float, count: int) -> None:
        """Adds processor seconds for a file of `count` bytes. Raises DatasetError if it has been too many by now."""
        with self._lock:
            self._seconds += seconds
            self._megabytes += count / 1e6
            limit = _SECONDS + _SECONDS_PER_MEGABYTE * self._megabytes
            if self._seconds > limit:
                self._end = DatasetError(
                    f"{self._label} was given up: decoding {self._megabytes:,.1f} MB of pictures took more than the "
                    f"limit of {limit:,.0f} seconds."
                )
                raise self._end


class Process:
    """One of the processes, and its end of the pipes."""

    late = False  # whether it was killed since it took too long
    _dead = False

    def __init__(self) -> None:
        """Starts it. Raises DatasetError where that cannot be done."""
        self._deadline: float | None = None
        self._seconds = _START_SECONDS
        command = [sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).parents[1])]
        # One thread for numpy, which would set memory aside for each.
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "ARROW_IO_THREADS"), "1")
        environment = {**os.environ, **one, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # which takes no more than it is asked for
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
        except OSError as error:
            raise DatasetError(f"No process could be started to read pictures: {error.strerror or error}.") from error
        _alive.add(self)
        try:
            self.receive(_START_SECONDS)
        except EOFError as error:
            self.close()
            raise DatasetError("Pictures cannot be read: the process that decodes them does not start.") from error

    @property
    def alive(self) -> bool:
        return not self._dead and self._process.poll() is None

    @property
    def reason(self) -> str:
        """Why it is dead, as a clause on the file that it was at."""
        return f"it was not decoded in {self._seconds:.0f} seconds" if self.late else "the decoder broke down on it"

    def send(self, files: Sequence[tuple[str, bytes]], task: Task[Any], granted: int) -> None:
        """Asks for a task to be done with files. It reads all of them before it answers."""
        assert self._process.stdin is not None
        request = {
            "task": (type(task).__module__, type(task).__name__),
            "fields": vars(task),
            "names": [name for name, _ in files],
            "lengths": [len(data) for _, data in files],
            "granted": granted,
        }
        with contextlib.suppress(OSError):  # it has died, as its answer will tell
            self._process.stdin.write(message(request))
            for _, data in files:
                self._process.stdin.write(data)
            self._process.stdin.flush()

    def receive(self, seconds: float) -> dict[str, Any]:
        """Waits so long for an answer. Raises EOFError if the process dies or is killed."""
        assert self._process.stdout is not None
        self._seconds = seconds
        self._deadline = time.monotonic() + self._seconds
        try:
            return read_json(self._process.stdout)
        finally:
            self._deadline = None

    def take(self, count: int) -> bytes:
        """Reads so many of the bytes that follow an answer."""
        assert self._process.stdout is not None
        return read_bytes(self._process.stdout, count)

    def check(self, now: float) -> None:
        """Kills it if it is late. Called by the one thread that watches."""
        deadline = self._deadline
        if deadline is not None and now > deadline:
            self.late = True
            self.kill()

    def kill(self) -> None:
        """Ends it."""
        self._dead = True
        self._process.kill()

    def close(self) -> None:
        """Ends it, and lets go of the pipes."""
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
        _alive.discard(self)


_slots: queue.LifoQueue[Process | None] | None = None  # the last one used is the first to be used again
_making = threading.Lock()
_alive: set[Process] = set()
_watching = threading.Lock()  # held as soon as a thread watches


def _reset() -> None:
    """Begins with no processes in one that was forked, since it cannot share pipes."""
    global _slots, _making, _watching
    _slots, _making, _watching = None, threading.Lock(), threading.Lock()
    _alive.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset)


def _all_slots() -> queue.LifoQueue[Process | None]:
    """As many places as there may be processes, made at the first use. Raises as `decoders`."""
    global _slots
    with _making:
        if _slots is None:
            made: queue.LifoQueue[Process | None] = queue.LifoQueue()
            for _ in range(decoders()):
                made.put(None)
            _slots = made
        return _slots


@contextlib.contextmanager
def borrowed(effort: Effort | None) -> Iterator[Process]:
    """Waits for a process that nobody uses. One that is left in the middle of its answers is ended.

    Raises:
        DatasetError: it cannot be started.
    """
    slots = _all_slots()
    process = slots.get()
    try:
        if process is not None and not process.alive:
            process.close()
            process = None
        if process is None:
            process = Process()
            _watch()
        if effort is not None:
            effort.begin(process)
        yield process
    except BaseException:
        if process is not None:
            process.close()
            process = None
        raise
    finally:
        if process is not None and effort is not None:
            effort.end(process)
        slots.put(process)


def _watch() -> None:
    """Sees to it that a thread ends processes that are late."""
    if _watching.acquire(blocking=False):
        threading.Thread(target=_end_late, name="decoding", daemon=True).start()


def _end_late() -> None:
    while True:
        time.sleep(0.25)
        now = time.monotonic()
        for process in list(_alive):
            process.check(now)


@atexit.register
def _close() -> None:
    for process in list(_alive):
        process.close()
