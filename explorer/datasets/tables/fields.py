"""Arrays and columns of a file by name, read when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from explorer.files.zips import printable

MOST_BYTES = 2 << 30  # of an array in memory
FREE, MOST_GROWTH = 64 << 20, 100  # larger arrays may have so many times the bytes of the file that they are in
MOST_ROWS = 2_000_000
MOST_LABELS = 1000
MOST_CELLS = 10_000_000  # of columns, which are kept as objects by the program itself

_SPLIT = re.compile(
    r"(?<![a-z])(?:(train(?:ing)?)|(val(?:id(?:ation)?)?|dev)|(test(?:ing)?|t10k))(?![a-z])[ _./-]?", re.IGNORECASE
)


class Blobs:
    """The bytes of files, cut out of those of all of them when they are asked for."""

    def __init__(self, data: bytes | memoryview, starts: np.ndarray, lengths: np.ndarray) -> None:
        """`starts` and `lengths`, int64 [N], are where each begins and how many bytes it has."""
        self._data, self._starts, self.lengths = data, starts, lengths

    def __getitem__(self, i: int) -> bytes:
        start = int(self._starts[i])
        return bytes(self._data[start : start + int(self.lengths[i])])

    def __iter__(self) -> Iterator[bytes]:
        return (self[i] for i in range(len(self.lengths)))

    def pick(self, rows: Sequence[int]) -> Blobs:
        """Picks some of them."""
        chosen = np.asarray(rows, np.int64)
        return Blobs(self._data, self._starts[chosen], self.lengths[chosen])


@dataclass(frozen=True, eq=False)
class Field:
    """N values: an array, a column of a table, or the bytes of encoded pictures.

    Attributes:
        name: as its file has it, without what says the split.
        split: `train`, `val` or `test`, as its name says; empty for any other.
        shape: N first. Of pictures it is [N].
        kind: what the values are.
        load: reads them: an array of numbers or texts, or Blobs.
        source: the name with what says the split.
        classes: what the numbers stand for, where the file says so.
        paths: the names of the encoded pictures, where the file has them.
        category: whether its values are few whole numbers or words, where that is known already.
    """

    name: str
    split: str
    shape: tuple[int, ...]
    kind: Literal["number", "text", "picture"]
    load: Callable[[], Any]
    source: str
    classes: Sequence[str] = ()
    paths: Sequence[str] = field(default=(), repr=False)
    category: bool | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @cached_property
    def values(self) -> Any:
        """The values, read once. Raises DatasetError if they are not what the header claims."""
        return self.load()

    @property
    def is_column(self) -> bool:
        """Whether there is one number or text for each item."""
        return self.kind != "picture" and self.shape[1:] in ((), (1,)) and len(self) <= MOST_ROWS

    @property
    def words(self) -> set[str]:
        """The words of its name in lower case."""
        return set(filter(None, re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name).lower())))

    @cached_property
    def is_category(self) -> bool:
        """Whether a column's values are few whole numbers or words."""
        if self.category is not None:
            return self.category
        if self.kind == "number":
            values = self.numbers()
            known = values[~np.isnan(values)]
            if (known != np.rint(known)).any():
                return False
        return 1 < len(set(self.texts())) <= min(MOST_LABELS, max(2, len(self) // 2))

    def texts(self) -> list[str]:
        """Writes out a column, whole numbers without a point; what is not known is empty."""
        if self.kind == "text":
            return list(map(_shown, np.asarray(self.values).reshape(-1).tolist()))
        return list(map(_text, self.numbers().tolist()))

    def numbers(self) -> np.ndarray:
        """Gives a column of numbers as float64 [N], NaN for what is not known or not finite."""
        found = np.asarray(self.values).reshape(-1).astype(np.float64)
        return np.where(np.isfinite(found), found, np.nan)


def make_field(name: str, shape: tuple[int, ...], kind: Any, load: Callable[[], Any], **more: Any) -> Field:
    """Makes a field, whose split is taken from its name: `x_train` is `x`, of the split `train`."""
    split, rest = split_off(name)
    return Field(rest, split, shape, kind, load, name, **more)


def split_off(name: str) -> tuple[str, str]:
    """Takes from a name what says the split: `train`, `val`, `test` or empty for none, and what is left of it."""
    found = _SPLIT.search(name)
    if found is None:
        return "", name
    split = next(s for s, part in zip(("train", "val", "test"), found.groups(), strict=True) if part)
    return split, (name[: found.start()] + name[found.end() :]).strip(" _./-") or name


def split_of(value: str) -> str:
    """Reads a value of a column as the name of a split: `train`, `val`, `test`, or empty for none."""
    word = value.lower()
    return "train" if "train" in word else "test" if "test" in word else "val" if re.match("val|dev", word) else ""


def _shown(value: str | bytes) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    if len(text) <= 1000 and text.isascii() and text.isprintable():  # most, by far
        return text
    return printable(re.sub(r"[\t\r\n]+", " ", text[:1000]))


def _text(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value == int(value) else f"{value:g}"
