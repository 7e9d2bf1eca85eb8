"""Making a data set of a person's own: decoded once, checked to be new, stored as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from explorer.datasets.base import SPLITS, ByteProgress, DatasetInfo, ImageDataset, data_root
from explorer.datasets.duplicates import duplicate_notes
from explorer.datasets.folder import form_of, read_split
from explorer.datasets.layout import SEED, Layout
from explorer.datasets.on_disk import BLOCK
from explorer.datasets.own import stored as storage
from explorer.datasets.own.catalog import PREFIX, OwnSource, check_name, details, folder, names, sweep, taken
from explorer.datasets.own.data_file import DataWriter
from explorer.datasets.own.sources import Wanted, opened, sha256_of
from explorer.datasets.own.stored import Stored
from explorer.errors import DatasetError
from explorer.files.entries import Files
from explorer.files.journal import new_folder
from explorer.files.owner import NOBODY, Owner, read_owner
from explorer.files.zips import printable
from explorer.images.stacks import FIRST

MAX_GROWTH = 100  # times the bytes of their files, which MNIST has at 128 x 128; for sets beyond _FREE
_FREE = 64 << 20


class AlreadyHere(DatasetError):
    """The same images are here already, in the same size and colours; `name` is the data set's, `own:NAME`."""

    def __init__(self, label: str, name: str) -> None:
        super().__init__(f"{label} is already here as {name}; use that one, or choose another size or colour.")
        self.name = name


def create(
    name: str,
    source: Path,
    wanted: Wanted | None = None,
    *,
    progress: ByteProgress | None = None,
    label: str | None = None,
    owner: Owner = NOBODY,
    root: str | os.PathLike[str] | None = None,
    **options: Any,
) -> DatasetInfo:
    """Decodes the images in a folder, an archive, arrays or a table and keeps them as `own:NAME`.

    Args:
        name: up to 40 letters, digits, dots, dashes and underscores.
        wanted: what becomes of the images.
        progress: called with bytes done and bytes in all; an exception that it raises cancels, and leaves nothing.
        label: what sentences call the source, such as the name of an uploaded file; its path if None.
        owner: whose it will be.
        root: where data sets lie.
        options: fields of `wanted`, by name.

    Raises:
        AlreadyHere: the owner can see the same files here already, in this size and colour.
        DatasetMissing: there is nothing at `source`, or no such table.
        DatasetError: the name is none or taken, the source cannot be used, or the images cannot be stored.
    """
    check_name(name)
    wanted = replace(wanted or Wanted(), **options)
    source, place = Path(os.path.expanduser(source)), folder(root)
    with opened(source, label, wanted) as found:
        files, layout, called = found.files, found.layout, found.called
        total = sum(entry.size for entry, _ in layout.everything)

        def tick(_: int) -> None:
            if progress:
                progress(0, total)

        wanted = form_of(files, layout, wanted, tick)
        if archive := sha256_of(source, called):
            archive += wanted.mark
            _refuse_again(called, root, owner, wanted.shape, lambda other: other.archive == archive)
        if taken(name, root):
            raise taken_error(name)
        _check_room(layout, wanted.shape, place)
        key = _key(layout, wanted, archive)
        with _new(name, place, key) as path, storage.writer(path, wanted.shape, name) as data:
            splits, digest = _decode(files, layout, wanted, called, progress, total, data)
            _refuse_again(called, root, owner, wanted.shape, lambda other: other.digest == digest)
            notes = [*splits["test"].notes, *duplicate_notes(splits["train"], splits["test"])]
            splits["test"] = replace(splits["test"], notes=notes)
            origin = f"Your own, from {printable(Path(label or source).name)}"
            made = _described(name, splits, origin, layout.group, SEED, digest, archive)
            storage.write(path, made, splits, owner, data)
    sweep(root)
    return OwnSource(name).info(data_root(root))


def store(
    name: str,
    splits: dict[str, ImageDataset],
    origin: str,
    group: str,
    split_seed: str,
    digest: str,
    *,
    owner: Owner,
    root: str | os.PathLike[str] | None,
) -> DatasetInfo:
    """Stores both splits as `own:NAME`; the texts are those of `Stored`. Raises DatasetError."""
    made = _described(name, splits, origin, group, split_seed, digest)
    with _new(name, folder(root)) as path, storage.writer(path, made.image_shape, name) as data:
        for split, dataset in splits.items():
            data.begin(split)
            for block in dataset.images.split(BLOCK):
                data.write(block.numpy())
        storage.write(path, made, splits, owner, data)
    sweep(root)
    return OwnSource(name).info(data_root(root))


