"""What can become a data set, folders, zips, arrays and tables, and in which shapes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import ZipInfo

from explorer.datasets.folder import LEAST, MOST, Form
from explorer.datasets.layout import Layout, arrange
from explorer.datasets.tables.beside import describe
from explorer.datasets.tables.fields import FREE, MOST_BYTES, MOST_CELLS, MOST_GROWTH, Blobs, Field
from explorer.datasets.tables.formats import is_table
from explorer.datasets.tables.reading import read_table
from explorer.datasets.tables.records import RecordFiles, records
from explorer.datasets.tables.roles import Roles
from explorer.datasets.tables.tars import is_tar
from explorer.errors import DatasetError, DatasetMissing, ImageError
from explorer.files.entries import Entry, Files, open_files
from explorer.files.zips import printable
from explorer.images.arrays import check_size, sides, size_words
from explorer.images.memory import Room
from explorer.images.reading import SUFFIXES
from explorer.images.stacks import FIRST
from explorer.models.devices import main_memory

SIZES = (28, 32, 64, 128)  # squares that forms offer
MAX_CLASSES = 1000
FEW = 200  # images: with fewer, a model learns single ones, and figures of the test set are rough
GUESSED = Roles()
_TABLES = (".csv", ".tsv")
_MOST_TABLES = 100  # files of arrays in one folder


@dataclass(frozen=True)
class Wanted(Form):
    """What becomes of a source. Raises DatasetError unless images can have the size and the channels.

    Attributes:
        size: pixels a side, 8 to 128, or height and width.
        roles: which array or column is what; what it leaves open is guessed.
        table: a table of labels or measurements, where it does not lie beside the pictures.
        table_label: what sentences call it, such as the name of an uploaded file; its path if empty.
    """

    roles: Roles = GUESSED
    table: Path | None = None
    table_label: str = ""

    def __post_init__(self) -> None:
        """Checks size and channels; a square's size becomes a number."""
        check_size(self.size, self.channels)
        if self.size is None:
            return
        height, width = sides(self.size)
        if not all(LEAST <= side <= MOST for side in (height, width)):
            raise DatasetError(f"A side of an image must be {LEAST} to {MOST} pixels, not {size_words(self.size)}.")
        if height == width:
            object.__setattr__(self, "size", height)

    @property
    def mark(self) -> str:
        """Differs between what gives different data sets of one source, but for size and channels; empty by default."""
        parts = [
            f" {self.planes.frames} {self.planes.channel}" if self.planes != FIRST else "",
            f" {self.roles}" if self.roles != GUESSED else "",
            f" {sha256_of(self.table, self.table_label or str(self.table))}" if self.table else "",
        ]
        return "".join(parts)


@dataclass(frozen=True)
class Opened:
    """The images of a source that can become a data set.

    Attributes:
        files, layout: where they are, and which.
        called: what sentences call the source.
        fields: of arrays and tables what they hold, and its shape, for a choice; empty of pictures alone.
        roles: which of these is what.
    """

    files: Files
    layout: Layout
    called: str
    fields: dict[str, str]
    roles: Roles


@contextmanager
def opened(source: Path, label: str | None, wanted: Wanted) -> Iterator[Opened]:
    """Opens a source that can become a data set. Raises DatasetError, DatasetMissing."""
    source = Path(os.path.expanduser(source))
    called = label or str(source)
    name = printable(Path(label or source).name)
    with ExitStack() as stack:
        files = _single(source, name) or stack.enter_context(open_files(source, label))
        stack.enter_context(_memory().taken(_needed(files, name, wanted.table)))
        found = _read(files, called, name, wanted)
        _check_layout(found.layout, called)
        yield found


