"""From the paths of image files to classes and splits.

- Folders that wrap everything are looked through: `x/cell_images/Parasitized/a.png` is of class
  `Parasitized`.
- `train/` and `test/` side by side are the splits, with the classes below them.
- Otherwise each class is split 80 to 20. The order in which its files are dealt is that of a hash of their
  paths: the same wherever the folder lies or whether it is zipped, and a file that is added moves few others.
- Images with no folder around them have no classes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from explorer.datasets.base import SPLITS
from explorer.files.entries import Entry
from explorer.files.pictures import choose_pictures, left_out

TEST_SHARE = 0.2
SEED = "explorer-split-1"  # in the hash; another value would be another split

Labelled = list[tuple[Entry, str | None]]
"""Images with their class, or all with None if there are no classes."""


@dataclass(frozen=True)
class Layout:
    """Which images there are, by split, and what was noticed on the way."""

    splits: dict[str, Labelled]
    """For each split its images, in order of path."""
    classes: list[str]
    """Sorted; the same for both splits."""
    notes: list[str]
    """On files that were left out."""
    split_notes: list[str]
    """On classes that one of the splits lacks."""

    @property
    def everything(self) -> Labelled:
        """Lists the images of both splits, in order of path."""
        return sorted((pair for pairs in self.splits.values() for pair in pairs), key=lambda pair: pair[0].parts)


def arrange(entries: list[Entry], name: str) -> Layout:
    """Sorts the files of a folder or zip called `name`. Raises DatasetError if no image is among them."""
    images, notes = choose_pictures(entries, name)
    depth = _wrapping(images)
    inner = [(entry, entry.parts[depth:-1]) for entry in images]
    split_of = _named_splits(inner)
    if split_of is None:
        splits = _dealt(_with_classes(inner, notes), depth)
    else:
        outside = [entry for entry, _ in inner if entry not in split_of]
        notes += left_out(outside, "neither in train/ nor in test/")
        # Both splits together: whether there are classes must not differ between them.
        pairs = _with_classes([(entry, folders[1:]) for entry, folders in inner if entry in split_of], notes)
        splits = {split: [pair for pair in pairs if split_of[pair[0]] == split] for split in SPLITS}
    classes = {split: {label for _, label in splits[split] if label is not None} for split in SPLITS}
    every = sorted(classes["train"] | classes["test"])
    _note_alike(every, notes)
    split_notes = []
    for split in SPLITS:
        absent = [label for label in every if label not in classes[split]]
        if absent:
            listed = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
            reason = ": a single image goes to the training set" if split_of is None else ""
            split_notes.append(f"The {split} set has no images of {listed}{reason}.")
    return Layout(splits, every, notes, split_notes)


def unreadable_note(reasons: dict[str, str], count: int) -> str:
    """Words one sentence on files of `count` that could not be read: how many, and one of them.

    Args:
        reasons: a clause on each, by file name.
        count: of all files.
    """
    name, reason = next(iter(reasons.items()))
    example = f": {name}" if len(reasons) == 1 else f", such as {name}"
    return f"{len(reasons):,} of {count:,} files could not be read{example} ({reason})."


def _wrapping(images: list[Entry]) -> int:
    """Counts the leading folders that wrap everything; the innermost folder is a class and no wrapper."""
    folders = [entry.parts[:-1] for entry in images]
    deepest = max(len(parts) for parts in folders)
    depth = 0
    while depth + 1 < deepest and len({parts[depth] for parts in folders if len(parts) > depth}) == 1:
        depth += 1
    return depth


def _named_splits(inner: list[tuple[Entry, tuple[str, ...]]]) -> dict[Entry, str] | None:
    """Finds the split of each image in a folder `train` or `test`; None if there are not both."""
    named = {entry: folders[0].lower() for entry, folders in inner if folders and folders[0].lower() in SPLITS}
    return named if set(named.values()) == set(SPLITS) else None


def _with_classes(inner: list[tuple[Entry, tuple[str, ...]]], notes: list[str]) -> Labelled:
    if not any(folders for _, folders in inner):
        return [(entry, None) for entry, _ in inner]
    notes += left_out([entry for entry, folders in inner if not folders], "beside the folders of classes")
    return [(entry, folders[0]) for entry, folders in inner if folders]


def _dealt(images: Labelled, depth: int) -> dict[str, Labelled]:
    by_class: dict[str | None, list[Entry]] = defaultdict(list)
    for entry, label in images:
        by_class[label].append(entry)
    test: set[Entry] = set()
    for entries in by_class.values():
        if len(entries) > 1:
            dealt = sorted(entries, key=lambda entry: _hash(entry.parts[depth:]))
            test.update(dealt[: max(1, round(TEST_SHARE * len(entries)))])
    return {
        "train": [pair for pair in images if pair[0] not in test],
        "test": [pair for pair in images if pair[0] in test],
    }


def _hash(parts: tuple[str, ...]) -> bytes:
    return hashlib.sha256("/".join((SEED, *parts)).encode()).digest()


def _note_alike(classes: list[str], notes: list[str]) -> None:
    by_letters: dict[str, list[str]] = defaultdict(list)
    for label in classes:
        by_letters[label.casefold()].append(label)
    alike = next((labels for labels in by_letters.values() if len(labels) > 1), None)
    if alike:
        notes.append(f"Folders that differ only in capitals are classes of their own: {' and '.join(alike)}.")
