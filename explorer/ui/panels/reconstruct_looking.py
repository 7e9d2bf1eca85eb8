"""A picture under a model: prepared, judged, and kept while somebody looks at it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import streamlit as st
import torch
from PIL import Image

from explorer.judging import Judgement, judge
from explorer.preparation import Prepared, Steps, habits, prepare, suggest
from explorer.ui import codes
from explorer.ui.library import STORED, Mapped

_LOOKED, _CHANGED = "reconstruct_looked", "reconstruct_steps"
_MOST_LOOKED = 24
_SHOWN = 64  # decoded test images that tell what a model's images are like


@dataclass(frozen=True, eq=False)
class Subject:
    """What is put through the models.

    Attributes:
        ident: names the very picture.
        slot: what changes of its steps are kept for: a drawing keeps them from stroke to stroke.
        name: as sentences call it.
        picture: of mode L or RGB.
        remarks: on how it was read, a sentence each.
        own: `content` of the model whose test image it is: that one sees it as it is.
        label: its class, where that is known.
        index: of a test image in its data set.
    """

    ident: str
    slot: str
    name: str
    picture: Image.Image
    remarks: tuple[str, ...] = ()
    own: str = ""
    label: str | None = None
    index: int | None = None


@dataclass(frozen=True, eq=False)
class Looked:
    """A subject as the model of the mapped data sees it and judges it; `why` says what suggested the steps."""

    subject: Subject
    data: Mapped
    steps: Steps
    why: tuple[str, ...]
    changed: bool
    prepared: Prepared
    judged: Judgement


def look(subject: Subject, data: Mapped) -> Looked:
    """Prepare and judge the subject, by the steps that a person has chosen, or else by what suits it."""
    chosen = steps_of(subject, data)
    key = (subject.ident, subject.own, subject.label, data.key, data.map.kind, data.drawn_as, chosen)
    kept: OrderedDict[tuple[object, ...], Looked] = st.session_state.setdefault(_LOOKED, OrderedDict())
    if key not in kept:
        kept[key] = _look(subject, data, chosen)
        while len(kept) > _MOST_LOOKED:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def _look(subject: Subject, data: Mapped, chosen: Steps | None) -> Looked:
    channels, size, _ = data.model.image_shape
    why: tuple[str, ...] = ()
    if chosen is not None:
        steps = chosen
    elif subject.own == data.content or (subject.index is not None and subject.picture.size == (size, size)):
        steps = Steps()
    else:
        steps, why = suggest(subject.picture, *_habits(data), channels)
    prepared = prepare(subject.picture, steps, size, channels)
    known = data.model.conditional and subject.label in data.model.classes
    label = torch.tensor([data.model.classes.index(str(subject.label))]) if known else None
    stored = data.name == STORED and subject.own == data.content and subject.index is not None
    own = data.row_of(int(subject.index or 0)) if stored else None
    judged = judge(data.model, prepared.image[None], label, density=codes.density(data), without=own)
    return Looked(subject, data, steps, why, chosen is not None, prepared, judged)


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs={Mapped: lambda data: data.content})
def _habits(data: Mapped) -> tuple[bool, bool]:
    """What the model's own images are like; see `explorer.preparation.habits`."""
    stored = data.model.latents
    some = slice(None, None, max(1, len(stored) // _SHOWN))
    told = None if stored.labels is None or not data.model.conditional else stored.labels[some]
    return habits(data.model.decode(stored.mean[some], told))


def steps_of(subject: Subject, data: Mapped) -> Steps | None:
    """The steps that a person has chosen for it and this model; None where they are left to what suits it."""
    found: Steps | None = st.session_state.get(_CHANGED, {}).get((subject.slot, data.model.info.id))
    return found


def choose_steps(subject: Subject, data: Mapped, steps: Steps | None) -> None:
    """Take these steps from now on; None for what suits it."""
    changed = st.session_state.setdefault(_CHANGED, {})
    if steps is None:
        changed.pop((subject.slot, data.model.info.id), None)
    else:
        changed[subject.slot, data.model.info.id] = steps
