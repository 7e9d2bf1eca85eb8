"""A person's own images, `folder:PATH`: a folder or a .zip with a subfolder a class, in any format and size.

How paths become classes and splits is told in `layout.py`.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from explorer.datasets import on_disk
from explorer.datasets.base import SPLITS, ByteProgress, ImageDataset, Source
from explorer.datasets.layout import Layout, arrange, unreadable_note
from explorer.datasets.sinks import Memory, OnDisk, Sink
from explorer.errors import DatasetError, ImageError
from explorer.files.entries import Entry, Files, open_files, stamp
from explorer.files.pictures import decode_files, remarks, told_of
from explorer.files.results import FileResult, Told
from explorer.images.arrays import Size, check_size, sides
from explorer.images.stacks import FIRST, Planes
from explorer.images.tasks import Look, ReadArray
from explorer.latents.items import Items, column_of

SAMPLE = 200  # images looked at to choose a size and whether there is colour
SAMPLE_LEAST, SAMPLE_BYTES = 20, 256 << 20  # of photographs of 10 MB fewer will do: somebody waits for the choice
LEAST, MOST = 8, 128  # pixels a side that are chosen


@dataclass(frozen=True)
class Form:
    """What images are to be: a size and channels, where None is what suits them, and which planes of their files."""

    size: Size | None = None
    channels: int | None = None
    planes: Planes = FIRST

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W), of what is filled in."""
        assert self.size is not None
        assert self.channels is not None
        return self.channels, *sides(self.size)


AForm = TypeVar("AForm", bound=Form)


