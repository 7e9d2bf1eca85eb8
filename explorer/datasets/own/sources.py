"""Which folders and zips can become a data set, and in which shapes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from explorer.datasets.folder import LEAST, MOST
from explorer.datasets.layout import Layout, arrange
from explorer.errors import DatasetError
from explorer.files.entries import Files, open_files
from explorer.images.arrays import Size, check_size, sides, size_words

SIZES = (28, 32, 64, 128)  # squares that forms offer
MAX_CLASSES = 1000


@contextmanager
def opened(source: Path, label: str | None) -> Iterator[tuple[Files, Layout, str]]:
    """The files of a source that can become a data set, and what sentences call it."""
    source = Path(os.path.expanduser(source))
    called = label or str(source)
    with open_files(source, label) as files:
        layout = arrange(files.entries, called)
        _check_layout(layout, called)
        yield files, layout, called


def _check_layout(layout: Layout, called: str) -> None:
    every = layout.everything
    if all(entry.encrypted for entry, _ in every):
        raise DatasetError(f"{called} is encrypted; make the .zip again without a password.")
    if len(layout.classes) > MAX_CLASSES:
        raise DatasetError(
            f"{called} has {len(layout.classes):,} subfolders, each of which would be a class, more than the limit of "
            f"{MAX_CLASSES:,}; sort the images into fewer folders, or put all into one to have no classes."
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


def check_shape(size: Size | None, channels: int | None) -> Size | None:
    """Gives the size, a number for a square. Raises DatasetError unless images can have it and the channels."""
    check_size(size, channels)
    if size is not None and not all(LEAST <= side <= MOST for side in sides(size)):
        raise DatasetError(f"A side of an image must be {LEAST} to {MOST} pixels, not {size_words(size)}.")
    return size[0] if isinstance(size, tuple) and size[0] == size[1] else size
