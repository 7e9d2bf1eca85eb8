"""Making a data set of a person's own: decoded once, checked to be new, stored as a whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from explorer.datasets.base import SPLITS, ByteProgress, DatasetInfo, ImageDataset, data_root
from explorer.datasets.folder import read_split, shape_of
from explorer.datasets.layout import SEED, Layout
from explorer.datasets.own import stored as storage
from explorer.datasets.own.catalog import PREFIX, OwnSource, check_name, details, folder, names, sweep, taken
from explorer.datasets.own.sources import check_shape, opened
from explorer.datasets.own.stored import Stored
from explorer.errors import DatasetError
from explorer.files.entries import Files
from explorer.files.owner import NOBODY, Owner, read_owner
from explorer.files.zips import printable
from explorer.images.arrays import Size, sides, size_words

MAX_BYTES = 4 << 30  # of all images, in memory and on the disk
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
    *,
    size: Size | None = None,
    channels: int | None = None,
    progress: ByteProgress | None = None,
    label: str | None = None,
    owner: Owner = NOBODY,
    root: str | os.PathLike[str] | None = None,
) -> DatasetInfo:
    """Decodes the images in a folder or .zip and keeps them as `own:NAME`.

    Args:
        name: up to 40 letters, digits, dots, dashes and underscores.
        size: pixels a side, 8 to 128, or height and width; None chooses 28, 32 or 64 by the images.
        channels: 1 (gray) or 3 (RGB); None chooses by the images.
        progress: called with bytes done and bytes in all; an exception that it raises cancels, and leaves nothing.
        label: what sentences call the source, such as the name of an uploaded file; its path if None.
        owner: whose it will be.

    Raises:
        AlreadyHere: the owner can see the same files here already, in this size and colour.
        DatasetMissing: there is nothing at `source`.
        DatasetError: the name is none or taken, the source cannot be used, the images would take more than MAX_BYTES,
            or they cannot be stored.
    """
    check_name(name)
    size = check_shape(size, channels)
    source, place = Path(os.path.expanduser(source)), folder(root)
    with opened(source, label) as (files, layout, called):
        total = sum(entry.size for entry, _ in layout.everything)

        def tick(_: int) -> None:
            if progress:
                progress(0, total)

        size, channels = shape_of(files, layout, size, channels, tick)
        archive = _sha256(source, called)
        if archive:
            _refuse_again(called, root, owner, size, channels, lambda other: other.archive == archive)
        if taken(name, root):
            raise _taken(name)
        _check_room(layout, size, channels, place)
        splits, digest = _decode(files, layout, size, channels, called, progress, total)
    _refuse_again(called, root, owner, size, channels, lambda other: other.digest == digest)
    made = Stored(
        name=name,
        title=f"{name}, your own images",
        origin=f"Your own, from {printable(Path(label or source).name)}",
        size=size,
        channels=channels,
        classes=layout.classes,
        counts={split: len(dataset) for split, dataset in splits.items()},
        class_counts={split: storage.class_counts(dataset) for split, dataset in splits.items()},
        notes={split: dataset.notes for split, dataset in splits.items()},
        split_seed=SEED,
        digest=digest,
        archive=archive,
        created=datetime.now(UTC),
        fingerprints={split: dataset.fingerprint for split, dataset in splits.items()},
        nbytes=0,  # known once it is written
    )
    try:
        storage.write(place / name, made, splits, owner)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and taken(name, root):
            raise _taken(name) from error
        raise _unstored(name, place, error) from error
    sweep(root)
    return OwnSource(name).info(data_root(root))


def _check_room(layout: Layout, size: Size, channels: int, place: Path) -> None:
    """Says before the work begins that the images would not fit, or may not be stored."""
    count = len(layout.everything)
    needed = count * channels * math.prod(sides(size))
    images = f"{count:,} images of {size_words(size)} {'in colour ' if channels == 3 else ''}would take"
    if needed > MAX_BYTES:
        raise DatasetError(
            f"{images} {needed / 2**30:.1f} GB, more than the limit of {MAX_BYTES >> 30} GB; choose a smaller size."
        )
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
    size: Size,
    channels: int,
    same: Callable[[Stored], bool],
) -> None:
    for name in names(root):
        if owner.ident and not read_owner(folder(root) / name).open_to(owner.ident):
            continue  # which the owner cannot use
        try:
            other = details(name, root)
        except DatasetError:
            continue  # a damaged one is no reason to refuse a sound one
        if (other.size, other.channels) == (size, channels) and same(other):
            raise AlreadyHere(called, f"{PREFIX}{name}")


def _unstored(name: str, place: Path, error: OSError) -> DatasetError:
    """`error.errno` is missing where safetensors hides it, which it does for a full disk."""
    full = error.errno in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = (
        "free some space there, or choose a smaller size" if full else "set EXPLORER_DATA to a folder that you may use"
    )
    return DatasetError(f"{name} could not be stored in {place} ({error.strerror or error}): {advice}.")


def _taken(name: str) -> DatasetError:
    return DatasetError(f"There is a data set {PREFIX}{name} already; choose another name, or remove that one first.")


def _decode(
    files: Files, layout: Layout, size: Size, channels: int, called: str, progress: ByteProgress | None, total: int
) -> tuple[dict[str, ImageDataset], str]:
    """Decodes both splits, of `total` bytes of files; also gives the digest of these."""
    splits, digest, before = {}, hashlib.sha256(), 0
    for split in SPLITS:
        pairs = layout.splits[split]
        sums = [b""] * len(pairs)

        def seen(position: int, data: bytes, sums: list[bytes] = sums) -> None:
            sums[position] = hashlib.sha256(data).digest()

        def report(done: int, _: int | None, before: int = before) -> None:
            if progress:
                progress(before + done, total)

        splits[split] = read_split(files, layout, split, size, channels, label=called, progress=report, seen=seen)
        for (_, name), contents in zip(pairs, sums, strict=True):
            digest.update(repr((split, name, contents.hex())).encode())
        before += sum(entry.size for entry, _ in pairs)
    return splits, digest.hexdigest()


def _sha256(source: Path, called: str) -> str:
    """Of a zip; empty for a folder."""
    if source.is_dir():
        return ""
    try:
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{called} could not be read: {error.strerror or error}.") from error
