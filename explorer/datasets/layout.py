"""From the paths of image files to classes and splits.

- Folders that wrap everything are looked through: `x/cell_images/Parasitized/a.png` is of class
  `Parasitized`.
- Folders for training and testing are the splits, with the classes below them, or above: `train/` and `test/`,
  `Training/` and `Validation/`, `seg_train/seg_train/` and `seg_test/seg_test/`. Validation images are the test set
  where there is no other.
- Otherwise each class is split 80 to 20; training images, too, where those for testing have no classes. The order in
  which files are dealt is that of a hash of their paths: the same wherever the folder lies or whether it is zipped, and
  a file that is added moves few others.
- Images with no folder around them have no classes.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field

from explorer.datasets.base import SPLITS
from explorer.files.entries import Entry
from explorer.files.pictures import choose_pictures, left_out

TEST_SHARE = 0.2
SEED = "explorer-split-1"  # in the hash; another value would be another split

_NAMED = re.compile(
    r"(?<![a-z])(?:(training|train|trn)|(validation|validate|valid|val|dev)|(testing|test|tst))"
    r"(?:set|data|images|imgs)?(?![a-z])"
)
_SAID_OF_ANY = re.compile(r"[^a-z]+|(?<![a-z])(?:set|data|dataset|images?|imgs?|pictures|split)(?![a-z])")

Labelled = list[tuple[Entry, str | None]]
"""Images with their class, or all with None if there are no classes."""


@dataclass(frozen=True)
class Layout:
    """Which images there are, by split, and what was noticed on the way."""

    splits: dict[str, Labelled]
    """For each split its images, in order of path."""
    classes: list[str]
    """In natural order, 2 before 10; the same for both splits."""
    notes: list[str]
    """On files that were left out."""
    split_notes: list[str]
    """On classes that one of the splits lacks."""
    columns: dict[str, dict[Entry, str | float]] = field(default_factory=dict)
    """What a table says of images, by column: texts, or numbers with NaN for what is not known."""
    group: str = ""
    """The column with what images must not be separated from in a split, such as the patient; empty for none."""
    dealt: bool = True
    """Whether the split was dealt here, and is not one that came with the images."""

    @property
    def everything(self) -> Labelled:
        """Lists the images of both splits, in order of path."""
        return sorted((pair for pairs in self.splits.values() for pair in pairs), key=lambda pair: pair[0].parts)


def arrange(entries: list[Entry], name: str) -> Layout:
    """Sorts the files of a folder or zip called `name`. Raises DatasetError if no image is among them."""
    images, notes = choose_pictures(entries, name)
    depth = _wrapping(images)
    inner = [(entry, entry.parts[depth:-1]) for entry in images]
    named = _named_splits(inner, notes)
    dealt = named is None or "test" not in {split for split, _ in named.values()}
    if named is None:
        splits = deal(_with_classes(inner, notes), depth)
    else:
        # Both splits together: whether there are classes must not differ between them.
        pairs = _with_classes([(entry, folders) for entry, (_, folders) in named.items()], notes)
        splits = {split: [pair for pair in pairs if named[pair[0]][0] == split] for split in SPLITS}
        if dealt:
            splits = deal(pairs, depth)
    classes = {split: {label for _, label in splits[split] if label is not None} for split in SPLITS}
    every = sorted(classes["train"] | classes["test"], key=natural)
    _note_alike(every, notes)
    if like := [label for label in every if _NAMED.fullmatch(label.lower())]:
        notes.append(
            f"Folders that are named like splits are classes here: {', '.join(like)}. For a split of your own, name "
            "one folder train and one test."
        )
    split_notes = []
    for split in SPLITS:
        absent = [label for label in every if label not in classes[split]]
        if absent:
            listed = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
            reason = ": a single image goes to the training set" if dealt else ""
            split_notes.append(f"The {split} set has no images of {listed}{reason}.")
    return Layout(splits, every, notes, split_notes, dealt=dealt)


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


def natural(label: str) -> tuple[list[float | str], str]:
    """Gives what names sort by in natural order: their numbers as numbers, `2` before `10` and `0.5 uM` before `1`."""
    parts = re.split(r"([0-9]+(?:\.[0-9]+)?)", label)
    return [float(part) if i % 2 else part for i, part in enumerate(parts)], label


def _split_named(folder: str) -> tuple[str, str] | None:
    """Reads a folder's name as that of a split: `train`, `val` or `test`, and what else it says; None for any other."""
    found = _NAMED.search(folder.lower())
    if found is None:
        return None
    split = next(name for name, part in zip(("train", "val", "test"), found.groups(), strict=True) if part)
    return split, _SAID_OF_ANY.sub("", folder.lower().replace(found[0], " ", 1))