class FolderSource(Source):
    """Images in a folder or a .zip."""

    title = "Your own images"
    origin = "Your own"
    own = True

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
    planes: Planes = FIRST,
    progress: ByteProgress | None = None,
    name: str | None = None,
) -> ImageDataset:
    """Loads the images in a folder or a .zip: `train`, `test`, or `all` of them in order of their paths.

    Args:
        path: the folder or zip.
        split: which of them.
        size, channels: of the images; None chooses what suits them.
        planes: which frames and channels of files become images.
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
        form = form_of(files, layout, Form(size, channels, planes))
        dataset = read_split(files, layout, split, form, label=str(path), progress=progress)
    return replace(dataset, name=name or f"folder:{path}")


def form_of(files: Files, layout: Layout, form: AForm, tick: Callable[[int], None] | None = None) -> AForm:
    """Fills in what suits the images; `tick` is as for `decode_files`."""
    if form.size is None or form.channels is None:
        # Both splits are sampled, whichever is asked for: they must agree on the shape.
        return fitted(form, look_at(files, sample_of(layout), form.planes, tick))
    return form


def fitted(form: AForm, look: Suits) -> AForm:
    """Fills in what suits the images."""
    return replace(form, size=form.size or look.size, channels=form.channels or look.channels)


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
    form: Form,
    *,
    label: str,
    progress: ByteProgress | None = None,
    sink: Sink | None = None,
) -> ImageDataset:
    """Decodes the images of a split, or `all`.

    Args:
        files, layout: where they are, and which.
        split: `train`, `test` or `all`.
        form: of the images, filled in.
        label: the data set's name, and what sentences call the source.
        progress, sink: as for `decode_all`.

    Raises:
        DatasetError: there are none, or none that can be read.
    """
    wanted = layout.everything if split == "all" else layout.splits[split]
    if not wanted:
        raise DatasetError(f"{label} has too few images for a {split} set.")
    found = decode_all(files, [entry for entry, _ in wanted], form, progress, sink)
    reasons = found.reasons
    notes = [*files.notes, *layout.notes, *(layout.split_notes if split != "all" else []), *found.notes]
    if reasons:
        notes.append(unreadable_note({wanted[i][0].path: why for i, why in reasons.items()}, len(wanted)))
    if len(found.images) == 0:
        raise DatasetError(f"{label} has no readable {split} images. {notes[-1]}")
    number = {label: i for i, label in enumerate(layout.classes)}
    labels = [number[label] for label in (wanted[i][1] for i in found.files) if label is not None]
    kept = [wanted[i][0] for i in found.files]
    columns = {name: column_of([values.get(entry, "") for entry in kept]) for name, values in layout.columns.items()}
    group = columns.get(layout.group)
    return ImageDataset(
        name=label,
        split=split,
        images=found.images,
        labels=torch.tensor(labels) if layout.classes else None,
        classes=layout.classes,
        notes=notes,
        group=group if isinstance(group, list) else None,
        items=Items(found.names([entry.path for entry, _ in wanted]), columns),
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
    notes: list[str] = field(default_factory=list)
    """On what is done to them."""
    frames: float = 1.0
    """In a file, on average."""
    planes: tuple[int, int] = (1, 1)
    """The most frames and the most channels of a file."""


def look_at(
    files: Files, sample: list[Entry], planes: Planes = FIRST, tick: Callable[[int], None] | None = None
) -> Suits:
    """Decodes a sample, as coarsely as will do, to see what suits the images; `tick` is as for `decode_files`."""

    looks = list(decode_files(files, sample, Look(**vars(planes)), lambda _, look: look, tick=tick))
    reasons = {e.path: look.reason for e, look in zip(sample, looks, strict=True) if isinstance(look, ImageError)}
    seen = [look for look in looks if not isinstance(look, ImageError)]
    if not seen:
        return Suits(64, (64, 64), 3, reasons)
    sizes = [look.size for look in seen]
    width, height = np.median(sizes, axis=0).tolist()
    longest = float(np.median([max(size) for size in sizes]))
    side = 64 if longest >= 48 else 32 if longest > 28 else 28
    scale = 1.0 if len(set(sizes)) == 1 and longest <= MOST else side / max(width, height)
    shape = max(LEAST, round(height * scale)), max(LEAST, round(width * scale))
    channels = 1 if all(look.gray for look in seen) else 3
    mean = float(np.mean([look.frames for look in seen]))
    most = max(look.frames for look in seen), max(look.channels for look in seen)
    return Suits(side, shape, channels, reasons, remarks(Counter(map(told_of, seen)), len(sample), planes), mean, most)


@dataclass(frozen=True, eq=False)
class Decoded:
    """What became of files.

    Attributes:
        images: uint8 [M, channels, H, W], in order.
        files: for each image the position of its file.
        reasons: why others could not be read, a clause by position.
        notes: on what was done to the images.
    """

    images: torch.Tensor
    files: list[int]
    reasons: dict[int, str]
    notes: list[str]

    def names(self, paths: list[str]) -> list[str]:
        """Names the images by the paths of the files, and where a file has several by their number in it."""
        each = Counter(self.files)
        number: Counter[int] = Counter()
        names = []
        for file in self.files:
            number[file] += 1
            names.append(f"{paths[file]}#{number[file]}" if each[file] > 1 else paths[file])
        return names


def decode_all(
    files: Files,
    entries: list[Entry],
    form: Form,
    progress: ByteProgress | None = None,
    sink: Sink | None = None,
) -> Decoded:
    """Decodes files.

    Args:
        files, entries: where they are, and which.
        form: of the images, filled in.
        progress: called with bytes done and bytes in all, twice a second or more often.
        sink: takes the images; by default memory, or a temporary file where they are many.

    Raises:
        DatasetError: there is no room for the images.
    """
    (channels, height, width), planes = form.shape, form.planes
    if sink is None:
        sink = (Memory if len(entries) * math.prod(form.shape) <= on_disk.IN_MEMORY else OnDisk)(
            len(entries), form.shape
        )
    ends = [0, *accumulate(entry.size for entry in entries)]

    reasons: dict[int, str] = {}
    positions: list[int] = []
    read: Counter[Told] = Counter()

    def count(result: FileResult, images: int) -> None:
        if result.reason is not None:
            reasons[result.position] = result.reason
        else:
            positions.extend([result.position] * images)
            read[result.told or Told((), 1, 1)] += 1

    first = 0
    for result in sink.earlier():
        count(result, int(result.score or 0))
        first += 1

    def tick(done: int) -> None:
        if progress:
            progress(ends[first + done], ends[-1])

    digests: dict[int, bytes] = {}

    def seen(position: int, data: bytes) -> None:
        digests[position] = sha256(data).digest()

    # Twice the size: what JPEG's coarse shrinking leaves to do is done by the finer filter.
    task = ReadArray((height, width), channels, at_least=2 * max(height, width), **vars(planes))
    none = np.empty((0, *form.shape), np.uint8)
    left = decode_files(files, entries[first:], task, lambda _, read: read, seen=seen, tick=tick)
    for i, found in enumerate(left):
        result, pixels = FileResult(first + i, entries[first + i], digests.pop(i, None)), none
        if isinstance(found, ImageError):
            result = result._replace(reason=found.reason)
        else:
            result, pixels = result._replace(told=told_of(found)), found.pixels
        sink.put(result, pixels)
        count(result, len(pixels))
    return Decoded(sink.images, positions, reasons, remarks(read, len(entries), planes))
