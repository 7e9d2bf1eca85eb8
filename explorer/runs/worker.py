"""The process of a run in the background: `python -m explorer.runs.worker FOLDER`, started by `explorer.runs`."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from explorer.files.locks import Lock
from explorer.runs.queue import LOCK_FD
from explorer.training import lifecycle
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState
from explorer.training.status import describe_error


def main(path: Path) -> int:
    """Trains the run in a folder; returns the exit code. Its state and its log say how it went."""
    with _lock(path):
        if hasattr(os, "nice"):
            os.nice(5)  # whoever watches should not wait for the one who trains
        try:
            run = lifecycle.train_run(path, RunFiles(path).config())
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


def _lock(path: Path) -> Lock:
    inherited = os.environ.pop(LOCK_FD, "")
    if inherited.isdecimal():
        fd = int(inherited)
        os.set_inheritable(fd, False)
        return Lock(fd)
    return lifecycle.lock_run(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