@cache
def _memory() -> Room:
    """Half of this computer's memory, for the arrays and tables that are read at a time: others wait for their turn."""
    try:
        return Room(main_memory() // 2)
    except (OSError, AttributeError, ValueError):  # a system that does not tell
        return Room(2 * MOST_BYTES)


def _needed(files: Files, name: str, table: Path | None) -> int:
    """Bytes of memory for a source's arrays and tables, and for what they hold. Raises DatasetError: too many."""
    sizes = [entry.size for entry in files.entries if is_tar(name) or is_table(entry.parts[-1], b"")]
    if table is not None and table.is_file():
        sizes.append(table.stat().st_size)
    if (needed := 2 * sum(sizes)) > (most := _memory().size):
        raise DatasetError(
            f"{name} would take {needed / 1e6:,.0f} MB of memory, of the {most / 1e6:,.0f} MB that arrays and tables "
            "may have on this computer: add a part of it, or its pictures as files."
        )
    return needed


def _read(files: Files, called: str, name: str, wanted: Wanted) -> Opened:
    """Reads what a folder, an archive or a file holds, by what is in it."""
    asked = wanted.roles
    if files.entries and is_tar(name):
        fields = _fields(files, files.entries[:1])
        if fields[0].name:
            return _of_records(fields, asked, called)
        blobs: Blobs = fields[0].values
        sizes = zip(fields[0].paths, blobs.lengths.tolist(), strict=True)
        entries = [Entry(tuple(path.split("/")), size, str(i)) for i, (path, size) in enumerate(sizes)]
        files = RecordFiles(entries, called, blobs.__getitem__)
    if wanted.table is not None:
        return _described(files, called, wanted.table, wanted.table_label or str(wanted.table), asked)
    if not any(entry.suffix in SUFFIXES for entry in files.entries):
        tables = [entry for entry in files.entries if is_table(entry.parts[-1], b"")]
        if tables:
            return _of_records(_fields(files, tables), asked, called)
    tables = [entry for entry in files.entries if entry.suffix in _TABLES]
    pictures = arrange([entry for entry in files.entries if entry.suffix not in _TABLES], called) if tables else None
    unread = []
    for table in tables[:_MOST_TABLES]:
        try:
            fields = _columns(files, table)
        except DatasetError as error:
            unread.append(str(error))
            continue
        if pictures and (found := describe(pictures, fields, asked, called)) is not None:
            return Opened(files, found[0], called, _shown(fields), found[1])
    layout = arrange(files.entries, called)
    layout.notes.extend(unread)
    return Opened(files, layout, called, {}, asked)


def _described(files: Files, called: str, table: Path, label: str, asked: Roles) -> Opened:
    """Reads pictures, and what a table elsewhere says of them."""
    if not os.path.isfile(table):
        raise DatasetMissing(f"There is no file {label}.")
    name = printable(Path(label).name)
    one = _single(table, name)
    if one is None or is_tar(name):
        raise DatasetError(f"{label} is no table: hand in a .csv, .tsv or .parquet file.")
    pictures = arrange([entry for entry in files.entries if entry.suffix not in _TABLES], called)
    fields = _columns(one, one.entries[0])
    found = describe(pictures, fields, asked, called)
    if found is None:
        listed = ", ".join(field.name for field in fields)[:500]
        raise DatasetError(f"No column of {label} has the names of the pictures in {called}: it has {listed}.")
    return Opened(files, found[0], called, _shown(fields), found[1])


def _of_records(fields: list[Field], asked: Roles, called: str) -> Opened:
    files, layout, roles = records(fields, asked, called)
    return Opened(files, layout, called, _shown(fields), roles)


def _single(source: Path, name: str) -> Files | None:
    """A file of arrays, a table or a tar as a folder of one, an IDX file with its labels; None for anything else."""
    if not os.path.isfile(source):
        return None
    try:
        with source.open("rb") as file:
            head = file.read(8)
        if not (is_tar(name) or is_table(name, head)):
            return None
        paths = [source]
        if "images" in name and "idx" in name:
            labels = source.with_name(source.name.replace("images", "labels").replace("idx3", "idx1"))
            paths += [labels] if labels != source and labels.is_file() else []
        entries = [
            Entry((name if path == source else printable(path.name),), path.stat().st_size, str(path)) for path in paths
        ]
    except OSError as error:
        raise DatasetError(f"{source} could not be read: {error.strerror or error}.") from error
    return Files(entries, name)


def _columns(files: Files, table: Entry) -> list[Field]:
    """Reads a table about pictures. Raises DatasetError if it is too large for one."""
    fields = _fields(files, [table])
    if (count := sum(len(field) for field in fields)) > MOST_CELLS:
        raise DatasetError(
            f"{table.path} has {count:,} values, more than the limit of {MOST_CELLS:,}: leave out columns or rows."
        )
    return fields


def _fields(files: Files, entries: list[Entry]) -> list[Field]:
    fields: list[Field] = []
    for entry in entries[:_MOST_TABLES]:
        fields += read_table(entry.parts[-1], _bytes(files, entry), files.effort)
    return fields


def _bytes(files: Files, entry: Entry) -> bytes:
    packed = entry.key.compress_size if isinstance(entry.key, ZipInfo) else entry.size
    if entry.size > (limit := max(FREE, MOST_GROWTH * packed)):
        raise DatasetError(f"{entry.path} would unpack to more than {limit / 1e6:,.0f} MB: add a part of it.")
    try:
        return files.read(entry, MOST_BYTES)
    except ImageError as error:
        raise DatasetError(f"{entry.path} could not be read: {error.reason}.") from error


def _shown(fields: list[Field]) -> dict[str, str]:
    """By name what a field holds, in few words."""
    shown: dict[str, str] = {}
    for field in fields:
        what = "pictures" if field.kind == "picture" else "text" if field.kind == "text" else "numbers"
        sides = " × ".join(map(str, field.shape[1:]))
        shown.setdefault(field.name, f"{what} {sides}".strip())
    return shown


def _check_layout(layout: Layout, called: str) -> None:
    every = layout.everything
    if all(entry.encrypted for entry, _ in every):
        raise DatasetError(f"{called} is encrypted; make the .zip again without a password.")
    if len(layout.classes) > MAX_CLASSES:
        raise DatasetError(
            f"{called} has {len(layout.classes):,} classes, more than the limit of {MAX_CLASSES:,}; sort the images "
            "into fewer folders, put all into one to have no classes, or choose another label."
        )
    if len(every) < 2:
        raise DatasetError(
            f"{called} holds {'a single image' if every else 'no images'}; it takes at least two, one to train on "
            "and one to test on."
        )
    for split, purpose in (("train", "to train on"), ("test", "to test on")):
        if not layout.splits[split]:
            raise DatasetError(
                f"{called} leaves nothing {purpose}: each of its {len(layout.classes):,} classes has a single image; "
                "add more images, or put all into one folder."
            )


def few_note(count: int) -> list[str]:
    """Words a note on a data set of so many images, if they are few."""
    if count >= FEW:
        return []
    return [f"Only {count:,} images: with fewer than about {FEW}, a model learns little, and its figures are rough."]


def sha256_of(source: Path, called: str) -> str:
    """Of a file, in hex; empty for a folder. Raises DatasetError."""
    if source.is_dir():
        return ""
    try:
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{called} could not be read: {error.strerror or error}.") from error
