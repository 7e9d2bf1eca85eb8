"""A person's own data set as it lies on the disk, decoded: a folder that loads in a moment, in any process.

| file | what |
|---|---|
| `data.safetensors` | `train.images`, `test.images` uint8 [N, C, H, W]; `….labels` int64 [N], `….items` JSON, if any |
| `info.json` | schema, name, title, origin, shape, classes, split seed, notes, digests, when it was made, counts |
| `owner.json` | whose it is; none where it is nobody's (`explorer.files.owner`) |

Written to a temporary folder beside and renamed; never pickled. Images that are many stay on the disk when they are
loaded. How it comes to be is told in `creation.py`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from explorer.datasets.base import SPLITS, ImageDataset
from explorer.datasets.on_disk import StoredImages
from explorer.datasets.own.data_file import DataReader, DataWriter
from explorer.errors import DatasetError
from explorer.files.journal import write_through
from explorer.files.owner import Owner, write_owner
from explorer.images.arrays import Size, sides
from explorer.latents.items import Items

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
    modified: int = 0
    """When `data.safetensors` was written, in nanoseconds since 1970: as long as it is of then, it is what was written,
    and many images need not be read to see that. 0 in older ones."""
    group: str = ""
    """The column of the items with what must not be separated in a split, such as the patient; empty for none."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, *sides(self.size)


def files(path: Path) -> tuple[Path, Path]:
    """The files of what is stored at `path`."""
    return path / _DATA, path / _INFO


def writer(path: Path, shape: tuple[int, int, int], name: str) -> DataWriter:
    """Begins the images (C, H, W) of what will be stored in the folder at `path`. Raises OSError."""
    return DataWriter(path / _DATA, shape, name)


def write(path: Path, stored: Stored, splits: dict[str, ImageDataset], owner: Owner, data: DataWriter) -> None:
    """Stores the rest in the folder at `path`, once `data` has the images of the splits. Raises OSError."""
    tensors = {}
    for split, dataset in splits.items():
        if dataset.labels is not None:
            tensors[f"{split}.labels"] = dataset.labels
        if dataset.items is not None:
            tensors[f"{split}.items"] = dataset.items.to_tensor()
    data.finish(tensors)
    status = (path / _DATA).stat()
    known = {"nbytes": status.st_size, "modified": status.st_mtime_ns, "created": stored.created.isoformat()}
    text = json.dumps({"schema": SCHEMA, **asdict(stored), **known}, indent=1, ensure_ascii=False)
    write_through(path / _INFO, f"{text}\n".encode())
    write_owner(path, owner)


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
        values = {"group": "", "modified": 0, **values}  # which older ones do not have
        made = {field.name: values[field.name] for field in fields(Stored)}
        if isinstance(made["size"], list):
            made["size"] = tuple(made["size"])
        made["created"] = datetime.fromisoformat(made["created"])
        stored = Stored(**made)
        sound = (
            all(
                isinstance(text, str)
                for text in (stored.name, stored.title, stored.origin, stored.group, *stored.classes)
            )
            and all(
                isinstance(number, int)
                for number in (*stored.image_shape, stored.nbytes, stored.modified, *stored.counts.values())
            )
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
        file = DataReader(path / _DATA, name)
        images, labels = file.images(split), file.tensor(f"{split}.labels")
        kept = file.tensor(f"{split}.items")  # older ones have none
        items = None if kept is None else Items.from_tensor(kept)
        notes = list(stored.notes[split])
        group = items.columns.get(stored.group) if items is not None else None
        dataset = ImageDataset(
            name,
            split,
            images,
            labels,
            list(stored.classes),
            group if isinstance(group, list) else None,
            notes=notes,
            items=items,
        )
        if isinstance(images, StoredImages) and file.modified == stored.modified:
            vars(dataset)["fingerprint"] = stored.fingerprints[split]
        if dataset.fingerprint != stored.fingerprints[split]:
            raise DatasetError(f"{_DATA} is not what was written")
    except DatasetError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise DatasetError(f"{_DATA} is damaged ({error})") from error
    return dataset


def class_counts(dataset: ImageDataset) -> list[int]:
    """Images of each class."""
    if dataset.labels is None:
        return []
    return torch.bincount(dataset.labels, minlength=len(dataset.classes)).tolist()
