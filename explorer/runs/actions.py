"""What a person does to runs that exist: cancel, rename, delete and undo, pack."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import time
import zipfile
from collections.abc import Iterator

from explorer.checkpoints.folder import is_slug, recover, runs_folder, signature
from explorer.errors import RunError
from explorer.files.locks import lock
from explorer.runs.listing import RunInfo, path_of, run
from explorer.runs.queue import locked_queue, next_name, write_errors
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState

_TRASH = ".trash"
_ATTEMPTS = 5  # at packing a run that saves meanwhile
_TRASH_SECONDS = 24 * 3600.0


def cancel(name: str) -> None:
    """Take a run out of the queue, or ask its process to stop: it saves, and can be resumed.

    Raises:
        RunError: there is no such run, or it has ended.
    """
    with locked_queue():
        info = run(name)
        if not info.active:
            raise RunError(f"{name} has ended: it is {info.state}.")
        files = RunFiles(info.path)
        with write_errors():
            if info.state is RunState.QUEUED and not files.alive:
                files.change_status(RunState.CANCELLED)
            else:
                files.ask_to_stop()


def rename(name: str, new: str) -> RunInfo:
    """Raises RunError: the new name is bad or taken, or the run is active."""
    with locked_queue(), _idle(name, "renamed") as info:
        target = path_of(new)
        if target.exists():
            raise RunError(f"There is a run {new!r} already: choose another name.")
        with write_errors():
            info.path.rename(target)
    return run(new)


def delete(name: str) -> str:
    """Put a run into the trash, from where `restore` takes it back within a day; returns what to ask for.

    Raises:
        RunError: the run is active, or there is none.
    """
    with locked_queue(), _idle(name, "deleted") as info, write_errors():
        trash = runs_folder() / _TRASH
        trash.mkdir(exist_ok=True)
        token = f"{name}~{int(time.time())}~{secrets.token_hex(4)}"
        info.path.rename(trash / token)
        for old in trash.iterdir():
            parts = old.name.rsplit("~", 2)
            if len(parts) == 3 and parts[1].isdigit() and time.time() - int(parts[1]) > _TRASH_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
    return token


def restore(token: str) -> RunInfo:
    """Undo a `delete`, under another name if its own has been taken since. Raises RunError."""
    name, _, rest = token.partition("~")
    source = runs_folder() / _TRASH / token
    if not is_slug(name) or "/" in rest or os.sep in rest or not source.is_dir():
        raise RunError("What was deleted is gone: the trash keeps it for a day.")
    with locked_queue(), write_errors():
        target = path_of(name)
        if target.exists():
            target = path_of(next_name(name))
        source.rename(target)
    return run(target.name)


def archive(name: str) -> bytes:
    """The run's folder as a zip: checkpoint, history, request and log. Raises RunError."""
    info = run(name)
    try:
        for _ in range(_ATTEMPTS):
            recover(info.path)
            before = signature(info.path)
            packed = _pack(info)
            if signature(info.path) == before:
                break  # else a save came in between, and the files are of two
    except OSError as error:
        raise RunError(f"{name} could not be packed: {error.strerror or error}.") from error
    return packed


def _pack(info: RunInfo) -> bytes:
    data = io.BytesIO()
    # Weights do not compress: storing them takes a tenth of the time.
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for file in sorted(info.path.iterdir()):
            if file.is_file() and not file.name.startswith(".") and file.name not in ("lock", "cancel"):
                archive.write(file, f"{info.name}/{file.name}")
    return data.getvalue()


@contextlib.contextmanager
def _idle(name: str, what: str) -> Iterator[RunInfo]:
    """The run, held so that nobody starts it meanwhile. Raises RunError when it is active."""
    info = run(name)
    if info.active:
        raise RunError(f"{name} is {info.state}: cancel it before it is {what}.")
    with write_errors():
        held = lock(RunFiles(info.path).lock_file, wait=1.0)
    if held is None:
        raise RunError(f"{name} is being trained: cancel it before it is {what}.")
    with held:
        yield info
