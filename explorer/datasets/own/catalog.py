"""Which data sets of a person's own there are: their names, their loading, their trash. `creation.py` makes them."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

from explorer.datasets.base import DatasetInfo, ImageDataset, Source, data_root
from explorer.datasets.own import stored as storage
from explorer.datasets.own.stored import Stored
from explorer.errors import DatasetError, DatasetMissing
from explorer.files import trash
from explorer.files.journal import NEW
from explorer.files.owner import Owner, read_owner, write_owner
from explorer.files.shipped import command
from explorer.images.arrays import Size

PREFIX = "own:"
MAX_NAME = 40
TRASH_SECONDS = 7 * 86_400
_LEFT_SECONDS = 86_400  # a temporary folder that old belongs to a process that died
_NAME = re.compile(rf"[A-Za-z0-9]([A-Za-z0-9._-]{{0,{MAX_NAME - 2}}}[A-Za-z0-9])?")


class OwnSource(Source):
    """One of them, whether it is there or not."""

    own = whole = True

    def __init__(self, name: str) -> None:
        """`name` is without `own:`. Raises DatasetError if it cannot be one."""
        check_name(name)
        self.stem, self.name = name, f"{PREFIX}{name}"

    def present(self, root: Path) -> bool:
        return not self.problem(root)

    def how(self, root: Path) -> str:
        add = command(f"data add FOLDER_OR_ZIP --name {self.stem}")
        return f"Add it on the Train screen, or with `{add}`."

    def problem(self, root: Path) -> str:
        """Says in a sentence why it cannot be loaded; empty if nothing is known to be wrong."""
        path = folder(root) / self.stem
        if not path.is_dir():
            return f"{self.name} is not on this machine. {self.how(root)}"
        try:
            storage.read_info(path)
        except DatasetError as error:
            return self._damaged(error)
        return ""

    def missing(self, root: Path) -> DatasetMissing:
        return DatasetMissing(self.problem(root) or f"{self.name} is not on this machine. {self.how(root)}")

    def stamp(self, root: Path) -> Hashable:
        path = folder(root) / self.stem
        try:
            return tuple((s.st_ino, s.st_size, s.st_mtime_ns) for s in map(os.stat, storage.files(path)))
        except OSError:
            return None

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        path = folder(root) / self.stem
        if not path.is_dir():
            raise self.missing(root)
        try:
            return storage.read_split(path, split, self.name)
        except DatasetError as error:
            raise DatasetError(self._damaged(error)) from error

    def info(self, root: Path) -> DatasetInfo:
        problem, found = self.problem(root), None
        if not problem:
            found = storage.read_info(folder(root) / self.stem)
        return DatasetInfo(
            name=self.name,
            title=found.title if found else f"{self.stem}, your own images",
            present=found is not None,
            how=problem,
            image_shape=found.image_shape if found else None,
            origin=found.origin if found else "Your own",
            fetch_bytes=0,
        )

    def _damaged(self, error: DatasetError) -> str:
        return f"{self.name} is damaged: {error}; remove it and add it again."


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Where all of them are."""
    return data_root(root) / "own"


def available(root: str | os.PathLike[str] | None = None) -> list[DatasetInfo]:
    """Lists all of them; a damaged one is not present, and `how` says what is wrong."""
    return [OwnSource(name).info(data_root(root)) for name in names(root)]


def remove(name: str, root: str | os.PathLike[str] | None = None) -> str:
    """Puts `NAME` into the trash; returns a token with which `restore` brings it back within a week.

    Raises:
        DatasetMissing: there is none.
        DatasetError: it cannot be moved.
    """
    check_name(name)
    place = folder(root)
    try:
        token = _trash(root).put(place / name)
    except FileNotFoundError as error:
        raise DatasetMissing(f"There is no data set {PREFIX}{name}.") from error
    except OSError as error:
        raise DatasetError(f"{PREFIX}{name} could not be removed: {error.strerror or error}.") from error
    sweep(root)
    return token


