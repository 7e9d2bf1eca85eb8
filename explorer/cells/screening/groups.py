"""Screened cells counted by patient, or by another part of their files' names: how many are called infected."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from explorer.cells.screening.verdicts import State, Verdict
from explorer.files.tables import table_text

COLUMNS = ("group", "cells", "infected", "uncertain", "share_infected", "low", "high", "unlike")
_PATIENT = re.compile(r"C\d+")
_DIGITS = re.compile(r"(\d+)")
_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Group:
    """The pictures of a patient, or of another group: how many of them are called what.

    Attributes:
        name: of the group; empty for those whose names tell none.
        counts: by what the pictures are called.
    """

    name: str
    counts: Counter[State]

    @property
    def cells(self) -> int:
        """The number of pictures but for those that are unlike any cell."""
        return self.counts.total() - self.counts["unlike"]

    @property
    def share(self) -> float | None:
        """The share of the cells that is called likely infected; None where there are no cells."""
        return self.counts["infected"] / self.cells if self.cells else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% interval of that share, as far as it is uncertain because the cells are few; see `wilson`."""
        return wilson(self.counts["infected"], self.cells) if self.cells else None


def by_group(rows: Iterable[tuple[str, Verdict]], pattern: str = "") -> list[Group]:
    """Counts pictures, given by path and verdict, by the groups that their names tell, in order of these.

    Args:
        rows: paths, with `/`, and verdicts.
        pattern: as of `group_of`.

    Raises:
        ValueError: the pattern is none.
    """
    found: defaultdict[str, Counter[State]] = defaultdict(Counter)
    for path, verdict in rows:
        found[group_of(path, pattern)][verdict.state] += 1
    return [Group(name, found[name]) for name in sorted(found, key=_order)]


def group_of(path: str, pattern: str = "") -> str:
    """Reads a group's name off a file's path; empty where it tells none.

    Args:
        path: with `/`.
        pattern: has one `*`, which stands for the name: what stands between the first places of what is before and
            behind it. `slide-*_` finds `B7` in `day 1/slide-B7_cell 3.png`, and `*/` the outermost folder. Empty, the
            name is a patient's as in NIH's malaria data, `C<number>` at the file name's start. No regular expression:
            one of those can take for ever.

    Raises:
        ValueError: the pattern has no `*`, or several.
    """
    if not pattern:
        patient = _PATIENT.match(path.rpartition("/")[2])
        return patient[0] if patient else ""
    if pattern.count("*") != 1:
        raise ValueError("A pattern has one *, which stands for the group's name, such as slide-*_")
    before, behind = pattern.split("*")
    start = path.find(before)
    end = path.find(behind, start + len(before)) if behind else len(path)
    return path[start + len(before) : end] if start >= 0 and end >= 0 else ""


def wilson(count: int, total: int) -> tuple[float, float]:
    """Computes the 95% score interval of a share, `count` of `total` > 0: it stays within [0, 1] and suits few cells.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22: 209-212.
    """
    share, square = count / total, _95**2
    middle = share + square / (2 * total)
    half = _95 * ((share * (1 - share) + square / (4 * total)) / total) ** 0.5
    low, high = ((middle + sign * half) / (1 + square / total) for sign in (-1, 1))
    return (0.0 if count == 0 else low), (1.0 if count == total else high)


def groups_csv(groups: Iterable[Group]) -> str:
    """Tabulates groups as `group_rows` gives them."""
    return table_text(COLUMNS, group_rows(groups))


def group_rows(groups: Iterable[Group]) -> list[list[object]]:
    """Makes the rows of a table of groups, under COLUMNS; what is undefined of a group without cells is empty."""
    rows: list[list[object]] = []
    for group in groups:
        called = (group.counts["infected"], group.counts["uncertain"])
        rows.append(
            [group.name, group.cells, *called, group.share, *(group.interval or (None, None)), group.counts["unlike"]]
        )
    return rows


def _order(name: str) -> tuple[bool, list[tuple[int, int | str]]]:
    """Sorts C2 before C10, and no name last."""
    parts = [part for part in _DIGITS.split(name) if part]
    return not name, [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]
