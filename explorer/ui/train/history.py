"""The history of a run as it grows, in columns for the browser."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from explorer.checkpoints.folder import MOST_HISTORY
from explorer.checkpoints.schema import history_line
from explorer.files.regular import open_regular

MOST_EPOCHS = 1000  # that are sent: a screen shows no more

_TRAIN = ("elbo", "reconstruction", "kl")
_TEST = ("elbo", "reconstruction", "kl", "mse", "active_units")
_SETTINGS = ("learning_rate", "beta", "noise_variance")
_DIGITS = {"active_units": 0, "seconds": 1}
_SIGNIFICANT = 6  # digits of everything else: hundredths of a nat


class History:
    """The lines of a `history.jsonl`, of which only what is new is read.

    `rows` are the lines without `kl_by_latent`, which would be most of the memory; `writing` counts how often the
    file was written anew: as long as it stays, rows are only added.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows: list[dict[str, Any]] = []
        self.writing = 0
        self._inode, self._read = 0, 0

    def update(self) -> None:
        try:
            with open_regular(self.file) as f:
                status = os.fstat(f.fileno())
                if status.st_size > MOST_HISTORY:
                    raise OSError("too large")
                if (status.st_ino, status.st_size) == (self._inode, self._read):
                    return
                if status.st_ino != self._inode or status.st_size < self._read:  # written anew, as by a save
                    self.rows, self._inode, self._read = [], status.st_ino, 0
                    self.writing += 1
                f.seek(self._read)
                new = f.read(MOST_HISTORY)
        except OSError:
            if self.rows:
                self.rows, self._inode, self._read = [], 0, 0
                self.writing += 1
            return
        whole = new[: new.rfind(b"\n") + 1]  # the last line may still be being written
        self._read += len(whole)
        for line in whole.splitlines():
            if (row := history_line(line)) is not None:
                row.pop("kl_by_latent", None)
                self.rows.append(row)


def thinned(rows: Sequence[dict[str, Any]], keep: Collection[int] = ()) -> list[dict[str, Any]]:
    """Picks at most about a thousand of the rows: always the first, the last and those of the epochs to `keep`."""
    step = -(-len(rows) // MOST_EPOCHS)
    last = len(rows) - 1
    return [row for i, row in enumerate(rows) if i % step == 0 or i == last or row["epoch"] in keep] if rows else []


def columns(rows: Sequence[Mapping[str, Any]]) -> str:
    """Writes the rows as JSON by column: `epochs`, `train`, `test` and `figures` by name, learning rate, beta, seconds.

    Numbers are rounded, what is not finite is null, and a column that never changes is a single value.
    """

    def column(name: str, of: Callable[[Mapping[str, Any]], Any]) -> Any:
        values = [_rounded(of(row), _DIGITS.get(name)) for row in rows]
        return values[0] if values and all(value == values[0] for value in values) else values

    def metrics(split: str, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: column(name, lambda row: (row.get(split) or {}).get(name)) for name in names}  # noqa: B023

    found = {
        "epochs": [row["epoch"] for row in rows],
        "train": metrics("train", _TRAIN),
        "test": metrics("test", _TEST),
        "seconds": column("seconds", lambda row: row.get("seconds")),
        **{name: column(name, lambda row: row.get(name)) for name in _SETTINGS},  # noqa: B023
        "figures": metrics("figures", tuple(dict.fromkeys(name for row in rows for name in row.get("figures") or ()))),
    }
    return json.dumps(found, separators=(",", ":"))


def _rounded(value: Any, digits: int | None) -> float | int | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if digits is None:
        return float(f"{value:.{_SIGNIFICANT}g}")
    return round(value, digits or None)