def restore(token: str, root: str | os.PathLike[str] | None = None) -> DatasetInfo:
    """Brings back what `remove` took away. Raises DatasetError if it is gone, or if the name is taken by now."""
    check_name(token.partition("~")[0])
    found = _trash(root).find(token)
    if found is None:
        raise DatasetMissing(f"{PREFIX}{token.partition('~')[0]} is no longer in the trash; add it again.")
    name, source = found
    if taken(name, root):
        raise DatasetError(f"There is another data set {PREFIX}{name} by now; remove that one first.")
    try:
        source.rename(folder(root) / name)
    except OSError as error:
        raise DatasetError(f"{PREFIX}{name} could not be brought back: {error.strerror or error}.") from error
    return OwnSource(name).info(data_root(root))


def names(root: str | os.PathLike[str] | None = None) -> list[str]:
    """Lists the names of all that is kept, damaged or not, without `own:`, sorted."""
    try:
        with os.scandir(folder(root)) as found:
            return sorted(entry.name for entry in found if _NAME.fullmatch(entry.name) and entry.is_dir())
    except OSError:
        return []


def details(name: str, root: str | os.PathLike[str] | None = None) -> Stored:
    """Counts, classes and the rest of `NAME`, without reading its images. Raises DatasetError, DatasetMissing."""
    if problem := OwnSource(name).problem(data_root(root)):
        raise (DatasetError if name in names(root) else DatasetMissing)(problem)
    return storage.read_info(folder(root) / name)


def owner(name: str, root: str | os.PathLike[str] | None = None) -> Owner:
    """Tells whose `NAME` is. Raises DatasetError for what cannot be a name."""
    check_name(name)
    return read_owner(folder(root) / name)


def share(name: str, shared: bool, root: str | os.PathLike[str] | None = None) -> None:
    """Lets people see `NAME` where it is not theirs, or no longer. Raises DatasetError."""
    try:
        write_owner(folder(root) / name, replace(owner(name, root), shared=shared))
    except OSError as error:
        raise DatasetError(f"{PREFIX}{name} could not be changed: {error.strerror or error}.") from error


def check_name(name: str) -> None:
    """Raises DatasetError unless a data set can have this name."""
    if not name:
        raise DatasetError("Give the data set a name, such as cells.")
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= 60 else f"{name[:60]}…"
        raise DatasetError(
            f"{shown!r} cannot be the name of a data set: use up to {MAX_NAME} letters, digits, dots, dashes and "
            "underscores, with a letter or digit at both ends, such as cells-2."
        )


def taken(name: str, root: str | os.PathLike[str] | None = None) -> bool:
    """Says whether a data set has that name, in capitals or not: some disks cannot tell them apart."""
    return os.path.lexists(folder(root) / name) or name.lower() in {other.lower() for other in names(root)}


def propose_name(text: str, root: str | os.PathLike[str] | None = None) -> str:
    """Proposes a name that is free, made of the name of a file or folder: `Blood Cells.zip` gives blood-cells."""
    stem = re.sub(r"\.(zip|tar|tar\.gz|tgz|gz|npz|npy|csv|tsv|parquet)$", "", Path(text).name, flags=re.IGNORECASE)
    base = re.sub("[^a-z0-9._]+", "-", stem.lower()).strip("-._")[:MAX_NAME].strip("-._") or "images"
    name, number = base, 1
    while taken(name, root):
        number += 1
        name = f"{base[: MAX_NAME - len(f'-{number}')].rstrip('-._')}-{number}"
    return name


def sweep(root: str | os.PathLike[str] | None = None) -> None:
    """Deletes what has been in the trash for a week, and what processes left that died. Never raises."""
    _trash(root).empty()
    trash.sweep(folder(root), NEW, _LEFT_SECONDS)


def _trash(root: str | os.PathLike[str] | None) -> trash.Trash:
    return trash.Trash(folder(root) / ".trash", TRASH_SECONDS)