def _named_splits(
    inner: list[tuple[Entry, tuple[str, ...]]], notes: list[str]
) -> dict[Entry, tuple[str, tuple[str, ...]]] | None:
    """Finds the split of each image that lies in a folder for one, and the folders around it but for that one.

    Images that are not to be used are missing, with a note. None where no folders are for training and testing. All
    images are of `train` where those for testing have no classes and cannot be used.
    """
    for level in (0, 1):  # the second where each class has its splits
        names = {folders[level] for _, folders in inner if len(folders) > level}
        read = {name: found for name in names if (found := _split_named(name)) is not None}
        kinds: dict[str, set[str]] = defaultdict(set)
        for split, rest in read.values():
            kinds[rest].add(split)
        rests = [rest for rest, splits in kinds.items() if "train" in splits and len(splits) > 1]
        if len(rests) != 1 or (level and len(read) < len(names)):
            continue
        (rest,) = rests
        of_split: dict[str, list[tuple[Entry, tuple[str, ...]]]] = {"train": [], "val": [], "test": []}
        outside = []
        shown = dict.fromkeys(of_split, "")
        for entry, folders in inner:
            found = read.get(folders[level]) if len(folders) > level else None
            if found is None or found[1] != rest:
                outside.append(entry)
                continue
            split, name = found[0], folders[level]
            shown[split] = shown[split] or f"{name}/"
            below = folders[level + 1 :]
            if below and _split_named(below[0]) == found:  # seg_train/seg_train/
                below = below[1:]
            of_split[split].append((entry, (*folders[:level], *below)))
        return _used(of_split, shown, outside, notes)
    return None


def _used(
    of_split: dict[str, list[tuple[Entry, tuple[str, ...]]]],
    shown: dict[str, str],
    outside: list[Entry],
    notes: list[str],
) -> dict[Entry, tuple[str, tuple[str, ...]]]:
    """Chooses which folder is the test set, and notes what becomes of the others; `shown` are their names."""
    labels = {split: {folders[0] for _, folders in images if folders} for split, images in of_split.items()}
    classes = labels["train"]

    def usable(split: str) -> bool:
        """A single folder that is none of several classes, such as test/unknown/, is as good as none."""
        if not classes or not of_split[split]:
            return bool(of_split[split])
        return bool(labels[split] & classes) or len(labels[split]) > 1 or (bool(labels[split]) and len(classes) == 1)

    test = next((split for split in ("test", "val") if usable(split)), "")
    train = shown["train"]
    for split in ("test", "val"):
        if of_split[split] and not usable(split):
            notes.append(
                f"{shown[split]} has no folders of classes, as {train} has: its {_images(of_split[split])} left out."
            )
        elif of_split[split] and split != test:
            outside += [entry for entry, _ in of_split[split]]
    if test == "val":
        notes.append(f"{shown['val']} is the test set, as no other is here.")
    if not test:
        notes.append(f"{train} is split, a fifth for testing.")
    outside.sort(key=lambda entry: entry.parts)
    notes += left_out(outside, f"neither in {train} nor in {shown[test]}" if test else f"not in {train}")
    chosen = {"train": of_split["train"], "test": of_split[test] if test else []}
    return {entry: (split, folders) for split, images in chosen.items() for entry, folders in images}


def _images(found: list[tuple[Entry, tuple[str, ...]]]) -> str:
    return "1 image is" if len(found) == 1 else f"{len(found):,} images are"


def _with_classes(inner: list[tuple[Entry, tuple[str, ...]]], notes: list[str]) -> Labelled:
    if not any(folders for _, folders in inner):
        return [(entry, None) for entry, _ in inner]
    notes += left_out([entry for entry, folders in inner if not folders], "beside the folders of classes")
    return [(entry, folders[0]) for entry, folders in inner if folders]


def deal(images: Labelled, depth: int) -> dict[str, Labelled]:
    """Deals each class 80 to 20, in the order of a hash of the paths without their first `depth` folders."""
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