def _described(
    name: str,
    splits: dict[str, ImageDataset],
    origin: str,
    group: str,
    split_seed: str,
    digest: str,
    archive: str = "",
) -> Stored:
    channels, height, width = splits["train"].image_shape
    return Stored(
        name=name,
        title=f"{name}, your own images",
        group=group,
        origin=origin,
        size=height if height == width else (height, width),
        channels=channels,
        classes=splits["train"].classes,
        counts={split: len(dataset) for split, dataset in splits.items()},
        class_counts={split: storage.class_counts(dataset) for split, dataset in splits.items()},
        notes={split: dataset.notes for split, dataset in splits.items()},
        split_seed=split_seed,
        digest=digest,
        archive=archive,
        created=datetime.now(UTC),
        fingerprints={split: dataset.fingerprint for split, dataset in splits.items()},
        nbytes=0,  # known once it is written
    )


@contextlib.contextmanager
def _new(name: str, place: Path, key: str = "") -> Iterator[Path]:
    """Makes the folder of a data set, as a whole or not at all; `key` as of `new_folder`. Raises DatasetError."""
    try:
        with new_folder(place / name, key) as path:
            yield path
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and taken(name, place.parent):
            raise taken_error(name) from error
        raise _unstored(name, place, error) from error


def _key(layout: Layout, wanted: Wanted, archive: str) -> str:
    """Names all that decoded images depend on; empty where files can change and look as before."""
    found = hashlib.sha256(repr((archive, wanted.mark, wanted.shape)).encode())
    for split, pairs in layout.splits.items():
        for entry, _ in pairs:
            if not archive and not entry.modified:
                return ""
            found.update(repr((split, entry.parts, entry.size, entry.stamp)).encode())
    return found.hexdigest()[:20]


def _check_room(layout: Layout, shape: tuple[int, int, int], place: Path) -> None:
    """Says before the work begins that the images would not fit, or may not be stored."""
    count, (channels, *size) = len(layout.everything), shape
    needed = count * math.prod(shape)
    images = f"{count:,} images of {size[1]} × {size[0]} {'in colour ' if channels == 3 else ''}would take"
    volume = sum(entry.size for entry, _ in layout.everything)
    if needed > max(_FREE, MAX_GROWTH * volume):
        raise DatasetError(
            f"{images} {needed / 1e6:,.0f} MB, more than the limit of {MAX_GROWTH} times the {volume / 1e6:,.1f} MB of "
            "their files; choose a smaller size."
        )
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        raise _unstored("A data set", place, error) from error
    if needed > free:
        raise DatasetError(
            f"{images} {needed / 1e6:,.0f} MB, but {place} has {free / 1e6:,.0f} MB left; "
            "free some space there, or choose a smaller size."
        )


def _refuse_again(
    called: str,
    root: str | os.PathLike[str] | None,
    owner: Owner,
    shape: tuple[int, int, int],
    same: Callable[[Stored], bool],
) -> None:
    for name in names(root):
        if owner.ident and not read_owner(folder(root) / name).open_to(owner.ident):
            continue  # which the owner cannot use
        try:
            other = details(name, root)
        except DatasetError:
            continue  # a damaged one is no reason to refuse a sound one
        if other.image_shape == shape and same(other):
            raise AlreadyHere(called, f"{PREFIX}{name}")


def _unstored(name: str, place: Path, error: OSError) -> DatasetError:
    """Makes the error of a disk."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = (
        "free some space there, or choose a smaller size" if full else "set EXPLORER_DATA to a folder that you may use"
    )
    return DatasetError(f"{name} could not be stored in {place} ({error.strerror or error}): {advice}.")


def taken_error(name: str) -> DatasetError:
    """Makes the error that says that the name is another's."""
    return DatasetError(f"There is a data set {PREFIX}{name} already; choose another name, or remove that one first.")


def _decode(
    files: Files,
    layout: Layout,
    wanted: Wanted,
    called: str,
    progress: ByteProgress | None,
    total: int,
    data: DataWriter,
) -> tuple[dict[str, ImageDataset], str]:
    """Decodes both splits, of `total` bytes of files; also gives the digest of these."""
    splits, before = {}, 0
    digest = hashlib.sha256(b"" if wanted.planes == FIRST else repr(wanted.planes).encode())
    if wanted.table is not None:
        digest.update(wanted.mark.encode())
    for split in SPLITS:
        pairs = layout.splits[split]

        def report(done: int, _: int | None, before: int = before) -> None:
            if progress:
                progress(before + done, total)

        data.begin(split, len(pairs))
        splits[split] = read_split(files, layout, split, wanted, label=called, progress=report, sink=data)
        for (_, name), contents in zip(pairs, data.digests, strict=True):
            digest.update(repr((split, name, contents.hex())).encode())
        before += sum(entry.size for entry, _ in pairs)
    return splits, digest.hexdigest()
