"""A person's own images, `folder:PATH`: a folder or a .zip with a subfolder a class, in any format and size.

How paths become classes and splits is told in `layout.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch

from explorer.datasets.base import SPLITS, ByteProgress, ImageDataset, Source
from explorer.datasets.layout import Layout, arrange, unreadable_note
from explorer.errors import DatasetError, ImageError
from explorer.files.entries import Entry, Files, open_files, stamp
from explorer.files.pictures import decode_files
from explorer.images.arrays import Size, check_size, sides, size_words
from explorer.images.tasks import Look, ReadArray

SAMPLE = 200  # images looked at to choose a size and whether there is colour
SAMPLE_LEAST, SAMPLE_BYTES = 20, 256 << 20  # of photographs of 10 MB fewer will do: somebody waits for the choice
LEAST, MOST = 8, 128  # pixels a side that are chosen
MAX_BYTES = 8 << 30  # of one split in memory

Seen = Callable[[int, bytes], None]
"""Called with the position and the bytes of each file that could be read, from several threads at once."""


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

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        return load_folder(self.path, split, size=size, channels=channels, name=self.name)


def load_folder(
    path: str | os.PathLike[str],
    split: str = "all",
    *,
    size: Size | None = None,
    channels: int | None = None,
    progress: ByteProgress | None = None,
    name: str | None = None,
) -> ImageDataset:
    """Loads the images in a folder or a .zip: `train`, `test`, or `all` of them in order of their paths.

    Args:
        path: the folder or zip.
        split: which of them.
        size, channels: of the images; None chooses what suits them.
        progress: called with bytes done and bytes in all.
        name: of the data set, by default `folder:PATH`.

    Raises:
        DatasetMissing: there is nothing at `path`.
        DatasetError: it cannot be read, or holds no images.
    """
    if split not in (*SPLITS, "all"):
        raise DatasetError(f"There is no split {split!r}; there are train, test and all.")
    check_size(size, channels)
    path = Path(path).expanduser()
    with open_files(path) as files:
        layout = arrange(files.entries, str(path))
        size, channels = shape_of(files, layout, size, channels)
        dataset = read_split(files, layout, split, size, channels, label=str(path), progress=progress)
    return replace(dataset, name=name or f"folder:{path}")


def shape_of(
    files: Files,
    layout: Layout,
    size: Size | None,
    channels: int | None,
    tick: Callable[[int], None] | None = None,
) -> tuple[Size, int]:
    """Chooses what suits the images in place of a `size` or `channels` of None; `tick` is as for `decode_files`."""
    if size is None or channels is None:
        # Both splits are sampled, whichever is asked for: they must agree on the shape.
        look = look_at(files, sample_of(layout), tick)
        size, channels = size or look.size, channels or look.channels
    return size, channels


def sample_of(layout: Layout) -> list[Entry]:
    """Picks images spread evenly over all of them: at most SAMPLE, fewer where they are large files."""
    every = [entry for entry, _ in layout.everything]
    mean = sum(entry.size for entry in every) / len(every)
    count = min(SAMPLE, max(SAMPLE_LEAST, int(SAMPLE_BYTES / max(mean, 1))))
    return every[:: -(-len(every) // count)]


def read_split(
    files: Files,
    layout: Layout,
    split: str,
    size: Size,
    channels: int,
    *,
    label: str,
    progress: ByteProgress | None = None,
    seen: Seen | None = None,
) -> ImageDataset:
    """Decodes the images of a split, or `all`.

    Args:
        files, layout: where they are, and which.
        split: `train`, `test` or `all`.
        size, channels: of the images.
        label: the data set's name, and what sentences call the source.
        progress, seen: as for `decode_all`.

    Raises:
        DatasetError: there are none, or none that can be read.
    """
    wanted = layout.everything if split == "all" else layout.splits[split]
    if not wanted:
        raise DatasetError(f"{label} has too few images for a {split} set.")
    images, reasons = decode_all(files, [entry for entry, _ in wanted], size, channels, progress, seen)
    notes = [*files.notes, *layout.notes, *(layout.split_notes if split != "all" else [])]
    if reasons:
        notes.append(unreadable_note({wanted[i][0].path: why for i, why in reasons.items()}, len(wanted)))
    if len(images) == 0:
        raise DatasetError(f"{label} has no readable {split} images. {notes[-1]}")
    number = {label: i for i, label in enumerate(layout.classes)}
    labels = [number[label] for i, (_, label) in enumerate(wanted) if label is not None and i not in reasons]
    return ImageDataset(
        name=label,
        split=split,
        images=torch.from_numpy(images),
        labels=torch.tensor(labels) if layout.classes else None,
        classes=layout.classes,
        notes=notes,
    )


@dataclass(frozen=True)
class Suits:
    """What suits all images, judged by a sample of them."""

    size: int
    """What suits them: 28, 32 or 64, by the median of the longer side."""
    shape: tuple[int, int]
    """Height and width as most of them have, with such a longer side; their own if all have one that is small."""
    channels: int
    """1, or 3 if a single one is in colour."""
    reasons: dict[str, str]
    """Why some cannot be read, by path."""


def look_at(files: Files, sample: list[Entry], tick: Callable[[int], None] | None = None) -> Suits:
    """Decodes a sample, as coarsely as will do, to see what suits the images; `tick` is as for `decode_files`."""

    looks = list(decode_files(files, sample, Look(), lambda _, look: look, tick=tick))
    reasons = {e.path: look.reason for e, look in zip(sample, looks, strict=True) if isinstance(look, ImageError)}
    seen = [look for look in looks if not isinstance(look, ImageError)]
    if not seen:
        return Suits(64, (64, 64), 3, reasons)
    sizes = [size for size, _ in seen]
    width, height = np.median(sizes, axis=0).tolist()
    longest = float(np.median([max(size) for size in sizes]))
    side = 64 if longest >= 48 else 32 if longest > 28 else 28
    scale = 1.0 if len(set(sizes)) == 1 and longest <= MOST else side / max(width, height)
    shape = max(LEAST, round(height * scale)), max(LEAST, round(width * scale))
    return Suits(side, shape, 1 if all(gray for _, gray in seen) else 3, reasons)


def decode_all(
    files: Files,
    entries: list[Entry],
    size: Size,
    channels: int,
    progress: ByteProgress | None = None,
    seen: Seen | None = None,
) -> tuple[np.ndarray, dict[int, str]]:
    """Decodes files.

    Args:
        files, entries: where they are, and which.
        size, channels: of the images.
        progress: called with bytes done and bytes in all, twice a second or more often.
        seen: called with the position and the bytes of each file.

    Returns:
        The M readable ones as uint8 [M, channels, H, W], in order, and why others are not, a clause by position
        in `entries`.

    Raises:
        DatasetError: the images would not fit MAX_BYTES.
    """
    height, width = sides(size)
    needed = len(entries) * channels * height * width
    if needed > MAX_BYTES:
        raise DatasetError(
            f"{len(entries):,} images of {size_words(size)} would take {needed / 2**30:.1f} GB of memory; "
            f"the limit is {MAX_BYTES >> 30} GB. Choose a smaller size."
        )
    images = np.empty((len(entries), channels, height, width), np.uint8)
    reasons: dict[int, str] = {}
    ends = [0, *accumulate(entry.size for entry in entries)]

    def tick(done: int) -> None:
        if progress:
            progress(ends[done], ends[-1])

    def keep(position: int, pixels: np.ndarray) -> None:
        images[position] = pixels

    # Twice the size: what JPEG's coarse shrinking leaves to do is done by the finer filter.
    task = ReadArray(size, channels, at_least=2 * max(height, width))
    for position, found in enumerate(decode_files(files, entries, task, keep, seen=seen, tick=tick)):
        if isinstance(found, ImageError):
            reasons[position] = found.reason
    if reasons:
        readable = [i for i in range(len(entries)) if i not in reasons]
        for place, position in enumerate(readable):  # in place: a copy of all would double the memory for one bad file
            if place != position:
                images[place] = images[position]
        images = images[: len(readable)]
    return images, reasons
