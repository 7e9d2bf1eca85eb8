"""What a folder or zip would become, from its names and a sample of its images: quick, however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from explorer.datasets.base import SPLITS
from explorer.datasets.folder import decode_all, look_at, sample_of
from explorer.datasets.layout import Labelled, Layout
from explorer.datasets.own.sources import check_shape, opened
from explorer.errors import DatasetError
from explorer.files.pictures import Progress
from explorer.images.arrays import Size


@dataclass(frozen=True)
class Preview:
    """What a data set would be, judged by its names and a sample of its images."""

    images: torch.Tensor
    """uint8 [n, C, H, W], as a model would see them, by class."""
    labels: torch.Tensor | None
    """int64 [n], each an index into `classes`; None for images without classes."""
    classes: list[str]
    counts: dict[str, int]
    """Files, by split; those that cannot be read are not known yet."""
    class_counts: dict[str, list[int]]
    """Files of each class, by split."""
    size: Size
    """Of the images here, as `channels` is."""
    channels: int
    suggested_size: int
    suggested_shape: tuple[int, int]
    """Height and width that keep the shape that most of them have."""
    suggested_channels: int
    notes: list[str]
    """What a person should know: files left out, and of the sample those that cannot be read, by reason."""


def preview(
    source: Path,
    *,
    size: Size | None = None,
    channels: int | None = None,
    count: int = 32,
    seed: int = 0,
    label: str | None = None,
    progress: Progress | None = None,
) -> Preview:
    """Shows some `count` images of a folder or .zip as `create` would keep them, in about a second.

    The classes take turns; `seed` draws the images of each; `progress` is called with the images looked at and all that
    will be, and may raise to end it. Raises as `create` does, for the source.
    """
    size = check_shape(size, channels)
    with opened(source, label) as (files, layout, called):
        sample = sample_of(layout)
        chosen = _draw(layout, count, seed)

        def report(done: float) -> None:
            if progress:
                progress(int(done), len(sample) + len(chosen))

        look = look_at(files, sample, report)
        if len(look.reasons) == len(sample):
            reason = next(iter(look.reasons.values()))
            raise DatasetError(f"None of {len(sample):,} images of {called} could be read, as {reason}.")
        size, channels = size or look.size, channels or look.channels
        images, unread = decode_all(
            files,
            [entry for entry, _ in chosen],
            size,
            channels,
            lambda done, of: report(len(sample) + len(chosen) * done / max(of or 0, 1)),
        )
        reasons = look.reasons | {chosen[i][0].path: reason for i, reason in unread.items()}
        looked = len({entry.path for entry in sample} | {entry.path for entry, _ in chosen})
    number = {name: i for i, name in enumerate(layout.classes)}
    labels = [number[name] for i, (_, name) in enumerate(chosen) if name is not None and i not in unread]
    class_counts = {}
    for split in SPLITS:
        inside = [number[name] for _, name in layout.splits[split] if name is not None]
        class_counts[split] = np.bincount(inside, minlength=len(number)).tolist()
    return Preview(
        images=torch.from_numpy(images),
        labels=torch.tensor(labels) if layout.classes else None,
        classes=layout.classes,
        counts={split: len(layout.splits[split]) for split in SPLITS},
        class_counts=class_counts,
        size=size,
        channels=channels,
        suggested_size=look.size,
        suggested_shape=look.shape,
        suggested_channels=look.channels,
        notes=[*files.notes, *layout.notes, *layout.split_notes, *_unread_notes(reasons, looked)],
    )


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
