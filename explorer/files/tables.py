"""Tables as CSV (RFC 4180, UTF-8): written whole or not at all, and harmless to the spreadsheet that opens them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from explorer.errors import DatasetError
from explorer.files.journal import replacement

# What begins with one of these, full-width or not, is a formula to a spreadsheet, which may then fetch an address or
# start a program; an apostrophe before it makes it text: OWASP, "CSV Injection". Where a spreadsheet splits at
# semicolons or tabs, only a line's first quote counts: what follows a separator in another text begins a cell.
_FORMULA = r"[\"\s\x00-\x1f\u200b-\u200f\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫−]"
_BEGINS = re.compile(rf"\A(?=[\t\r\n]|{_FORMULA})|(?<=[;\t\r\n])(?={_FORMULA})")


def table_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Writes out the table with a line a row, each ended by a line feed.

    Args:
        header: the columns' names.
        rows: of cells. A `str` is text: it is quoted, and gets an apostrophe wherever a spreadsheet would take it for a
            formula. Anything else is written as `str` gives it, so that numbers stay numbers; None is an empty cell.
    """
    return "".join(_lines(header, rows))


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes what `table_text` gives into a file. One that is there is replaced, at once; a link is replaced itself.

    Raises:
        DatasetError: it cannot be written; nothing is left behind then.
    """
    try:
        with replacement(path) as file:
            file.writelines(line.encode() for line in _lines(header, rows))
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


def _lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    for row in chain([header], rows):
        line = ",".join(map(_cell, row)) + "\n"
        yield line.encode("utf-8", "replace").decode()  # a file's name may hold what is no character


def _cell(value: object) -> str:
    if not isinstance(value, str):
        return "" if value is None else str(value)
    harmless = _BEGINS.sub("'", value).replace('"', '""')
    return f'"{harmless}"'
