"""What a person does to runs that exist: cancel, rename, delete and undo, pack."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

from explorer.checkpoints.folder import signature, trash
from explorer.errors import RunError
from explorer.files.owner import FILE as OWNER
from explorer.files.owner import write_owner
from explorer.runs.listing import RunInfo, path_of, run
from explorer.runs.queue import free_path, locked_queue, next_name, write_errors
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState

_ATTEMPTS = 5  # at packing a run that saves meanwhile


def cancel(name: str) -> None:
    """Takes a run out of the queue, or asks its process to stop: it saves, and can be resumed.

    Raises:
        RunError: there is no such run, or it has ended.
    """
    with locked_queue():
        info = run(name)
        if not info.active:
            raise RunError(f"{name} has already ended: it is {info.state}.")
        files = RunFiles(info.path)
        with write_errors():
            if info.state is RunState.QUEUED and not files.alive:
                files.change_status(RunState.CANCELLED)
            else:
                files.ask_to_stop()


def rename(name: str, new: str) -> RunInfo:
    """Gives a run another name. Raises RunError: the new name is bad or taken, or the run is active."""
    with locked_queue(), _idle(name, "renamed") as info:
        target = free_path(new)
        with write_errors():
            info.path.rename(target)
    return run(new)


def delete(name: str) -> str:
    """Puts a run into the trash, from where `restore` takes it back within a day; returns what to ask for.

    Raises:
        RunError: the run is active, or there is none.
    """
    with locked_queue(), _idle(name, "deleted") as info, write_errors():
        return trash().put(info.path)


def restore(token: str) -> RunInfo:
    """Undoes a `delete`, under another name if its own has been taken since. Raises RunError."""
    found = trash().find(token)
    if found is None:
        raise RunError("It is no longer in the trash, which keeps deleted runs for a day.")
    name, source = found
    with locked_queue(), write_errors():
        target = path_of(name)
        if target.exists():
            target = path_of(next_name(name))
        source.rename(target)
    return run(target.name)


def share(name: str, shared: bool) -> None:
    """Lets people see a run that is not theirs, or no longer. Raises RunError."""
    with locked_queue(), write_errors():
        info = run(name)
        write_owner(info.path, replace(info.owner, shared=shared))


def archive(name: str) -> bytes:
    """Packs the run's folder as a zip: checkpoint, history, request and log. Raises RunError."""
    try:
        for _ in range(_ATTEMPTS):
            info = run(name)  # which finishes a save that was cut short
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
            if file.is_file() and not file.name.startswith(".") and file.name not in ("lock", "cancel", OWNER):
                archive.write(file, f"{info.name}/{file.name}")
    return data.getvalue()


@contextlib.contextmanager
def _idle(name: str, what: str) -> Iterator[RunInfo]:
    """Holds a run so that nobody starts it meanwhile. Raises RunError when it is active."""
    info = run(name)
    if info.active:
        raise RunError(f"{name} is {info.state}: cancel it before it is {what}.")
    with write_errors():
        held = RunFiles(info.path).hold(wait=1.0)
    if held is None:
        raise RunError(f"{name} is being trained: cancel it before it is {what}.")
    with held:
        yield info
