"""The files of a folder or of a .zip, listed and read alike; nothing is ever unpacked to disk."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from explorer.errors import DatasetError, ImageError
from explorer.files.zips import is_encrypted, members, open_zip, printable, read_member
from explorer.images.processes import Effort
from explorer.images.reading import MAX_FILE_BYTES, SUFFIXES

MAX_ENTRIES = 500_000  # of a zip or tar, which may be anybody's
MAX_FILES = 5_000_000  # below a folder of this computer: 500 bytes of memory each
MAX_TOTAL_BYTES = 8 << 30  # of a zip, unpacked

# What file managers leave beside pictures; Thumbs.db is in the malaria set as NIH publishes it.
CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}
# Folders that systems and network disks make, with copies of pictures and deleted ones: Synology, QNAP, Windows, Linux.
SYSTEM_FOLDERS = {
    "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "$recycle.bin", "recycler", "recycled",
    "system volume information", "lost+found", "_vti_cnf",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    parts: tuple[str, ...]
    """The path below the folder or within the zip: to sort by and to show, never to open."""
    size: int
    """Bytes, unpacked."""
    key: str | zipfile.ZipInfo
    """What to open: a path, or an entry of the zip."""
    modified: int = 0
    """Nanoseconds since 1970, of a file in a folder."""

    @property
    def path(self) -> str:
        return "/".join(self.parts)

    @property
    def stamp(self) -> int:
        """What changes with the contents: when a file in a folder was written, the checksum of one in a zip."""
        return self.key.CRC if isinstance(self.key, zipfile.ZipInfo) else self.modified

    @property
    def encrypted(self) -> bool:
        """Tells whether it needs a password."""
        return isinstance(self.key, zipfile.ZipInfo) and is_encrypted(self.key)

    @property
    def suffix(self) -> str:
        """The ending of the name in lower case with the dot, or nothing."""
        return os.path.splitext(self.parts[-1])[1].lower()

    @property
    def in_system_folder(self) -> bool:
        """Tells whether it lies in one of SYSTEM_FOLDERS."""
        return any(part.lower() in SYSTEM_FOLDERS for part in self.parts[:-1])


class Files:
    """The files below a folder or in a zip, without clutter, hidden files and those of systems, sorted by path."""

    def __init__(
        self,
        entries: list[Entry],
        label: str,
        archive: zipfile.ZipFile | None = None,
        notes: list[str] | None = None,
    ) -> None:
        """Holds files of what sentences call `label`; `notes` tell of what was left out of `entries`."""
        self.entries = sorted((e for e in entries if not e.in_system_folder), key=lambda entry: entry.parts)
        left = sorted(entry.path for entry in entries if entry.in_system_folder and entry.suffix in SUFFIXES)
        self.notes = [*(notes or []), *([_system_note(left)] if left else [])]
        self.effort = Effort(label)
        self._archive = archive

    def read(self, entry: Entry, most_bytes: int | None = None) -> bytes:
        """Reads the bytes of a file; from several threads at once if need be.

        Raises:
            ImageError: it has more than `most_bytes`, by default MAX_FILE_BYTES, or cannot be read.
        """
        name, limit = entry.parts[-1], most_bytes or MAX_FILE_BYTES
        if entry.size > limit:
            raise ImageError(name, f"it has {entry.size >> 20:,} MB, more than the limit of {limit >> 20}")
        try:
            if isinstance(entry.key, str):
                with open(entry.key, "rb") as file:
                    return file.read(limit)
            assert self._archive is not None
            return read_member(self._archive, entry.key)
        except OSError as error:
            raise ImageError(name, error.strerror or str(error)) from error
        except NotImplementedError as error:
            raise ImageError(name, str(error)) from error
        except RuntimeError as error:  # which is what zipfile raises for a password
            raise ImageError(name, "it is encrypted") from error
        except Exception as error:  # besides BadZipFile, whatever a malformed header leads zipfile and zlib to
            raise ImageError(name, "its place in the zip is damaged") from error


@contextmanager
def open_files(path: Path | bytes, label: str | None = None, but: Iterable[Path] = ()) -> Iterator[Files]:
    """Opens the files at `path`, a folder or a .zip, or of a zip's bytes. Sentences call it `label`, or by its path.

    Args:
        path: where they are.
        label: what sentences call it.
        but: files that are not among those of a folder: what is made of them may lie beside them.

    Raises:
        DatasetMissing: there is nothing at `path`.
        DatasetError: it is something else, cannot be read, or exceeds MAX_FILES; or a zip is damaged, exceeds
            MAX_ENTRIES or MAX_TOTAL_BYTES, or has names that lead out of it.
    """
    if isinstance(path, Path) and os.path.isdir(path):  # which, unlike Path.is_dir, never raises
        others = {(file.name, os.path.realpath(file.parent)) for file in but}
        yield Files(list(_walk(path, others)), label or str(path))
        return
    short = path.name if isinstance(path, Path) else "The zip"
    with open_zip(path, label or (str(path) if isinstance(path, Path) else short), MAX_ENTRIES) as archive:
        found, notes = members(archive, label or short, MAX_TOTAL_BYTES)
        entries = [Entry(parts, info.file_size, info) for parts, info in found if not any(map(hidden, parts))]
        yield Files(entries, label or short, archive, notes)


def read_again(source: Path, names: Iterable[str]) -> list[tuple[str, bytes]]:
    """Reads the bytes of some files, by their paths below the folder or within the zip.

    Raises:
        DatasetError: one is not there any more, or cannot be read; or several files have names that look the same.
    """
    with open_files(source) as files:
        found: dict[str, list[Entry]] = {name: [] for name in names}
        for entry in files.entries:
            if entry.path in found:
                found[entry.path].append(entry)
        for name, entries in found.items():
            if len(entries) != 1:
                raise DatasetError(
                    f"{name} is no longer there." if not entries else f"Several files are called {name}."
                )
        return [(name, files.read(entry)) for name, (entry,) in found.items()]


def stamp(path: Path) -> Hashable:
    """Gives what changes when a file below a folder, or a zip, is added, removed or changed; None for nothing."""
    try:
        if path.is_dir():
            return hash(frozenset((entry.key, entry.size, entry.modified) for entry in _walk(path)))
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    except (OSError, ValueError):
        return None


def _system_note(paths: list[str]) -> str:
    count = "1 picture" if len(paths) == 1 else f"{len(paths):,} pictures"
    return f"Left out: {count} in folders of a system or network disk (thumbnails, deleted files), such as {paths[0]}."


def hidden(part: str) -> bool:
    return part.startswith(".") or part.lower() in CLUTTER


def _walk(top: Path, but: Collection[tuple[str, str]] = ()) -> Iterator[Entry]:
    """Lists regular files below `top`, links to files too. Links to folders are not followed: they may form a ring.

    `but` are the names and the folders, without links, of files that are left out.
    """
    names_left_out = {name for name, _ in but}

    def refuse(error: OSError) -> None:
        if os.path.basename(error.filename or "").lower() in SYSTEM_FOLDERS:
            return  # which only the system may read
        raise DatasetError(f"{error.filename} could not be read: {error.strerror or error}.") from error

    count = 0
    for folder, subfolders, names in os.walk(top, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not hidden(name)]
        inside = tuple(printable(part) for part in Path(folder).relative_to(top).parts)
        for name in names:
            if hidden(name) or (name in names_left_out and (name, os.path.realpath(folder)) in but):
                continue
            path = os.path.join(folder, name)
            try:
                status = os.stat(path)
            except OSError:
                continue  # a link that leads nowhere, or a file that has just gone
            if not stat.S_ISREG(status.st_mode):
                continue
            count += 1
            if count > MAX_FILES:
                raise DatasetError(f"{top} has more than {MAX_FILES:,} files: take them a part at a time.")
            yield Entry((*inside, printable(name)), status.st_size, path, status.st_mtime_ns)
