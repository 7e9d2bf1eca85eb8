"""A picture under a model: prepared, judged, and kept while somebody looks at it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import streamlit as st
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from explorer.evaluation.scores import Judgement, Scores, judge, score
from explorer.images.preparation import Prepared, Steps
from explorer.models import Posterior
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.codes import computed

_ANALYSES, _CHANGED = "reconstruct_analyses", "reconstruct_steps"
_MOST = 24


@dataclass(frozen=True, eq=False)
class Subject:
    """What is put through the models.

    Attributes:
        ident: names the very picture.
        slot: what changes of its steps are kept for: a drawing keeps them from stroke to stroke.
        name: as sentences call it.
        picture: of mode L or RGB.
        notes: on how it was read, a sentence each.
        own: `content` of the model whose test image it is: that one sees it as it is.
        label: its class, where that is known.
        source: of a test image the data set's name.
        index: of a test image among the images that are mapped.
        test_index: of a test image in the test set.
    """

    ident: str
    slot: str
    name: str
    picture: Image.Image
    notes: tuple[str, ...] = ()
    own: str = ""
    label: str | None = None
    source: str = ""
    index: int | None = None
    test_index: int | None = None


@dataclass(frozen=True, eq=False)
class Analysis:
    """A subject as the model of the mapped data sees it and judges it; `changed` if a person chose its steps."""

    subject: Subject
    data: EncodedDataset
    changed: bool
    prepared: Prepared
    judgement: Judgement

    @property
    def row(self) -> int | None:
        """The row of the mapped data that is the subject itself; None if none is known to be."""
        subject, data = self.subject, self.data
        if data.name == STORED:
            own = int(self.judgement.own[0])
            return None if own < 0 else own + len(data.latents) - len(data.model.latents)  # test images are last
        return data.row_of(subject.index) if subject.own == data.content and subject.index is not None else None

    @cached_property
    def drawn(self) -> Float[Tensor, " 1"]:
        """The ELBO at the draw of z that corrupted versions are scored by; the judgement's may be the stored one."""
        return score(self.data.model, self.judgement.images, self.judgement.condition).elbo


def analyse(subject: Subject, data: EncodedDataset) -> Analysis:
    """Prepares and judges a subject, by the steps that a person has chosen, or else by those that suit it."""
    chosen = steps_of(subject, data)
    model = data.model.info.id  # a copy of a model has codes of the same key
    key = (subject.ident, subject.own, subject.label, model, data.key, data.map.kind, data.drawn_as, chosen)
    kept: OrderedDict[tuple[object, ...], Analysis] = st.session_state.setdefault(_ANALYSES, OrderedDict())
    if key not in kept:
        kept[key] = _analyse(subject, data, chosen)
        while len(kept) > _MOST:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def _analyse(subject: Subject, data: EncodedDataset, chosen: Steps | None) -> Analysis:
    _, height, width = data.model.image_shape
    as_it_is = subject.own == data.content or (subject.index is not None and subject.picture.size == (width, height))
    prepared = data.model.prepare(subject.picture, chosen or (Steps() if as_it_is else None))
    known = data.model.conditional and subject.label in data.model.classes
    label = torch.tensor([data.model.classes.index(str(subject.label))]) if known else None
    row = data.row_of(subject.index) if subject.own == data.content and subject.index is not None else None
    judgement = judge(
        data.model,
        prepared.image[None],
        label,
        density=computed.density(data),
        without=_stored_row(subject, data),
        scored=None if row is None or prepared.stages else _scored(data, row, label),
    )
    return Analysis(subject, data, chosen is not None, prepared, judgement)


def _stored_row(subject: Subject, data: EncodedDataset) -> int | None:
    """Finds a test image among the model's stored ones by its place in their data set."""
    if subject.test_index is None or subject.source != data.model.info.config["dataset"]["name"]:
        return None
    rows = torch.nonzero(data.model.latents.index == subject.test_index).flatten().tolist()
    return rows[0] if rows else None


def _scored(data: EncodedDataset, row: int, label: Tensor | None) -> Scores | None:
    """Gives the scores of an image of the mapped data that other screens show; None if its class was not given then."""
    if data.model.conditional and label is None:
        return None
    found, at = data.latents, slice(row, row + 1)
    posterior = Posterior(found.posterior.mean[at], found.posterior.logvar[at])
    return Scores(posterior, found.reconstruction[at], found.kl[at], label)


def steps_of(subject: Subject, data: EncodedDataset) -> Steps | None:
    """Gives the steps that a person has chosen for it and this model; None where they are left to what suits it."""
    found: Steps | None = st.session_state.get(_CHANGED, {}).get((subject.slot, data.model.info.id))
    return found


def choose_steps(subject: Subject, data: EncodedDataset, steps: Steps | None) -> None:
    """Takes these steps from now on; None for what suits it."""
    changed = st.session_state.setdefault(_CHANGED, {})
    if steps is None:
        changed.pop((subject.slot, data.model.info.id), None)
    else:
        changed[subject.slot, data.model.info.id] = steps
