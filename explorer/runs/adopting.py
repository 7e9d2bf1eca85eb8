"""A model from elsewhere is taken in by a process of its own: `python -m explorer.runs.adopting`.

A graph from anywhere may ask for more memory than there is, never come to an end, or break what runs it: here it ends
one process of bounded memory, and nothing is left behind. The process reads one request as JSON from its standard
input, and answers by a line of JSON for each step.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from explorer.checkpoints.folder import find
from explorer.checkpoints.pairs import pair_folder
from explorer.errors import CheckpointError
from explorer.evaluation.adoption import ENCODING, AdoptedModel, adopt_folder, clear_up
from explorer.evaluation.subject import Progress
from explorer.files.hosting import limits
from explorer.files.limits import bytes_of
from explorer.files.owner import NOBODY, Owner
from explorer.runs.allowance import check_room
from explorer.runs.worker import bound_memory

_OPENING_SECONDS = 300.0  # for the graphs to be opened and run once, with the start of the process
_LOOKS = 0.25  # seconds between two reports while nothing is heard


def adopt_apart(
    path: Path, label: str, dataset: str, name: str, owner: Owner = NOBODY, *, progress: Progress
) -> AdoptedModel:
    """Makes a checkpoint of a model from elsewhere, as `explorer.evaluation.adoption.adopt_folder` does.

    Args:
        path: the folder, or a zip of it.
        label: what sentences call it.
        dataset: whose test images it is shown with, and measured on.
        name: of the checkpoint.
        owner: whose it becomes.
        progress: hears what is done, several times a second; what it raises ends the process.

    Raises:
        CheckpointError: it cannot be adopted; one sentence that says why.
        RunError: there is no room for it.
        OSError: it cannot be unpacked.
    """
    with pair_folder(path, label) as folder:
        check_room(owner, bytes_of([folder]))
        request = {"folder": str(folder), "dataset": dataset, "name": name, "owner": asdict(owner)}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "explorer.runs.adopting"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as asked:  # it has died, as will be heard
                asked.write(json.dumps(request).encode())
            found = _follow(process, label, progress)
        finally:
            process.kill()
            process.wait()
            clear_up()
    return AdoptedModel(find(f"runs/{name}"), found)


def _follow(process: subprocess.Popen[bytes], label: str, progress: Progress) -> list[str]:
    """Passes on how far the process is, and returns its notes. Raises CheckpointError as its last line says."""
    lines: Queue[bytes] = Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    step, until = ("Opening the graphs", 0, None), time.monotonic() + _OPENING_SECONDS
    opened = False
    while True:
        progress(*step)
        try:
            line = lines.get(timeout=_LOOKS)
        except Empty:
            if not opened and time.monotonic() > until:
                raise CheckpointError(f"{label} was given up: its graphs did not run in 5 minutes") from None
            continue
        if not line:
            raise CheckpointError(
                f"{label} was given up: its graphs take more memory than they may have here, or break what runs them"
            )
        said = json.loads(line)
        if "error" in said:
            raise CheckpointError(said["error"])
        if "notes" in said:
            return list(said["notes"])
        step = (said["step"], said["done"], said["of"])
        opened = opened or step[0] == ENCODING


def _read(process: subprocess.Popen[bytes], lines: Queue[bytes]) -> None:
    """Hands on lines as they come; an empty one at the end."""
    assert process.stdout is not None
    with process.stdout as answers:
        for line in answers:
            lines.put(line)
    lines.put(b"")


def main() -> None:
    """Adopts what the request names, in as much memory as a run of its owner may have."""
    request, answers = json.load(sys.stdin), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    owner = Owner(**request["owner"])

    def say(**line: Any) -> None:
        print(json.dumps(line), file=answers, flush=True)

    try:
        bound_memory(limits(owner).memory_share)
        found = adopt_folder(
            Path(request["folder"]),
            request["dataset"],
            name=request["name"],
            owner=owner,
            progress=lambda step, done, of: say(step=step, done=done, of=of),
        )
        say(notes=found.notes)
    except MemoryError:
        say(error="the model takes more memory than it may have here")
    except (ValueError, OSError) as error:
        say(error=str(error))


if __name__ == "__main__":
    main()
