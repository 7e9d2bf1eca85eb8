"""A table beside pictures: which row is of which picture, and what that says of its class, group, split and more."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence

from explorer.datasets.layout import Layout
from explorer.datasets.tables.fields import Field, split_of
from explorer.datasets.tables.records import Row, assemble
from explorer.datasets.tables.roles import Roles, describing
from explorer.files.entries import Entry

_LEAST_SHARE = 0.5  # of the rows or pictures, whichever are fewer, that a column of file names must find


def describe(layout: Layout, fields: Sequence[Field], asked: Roles, called: str) -> tuple[Layout, Roles] | None:
    """Gives pictures what a table says of them; None if none of its columns has their names.

    Their folders stay their classes unless the label is asked for, and their splits unless a column has them.
    """
    fields = [field for field in fields if field.is_column]
    entries = [entry for entry, _ in layout.everything]
    found = max(((_rows_of(entries, field), field) for field in fields), key=lambda pair: len(pair[0]), default=None)
    if found is None or len(found[0]) < _LEAST_SHARE * min(len(entries), len(found[1])) or not found[0]:
        return None
    place, names = found
    others = [field for field in fields if field is not names]
    roles = describing(others, asked, called, classes=len(layout.classes) > 1)
    texts = {field.name: field.texts() for field in others}
    rows = []
    for split, pairs in layout.splits.items():
        for entry, folder in pairs:
            row = place.get(entry)

            def said(name: str | None, row: int | None = row) -> str:
                return texts[name][row] if name and row is not None else ""

            given = split_of(said(roles.split)) if roles.split else "" if layout.dealt else split
            rows.append(Row(entry, said(roles.label) or None if roles.label else folder, said(roles.group), given))
    columns: dict[str, dict[Entry, str | float]] = defaultdict(dict)
    for field in others:
        if field.name not in (roles.label, roles.split):
            values = field.numbers().tolist() if field.kind == "number" else texts[field.name]
            columns[field.name] = {entry: values[row] for entry, row in place.items()}
    notes = list(layout.notes)
    if missing := len(entries) - len(place):
        first = next(entry.path for entry in entries if entry not in place)
        notes.append(f"{missing:,} of {len(entries):,} pictures have no row in the table, such as {first}.")
    return assemble(rows, columns, roles, called, notes), roles


def _rows_of(entries: Sequence[Entry], field: Field) -> dict[Entry, int]:
    """Finds the row of each picture by its path, its name, or its name without the ending."""
    by_path: dict[str, int] = {}
    by_name: dict[str, int] = {}
    for row, text in enumerate(field.texts()):
        path = text.strip().replace("\\", "/").strip("/").lower()
        if path:
            by_path.setdefault(path, row)
            by_name.setdefault(path.rpartition("/")[2], row)
    twice = Counter(entry.parts[-1].lower() for entry in entries)
    found = {}
    for entry in entries:
        name = entry.parts[-1].lower()
        place = by_path.get(entry.path.lower())
        if place is None and twice[name] == 1:
            stem = os.path.splitext(name)[0]
            place = by_name.get(name, by_name.get(stem))
            if place is None and field.kind == "number" and stem.isdecimal() and len(stem) < 19:  # 007.png is number 7
                place = by_name.get(str(int(stem)))
        if place is not None:
            found[entry] = place
    return found
