"""The rows of tables as a folder of pictures: an entry each, with its class, group, split and further columns."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from explorer.datasets.base import SPLITS
from explorer.datasets.layout import SEED, TEST_SHARE, Layout, deal, natural
from explorer.datasets.tables.fields import MOST_CELLS, MOST_ROWS, Field, split_of
from explorer.datasets.tables.pixels import picture_maker, scale_of
from explorer.datasets.tables.roles import NONE, Roles, guess
from explorer.errors import DatasetError, ImageError
from explorer.files.entries import Entry, Files
from explorer.files.pictures import left_out
from explorer.images.reading import MAX_FILE_BYTES

_MOST_COLUMNS = 50  # further ones that are kept


@dataclass(frozen=True)
class Row:
    """An image, its class and group, and its split, `train`, `val` or `test`: None or empty for none."""

    entry: Entry
    label: str | None
    group: str = ""
    split: str = ""


class RecordFiles(Files):
    """Images of arrays, as files whose bytes are made when they are read."""

    def __init__(self, entries: list[Entry], label: str, make: Callable[[int], bytes]) -> None:
        """`make` gives the bytes of each by its key, a number."""
        super().__init__(entries, label)
        self._make = make

    def read(self, entry: Entry, most_bytes: int | None = None) -> bytes:
        data = self._make(int(str(entry.key)))
        if len(data) > (most_bytes or MAX_FILE_BYTES):
            raise ImageError(entry.parts[-1], f"it has {len(data) >> 20:,} MB")
        return data


def records(fields: Sequence[Field], asked: Roles, called: str) -> tuple[RecordFiles, Layout, Roles]:
    """Puts the images of arrays together with their classes, groups, splits and columns.

    Raises:
        DatasetError: the fields do not fit together, or none of them holds images.
    """
    roles = guess(fields, asked, called)
    images = [field for field in fields if field.name == roles.image]
    if (count := sum(map(len, images))) > MOST_ROWS:
        raise DatasetError(f"{called} has {count:,} images, more than the limit of {MOST_ROWS:,}: add a part of them.")
    scale, notes = scale_of(images)
    kept = min(_MOST_COLUMNS, MOST_CELLS // max(count, 1))
    rows: list[Row] = []
    makers: list[tuple[Callable[[int], bytes], int]] = []
    columns: dict[str, dict[Entry, str | float]] = defaultdict(dict)
    for image in images:
        beside = [f for f in fields if f is not image and (f.split, len(f)) == (image.split, len(image))]
        if any(other in images for other in beside):
            raise DatasetError(f"{called} has several arrays {roles.image!r}: keep one of them, or name them apart.")
        draw, size = picture_maker(image, scale, bool(roles.turned))
        labels = _labels(beside, roles.label, image, notes)
        group, split = (_texts(beside, name) for name in (roles.group, roles.split))
        digits = len(str(len(image)))
        entries = [
            Entry((image.paths[i] if image.paths else f"{image.source}[{i:0{digits}d}]",), size, str(len(makers) + i))
            for i in range(len(image))
        ]
        makers += [(draw, i) for i in range(len(image))]
        for i, entry in enumerate(entries):
            given = split_of(split[i]) if split else image.split
            rows.append(Row(entry, (labels[i] or None) if labels else None, group[i] if group else "", given))
        for field in beside:
            wanted = field.is_column and field.name not in (roles.label, roles.split)
            if wanted and (field.name in columns or len(columns) < kept):
                _keep(columns[field.name], field, entries)
    layout = assemble(rows, columns, roles, called, notes)

    def make(key: int) -> bytes:
        draw, i = makers[key]
        return draw(i)

    return RecordFiles([entry for entry, _ in layout.everything], called, make), layout, roles


def assemble(
    rows: list[Row],
    columns: dict[str, dict[Entry, str | float]],
    roles: Roles,
    called: str,
    notes: list[str],
) -> Layout:
    """Deals rows to training and test set: as they say, or else by group, or by class."""
    rows = sorted(rows, key=lambda row: row.entry.parts)
    has_test = {split: any(row.split == split for row in rows) for split in ("val", "test")}
    if any(row.label for row in rows):
        for split in ("test", "val"):
            inside = [row for row in rows if row.split == split]
            if inside and not any(row.label for row in inside):
                has_test[split] = False
        lost = [row for row in rows if row.label is None]
        notes += left_out([row.entry for row in lost], "without a class")
        rows = [row for row in rows if row.label is not None]
    test = "test" if has_test["test"] else "val" if has_test["val"] else ""
    train = [row for row in rows if row.split == "train"]
    if test and train:
        if test == "val":
            notes.append("The validation images are the test set, as no other is here.")
        notes += left_out([row.entry for row in rows if row.split not in ("train", test)], "of no split that is used")
        splits = {"train": train, "test": [row for row in rows if row.split == test]}
        both = {row.group for row in train} & {row.group for row in splits["test"]} - {""}
        if roles.group and both:
            notes.append(
                f"{len(both):,} of {roles.group} are in the training and in the test set, such as {min(both)}."
            )
    elif roles.group:
        splits = _dealt_by_group(rows, roles.group, called)
    else:
        dealt = deal([(row.entry, row.label) for row in rows], 0)
        testing = {entry for entry, _ in dealt["test"]}
        splits = _parted(rows, lambda row: row.entry in testing)
    labels = {split: {row.label for row in splits[split] if row.label} for split in SPLITS}
    every = sorted(labels["train"] | labels["test"], key=natural)
    absent = [
        f"The {split} set has no images of {', '.join(name for name in every if name not in labels[split])}."
        for split in SPLITS
        if any(name not in labels[split] for name in every)
    ]
    return Layout(
        {split: [(row.entry, row.label) for row in splits[split]] for split in SPLITS},
        every,
        notes,
        absent,
        columns=dict(columns),
        group=roles.group or NONE,
        dealt=not (test and train),
    )


def _dealt_by_group(rows: list[Row], name: str, called: str) -> dict[str, list[Row]]:
    """Deals whole groups, in the order of a hash of their names, until a fifth of the images are for testing."""
    sizes: dict[str, int] = defaultdict(int)
    for row in rows:
        sizes[row.group] += 1
    if len(sizes) < 2:
        raise DatasetError(f"All images of {called} are of one {name}: choose no group, or another column.")
    order = sorted(sizes, key=lambda group: hashlib.sha256(f"{SEED}/{group}".encode()).digest())
    test: set[str] = set()
    count, wanted = 0, TEST_SHARE * len(rows)
    for group in order:
        if len(test) + 1 < len(sizes) and (not test or count + sizes[group] / 2 <= wanted):
            test.add(group)
            count += sizes[group]
    return _parted(rows, lambda row: row.group in test)


def _parted(rows: list[Row], tests: Callable[[Row], bool]) -> dict[str, list[Row]]:
    return {"train": [row for row in rows if not tests(row)], "test": [row for row in rows if tests(row)]}


def _labels(beside: Sequence[Field], name: str | None, image: Field, notes: list[str]) -> list[str]:
    """The names of the classes of an array's images; none where it has no labels."""
    field = next((field for field in beside if name and field.name == name), None)
    if field is None:
        return []
    if field.is_column:
        texts = field.texts()
        return [field.classes[int(t)] if t.isdecimal() and int(t) < len(field.classes) else t for t in texts]
    values = np.asarray(field.values)
    if field.kind == "number" and values.ndim == 2 and (np.isin(values, (0, 1)).all() and (values.sum(1) == 1).all()):
        return [str(label) for label in values.argmax(1).tolist()]  # one-hot
    notes.append(f"{field.source} of shape {list(field.shape)} is no label for each of {image.source}: left out.")
    return []


def _texts(beside: Sequence[Field], name: str | None) -> list[str]:
    field = next((field for field in beside if name and field.name == name and field.is_column), None)
    return [] if field is None else field.texts()


def _keep(column: dict[Entry, str | float], field: Field, entries: Sequence[Entry]) -> None:
    values = field.numbers().tolist() if field.kind == "number" and not field.classes else field.texts()
    column.update(zip(entries, values, strict=True))
