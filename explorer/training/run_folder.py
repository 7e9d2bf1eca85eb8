"""What a run writes beside its checkpoint: what was asked for, where it stands, its history as it grows.

| file | what |
|---|---|
| `run.json` | the request: the settings, when, on which device |
| `owner.json` | whose run it is; none where it is nobody's (`explorer.files.owner`) |
| `state.json` | where the run stands; written by the process that trains, or by whoever queues or cancels it before |
| `history.jsonl` | a line an epoch, as it ends |
| `history.damaged-N.jsonl` | what it was when the run was resumed after N epochs, if it was damaged |
| `log.txt` | what a process in the background printed |
| `cancel` | while it is there, the process is to stop |

The process that trains locks the folder itself for as long as it lives: the system unlocks it whatever kills the
process, and nobody can delete the lock alone.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from explorer.checkpoints.folder import history_bytes, read_history
from explorer.files.journal import new_folder, replace_file
from explorer.files.locks import Lock, is_locked, lock
from explorer.files.owner import NOBODY, Owner, write_owner
from explorer.files.regular import append_regular, read_json
from explorer.training.presets import TrainConfig
from explorer.training.run_state import RunState, Status

SCHEMA = 1


class RunFiles:
    """The files of the run in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "log.txt"
        self._cancel = path / "cancel"
        self._history = path / "history.jsonl"

    def create(self, config: TrainConfig, device: str, status: Status, owner: Owner = NOBODY) -> None:
        """Makes the folder and writes the request, a first status and whose it is into it.

        Raises:
            FileExistsError: something of that name is there.
            OSError: it cannot be made.
        """
        with new_folder(self.path) as path:  # nobody sees a run without a request or a status
            fresh = RunFiles(path)
            fresh.write_request(config, device, datetime.now(UTC).isoformat(timespec="seconds"))
            fresh.write_status(status)
            write_owner(path, owner)

    def write_request(self, config: TrainConfig, device: str, created: str) -> None:
        request = {"schema": SCHEMA, "config": config.to_json(), "created": created, "device": device}
        replace_file(self.path / "run.json", (json.dumps(request, indent=1, default=list) + "\n").encode())

    def request(self) -> dict[str, Any]:
        """Reads what was asked for; empty when there is no request that can be read."""
        return _read(self.path / "run.json")

    def config(self) -> TrainConfig:
        """Reads the settings asked for. Raises ValueError when they cannot be read."""
        return TrainConfig.from_json(self.request().get("config") or {})

    def status(self) -> Status:
        """Reads where the run stands, as the process that trains has last said."""
        return Status.from_json(_read(self.path / "state.json"))

    def write_status(self, status: Status) -> None:
        """Raises OSError: the folder is gone, or the disk is full."""
        replace_file(self.path / "state.json", _status_bytes(status))

    def change_status(self, state: RunState, **changes: Any) -> None:
        """Brings the run into another state, now; what else the status says stays. Raises OSError."""
        self.write_status(replace(self.status(), state=state, since=time.time(), **changes))

    def write_last_status(self, status: Status) -> None:
        """Writes the status even on a full disk: over the old one, which takes no more room. Raises OSError."""
        try:
            self.write_status(status)
        except OSError:
            with open(self.path / "state.json", "r+b") as f:
                f.write(_status_bytes(status))
                f.truncate()

    def append_history(self, line: dict[str, Any]) -> None:
        """Raises OSError: the folder is gone, or the disk is full."""
        with append_regular(self._history) as f:
            f.write(history_bytes([line]))

    def write_history(self, lines: list[dict[str, Any]]) -> None:
        """Raises OSError."""
        replace_file(self._history, history_bytes(lines))

    def read_history(self, epochs: int) -> tuple[list[dict[str, Any]], str]:
        """Reads the lines of the first `epochs` epochs, and says in a sentence which are lost, if any.

        What else is in the file then, but for later epochs, is damaged: it is kept as another file, since who resumes
        the run writes this one anew.

        Raises:
            OSError: it cannot be kept.
        """
        lines = {line["epoch"]: line for line in read_history(self.path) if _is_of_an_epoch(line)}
        found = [lines[epoch] for epoch in range(1, epochs + 1) if epoch in lines]
        if not (lost := epochs - len(found)):
            return found, ""
        said = f"history.jsonl was damaged: {lost} of {epochs} epochs are missing from the curves"
        data = self._history.read_bytes() if self._history.exists() else b""
        if len(data.splitlines()) > len(lines):
            kept = self.path / f"history.damaged-{epochs}.jsonl"
            replace_file(kept, data)
            said += f"; {kept.name} has what is left of them"
        return found, said

    def ask_to_stop(self) -> None:
        """Raises OSError."""
        self._cancel.touch()

    def asked_to_stop(self) -> bool:
        return self._cancel.exists()

    def forget_stop(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._cancel.unlink()

    @property
    def alive(self) -> bool:
        """Whether a process works on this run."""
        return is_locked(self.path) or self._held_by_an_older_version

    @property
    def _held_by_an_older_version(self) -> bool:
        """Whether a process holds the run that began before an upgrade: versions up to 0.1 locked a file."""
        return is_locked(self.path / "lock")

    def hold(self, *, wait: float = 5.0) -> Lock | None:
        """Locks the run for this process; None while another process has it.

        Raises:
            OSError: the folder is gone, or cannot be read.
        """
        return None if self._held_by_an_older_version else lock(self.path, wait=wait)


def _is_of_an_epoch(line: dict[str, Any]) -> bool:
    """Whether a line of the history has what is read of it later."""
    test = line.get("test")
    return (
        type(line.get("epoch")) is int
        and isinstance(line.get("seconds"), int | float)
        and isinstance(test, dict)
        and {"elbo", "reconstruction", "kl"} <= test.keys()
    )


def _status_bytes(status: Status) -> bytes:
    return (json.dumps(status.to_json()) + "\n").encode()


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_json(file)
    except (OSError, ValueError):
        return {}
