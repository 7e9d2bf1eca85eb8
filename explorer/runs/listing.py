"""What runs there are and where each stands, from the files of their folders."""

from __future__ import annotations

import contextlib
import json
import math
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from explorer.checkpoints.folder import is_slug, recover, runs_folder
from explorer.errors import RunError
from explorer.files import journal
from explorer.training.presets import TrainConfig, preset
from explorer.training.run_folder import RunFiles
from explorer.training.status import Progress

KILLED = (
    "The process ended without a word: it was killed, it ran out of memory, or the machine went down. "
    "Resume goes on from the last save."
)


ATTEMPT = "--- "  # begins the line of the log where a process was started
cannot_start: dict[str, str] = {}  # why the process of a queued run could not be started, by name


@dataclass(frozen=True)
class RunInfo:
    """A run as lists show it.

    `state` is queued, running, cancelled, failed, finished or interrupted; `message` says why in a sentence or two.
    `position` is 1 for the next of a device's queue, 0 for what does not wait. `progress` is there while it runs.
    `memory` is the process's peak in bytes, `test` the last test metrics, `seconds` the time spent on training.
    """

    name: str
    path: Path
    state: str
    created: datetime
    device: str
    config: TrainConfig
    message: str = ""
    position: int = 0
    progress: Progress | None = None
    memory: int | None = None
    test: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    epochs_done: int = 0
    has_checkpoint: bool = False
    resumable: bool = False
    queued_at: float = 0.0

    @property
    def active(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def preset(self) -> str:
        return self.config.preset

    @property
    def dataset(self) -> str:
        """The data set's name; `unknown` for a preset that this version does not have."""
        with contextlib.suppress(ValueError):
            return self.config.dataset or preset(self.config.preset).dataset
        return "unknown"


def runs() -> list[RunInfo]:
    """Every run, newest first. Never raises for what is in a folder."""
    found = in_order([info for path in folders() if (info := look(path)) is not None])
    return sorted(found, key=lambda info: (info.created, info.name), reverse=True)


def active() -> list[RunInfo]:
    """What runs, then what waits, in order. Cheap enough to ask every second."""
    found = [info for path in folders() if may_be_active(path) and (info := look(path)) is not None and info.active]
    return sorted(in_order(found), key=lambda info: (info.state == "queued", info.queued_at, info.name))


_over: dict[Path, tuple[int, int, int]] = {}  # states that need not be read again until their file is another


def may_be_active(path: Path) -> bool:
    """Whether a run's state says queued or running. A look at one that has ended costs no more than a stat."""
    try:
        status = os.stat(path / "state.json")
    except OSError:
        return False
    mark = (status.st_mtime_ns, status.st_size, status.st_ino)
    if _over.get(path) == mark:
        return False
    if RunFiles(path).state().get("state") in ("queued", "running"):
        return True
    if len(_over) > 100_000:
        _over.clear()
    _over[path] = mark
    return False


def run(name: str) -> RunInfo:
    """The run of that name. Raises RunError when there is none."""
    info = look(path_of(name))
    if info is None:
        raise RunError(f"There is no run {name[:80]!r}: it was renamed or deleted.")
    if info.state == "queued":
        return next((other for other in active() if other.name == name), info)
    return info


def log_tail(name: str, lines: int = 12) -> str:
    """The last lines of what the run's process printed."""
    try:
        with open(path_of(name) / "log.txt", "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - 16_384))
            text = f.read().decode("utf-8", "replace")
    except OSError:
        return ""
    # A progress bar rewrites its line: what counts is what stood there last.
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.splitlines()[-lines:])


def folders() -> list[Path]:
    try:
        with os.scandir(runs_folder()) as entries:
            names = [e.name for e in entries if e.is_dir() and is_slug(e.name)]
    except OSError:
        return []
    return [runs_folder() / name for name in sorted(names)]


def path_of(name: str) -> Path:
    if not is_slug(name):
        raise RunError(f"{name[:80]!r} cannot be a run's name: use letters, digits, dot, dash and underscore.")
    return runs_folder() / name


def look(path: Path) -> RunInfo | None:
    """What a folder says of itself, or None when it holds no run."""
    files = RunFiles(path)
    try:
        if journal.pending(path):
            recover(path)
        request = files.request()
        if request:
            return _from_request(files, request)
        if (path / "run.json").exists():
            raise ValueError("run.json is damaged")
        return _from_checkpoint(path)
    except Exception as error:  # a folder may hold anything, and must not take the list and the queue down
        if not path.is_dir():
            return None
        message = f"Its files cannot be read: {' '.join(str(error).split())}."
        return RunInfo(path.name, path, "failed", _modified(path), "", TrainConfig(preset=""), message)


def _from_request(files: RunFiles, request: dict[str, Any]) -> RunInfo:
    path, state = files.path, files.state()
    stands, message = str(state.get("state")), str(state.get("message") or "")
    progress = None
    if stands == "running":
        if files.alive:
            progress = Progress.from_json(state.get("progress"))
        else:
            state = files.state()  # it may have ended between the two looks
            stands, message = str(state.get("state")), str(state.get("message") or "")
            if stands == "running":
                stands, message, state = _post_mortem(path, state)
    elif stands == "queued":
        message = cannot_start.get(path.name, message)
    elif stands not in ("finished", "failed", "cancelled"):
        stands, message = "interrupted", KILLED
    has_checkpoint = (path / "config.json").exists()
    again = stands in ("cancelled", "interrupted") or (stands == "failed" and state.get("retry", True) is not False)
    return RunInfo(
        name=path.name,
        path=path,
        state=stands,
        created=_moment(request["created"]),
        device=str(request["device"]),
        config=TrainConfig.from_json(request["config"]),
        message=message[:1].upper() + message[1:],
        progress=progress,
        memory=int(_number(state.get("memory"))) or None,
        test=_metrics(state.get("test")),
        seconds=_number(state.get("seconds")),
        epochs_done=int(_number(state.get("epochs_done"))),
        has_checkpoint=has_checkpoint,
        resumable=bool(again and ((path / "optimizer.safetensors").exists() or not has_checkpoint)),
        queued_at=_number(state.get("queued_at")),
    )


def _post_mortem(path: Path, state: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """State, message and facts of a run whose process died while it said that it was running."""
    if (path / "config.json").exists() and not (path / "optimizer.safetensors").exists():
        config = _json(path / "config.json")
        if config.get("status") == "finished":  # it died after its last save, before it could say so
            facts = {"seconds": config.get("seconds"), "epochs_done": config.get("epochs_done")}
            return "finished", "", {**state, **facts, "test": _json(path / "metrics.json")}
    attempt = log_tail(path.name, 60).rpartition(ATTEMPT)[2].splitlines()
    if any(line.startswith("Traceback (most recent call last)") for line in attempt):
        return "failed", f"The process failed: {attempt[-1]}", state
    if attempt and attempt[-1].startswith("explorer: "):  # it could say why only there, as the disk was full
        return "failed", attempt[-1].removeprefix("explorer: "), state
    return "interrupted", KILLED, state


def _from_checkpoint(path: Path) -> RunInfo | None:
    """A checkpoint that came without a request: made elsewhere, or by an older version."""
    if not (path / "config.json").exists():
        return None
    config = _json(path / "config.json")
    can_go_on = (path / "optimizer.safetensors").exists()
    return RunInfo(
        name=path.name,
        path=path,
        state="cancelled" if can_go_on else "finished",
        created=_moment(config["created"]),
        device=str(config.get("device", "")),
        config=TrainConfig.of_checkpoint(config),
        message=str(config.get("message") or ""),
        test=_metrics(_json(path / "metrics.json")),
        seconds=_number(config.get("seconds")),
        epochs_done=int(_number(config.get("epochs_done"))),
        has_checkpoint=True,
        resumable=can_go_on,
    )


def _json(file: Path) -> dict[str, Any]:
    value = json.loads(file.read_text("utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{file.name} is damaged")
    return value


def _moment(text: str) -> datetime:
    """A time that can be compared and shown: aware, in UTC. Raises ValueError or OverflowError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _number(value: object) -> float:
    """A finite number as it is, anything else as 0."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _metrics(value: object) -> dict[str, Any]:
    """Those of the metrics that are finite numbers."""
    if not isinstance(value, dict):
        return {}
    return {k: v for k, v in value.items() if isinstance(v, int | float) and math.isfinite(v)}


def _modified(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)


def in_order(found: list[RunInfo]) -> list[RunInfo]:
    """The same with the positions of those that wait."""
    waiting: dict[str, int] = {}
    places = {}
    for info in sorted(found, key=lambda info: (info.queued_at, info.name)):
        if info.state == "queued":
            places[info.name] = waiting[info.device] = waiting.get(info.device, 0) + 1
    return [replace(info, position=places.get(info.name, 0)) for info in found]
