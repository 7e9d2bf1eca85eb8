"""Which runs there are and where each stands, from the files of their folders."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from explorer.checkpoints.folder import is_slug, recover, runs_folder
from explorer.errors import RunError
from explorer.files.owner import NOBODY, Owner, read_owner
from explorer.files.regular import open_regular, read_json
from explorer.models.registry import LIKELIHOODS
from explorer.training.presets import TrainConfig, preset
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState, Status

ATTEMPT = "--- "  # begins the line of the log where a process was started
_LOG_BYTES = 16_384  # at the end of a log that are looked at
_MOST_WORDS = 300  # characters of what a file says that lists show
start_problems: dict[str, str] = {}  # why the process of a queued run could not be started, by name

_KILLED = (
    "The process ended without saying why: it was killed, it ran out of memory, or the machine went down. "
    "Resume goes on from the last save."
)


@dataclass(frozen=True, kw_only=True)
class RunInfo(Status):
    """A run as lists show it: its status, and what its folder says beside.

    `position` is 1 for the next of a device's queue, 0 for what does not wait. `progress` is there while it runs.
    `trained_here` is False for a model that was adopted.
    """

    name: str
    path: Path
    created: datetime
    device: str
    config: TrainConfig
    owner: Owner = NOBODY
    position: int = 0
    has_checkpoint: bool = False
    resumable: bool = False
    trained_here: bool = True

    @property
    def active(self) -> bool:
        return self.state.active

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
    """Lists every run, newest first. Never raises for what is in a folder."""
    found = _with_positions([info for path in folders() if (info := _read(path)) is not None])
    return sorted(found, key=lambda info: (info.created, info.name), reverse=True)


def active() -> list[RunInfo]:
    """Lists what runs, then what waits, in order. Cheap enough to ask every second."""
    found = [info for path in folders() if _may_be_active(path) and (info := _read(path)) is not None and info.active]
    return sorted(_with_positions(found), key=lambda info: (info.state is RunState.QUEUED, *_place(info)))


def run(name: str) -> RunInfo:
    """Finds the run of that name. Raises RunError when there is none."""
    info = _read(path_of(name))
    if info is None:
        raise RunError(f"There is no run {name[:80]!r}: it was renamed or deleted.")
    if info.state is RunState.QUEUED:
        return next((other for other in active() if other.name == name), info)
    return info


def log_tail(name: str, lines: int = 12) -> str:
    """Gives the last lines of what the run's process printed, from its last start on."""
    try:
        with open_regular(path_of(name) / "log.txt") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - _LOG_BYTES))
            text = f.read(_LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    # A progress bar rewrites its line: what counts is what stood there last.
    said = [line.rsplit("\r", 1)[-1] for line in text.splitlines()]
    starts = [i for i, line in enumerate(said) if line.startswith(ATTEMPT)]
    return "\n".join(said[starts[-1] + 1 if starts else 0 :][-lines:])


def attempt_line() -> bytes:
    """What a log says where a process is started."""
    return f"{ATTEMPT}{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode()


def folders() -> list[Path]:
    """Lists the folders that may hold a run, by name."""
    try:
        names = sorted(filter(is_slug, os.listdir(runs_folder())))
    except OSError:
        return []
    return [runs_folder() / name for name in names if os.path.isdir(runs_folder() / name)]


def path_of(name: str) -> Path:
    """The folder of the run of that name, there or not. Raises RunError for what cannot be a run's name."""
    if not is_slug(name):
        raise RunError(f"{name[:80]!r} cannot be a run's name: use letters, digits, dot, dash and underscore.")
    return runs_folder() / name


_over: dict[Path, tuple[int, int, int]] = {}  # statuses that need not be read again until their file is another


def _may_be_active(path: Path) -> bool:
    """Whether a run's status says queued or running. For one that has ended this costs no more than a stat."""
    try:
        status = os.stat(path / "state.json")
    except OSError:
        return False
    mark = (status.st_mtime_ns, status.st_size, status.st_ino)
    if _over.get(path) == mark:
        return False
    if RunFiles(path).status().state.active:
        return True
    if len(_over) > 100_000:
        _over.clear()
    _over[path] = mark
    return False


def _read(path: Path) -> RunInfo | None:
    """Reads what a folder says of itself; None when it holds no run."""
    info = _read_run(path)
    return None if info is None else replace(info, owner=read_owner(path))


def _read_run(path: Path) -> RunInfo | None:
    files = RunFiles(path)
    try:
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
        return RunInfo(
            name=path.name,
            path=path,
            state=RunState.FAILED,
            created=_modified(path),
            device="",
            config=TrainConfig(preset=""),
            message=f"Its files cannot be read: {_reason(error)}.",
        )


def _from_request(files: RunFiles, request: dict[str, Any]) -> RunInfo:
    path, status = files.path, files.status()
    if status.state is RunState.RUNNING and not files.alive:
        status = files.status()  # it may have ended between the two looks
        if status.state is RunState.RUNNING:
            status = _finished(path, request) or replace(status, state=RunState.INTERRUPTED)
    message = status.message
    if status.state is RunState.INTERRUPTED:
        message = _KILLED
    elif status.state is RunState.QUEUED:
        message = start_problems.get(path.name, message)
    if status.state is not RunState.RUNNING:
        status = replace(status, progress=None)
    # One that diverged before its first epoch had ended is no model, though versions up to 0.1 have saved one.
    diverged_at_once = status.state is RunState.FAILED and not status.retry and not status.epochs_done
    has_checkpoint = (path / "config.json").exists() and not diverged_at_once
    again = status.retry and status.state in (RunState.CANCELLED, RunState.INTERRUPTED, RunState.FAILED)
    return RunInfo(
        **{**vars(status), "message": message[:1].upper() + message[1:]},
        name=path.name,
        path=path,
        created=_moment(request["created"]),
        device=str(request["device"])[:_MOST_WORDS],
        config=TrainConfig.from_json(request["config"]),
        has_checkpoint=has_checkpoint,
        resumable=again and ((path / "optimizer.safetensors").exists() or not has_checkpoint),
    )


def _finished(path: Path, request: dict[str, Any]) -> Status | None:
    """The status of a run whose process died after its last save, before it could say so; else None."""
    if not (path / "config.json").exists():
        return None
    config = read_json(path / "config.json")
    if len(config.get("plan", ())) < len(request["config"].get("plan", ())):  # it had finished, and was to train on
        return None
    return _of_checkpoint(path, config, RunState.FINISHED) if config.get("status") == "finished" else None


def _from_checkpoint(path: Path) -> RunInfo | None:
    """Reads a checkpoint that came without a request: made elsewhere, or by an older version."""
    if not (path / "config.json").exists():
        return None
    config = read_json(path / "config.json")
    here = "recipe" in config
    state = RunState.FAILED if config.get("status") == "failed" else RunState.CANCELLED
    if config.get("status") == "finished" or not (path / "optimizer.safetensors").exists():
        state = RunState.FINISHED
    return RunInfo(
        **vars(_of_checkpoint(path, config, state)),
        name=path.name,
        path=path,
        created=_moment(config["created"]),
        device=str(config.get("device", ""))[:_MOST_WORDS],
        config=TrainConfig.of_checkpoint(config)
        if here
        else TrainConfig(preset=config["family"], dataset=config["dataset"]["name"]),
        has_checkpoint=True,
        resumable=state is not RunState.FINISHED,
        trained_here=here,
    )


def _of_checkpoint(path: Path, config: dict[str, Any], state: RunState) -> Status:
    facts = {key: config.get(key) for key in ("message", "seconds", "epochs_done")}
    test = read_json(path / "metrics.json")
    if not LIKELIHOODS[config["model"]["likelihood"]].known:
        test.pop("reconstruction", None)  # which is no number of nats
    return Status.from_json({**facts, "state": state, "test": test})


def _moment(text: str) -> datetime:
    """A time that can be compared and shown: aware, in UTC. Raises ValueError or OverflowError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _reason(error: Exception) -> str:
    """One line of bounded length, without the path of the folder."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split())[:_MOST_WORDS].rstrip(".")


def _modified(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)


def _place(info: RunInfo) -> tuple[int, int, str]:
    """Orders what waits: by round, in which everybody has a turn, and in a round who asked first."""
    return info.round, info.turn, info.name


def _with_positions(found: list[RunInfo]) -> list[RunInfo]:
    """The same runs with the places of those that wait, by device."""
    waiting: dict[str, int] = {}
    places = {}
    for info in sorted(found, key=_place):
        if info.state is RunState.QUEUED:
            places[info.name] = waiting[info.device] = waiting.get(info.device, 0) + 1
    return [replace(info, position=places.get(info.name, 0)) for info in found]
