"""What becomes of each of many files, on the disk as it comes: what a process that died has left is gone on with."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from explorer.errors import DatasetError
from explorer.files.entries import Entry
from explorer.files.tables import check_place

_TABLES = """
CREATE TABLE IF NOT EXISTS about (text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY, position INTEGER UNIQUE, path TEXT NOT NULL, size INTEGER, modified INTEGER,
    digest BLOB, reason TEXT, told TEXT, score REAL, figures BLOB
);
CREATE INDEX IF NOT EXISTS by_path ON files (path);
"""
# Of files with the same contents: what all but the first are called, and what that one is.
_COPIES = """
FROM files f JOIN (
    SELECT digest, MIN(position) first FROM files WHERE reason IS NULL GROUP BY digest HAVING COUNT(*) > 1
) same ON f.digest = same.digest AND f.reason IS NULL JOIN files g ON g.position = same.first WHERE f.path != g.path
"""


def part_of(out: Path) -> Path:
    """Names the file that keeps results until `out` can be written."""
    return out.with_name(f"{out.name}.part")


def own_files(*outs: Path | None) -> list[Path]:
    """Lists what is written where results come to be at `outs`, and is no file to work on."""
    written = [out for out in outs if out is not None]
    parts = [part_of(out) for out in written]
    return [*written, *parts, *(part.with_name(f"{part.name}-journal") for part in parts)]  # SQLite's, after a kill


class Told(NamedTuple):
    """What is told of a decoded file: notes, and how many frames and channels it has."""

    notes: tuple[str, ...]
    frames: int
    channels: int


class FileResult(NamedTuple):
    """What became of a file: figures float32 [K] and a score, or why it could not be read, a clause."""

    position: int
    entry: Entry
    digest: bytes | None = None
    reason: str | None = None
    told: Told | None = None
    figures: np.ndarray | None = None
    score: float | None = None


class Results:
    """A row a file, exactly one, in an SQLite database; used by one thread.

    Its file stays where an error ends the work, with what has been done by then; `discard` deletes it.
    """

    def __init__(self, path: Path | None = None, about: str = "") -> None:
        """Opens what is at `path`, or begins it; None keeps it in memory.

        Args:
            path: of its file.
            about: all that figures depend on but the files.

        Raises:
            DatasetError: it was begun with something else, is damaged or another process's, or cannot be written.
        """
        if path is not None:
            check_place(path)
        self.path = path
        self._db = sqlite3.connect(":memory:" if path is None else path, timeout=0)
        try:
            with self._kept():
                self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._db.execute("BEGIN IMMEDIATE")
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
                known = self._db.execute("SELECT text FROM about").fetchone()
                if known is None:
                    self._db.execute("INSERT INTO about VALUES (?)", [about])
            if known not in (None, (about,)):
                raise DatasetError(
                    f"{path} was begun with another model, source or options: finish that, delete the file, or name "
                    "another one by --out."
                )
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Results:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not self.counts[0]:
            self.discard()  # there is nothing to go on with
        self._db.close()

    def __len__(self) -> int:
        return int(self._one("SELECT COUNT(*) FROM files"))

    def left(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Lists the positions of the files of which there is no row yet; rows of files that are others now are dropped.

        Raises:
            DatasetError: it cannot be written.
        """
        if not len(self):
            return range(len(entries))
        found = []
        with self._kept():
            self._db.execute("UPDATE files SET position = NULL")
            for i, entry in enumerate(entries):
                same = (entry.path, entry.size, entry.stamp)
                where = "path = ? AND size = ? AND modified = ? AND position IS NULL LIMIT 1"
                if not self._db.execute(
                    f"UPDATE files SET position = ? WHERE id = (SELECT id FROM files WHERE {where})",  # noqa: S608
                    (i, *same),
                ).rowcount:
                    found.append(i)
            self._db.execute("DELETE FROM files WHERE position IS NULL")
        return found

    def add(self, rows: Sequence[FileResult]) -> None:
        """Adds rows, all of them or none. Raises DatasetError if they cannot be written."""
        with self._kept():
            self._db.executemany(
                "INSERT INTO files (position, path, size, modified, digest, reason, told, score, figures) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        row.position,
                        row.entry.path,
                        row.entry.size,
                        row.entry.stamp,
                        row.digest,
                        row.reason,
                        None if row.told is None else json.dumps(row.told),
                        row.score,
                        None if row.figures is None else row.figures.astype("<f4").tobytes(),
                    )
                    for row in rows
                ),
            )

    def figures(
        self, *, by_score: bool = False, block: int = 1024
    ) -> Iterator[tuple[list[int], list[str], np.ndarray]]:
        """Goes through the files that could be read, in order: positions, paths and figures float32 [n, K] of some.

        Args:
            by_score: the smallest score first.
            block: how many at a time.
        """
        order = "score, position" if by_score else "position"
        found = self._db.execute(f"SELECT position, path, figures FROM files WHERE reason IS NULL ORDER BY {order}")  # noqa: S608
        while rows := found.fetchmany(block):
            positions, paths, figures = zip(*rows, strict=True)
            yield list(positions), list(paths), np.frombuffer(b"".join(figures), "<f4").reshape(len(rows), -1)

    def rows(self, first: int, last: int) -> Iterator[FileResult]:
        """Goes through what became of the files from a first position to before a last one, but for figures."""
        found = self._db.execute(
            "SELECT position, path, size, modified, digest, reason, told, score FROM files "
            "WHERE position >= ? AND position < ? ORDER BY position",
            (first, last),
        )
        for position, path, size, modified, digest, reason, told, score in found:
            entry = Entry(tuple(path.split("/")), size, "", modified)
            yield FileResult(position, entry, digest, reason, None if told is None else _told(told), None, score)

    @property
    def score(self) -> float:
        """The sum of all scores."""
        return float(self._one("SELECT TOTAL(score) FROM files"))

    def unreadable(self) -> Iterator[tuple[str, str]]:
        """Goes through the others, in order: the path of each, and why it could not be read."""
        return self._db.execute("SELECT path, reason FROM files WHERE reason IS NOT NULL ORDER BY position")

    @property
    def counts(self) -> tuple[int, int]:
        """The number of files that could be read, and of the others."""
        bad = int(self._one("SELECT COUNT(*) FROM files WHERE reason IS NOT NULL"))
        return len(self) - bad, bad

    @property
    def told(self) -> Counter[Told]:
        """What was told of those that could be read, with their number."""
        found = self._db.execute("SELECT told, COUNT(*) FROM files WHERE told IS NOT NULL GROUP BY told")
        return Counter({_told(text): count for text, count in found})

    def copies_note(self) -> list[str]:
        """Words a note on files that are copies of others; none if there are none."""
        if not (count := int(self._one(f"SELECT COUNT(*) {_COPIES}"))):
            return []
        first = self._db.execute(f"SELECT f.path, g.path {_COPIES} ORDER BY f.position LIMIT 1").fetchone()
        return [
            f"{'1 file is a copy' if count == 1 else f'{count:,} files are copies'} of another, such as {first[0]} of "
            f"{first[1]}."
        ]

    def close(self) -> None:
        """Closes the file, and leaves it where it is."""
        self._db.close()

    def discard(self) -> None:
        """Deletes the file."""
        self._db.close()
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _one(self, query: str) -> Any:
        return self._db.execute(query).fetchone()[0]

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Keeps what is done within, or nothing of it. Raises DatasetError."""
        try:
            with self._db:
                yield
        except sqlite3.OperationalError as error:
            reason = "another process is at work on it" if "locked" in str(error) else str(error)
            raise DatasetError(f"{self.path} could not be written: {reason}.") from error
        except sqlite3.DatabaseError as error:
            raise DatasetError(f"{self.path} is damaged: delete it to begin anew.") from error


def _told(text: str) -> Told:
    notes, frames, channels = json.loads(text)
    return Told(tuple(notes), frames, channels)
