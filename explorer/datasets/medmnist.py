"""MedMNIST (Yang et al. 2023, Scientific Data 10:41), 18 sets of medical images in three sizes, as `medmnist:FILE`.

Its package brings scikit-image, pandas and fire for what NumPy reads alone, so `medmnist.json` has that package's own
table (MedMNIST 3.0.2, Apache License 2.0): classes, counts, licences and MD5s.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from explorer.datasets.base import ByteProgress, ImageDataset, Source, incomplete_notes
from explorer.errors import DatasetError
from explorer.files.download import Remote, check_md5, download_all
from explorer.images.arrays import Size

URL = "https://zenodo.org/records/10519652/files/"
SPLITS = {"train": "train", "validation": "val", "test": "test"}
"""What its files call the splits."""


class MedMnist(Source):
    """One of its files. Volumes are read as their middle slices."""

    splits = tuple(SPLITS)

    def __init__(self, flag: str, side: int, known: dict[str, Any]) -> None:
        """`flag` is what MedMNIST calls the set, `known` what its table says of it."""
        self.file = f"{flag}{'' if side == 28 else f'_{side}'}.npz"
        self.name, self.side, self.known = f"medmnist:{self.file.removesuffix('.npz')}", side, known
        self.volumes = flag.endswith("3d")
        self.title = f"{known['what']}, {side} px"
        self.origin = f"MedMNIST, cite Yang et al. 2023, Scientific Data 10:41; {known['licence']}"
        self.image_shape = (known["channels"], side, side)
        self.counts = known["counts"]
        # Unpacked: nobody says how far they are packed.
        self.fetch_bytes = sum(self.counts.values()) * known["channels"] * side ** (3 if self.volumes else 2)

    def _path(self, root: Path) -> Path:
        """Where it is: where the package keeps it, unless it is among the data sets."""
        ours = root / "medmnist" / self.file
        if ours.is_file() or not (theirs := Path(os.path.expanduser("~/.medmnist"), self.file)).is_file():
            return ours
        return theirs

    def present(self, root: Path) -> bool:
        return self._path(root).is_file()

    def by_hand(self, root: Path) -> str:
        return f"put {self.file} into {root / 'medmnist'}"

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        if not self.present(root):
            raise self.missing(root)
        path = self._path(root)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                images, labels = (arrays[f"{SPLITS[split]}_{what}"] for what in ("images", "labels"))
        except (ValueError, TypeError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
            raise DatasetError(f"{path} is damaged: {error}.") from error
        shape = (self.side,) * (3 if self.volumes else 2) + ((3,) if self.known["channels"] == 3 else ())
        if images.dtype != np.uint8 or images.shape[1:] != shape or labels.ndim != 2 or labels.dtype.kind not in "ui":
            raise DatasetError(f"{path} does not hold MedMNIST's images of {self.side} pixels with their labels.")
        if self.volumes:
            images = images[:, self.side // 2]
        images = images.transpose(0, 3, 1, 2) if self.known["channels"] == 3 else images[:, None]
        label, classes, notes = self._classes(labels.astype(np.int64))
        return ImageDataset(
            name=self.name,
            split=split,
            images=torch.from_numpy(np.ascontiguousarray(images)),
            labels=torch.from_numpy(label),
            classes=classes,
            notes=[*notes, *incomplete_notes(len(images), split, self.counts[split], self.known["title"])],
        )

    def _classes(self, labels: np.ndarray) -> tuple[np.ndarray, list[str], list[str]]:
        """Makes one label int64 [N] of one or several [N, L], the classes, and a note where those are ours."""
        names = list(self.known["labels"])
        if not self.known["several"]:
            return labels[:, 0], names, []
        found = labels.sum(1)
        one = np.where(found > 1, len(names) + 1, np.where(found == 0, 0, 1 + labels.argmax(1)))
        note = "An image with more than one finding is of the class “several”."
        return one, ["none", *names, "several"], [note]

    def fetch(self, root: Path, progress: ByteProgress | None) -> None:
        """Downloads the file. It stays packed."""
        check = partial(check_md5, md5=self.known["md5"][str(self.side)])
        file = Remote(f"medmnist/{self.file}", [f"{URL}{self.file}?download=1"], self.fetch_bytes, check)
        download_all(self.name, [file], root, progress)


MEDMNIST = [
    MedMnist(flag, int(side), known)
    for flag, known in json.loads(files("explorer.datasets").joinpath("medmnist.json").read_text("utf-8")).items()
    for side in known["md5"]
]
