"""The campaign: each part in a process of its own, which may die or hang without taking the rest along."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.trial import Trial, add_trial, read_trials

_START_SECONDS = 300  # of a part: its process imports PyTorch, trains tiny models or starts a server and a browser


@dataclass(frozen=True)
class Part:
    """A part of the campaign.

    Attributes:
        what: what is tried, for the table.
        module: that has its `prepare(place)` and `attempt(place, rng)`.
        count: trials, unless somebody asks for more or fewer.
        seconds: after which a trial counts as one that hangs.
    """

    what: str
    module: str
    count: int
    seconds: float = 60.0


PARTS: dict[str, Part] = {
    "checkpoints": Part("damaged checkpoints and runs: listed, opened, decoded", "checkpoints", 1000),
    "screens": Part("damaged checkpoints and runs, on every screen", "screens", 200, 180.0),
    "pictures": Part("damaged and odd pictures of every format that Pillow writes", "pictures", 1000),
    "archives": Part("odd and damaged archives, as own data sets", "archives", 200),
    "kills": Part("kill -9 of a training process, resumed to the same bits", "kills", 100, 300.0),
    "disk": Part("a disk that is full or read-only at a write, resumed to the same bits", "disk", 100, 300.0),
    "servers": Part("two servers on one folder, both killed and started", "servers", 10, 600.0),
    "visitors": Part("50 sessions at once, each with a picture of its own", "visitors", 1, 1200.0),
    "visits": Part("500 reruns and 200 sessions, opened and closed", "visits", 1, 1800.0),
}


def run_part(
    name: str, out: Path, *, seed: int, count: int | None = None, minutes: float, only: int | None = None
) -> None:
    """Tries a part of the campaign until its count or its time is over; leaves out what the folder `out` has already.

    Raises:
        RuntimeError: the part could not be prepared; the message ends with what its process said.
    """
    part = PARTS[name]
    known = {trial.number for trial in read_trials(out) if (trial.part, trial.seed) == (name, seed)}
    wanted = [only] if only is not None else [n for n in range(count or part.count) if n not in known]
    end = time.monotonic() + 60 * minutes
    print(f"== {name}, seed {seed}: {part.what}", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        while wanted and time.monotonic() < end:
            for trial in _trials(name, seed, wanted, Path(place), end):
                add_trial(out, trial)
                wanted.remove(trial.number)
                print(f"{'  ' if trial.survived else '! '}{name} {trial.number}: {trial.said}", flush=True)


def _trials(name: str, seed: int, numbers: list[int], place: Path, end: float) -> Iterator[Trial]:
    """Trials of one process, until it has done all of them, dies, hangs, or the time is over."""
    part = PARTS[name]
    log = place / "log.txt"
    command = [sys.executable, "-m", "benchmarks.faults.child", name, str(seed), str(place), *map(str, numbers)]
    with log.open("ab") as said:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, start_new_session=True)
    assert child.stdout is not None
    lines = _Lines(child.stdout.fileno())
    try:
        if lines.next(_START_SECONDS) is None:
            raise RuntimeError(f"{name} cannot be prepared: {_tail(log)}")
        for number in numbers:
            began = time.monotonic()
            if began > end:
                return
            line = lines.next(part.seconds)
            if line is None:
                how = "hangs" if child.poll() is None else "takes its process down"
                seconds = time.monotonic() - began
                yield Trial(name, seed, number, False, f"{how}: {_tail(log)}", seconds, 0.0)
                return
            yield Trial(**json.loads(line))
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()


class _Lines:
    """Lines from a pipe, each waited for so long and no longer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._rest = descriptor, b""

    def next(self, seconds: float) -> bytes | None:
        """The next line; None where none comes in time or the pipe is closed."""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, end - time.monotonic())):
                    return None
                data = os.read(self._descriptor, 65_536)
                if not data:
                    return None
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def _tail(log: Path) -> str:
    return " / ".join(log.read_text("utf-8", "replace").splitlines()[-6:])[-600:]


def table(trials: list[Trial]) -> str:
    """The results as a table in Markdown."""
    rows = [
        "| what | tried | survived | failed | most memory | longest |",
        "|---|---|---|---|---|---|",
    ]
    for name, part in PARTS.items():
        of = [trial for trial in trials if trial.part == name]
        if of:
            good = sum(trial.survived for trial in of)
            memory, longest = max(trial.megabytes for trial in of), max(trial.seconds for trial in of)
            rows.append(
                f"| {part.what} | {len(of):,} | {good:,} | {len(of) - good:,} | {memory:,.0f} MB | {longest:,.1f} s |"
            )
    return "\n".join(rows)
