"""What is known of images beside their classes: the names of their files, and the columns of a table about them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float64, Int, UInt8
from torch import Tensor

MOST_NAME = 5000  # characters
Column = list[str] | Float64[Tensor, " n"]
"""Categories, or numbers of which those that are not known are NaN."""


@dataclass(frozen=True, eq=False)
class Items:
    """The file names of N images, and further columns by name. Raises ValueError where they are not N each."""

    names: list[str]
    columns: dict[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks that the columns are as long as the names."""
        for name, column in self.columns.items():
            if len(column) != len(self.names):
                raise ValueError(f"{name!r} has {len(column):,} values for {len(self.names):,} items")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def files(self) -> list[str]:
        """The names without the folders that the files are in."""
        return [name.rpartition("/")[2] for name in self.names]

    def pick(self, rows: Sequence[int]) -> Items:
        """Picks some of the items, in the order of their positions."""
        columns = {
            name: column[torch.as_tensor(rows, dtype=torch.int64)]
            if isinstance(column, Tensor)
            else [column[row] for row in rows]
            for name, column in self.columns.items()
        }
        return Items([self.names[row] for row in rows], columns)

    def joined(self, other: Items) -> Items:
        """Appends other items; columns that are not of both are left out."""
        columns: dict[str, Column] = {}
        for name, column in self.columns.items():
            more = other.columns.get(name)
            if isinstance(column, Tensor) and isinstance(more, Tensor):
                columns[name] = torch.cat([column, more])
            elif isinstance(column, list) and isinstance(more, list):
                columns[name] = [*column, *more]
        return Items([*self.names, *other.names], columns)

    def to_tensor(self) -> UInt8[Tensor, " b"]:
        """Writes them as JSON, in bytes that a file of tensors can hold."""
        columns = {
            name: [None if math.isnan(value) else value for value in column.tolist()]
            if isinstance(column, Tensor)
            else column
            for name, column in self.columns.items()
        }
        text = json.dumps({"names": self.names, "columns": columns}, ensure_ascii=False, allow_nan=False)
        return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)

    @classmethod
    def from_tensor(cls, data: UInt8[Tensor, " b"]) -> Items:
        """Reads what `to_tensor` gave. Raises ValueError for anything else."""
        try:
            value = json.loads(data.numpy().tobytes())
            names, columns = value["names"], value["columns"]
            _check_texts(names)
            _check_texts(list(columns))
            return cls(names, {name: _column(column) for name, column in columns.items()})
        except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError("what its items are called is damaged") from error


def column_of(values: Sequence[str | float]) -> Column:
    """Makes a column: of numbers where all are, or are empty, which is not known; else of texts."""
    if any(isinstance(value, str) and value for value in values) or not any(isinstance(v, float) for v in values):
        return [str(value) for value in values]
    return torch.tensor([math.nan if isinstance(value, str) else value for value in values], dtype=torch.float64)


def sorted_places(values: Sequence[str]) -> tuple[list[str], Int[Tensor, " n"]]:
    """Lists the different values, numbers in them by size (C5 before C46), and gives each one's place among them."""
    names = sorted(set(values), key=_by_number)
    place = {name: i for i, name in enumerate(names)}
    return names, torch.tensor([place[value] for value in values], dtype=torch.int64)


def _by_number(name: str) -> tuple[list[tuple[str, float]], str]:
    """Sorts C5 before C46; names that differ in leading zeros alone by their letters."""
    return [(text, float(digits or -1)) for text, digits in re.findall(r"(\D*)([0-9]*)", name)], name


def _column(values: list[str] | list[float | None]) -> Column:
    if values and isinstance(values[0], str):
        _check_texts(values)
        return list(map(str, values))
    return torch.tensor([math.nan if value is None else float(value) for value in values], dtype=torch.float64)


def _check_texts(values: object) -> None:
    if not isinstance(values, list) or not all(isinstance(v, str) and len(v) <= MOST_NAME for v in values):
        raise TypeError
