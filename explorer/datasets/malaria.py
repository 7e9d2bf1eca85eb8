"""Malaria cells: single red blood cells of thin smears, healthy or infected with Plasmodium falciparum.

NIH's set of 27,558 cells of 200 patients (Rajaraman et al. 2018, PeerJ 6:e4568), read from its zip or from a folder
in the same layout, `cell_images/{Parasitized,Uninfected}/C<patient>P…_cell_N.png`, wrapped in folders or not.
The classes are called by what they show: `healthy` is the folder Uninfected, `infected` is Parasitized.

Colour follows patient and slide, so a split by image would flatter a model: all cells of a patient are in one of
`train`, `validation` and `test`. Which one is told by a hash of the patient's number, about 70, 15 and 15 in a
hundred: it does not depend on which other patients are there, so that nobody who was trained on in a part of the
set is tested on in all of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from pathlib import Path

import torch

from explorer.datasets.base import ByteProgress, ImageDataset, Source
from explorer.datasets.folder import Form, decode_all
from explorer.datasets.layout import unreadable_note
from explorer.errors import DatasetError, ImageError
from explorer.files.download import Remote, download_all
from explorer.files.entries import Entry, Files, open_files, stamp
from explorer.images.arrays import Size
from explorer.images.reading import SUFFIXES
from explorer.latents.items import Items

CLASSES = ("healthy", "infected")
FOLDERS = {"uninfected": 0, "parasitized": 1}
"""The label of each folder, by its name in lower case."""

SIZE = 64
COUNT = 27_558
ARCHIVE = "cell_images.zip"
ARCHIVE_URL = f"https://data.lhncbc.nlm.nih.gov/public/Malaria/{ARCHIVE}"
ARCHIVE_BYTES = 353_000_000  # about
SHARES = (("train", 0.70), ("validation", 0.15), ("test", 0.15))
# The first number for which the shares hold to two patients and to 2% of the cells, among patients with and
# without infected cells alike, in a part of the set with 180 patients.
SEED = "explorer-cells-844"

Cell = tuple[Entry, int, str]
"""A file with its label and its patient."""

_PATIENT = re.compile(r"C0*([0-9]+)", re.IGNORECASE)


class Malaria(Source):
    """NIH's malaria cells, split by patient; `group` is the patient, such as `C47`."""

    name = "malaria"
    title = "Malaria, healthy and infected blood cells"
    origin = "US National Library of Medicine; cite Rajaraman et al. 2018, PeerJ 6:e4568"
    image_shape = (3, SIZE, SIZE)
    fetch_bytes = ARCHIVE_BYTES
    splits = tuple(split for split, _ in SHARES)

    def _find(self, root: Path) -> Path | None:
        """Finds the folder or zip that is read: the complete set's before a smaller version of it."""
        own = root / self.name
        for path in (own / "cell_images", own, root / "cell_images"):
            if any(_has_classes(inner) for inner in (path, path / "cell_images")):
                return path
        zips = (own / ARCHIVE, root / ARCHIVE, own / "cell_images_64.zip", root / "cell_images_64.zip")
        return next((path for path in zips if path.is_file()), None)

    def present(self, root: Path) -> bool:
        return self._find(root) is not None

    def by_hand(self, root: Path) -> str:
        return f"put {ARCHIVE}, or its folder cell_images, into {root / self.name}"

    def stamp(self, root: Path) -> Hashable:
        path = self._find(root)
        return path and (str(path), stamp(path))

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        """Reads the cells of a split's patients, by class and then by name; `group` has each cell's patient."""
        path = self._find(root)
        if path is None:
            raise self.missing(root)
        with open_files(path) as files:
            cells, notes = _cells(files, str(path))
            wanted = [cell for cell in cells if split_of(cell[2]) == split]
            if not wanted:
                raise DatasetError(f"{path} has too few patients for a {split} set.")
            entries = [entry for entry, _, _ in wanted]
            decoded = decode_all(files, entries, Form(size or SIZE, channels or 3))
            images, reasons = decoded.images, decoded.reasons
        if reasons:
            notes.append(unreadable_note({entries[i].path: why for i, why in reasons.items()}, len(wanted)))
        if len(images) == 0:
            raise DatasetError(f"{path} has no readable {split} images. {notes[-1]}")
        names = [entry.path for i, entry in enumerate(entries) if i not in reasons]
        read = [cell for i, cell in enumerate(wanted) if i not in reasons]
        return ImageDataset(
            name=self.name,
            split=split,
            images=images,
            labels=torch.tensor([label for _, label, _ in read]),
            classes=list(CLASSES),
            group=[patient for _, _, patient in read],
            notes=notes,
            items=Items(names),
        )

    def fetch(self, root: Path, progress: ByteProgress | None) -> None:
        """Downloads the zip into `<root>/malaria/`. It stays packed."""
        file = Remote(f"{self.name}/{ARCHIVE}", [ARCHIVE_URL], ARCHIVE_BYTES, check_archive)
        download_all(self.name, [file], root, progress)


def split_of(patient: str) -> str:
    """Tells the split that all cells of a patient, such as `C47`, are in: see SHARES."""
    digest = hashlib.sha256(f"{SEED}/{patient}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    for split, share in SHARES[:-1]:
        if place < share:
            return split
        place -= share
    return SHARES[-1][0]


def check_archive(path: Path) -> None:
    """Raises DatasetError unless a zip holds cells of both classes, each file of it intact."""
    with open_files(path) as files:
        _cells(files, path.name)
        for entry in files.entries:
            try:
                files.read(entry)  # which compares its CRC-32
            except ImageError as error:
                raise DatasetError(f"what arrived is damaged ({entry.path}: {error.reason})") from error


def _has_classes(path: Path) -> bool:
    return path.is_dir() and {inner.name.lower() for inner in path.iterdir()} >= set(FOLDERS)


def _cells(files: Files, name: str) -> tuple[list[Cell], list[str]]:
    """Finds the cells, by class and then by name, and notes on them. Raises DatasetError if a class has none.

    Copies of one file deeper down, as in the version that Kaggle serves, count once.
    """
    found: dict[tuple[int, str], Entry] = {}
    nameless: list[Entry] = []
    for entry in files.entries:
        label = FOLDERS.get(entry.parts[-2].lower()) if len(entry.parts) > 1 else None
        if label is None or entry.suffix not in SUFFIXES:
            continue
        if not _PATIENT.match(entry.parts[-1]):
            nameless.append(entry)
            continue
        key = label, entry.parts[-1].removesuffix(entry.suffix)
        if key not in found or len(entry.parts) < len(found[key].parts):
            found[key] = entry
    cells = [(found[key], key[0], _patient(key[1])) for key in sorted(found)]
    if {label for _, label, _ in cells} != set(FOLDERS.values()):
        raise DatasetError(f"{name} does not hold cells in the folders Parasitized and Uninfected.")
    notes = list(files.notes)
    if nameless:
        notes.append(
            f"Left out: {len(nameless):,} pictures whose names do not begin with the patient (C and a number), "
            f"such as {nameless[0].path}."
        )
    if len(cells) != COUNT:
        patients = len({patient for _, _, patient in cells})
        notes.append(f"{len(cells):,} cells of {patients:,} patients, not the {COUNT:,} of the complete set.")
    return cells, notes


def _patient(name: str) -> str:
    number = _PATIENT.match(name)
    assert number is not None  # the caller has looked
    return f"C{number[1]}"
