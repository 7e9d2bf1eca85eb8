"""What a person has named in this session: codes, groups of items selected in Explore, directions between groups.

A group is saved as items of a data set and a direction as how it is found, so that both mean something to every
model. A code belongs to the model that it was saved with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st
import torch
from torch import Tensor

from explorer.latents import check_name
from explorer.ui import selection
from explorer.ui.cache import EncodedDataset

_SAVED, _FORGOTTEN = "saved_names", "saved_names_forgotten"
_MOST = 40
Method = Literal["means", "classifier"]


@dataclass(frozen=True)
class SavedCode:
    """A code of one model."""

    model: str
    code: tuple[float, ...]

    @property
    def what(self) -> str:
        return f"a code of {self.model}"


@dataclass(frozen=True, eq=False)
class SavedGroup:
    """Items of a data set, by their indices int64 [M] in it; `items` is `selection.items_of` it."""

    name: str
    items: str
    indices: Tensor

    @property
    def what(self) -> str:
        return f"the mean of {len(self.indices):,} selected images"

    def rows(self, data: EncodedDataset) -> Tensor | None:
        """Rows of the mapped data that are its members, or None where other images are mapped."""
        if self.items != selection.items_of(data):
            return None
        found = data.rows_of(self.indices)
        return found if len(found) else None


@dataclass(frozen=True, eq=False)
class SavedDirection:
    """A direction between two ends, each a class's name or a group."""

    start: str | SavedGroup
    end: str | SavedGroup
    method: Method

    @property
    def what(self) -> str:
        ends = (f"class {end}" if isinstance(end, str) else end.name for end in (self.start, self.end))
        return f"the direction from {' to '.join(ends)}"


Saved = SavedCode | SavedGroup | SavedDirection


def everything() -> dict[str, Saved]:
    """Everything saved, by name, the oldest first."""
    return dict(st.session_state.get(_SAVED, {}))


def groups() -> dict[str, SavedGroup]:
    return {name: thing for name, thing in everything().items() if isinstance(thing, SavedGroup)}


def save(name: str, thing: Saved) -> None:
    """Save something under a name. Raises ValueError: the name cannot be one, is taken, or too many are."""
    check_name(name)
    if name in everything():
        raise ValueError(f"There is a “{name}” already: choose another name, or forget that one.")
    if len(everything()) >= _MOST:
        raise ValueError(f"{_MOST} names are kept already: forget one first.")
    st.session_state.setdefault(_SAVED, {})[name] = thing
    if forgotten() == name:
        st.session_state.pop(_FORGOTTEN)


def forget(name: str) -> None:
    """Forget what has that name; `recall` undoes it."""
    thing = st.session_state.get(_SAVED, {}).pop(name, None)
    if thing is not None:
        st.session_state[_FORGOTTEN] = (name, thing)


def forgotten() -> str | None:
    """The name that was forgotten last, while it can be recalled."""
    found: tuple[str, Saved] | None = st.session_state.get(_FORGOTTEN)
    return None if found is None else found[0]


def recall() -> None:
    """Undo the last `forget`."""
    found: tuple[str, Saved] | None = st.session_state.pop(_FORGOTTEN, None)
    if found is not None:  # its name is free: to take it is to give the undo up
        st.session_state.setdefault(_SAVED, {})[found[0]] = found[1]


def rename_model(old: str, new: str) -> None:
    """Lets codes belong to a model under its new name."""
    for name, thing in everything().items():
        if isinstance(thing, SavedCode) and thing.model == old:
            st.session_state[_SAVED][name] = replace(thing, model=new)


def free_name(stem: str) -> str:
    """The stem, or the stem with the first number that makes it free."""
    taken = everything()
    count, name = 1, stem
    while name in taken:
        count += 1
        name = f"{stem}{count}"
    return name


def code_of(saved: SavedCode, data: EncodedDataset) -> Tensor | None:
    """The code [D], for the model that it belongs to."""
    fits = saved.model == data.model.info.id and len(saved.code) == data.model.latent
    return torch.tensor(saved.code) if fits else None
