"""What a folder or zip would become, from its names and a sample of its images: quick, however many there are."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from explorer.datasets.base import SPLITS
from explorer.datasets.folder import Suits, decode_all, fitted, look_at, sample_of
from explorer.datasets.layout import Labelled, Layout
from explorer.datasets.own.sources import Wanted, opened
from explorer.datasets.tables.roles import Roles
from explorer.errors import DatasetError
from explorer.files.entries import Files
from explorer.files.pictures import Progress
from explorer.images.arrays import Size
from explorer.images.stacks import Planes

_STACKS = (".tif", ".tiff", ".gif", ".webp", ".apng")  # that may hold several frames


@dataclass(frozen=True)
class Preview:
    """What a data set would be, judged by its names and a sample of its images."""

    images: torch.Tensor
    """uint8 [n, C, H, W], as a model would see them, by class."""
    labels: torch.Tensor | None
    """int64 [n], each an index into `classes`; None for images without classes."""
    classes: list[str]
    counts: dict[str, int]
    """Images, by split, if all files can be read, and have as many frames as those looked at where each is one."""
    class_counts: dict[str, list[int]]
    """Images of each class, by split, alike."""
    size: Size
    """Of the images here, as `channels` is."""
    channels: int
    suggested_size: int
    suggested_shape: tuple[int, int]
    """Height and width that keep the shape that most of them have."""
    suggested_channels: int
    frames: int
    """The most that a file has, of those looked at."""
    stack_channels: int
    """The most that a file has; colours are none."""
    fields: dict[str, str]
    """Of arrays and tables, what they hold and in which shape, by name; empty of pictures alone."""
    roles: Roles
    """Which of these is what."""
    notes: list[str]
    """What a person should know: files left out, and of the sample those that cannot be read, by reason."""


def preview(
    source: Path,
    wanted: Wanted | None = None,
    *,
    count: int = 32,
    seed: int = 0,
    label: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Preview:
    """Shows some `count` images of a source as `create` would keep them, in about a second.

    The classes take turns; `seed` draws the images of each; `progress` is called with the images looked at and all that
    will be, and may raise to end it; `options` are fields of `wanted`. Raises as `create` does, for the source.
    """
    wanted = replace(wanted or Wanted(), **options)
    with opened(source, label, wanted) as given:
        files, layout, called = given.files, given.layout, given.called
        sample = sample_of(layout)
        chosen = _draw(layout, count, seed)

        def report(done: float) -> None:
            if progress:
                progress(int(done), len(sample) + len(chosen))

        look = look_at(files, sample, wanted.planes, report)
        if len(look.reasons) == len(sample):
            reason = next(iter(look.reasons.values()))
            raise DatasetError(f"None of {len(sample):,} images of {called} could be read, as {reason}.")
        wanted = fitted(wanted, look)
        most, notes = _most_planes(files, layout, wanted.planes, look)
        found = decode_all(
            files,
            [entry for entry, _ in chosen],
            wanted,
            lambda done, of: report(len(sample) + len(chosen) * done / max(of or 0, 1)),
        )
        reasons = look.reasons | {chosen[i][0].path: reason for i, reason in found.reasons.items()}
        copies = _copies(layout)
        looked = len({entry.path for entry in sample} | {entry.path for entry, _ in chosen})
    number = {name: i for i, name in enumerate(layout.classes)}
    shown = slice(None, None, -(-len(found.files) // count) or 1)
    labels = [number[name] for name in (chosen[i][1] for i in found.files[shown]) if name is not None]
    each = look.frames if wanted.planes.frames == "all" else 1
    channels, height, width = wanted.shape
    class_counts = {}
    for split in SPLITS:
        inside = [number[name] for _, name in layout.splits[split] if name is not None]
        class_counts[split] = [round(each * n) for n in np.bincount(inside, minlength=len(number))]
    return Preview(
        images=found.images[shown],
        labels=torch.tensor(labels) if layout.classes else None,
        classes=layout.classes,
        counts={split: round(each * len(layout.splits[split])) for split in SPLITS},
        class_counts=class_counts,
        size=height if height == width else (height, width),
        channels=channels,
        suggested_size=look.size,
        suggested_shape=look.shape,
        suggested_channels=look.channels,
        frames=most[0],
        stack_channels=most[1],
        fields=given.fields,
        roles=given.roles,
        notes=[
            *files.notes,
            *layout.notes,
            *layout.split_notes,
            *look.notes,
            *notes,
            *copies,
            *_unread_notes(reasons, looked),
        ],
    )


def _most_planes(files: Files, layout: Layout, planes: Planes, look: Suits) -> tuple[tuple[int, int], list[str]]:
    """Counts the most frames and channels of a file, also of the largest, which samples may lack; with a note on it."""
    largest = max(
        (entry for entry, _ in layout.everything if entry.suffix in _STACKS), key=lambda entry: entry.size, default=None
    )
    if look.planes != (1, 1) or largest is None:
        return look.planes, []
    found = look_at(files, [largest], planes).planes
    return found, [f"Some files have several frames or channels, such as {largest.path}."] if found != (1, 1) else []


def _draw(layout: Layout, count: int, seed: int) -> Labelled:
    """Images of all classes in turn, until there are `count`; in order of class, then of path."""
    rng = np.random.default_rng(seed)
    every = layout.everything
    by_class: dict[str, list[int]] = {}
    for position, (_, name) in enumerate(every):
        by_class.setdefault(name or "", []).append(position)
    turns = [rng.permutation(positions)[:count] for positions in by_class.values()]
    chosen = [(turn, int(rng.integers(2**31)), int(p)) for positions in turns for turn, p in enumerate(positions)]
    picked = [every[p] for _, _, p in sorted(chosen)[:count]]
    return sorted(picked, key=lambda pair: (pair[1] or "", pair[0].parts))


def _copies(layout: Layout) -> list[str]:
    """Notes test files that are copies of training files, where a zip's directory tells: by size and checksum."""
    content = {
        split: {entry.path: (entry.size, entry.key.CRC) for entry, _ in pairs if isinstance(entry.key, zipfile.ZipInfo)}
        for split, pairs in layout.splits.items()
    }
    first = {found: path for path, found in reversed(content["train"].items())}
    copies = [(path, first[found]) for path, found in content["test"].items() if found in first]
    if not copies:
        return []
    count = "1 test file is a copy" if len(copies) == 1 else f"{len(copies):,} test files are copies"
    return [f"{count} of training files, such as {copies[0][0]} of {copies[0][1]}."]


def _unread_notes(reasons: dict[str, str], looked: int) -> list[str]:
    """A sentence for each reason why images of the sample cannot be read."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in reasons.items():
        by_reason.setdefault(reason, []).append(path)
    return [
        f"{len(paths):,} of {looked:,} images looked at would be left out: {reason}"
        f" ({'such as ' if len(paths) > 1 else ''}{paths[0]})."
        for reason, paths in by_reason.items()
    ]
