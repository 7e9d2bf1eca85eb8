"""Two servers on one folder whose clocks disagree, killed and started again: every run ends once, as if alone."""

from __future__ import annotations

import time
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from benchmarks.faults import warm
from benchmarks.faults.sound import assert_same, config, empty, fork_server, train_undisturbed
from explorer import runs

_KINDS = ("plane", "five")
_EPOCHS = 4
_DAY = 86_400.0
_SECONDS = 300.0
_context: ForkServerContext | None = None


def prepare(place: Path) -> None:
    """Trains what the runs must come to, and starts a process that has PyTorch already."""
    global _context
    _context = fork_server()
    train_undisturbed(place, dict.fromkeys(_KINDS, _EPOCHS))


def attempt(place: Path, rng: Random) -> str:
    """Lets both submit and start runs, and kills one of them now and then."""
    empty(place / "runs")
    servers = [_start(rng, f"{number}") for number in range(2)]
    killed, end = 0, time.monotonic() + _SECONDS
    try:
        while not all((place / "runs" / f"run-{number}-1").is_dir() for number in range(2)) or runs.active():
            assert time.monotonic() < end, f"runs wait and wait: {[(info.name, info.state) for info in runs.runs()]}"
            time.sleep(rng.uniform(0.2, 2.0))
            which = rng.randrange(2)
            if not servers[which].is_alive() or (killed < 6 and rng.random() < 0.4):
                servers[which].kill()
                servers[which].join()
                killed += 1
                servers[which] = _start(rng, f"{which}")
    finally:
        for server in servers:
            server.kill()
            server.join()
    for info in runs.runs():
        assert info.state == "finished", f"{info.name} is {info.state}: {info.message}"
        assert_same(info.path, place / "undisturbed" / _KINDS[int(info.name[-1])])
    return f"{len(runs.runs())} runs, {killed} kills of a server"


def _start(rng: Random, name: str) -> BaseProcess:
    assert _context is not None
    ahead = rng.choice((0.0, -10.0, 600.0, -400 * _DAY, 400 * _DAY))
    process = _context.Process(target=warm.serve_runs, args=(name, ahead, [config(kind, _EPOCHS) for kind in _KINDS]))
    process.start()
    return process
