"""kill -9 of a process that trains, at any moment: it goes on to the bits of one that nobody disturbed."""

from __future__ import annotations

import shutil
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random

from benchmarks.faults import warm
from benchmarks.faults.sound import assert_none_damaged, assert_same, config, fork_server, train_undisturbed
from explorer import runs
from explorer.training import lifecycle

_EPOCHS = {"plane": 8, "five": 8, "plain": 8, "classes": 8}
_MOST_KILLS = 6  # of one run, which is then let end
_context: ForkServerContext | None = None


def prepare(place: Path) -> None:
    """Trains what the killed ones must come to, and starts a process that has PyTorch and the data already."""
    global _context
    _context = fork_server()
    train_undisturbed(place, _EPOCHS, save_seconds=0.1)


def attempt(place: Path, rng: Random) -> str:
    """Trains one and kills it again and again."""
    assert _context is not None
    kind = rng.choice(sorted(_EPOCHS))
    path = place / "runs" / "killed"
    shutil.rmtree(path, ignore_errors=True)
    lifecycle.create_run(path, config(kind, _EPOCHS[kind], save_seconds=0.1))
    moments = []
    for turn in range(_MOST_KILLS + 1):
        process = _context.Process(target=warm.work, args=(path,))
        began = time.monotonic()
        process.start()
        process.join(rng.uniform(0, 1.5) if turn < _MOST_KILLS else None)
        if process.is_alive():
            process.kill()
            moments.append(round(time.monotonic() - began, 2))
        process.join()
        info = runs.run("killed")
        assert_none_damaged()
        if info.state == "finished":
            break
        assert info.state == "interrupted", f"{kind}: it is {info.state}: {info.message}"
    assert info.state == "finished", f"{kind}: it is {info.state} in the end: {runs.log_tail('killed')}"
    assert_same(path, place / "undisturbed" / kind)
    return f"{kind}, killed {len(moments)} times, after {moments} s"
