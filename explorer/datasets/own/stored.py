"""A person's own data set as it lies on the disk, decoded: a folder that loads in a moment, in any process.

| file | what |
|---|---|
| `data.safetensors` | `train.images`, `test.images` uint8 [N, C, H, W]; `….labels` int64 [N], if any |
| `info.json` | schema, name, title, origin, shape, classes, split seed, notes, digests, when it was made, counts |
| `owner.json` | whose it is; none where it is nobody's (`explorer.files.owner`) |

Written to a temporary folder beside and renamed; never pickled. How it comes to be is told in `creation.py`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from explorer.datasets.base import SPLITS, ImageDataset
from explorer.errors import DatasetError
from explorer.files.journal import new_folder
from explorer.files.owner import Owner, write_owner
from explorer.images.arrays import Size, sides

SCHEMA = 1
_DATA, _INFO = "data.safetensors", "info.json"
_MAX_INFO_BYTES = 16 << 20


@dataclass(frozen=True)
class Stored:
    """What `info.json` says."""

    name: str
    """Without the `own:` in front."""
    title: str
    origin: str
    """What it was made from, as lists show it."""
    size: Size
    """Pixels a side, or height and width."""
    channels: int
    """1 (gray) or 3 (RGB)."""
    classes: list[str]
    """Sorted; empty if the images have no classes."""
    counts: dict[str, int]
    """Images, by split."""
    class_counts: dict[str, list[int]]
    """Images of each class, by split."""
    notes: dict[str, list[str]]
    """What a person should know, by split: files left out, and why."""
    split_seed: str
    """What the split was dealt by; see `layout.py`."""
    digest: str
    """SHA-256, in hex, of each file's split, class and contents in order of path: a folder's is that of its zip."""
    archive: str
    """SHA-256 of the zip as a file; empty for a folder."""
    created: datetime
    """With its time zone."""
    fingerprints: dict[str, str]
    """`ImageDataset.fingerprint` of each split, which it is checked by."""
    nbytes: int
    """Of `data.safetensors`."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, *sides(self.size)


def files(path: Path) -> tuple[Path, Path]:
    """The files of what is stored at `path`."""
    return path / _DATA, path / _INFO


def write(path: Path, stored: Stored, splits: dict[str, ImageDataset], owner: Owner) -> Stored:
    """Stores the splits at `path` as a whole or not at all; returns `stored` with the size on the disk.

    Raises:
        FileExistsError: something is at `path` by now.
        OSError: the disk is full or may not be written to.
    """
    with new_folder(path) as temporary:
        tensors = {}
        for split, dataset in splits.items():
            tensors[f"{split}.images"] = dataset.images
            if dataset.labels is not None:
                tensors[f"{split}.labels"] = dataset.labels
        try:
            save_file(tensors, temporary / _DATA)
        except SafetensorError as error:  # which hides the error number
            raise OSError(str(error).rpartition("I/O error: ")[2]) from error
        values = {**asdict(stored), "nbytes": (temporary / _DATA).stat().st_size, "created": stored.created.isoformat()}
        text = json.dumps({"schema": SCHEMA, **values}, indent=1, ensure_ascii=False)
        (temporary / _INFO).write_text(text + "\n", encoding="utf-8")
        write_owner(temporary, owner)
        for name in (_DATA, _INFO):  # else a machine that dies may find the name, and nothing behind it
            with (temporary / name).open("rb+") as file:
                os.fsync(file.fileno())
    return read_info(path)


def read_info(path: Path) -> Stored:
    """Reads what is stored at `path`, but for the images. Raises DatasetError with a clause on what is wrong."""
    try:
        with (path / _INFO).open("rb") as file:
            values = json.loads(file.read(_MAX_INFO_BYTES))
        size = (path / _DATA).stat().st_size
    except FileNotFoundError as error:
        raise DatasetError(f"{Path(error.filename or path).name} is missing") from error
    except OSError as error:
        raise DatasetError(f"it could not be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{_INFO} is damaged") from error
    stored = _parsed(values)
    if size != stored.nbytes:
        raise DatasetError(f"{_DATA} has {size:,} bytes instead of {stored.nbytes:,}")
    return stored


def _parsed(values: Any) -> Stored:
    try:
        if values["schema"] > SCHEMA:
            raise DatasetError("it was made by a newer version of this program")
        made = {field.name: values[field.name] for field in fields(Stored)}
        if isinstance(made["size"], list):
            made["size"] = tuple(made["size"])
        made["created"] = datetime.fromisoformat(made["created"])
        stored = Stored(**made)
        sound = (
            all(isinstance(text, str) for text in (stored.name, stored.title, stored.origin, *stored.classes))
            and all(isinstance(number, int) for number in (*stored.image_shape, stored.nbytes, *stored.counts.values()))
            and stored.created.tzinfo is not None
            and all(
                isinstance(stored.fingerprints[split], str)
                and all(isinstance(note, str) for note in stored.notes[split])
                and len(stored.class_counts[split]) == len(stored.classes)
                and stored.counts[split] >= 0
                for split in SPLITS
            )
        )
    except DatasetError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{_INFO} is damaged") from error
    if not sound:
        raise DatasetError(f"{_INFO} is damaged")
    return stored


def read_split(path: Path, split: str, name: str) -> ImageDataset:
    """Reads a split of what is stored at `path`, checked to be what was written; `name` is the data set's.

    Raises DatasetError with a clause on what is wrong.
    """
    stored = read_info(path)
    try:
        with safe_open(path / _DATA, framework="pt") as file:
            # Copied: what safetensors hands out is a view of the file, and ends the process if that is cut off.
            images = file.get_tensor(f"{split}.images").clone()
            labels = file.get_tensor(f"{split}.labels").clone() if stored.classes else None
        dataset = ImageDataset(name, split, images, labels, list(stored.classes), notes=list(stored.notes[split]))
        if dataset.fingerprint != stored.fingerprints[split]:
            raise DatasetError(f"{_DATA} is not what was written")
    except (SafetensorError, OSError, RuntimeError, DatasetError) as error:
        raise DatasetError(f"{_DATA} is damaged ({error})") from error
    return dataset


def class_counts(dataset: ImageDataset) -> list[int]:
    """Images of each class."""
    if dataset.labels is None:
        return []
    return torch.bincount(dataset.labels, minlength=len(dataset.classes)).tolist()
