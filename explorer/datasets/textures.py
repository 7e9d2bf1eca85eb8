"""Crops of textures: the label is the picture that a crop was cut from.

The left half of each picture is for training, the right half for testing, so no pixel is in both. Every
picture gives the same number of crops (to within one), in turn, at places drawn evenly by a fixed seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import torch

from explorer.datasets.base import SPLITS, ImageDataset, Source
from explorer.datasets.layout import unreadable_note
from explorer.errors import DatasetError, ImageError
from explorer.files.entries import Entry, Files, open_files, stamp
from explorer.images.arrays import Size, sides
from explorer.images.decoding import decode_image
from explorer.images.reading import SUFFIXES

COUNTS = {"train": 42_000, "test": 4_200}
SIZE = 28
SEED = 0


class Textures(Source):
    """Crops of the pictures in `<root>/textures/`."""

    name = "textures"
    title = "Textures, crops of your pictures"
    origin = "Your own pictures, for example the Brodatz album"
    image_shape = (1, SIZE, SIZE)
    counts = COUNTS

    def present(self, root: Path) -> bool:
        # Whether the files are pictures shows on loading.
        folder = root / self.name
        return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())

    def how(self, root: Path) -> str:
        return f"Put pictures of textures, such as Brodatz's, into {root / self.name}."

    def stamp(self, root: Path) -> Hashable:
        return stamp(root / self.name)

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        if not self.present(root):
            raise self.missing(root)
        size = size or SIZE
        pictures, names, notes = [], [], []
        with open_files(root / self.name) as files:
            entries = [e for e in files.entries if len(e.parts) == 1 and e.suffix in SUFFIXES]
            reasons: dict[str, str] = {}
            for entry in entries:
                try:
                    pictures.append(_gray(files, entry))
                    names.append(entry.parts[0])
                except ImageError as error:
                    reasons[entry.path] = error.reason
        if reasons:
            notes.append(unreadable_note(reasons, len(entries)))
        if not pictures:
            raise DatasetError(f"{root / self.name} has no readable pictures. {' '.join(notes)}".strip())
        images, labels = crops(pictures, names, split, size)
        return ImageDataset(
            name=self.name,
            split=split,
            images=torch.from_numpy(images),
            labels=torch.from_numpy(labels),
            classes=_short(names),
            notes=notes,
        )


def crops(pictures: list[np.ndarray], names: list[str], split: str, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Cuts crops uint8 [N, 1, H, W], with labels int64 [N], out of gray pictures uint8 [H, W].

    Raises:
        DatasetError: half a picture, called by its place in `names`, is smaller than a crop.
    """
    height, width = sides(size)
    rng = np.random.default_rng([SEED, SPLITS.index(split)])
    labels = np.arange(COUNTS[split]) % len(pictures)
    images = np.empty((len(labels), 1, height, width), np.uint8)
    for label, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        middle = picture.shape[1] // 2
        half = picture[:, :middle] if split == "train" else picture[:, middle:]
        if half.shape[0] < height or middle < width:
            raise DatasetError(
                f"{name} is {picture.shape[1]} x {picture.shape[0]} pixels: "
                f"half of it is too small for crops of {width} x {height}."
            )
        places = np.lib.stride_tricks.sliding_window_view(half, (height, width))
        mine = labels == label
        rows, columns = (rng.integers(0, extent, mine.sum()) for extent in places.shape[:2])
        images[mine, 0] = places[rows, columns]
    return images, labels


def _gray(files: Files, entry: Entry) -> np.ndarray:
    return np.asarray(decode_image(files.read(entry), name=entry.path).convert("L"))


def _short(names: list[str]) -> list[str]:
    """File names without their endings, except where only the ending tells two apart."""
    stems = [Path(name).stem for name in names]
    count = Counter(stems)
    return [stem if count[stem] == 1 else name for stem, name in zip(stems, names, strict=True)]
