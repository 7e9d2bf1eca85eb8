"""Tables as CSV (RFC 4180, UTF-8): written whole or not at all, and harmless to the spreadsheet that opens them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from explorer.errors import DatasetError
from explorer.files.journal import replace_file

# A cell that begins so is a formula to a spreadsheet, which may then fetch an address or start a program:
# OWASP, "CSV Injection". An apostrophe before it makes it text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Writes out the table with a line a row, each ended by a line feed.

    Args:
        rows: of cells. A `str` is text, and gets an apostrophe before it where a spreadsheet would take it for a
            formula. Anything else is written as `str` gives it, so that numbers stay numbers; None is an empty cell.
    """
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(map(_cell, header))
    writer.writerows([_cell(value) for value in row] for row in rows)
    # csv quotes both characters of its line ending, "\r\n", where a cell holds one: so it is that until here.
    text = "".join(line.removesuffix("\r\n") + "\n" for line in lines.found)
    return text.encode("utf-8", "replace").decode()  # a file's name may hold what is no character


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes what `table_text` gives into a file. One that is there is replaced, at once; a link is replaced itself.

    Raises:
        DatasetError: it cannot be written; nothing is left behind then.
    """
    text = table_text(header, rows)
    try:
        replace_file(path, text.encode())
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DatasetError(f"{path} could not be written: {getattr(error, 'strerror', None) or error}.") from error


def check_place(path: Path) -> None:
    """Raises DatasetError if a table at `path` could not be written, as far as one can know before: for long work."""
    if os.path.isdir(path):  # which, unlike Path.is_dir, never raises
        raise DatasetError(f"{path} is a folder: name a file in it, such as {path / 'scores.csv'}.")
    if not os.path.isdir(path.parent):
        raise DatasetError(f"There is no folder {path.parent} to write {path.name} into.")
    if os.path.lexists(path) and (os.path.islink(path) or not os.path.isfile(path)):
        raise DatasetError(f"{path} is there already and is no plain file: name another.")
    if not os.access(path.parent, os.W_OK):
        raise DatasetError(f"The folder {path.parent} is not writable.")
    try:
        os.lstat(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} could not be written: {getattr(error, 'strerror', None) or error}.") from error


class _Lines:
    """Takes what csv writes: a line at a time."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def write(self, line: str) -> None:
        self.found.append(line)


def _cell(value: object) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else str(value)
