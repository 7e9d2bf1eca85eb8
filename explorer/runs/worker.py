"""The process of a run in the background: `python -m explorer.runs.worker FOLDER`, started by `explorer.runs`."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
import traceback
from pathlib import Path

from explorer.files.hosting import limits
from explorer.files.locks import Lock
from explorer.files.owner import read_owner
from explorer.models.devices import main_memory
from explorer.runs.queue import LOCK_FD
from explorer.training import lifecycle
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState
from explorer.training.status import describe_error


def main(path: Path) -> int:
    """Trains the run in a folder; returns the exit code. Its state and its log say how it went."""
    if os.environ.pop("EXPLORER_RUN_WATCHED", ""):
        die_with_parent()
    with _lock(path):
        if not RunFiles(path).status().state.active:
            return 130  # it was cancelled before this process was there
        if hasattr(os, "nice"):
            os.nice(5)  # whoever watches should not wait for the one who trains
        files, allowed = RunFiles(path), limits(read_owner(path))
        bound_memory(allowed.memory_share)
        seconds = math.inf if allowed.minutes is None else 60 * allowed.minutes - files.status().seconds
        until = time.monotonic() + seconds
        try:
            why = (
                f"It has trained for {allowed.minutes:g} minutes, as long as a run may here." if allowed.minutes else ""
            )
            run = lifecycle.train_run(path, files.config(), should_stop=lambda: time.monotonic() > until, why=why)
        except (ValueError, OSError, MemoryError) as error:
            print(f"explorer: {describe_error(error)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
        except Exception:
            traceback.print_exc()
            return 1
    print(f"{run.status} after {len(run.history)} epochs" + (f": {run.message}" if run.message else ""))
    return {RunState.FINISHED: 0, RunState.CANCELLED: 130}.get(run.status, 1)


def bound_memory(share: float) -> None:
    """Lets this process have a share of the computer's memory, and be the first to go where all of it is used up.

    Otherwise a run that asks for too much could take the app with it. Only Linux counts what a process asks for.
    """
    if sys.platform != "linux":
        return
    import resource

    with contextlib.suppress(OSError, ValueError):  # the system allows less already
        limit = int(share * main_memory())
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800", "ascii")


def die_with_parent() -> None:
    """Has the system kill this process when the one that watches over it dies, so that a lost node trains no run."""
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _lock(path: Path) -> Lock:
    inherited = os.environ.pop(LOCK_FD, "")
    if inherited.isdecimal():
        fd = int(inherited)
        os.set_inheritable(fd, False)
        return Lock(fd)
    return lifecycle.lock_run(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
