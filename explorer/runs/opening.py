"""A run's zip becomes a run again, as `archive` has packed it: on another computer, for whoever it was given to."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from explorer.checkpoints.folder import FILES, SUMS, is_slug, read
from explorer.errors import DatasetError, DatasetMissing, RunError, about_weights
from explorer.files.journal import new_folder
from explorer.files.owner import NOBODY, Owner, write_owner
from explorer.files.tensors import MOST_BYTES
from explorer.files.zips import Member, copy_member, members, open_zip
from explorer.runs import allowance
from explorer.runs.listing import RunInfo, run
from explorer.runs.queue import free_path, locked_queue, next_name, write_errors

_MOST_FILES = 1_000
_MOST_TOTAL = 3 * MOST_BYTES


def open_archive(
    packed: Path | bytes,
    label: str,
    owner: Owner = NOBODY,
    *,
    name: str | None = None,
    why_not: Callable[[dict[str, Any]], str] = lambda config: "",
) -> RunInfo:
    """Takes in the run of a zip: the files of its checkpoint, as its checksums vouch for them, and nothing else.

    What the zip says of who asked for the run, where it stood and on which computer is left out.

    Args:
        packed: the zip, or where it lies.
        label: what sentences call it.
        owner: whose the run becomes.
        name: what to call it; None for its own name, with a number where that is taken.
        why_not: says of a checkpoint's config why it may not be opened here, in words after a colon; empty if it may.

    Raises:
        RunError: it is no run, is damaged or too large, or its name is bad or taken; nothing is left behind.
    """
    if reason := about_weights(label):
        raise RunError(f"{label} could not be read: {reason}.")
    try:
        with open_zip(packed, label, _MOST_FILES) as archive:
            found, _ = members(archive, label, _MOST_TOTAL)
            own, files = _checkpoint_of(found, label)
            allowance.check_room(owner, sum(info.file_size for info in files.values()))
            with locked_queue():
                target = free_path(name) if name else _free(own)
            with write_errors(), new_folder(target) as folder:
                _unpack(archive, files, folder, label)
                _check(folder, label, why_not)
                write_owner(folder, owner)
    except DatasetMissing as error:
        raise RunError(f"There is nothing at {packed!s}: name the zip of a run.") from error
    except DatasetError as error:
        raise RunError(f"{label} is no zip of a run: hand in what Download in the list of runs gives.") from error
    return run(target.name)


def _checkpoint_of(found: list[Member], label: str) -> tuple[str, dict[str, ZipInfo]]:
    """The name of the folder in a zip that holds a checkpoint, and the checkpoint's files."""
    folders = {parts[0] for parts, _ in found if len(parts) == 2 and parts[1] == SUMS}
    if len(folders) != 1:
        raise RunError(f"{label} holds no run that has saved a model: hand in what Download in the list of runs gives.")
    (folder,) = folders
    return folder, {
        parts[1]: info for parts, info in found if parts[0] == folder and parts[1:] in {(f,) for f in FILES}
    }


def _free(name: str) -> Path:
    """A folder under a name, or one like it where that is taken."""
    name = name if is_slug(name) else "opened"
    try:
        return free_path(name)
    except RunError:
        return free_path(next_name(name))


def _unpack(archive: ZipFile, files: dict[str, ZipInfo], folder: Path, label: str) -> None:
    for name, info in files.items():
        try:
            with open(folder / name, "xb") as file:
                copy_member(archive, info, file)
        except (RuntimeError, NotImplementedError, BadZipFile, EOFError, ValueError, zlib.error) as error:
            raise RunError(f"{name} in {label} is damaged: download the run again.") from error


def _check(folder: Path, label: str, why_not: Callable[[dict[str, Any]], str]) -> None:
    info = read(folder)
    if info.problem:
        raise RunError(f"{label} cannot be opened: {info.problem}")
    sums = (folder / SUMS).read_text().splitlines()
    vouched = {line.partition("  ")[2] for line in sums} | {SUMS, "history.jsonl"}
    if odd := {file.name for file in folder.iterdir()} - vouched:
        raise RunError(f"{label} cannot be opened: its {SUMS} does not vouch for {min(odd)}.")
    if info.config["model"]["network"] == "python":
        raise RunError(f"{label} cannot be opened here: its model is functions of a Python process elsewhere.")
    if reason := why_not(info.config):
        raise RunError(f"{label} cannot be opened here: {reason}.")
