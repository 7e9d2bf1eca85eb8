"""What a person has named in this session: groups of items selected in Explore, and directions between groups.

A group is kept as items of a data set, a direction as how it is found: both mean something to every model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import streamlit as st
import torch
from torch import Tensor

from explorer.latents import check_name
from explorer.ui import view
from explorer.ui.library import Mapped

_GROUPS, _DIRECTIONS = "kept_groups", "kept_directions"
_MOST = 20  # of each
Method = Literal["means", "classifier"]


@dataclass(frozen=True)
class KeptGroup:
    """Items of a data set, by their indices in it; `items` is `view.items_of` it."""

    name: str
    items: str
    indices: tuple[int, ...]

    def rows(self, data: Mapped) -> Tensor | None:
        """Rows of the mapped data that are its members, or None where other images are mapped."""
        if self.items != view.items_of(data):
            return None
        found = [row for index in self.indices if (row := data.row_of(index)) is not None]
        return torch.tensor(found) if found else None


@dataclass(frozen=True)
class KeptDirection:
    """A direction from one source to another: `class:NAME` or `group:NAME`."""

    name: str
    start: str
    end: str
    method: Method


def groups() -> dict[str, KeptGroup]:
    return dict(st.session_state.get(_GROUPS, {}))


def directions() -> dict[str, KeptDirection]:
    return dict(st.session_state.get(_DIRECTIONS, {}))


def keep_group(name: str, items: str, indices: tuple[int, ...]) -> None:
    """Raises ValueError: the name cannot be one, is taken, or there are too many."""
    _check(name, groups())
    st.session_state.setdefault(_GROUPS, {})[name] = KeptGroup(name, items, indices)


def keep_direction(direction: KeptDirection) -> None:
    """Raises ValueError: the name cannot be one, is taken, or there are too many."""
    _check(direction.name, directions())
    st.session_state.setdefault(_DIRECTIONS, {})[direction.name] = direction


def _check(name: str, kept: dict[str, KeptGroup] | dict[str, KeptDirection]) -> None:
    check_name(name)
    if name in groups() or name in directions():
        raise ValueError(f"There is a “{name}” already: choose another name, or forget that one.")
    if len(kept) >= _MOST:
        raise ValueError(f"{_MOST} are kept already: forget one first.")


def forget(name: str) -> Callable[[], None]:
    """What undoes the forgetting of a group, or of a direction, of that name."""
    group: KeptGroup | None = st.session_state.get(_GROUPS, {}).pop(name, None)
    direction: KeptDirection | None = st.session_state.get(_DIRECTIONS, {}).pop(name, None)

    def undo() -> None:
        if group is not None:
            st.session_state.setdefault(_GROUPS, {})[name] = group
        if direction is not None:
            st.session_state.setdefault(_DIRECTIONS, {})[name] = direction

    return undo


def free_name(stem: str) -> str:
    """The stem, or the stem with the first number that makes it free."""
    taken = {*groups(), *directions()}
    count, name = 1, stem
    while name in taken:
        count += 1
        name = f"{stem}{count}"
    return name
