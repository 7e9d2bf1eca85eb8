"""A person's own images, `folder:PATH`: a folder or a .zip with a subfolder a class, in any format and size.

How paths become classes and splits is told in `layout.py`.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from explorer.datasets.base import SPLITS, DatasetError, ImageDataset, Progress, Source
from explorer.datasets.entries import Entry, Files, open_files, stamp
from explorer.datasets.images import ImageError, check_size, decode_image, is_gray, to_array
from explorer.datasets.layout import arrange, unreadable_note

SAMPLE = 200  # images looked at to choose a size and whether there is colour
MAX_BYTES = 8 << 30  # of one split in memory
THREADS = min(8, os.cpu_count() or 1)  # Pillow's decoders let go of the interpreter's lock


class FolderSource(Source):
    """Images in a folder or a .zip."""

    title = "Your own images"
    origin = "Your own"

    def __init__(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """`name` defaults to `folder:PATH`."""
        self.path = Path(path).expanduser()
        self.name = name or f"folder:{path}"

    def present(self, root: Path) -> bool:
        return self.path.exists()

    def how(self, root: Path) -> str:
        return f"Put images into {self.path}, a subfolder for each class."

    def stamp(self, root: Path) -> Hashable:
        return str(self.path.absolute()), stamp(self.path)

    def load(
        self, split: str, root: Path, size: int | None, channels: int | None, progress: Progress | None
    ) -> ImageDataset:
        return load_folder(self.path, split, size=size, channels=channels, progress=progress, name=self.name)


def load_folder(
    path: str | os.PathLike[str],
    split: str = "all",
    *,
    size: int | None = None,
    channels: int | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> ImageDataset:
    """The images in a folder or a .zip: `train`, `test`, or `all` of them in order of their paths.

    None for `size` or `channels` chooses what suits the images. `name` defaults to `folder:PATH`. Raises
    DatasetError, of which DatasetMissing if there is nothing at `path`.
    """
    if split not in (*SPLITS, "all"):
        raise DatasetError(f"There is no split {split!r}; there are train, test and all.")
    check_size(size, channels)
    path = Path(path).expanduser()
    with open_files(path) as files:
        layout = arrange(files.entries, str(path))
        if size is None or channels is None:
            # Both splits are sampled, whichever is asked for: they must agree on the shape.
            every = [entry for entry, _ in layout.everything]
            best_size, best_channels = suitable_shape(files, every[:: -(-len(every) // SAMPLE)])
            size, channels = size or best_size, channels or best_channels
        wanted = layout.everything if split == "all" else layout.splits[split]
        if not wanted:
            raise DatasetError(f"{path} has too few images for a {split} set.")
        images, reasons = decode_all(files, [entry for entry, _ in wanted], size, channels, progress)
    notes = [*layout.notes, *(layout.split_notes if split != "all" else [])]
    if reasons:
        notes.append(unreadable_note({wanted[i][0].path: why for i, why in reasons.items()}, len(wanted)))
    if len(images) == 0:
        raise DatasetError(f"{path} has no readable {split} images. {notes[-1]}")
    number = {label: i for i, label in enumerate(layout.classes)}
    labels = [number[label] for i, (_, label) in enumerate(wanted) if label is not None and i not in reasons]
    return ImageDataset(
        name=name or f"folder:{path}",
        split=split,
        images=torch.from_numpy(images),
        labels=torch.tensor(labels) if layout.classes else None,
        classes=layout.classes,
        notes=notes,
    )


def suitable_shape(files: Files, sample: list[Entry]) -> tuple[int, int]:
    """The size and the number of channels that suit these images: (28, 32 or 64, 1 or 3).

    The size goes by the median of the longer side; one image in colour makes all of them colour.
    """

    def look(entry: Entry) -> tuple[int, bool] | None:
        try:
            image = decode_image(files.read(entry), name=entry.parts[-1], at_least=64)
        except ImageError:
            return None
        return max(image.size), is_gray(image)

    with ThreadPoolExecutor(THREADS) as pool:
        looks = [look for look in pool.map(look, sample) if look is not None]
    if not looks:
        return 64, 3
    side = float(np.median([side for side, _ in looks]))
    size = 64 if side >= 48 else 32 if side > 28 else 28
    return size, 1 if all(gray for _, gray in looks) else 3


def decode_all(
    files: Files, entries: list[Entry], size: int, channels: int, progress: Progress | None = None
) -> tuple[np.ndarray, dict[int, str]]:
    """The readable ones of `entries` as uint8 [M, channels, size, size], in order, and why others are not.

    The reasons are keyed by position in `entries`. Raises DatasetError if the images would not fit MAX_BYTES.
    """
    needed = len(entries) * channels * size * size
    if needed > MAX_BYTES:
        raise DatasetError(
            f"{len(entries):,} images of {size} x {size} would take {needed / 2**30:.1f} GB of memory; "
            f"the limit is {MAX_BYTES >> 30} GB. Choose a smaller size."
        )
    images = np.empty((len(entries), channels, size, size), np.uint8)
    reasons: dict[int, str] = {}
    total = sum(entry.size for entry in entries)

    def one(position: int) -> None:
        entry = entries[position]
        try:
            # Twice the size: what JPEG's coarse shrinking leaves to do is done by the finer filter.
            image = decode_image(files.read(entry), name=entry.parts[-1], at_least=2 * size)
            images[position] = to_array(image, size, channels)
        except ImageError as error:
            reasons[position] = error.reason

    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for block in _blocks(len(entries), 64 * THREADS):
            list(pool.map(one, block))
            if progress:
                done += sum(entries[i].size for i in block)
                progress(done, total)
    if reasons:
        images = images[[i for i in range(len(entries)) if i not in reasons]]
    return images, dict(sorted(reasons.items()))


def _blocks(count: int, length: int) -> Iterator[range]:
    """Consecutive ranges: a pool handed everything at once could not be stopped between two reports."""
    for start in range(0, count, length):
        yield range(start, min(start + length, count))
