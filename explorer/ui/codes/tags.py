"""What a person calls images that they have selected: a tag each, kept with their own data sets, with a way back.

Tags belong to the images of a data set, not to a model: another model's map of the same images shows them, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import streamlit as st

from explorer.datasets import own
from explorer.datasets.own.tags import MOST
from explorer.errors import DatasetError
from explorer.figures import Groups
from explorer.files.zips import printable
from explorer.latents.colours import UNTAGGED, tag_groups
from explorer.ui import people, selection
from explorer.ui.cache import EncodedDataset

_STEPS = "tag_steps"
_MOST_STEPS, _MOST_UNDONE = 50, 2_000_000  # changes, and images in all of them, that can be undone

_Step = tuple[str, dict[int, str]]  # of which images, by `selection.items_of`, and the tags that they had


def of(data: EncodedDataset) -> Mapping[int, str]:
    """Gives the tags of the data's images, by index; none where they cannot be read."""
    try:
        return own.read_tags(people.here().ident, selection.items_of(data))
    except DatasetError:
        return {}


def problem(data: EncodedDataset) -> str:
    """Says in a sentence why the tags cannot be read; empty where they can."""
    try:
        own.read_tags(people.here().ident, selection.items_of(data))
    except DatasetError as error:
        return str(error)
    return ""


def put(data: EncodedDataset, indices: Iterable[int], tag: str) -> None:
    """Tags images, in place of what tags they have; with an empty tag takes them off.

    Raises:
        ValueError: it is too long, or is what images without a tag are called.
        DatasetError: tags cannot be kept.
    """
    tag = " ".join(tag.split())
    if len(tag) > MOST or tag == UNTAGGED or printable(tag) != tag:
        raise ValueError(
            f"Choose another tag: one of at most {MOST} characters, without control characters, that is not "
            f"“{UNTAGGED}”."
        )
    items = selection.items_of(data)
    before = own.change_tags(people.here().ident, items, dict.fromkeys(map(int, indices), tag))
    if changed := {index: had for index, had in before.items() if had != tag}:
        _remember(items, changed)


def rename(data: EncodedDataset, old: str, new: str) -> None:
    """Gives all images of a tag another one, or with an empty one none. Raises as `put` does."""
    put(data, [index for index, tag in of(data).items() if tag == old], new)


def undo(data: EncodedDataset) -> None:
    """Takes the last change of the data's tags back. Raises DatasetError: tags cannot be kept."""
    if found := _steps_of(data):
        items, before = found[-1]
        own.change_tags(people.here().ident, items, before)
        st.session_state[_STEPS] = [step for step in st.session_state[_STEPS] if step is not found[-1]]


def can_undo(data: EncodedDataset) -> bool:
    """Says whether there is anything of the data's tags to take back."""
    return bool(_steps_of(data))


def _steps_of(data: EncodedDataset) -> list[_Step]:
    items = selection.items_of(data)
    return [step for step in st.session_state.get(_STEPS, []) if step[0] == items]


def _remember(items: str, before: dict[int, str]) -> None:
    steps: list[_Step] = [*st.session_state.get(_STEPS, []), (items, before)][-_MOST_STEPS:]
    while len(steps) > 1 and sum(len(tags) for _, tags in steps) > _MOST_UNDONE:
        steps = steps[1:]
    st.session_state[_STEPS] = steps


def counts(data: EncodedDataset) -> dict[str, int]:
    """Counts the images of each tag, by name."""
    names, numbers = np.unique(list(of(data).values()), return_counts=True)
    return dict(zip(names.tolist(), numbers.tolist(), strict=True))


def groups(data: EncodedDataset) -> Groups:
    """What the map's points are of by their tags, those without one last."""
    return tag_groups(of(data), data.latents.index.tolist())
