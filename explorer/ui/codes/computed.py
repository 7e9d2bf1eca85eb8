"""What Arithmetic asks of a model's codes, computed once for all sessions: means, densities, paths, directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from explorer import datasets, latents
from explorer.checkpoints.model import Model
from explorer.datasets import ImageDataset
from explorer.errors import DatasetError
from explorer.latents import ClassMeans, Density, LatentRanges, NeighbourGraph, Result, Scope, Trust
from explorer.ui import html, selection
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import saved_names
from explorer.ui.codes.saved_names import Method, Saved, SavedCode, SavedGroup
from explorer.ui.codes.upload import Upload
from explorer.ui.selection import Pick

TRAINING = "training"  # the images that a class's mean is taken over, in place of the mapped ones

Hashes = dict[str | type[Any], Callable[[Any], Any]]
_OF_DATA: Hashes = {EncodedDataset: lambda data: data.key}
_OF_MODEL: Hashes = {EncodedDataset: lambda data: data.content}


@st.cache_resource(max_entries=12, show_spinner="Averaging the classes …", hash_funcs=_OF_DATA)
def class_means(data: EncodedDataset) -> ClassMeans | None:
    """Averages the mapped data's classes; None where they have none."""
    labels = data.latents.labels
    if labels is None or len(labels) == 0 or int(labels.max()) >= len(data.classes):
        return None
    return latents.class_means(data.latents.mean, labels, len(data.classes))


def training_is_here(data: EncodedDataset) -> bool:
    """Looks whether this machine has images under the name of those that the model was trained on."""
    name = data.model.info.config["dataset"]["name"]
    return (info := datasets.info(name)) is not None and info.present


def training_means(data: EncodedDataset) -> ClassMeans | str:
    """Averages the classes over all images that the model was trained on, or says why it cannot."""
    channels, size = data.model.image_shape[0], data.model.image_shape[1:]
    trained = data.model.info.config["dataset"]
    try:
        images = datasets.load(trained["name"], "train", size=size, channels=channels)
    except DatasetError as error:
        return str(error)
    same = images.fingerprint == trained.get("train_sha256", images.fingerprint)
    if (only := trained.get("only")) is not None:  # fingerprints are of all classes, the count is of that one
        images = images.subset(images.positions_of(only))
    same &= images.classes == data.classes and len(images) == trained.get("train_images")
    if images.labels is None or not same:
        return f"The training images of {images.name} on this machine are not those that the model was trained on."
    return _means_of(data, images)


_OF_IMAGES: Hashes = {**_OF_MODEL, ImageDataset: lambda images: images.fingerprint}


@st.cache_resource(max_entries=6, show_spinner="Encoding the training images …", hash_funcs=_OF_IMAGES)
def _means_of(data: EncodedDataset, images: ImageDataset) -> ClassMeans:
    assert images.labels is not None
    return latents.class_means(data.model.encode(images.images).mean, images.labels, len(images.classes))


def drawn_as_another(data: EncodedDataset, means: ClassMeans) -> dict[int, int]:
    """Finds the classes whose decoded mean is more like real images of another class, and of which.

    Empty where the images are not on this machine.
    """
    originals = data.originals()
    labels, index = data.latents.labels, data.latents.index
    if isinstance(originals, str) or labels is None or int(index.max()) >= len(originals):
        return {}
    return _drawn_as_another(data, originals, means)


_OF_MEANS: Hashes = {
    **_OF_DATA,
    ImageDataset: lambda images: images.fingerprint,
    ClassMeans: lambda means: means.codes.numpy().tobytes(),
}


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs=_OF_MEANS)
def _drawn_as_another(data: EncodedDataset, originals: ImageDataset, means: ClassMeans) -> dict[int, int]:
    labels = data.latents.labels
    assert labels is not None
    have = torch.nonzero(means.counts).flatten()
    drawn = data.model.decode(means.codes[have], data.conditions(have))
    images = originals.images[data.latents.index]
    members = torch.bincount(labels, minlength=len(means.counts))
    votes = latents.image_votes(drawn, images, labels, len(means.counts), members[have])
    own = votes[torch.arange(len(have)), have]
    return {int(have[i]): int(votes[i].argmax()) for i in torch.nonzero(votes.amax(1) > own).flatten().tolist()}


@st.cache_resource(max_entries=12, show_spinner=False, hash_funcs=_OF_MODEL)
def density(data: EncodedDataset) -> Density | None:
    """Makes the aggregate posterior of the test set that came with the model; None of a single image."""
    stored = data.model.latents
    return Density.of(stored.posterior) if len(stored) > 1 else None


def latent_ranges(data: EncodedDataset) -> LatentRanges:
    """Finds what traversals and sliders vary the model's latents over."""
    return LatentRanges(*data.model.spread, data.model.latents.kl_by_latent)


def share_text(data: EncodedDataset, code: Tensor, start: Tensor) -> str:
    """Says how dense a place a code [D] lies in; nothing where there is nothing to compare with.

    Where it was moved from the code of an image, that one does not count: in many latents a place next to an image
    is the densest of all by that image alone.
    """
    found = density(data)
    if found is None:
        return ""
    share = float(found.share(code[None], found.stored_at(start[None]))[0])
    return f"in an emptier region than {html.most(1 - share)} of the real images"


@st.cache_resource(max_entries=6, show_spinner="Joining neighbours …", hash_funcs=_OF_MODEL)
def graph(data: EncodedDataset) -> NeighbourGraph:
    """Makes the neighbour graph of the same codes."""
    return NeighbourGraph.of(data.model.latents.mean)


# --- directions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Source:
    """A set of items that a direction starts or ends at: a class by its name, or a group that was kept."""

    ident: str  # of a select box: `class:7`, `group:round`
    name: str
    end: str | SavedGroup
    rows: Tensor


def sources(data: EncodedDataset) -> dict[str, Source]:
    """Lists the classes that have members, then the groups that were kept of these images."""
    ends: list[str | SavedGroup] = [*data.classes, *saved_names.groups().values()]
    found = [_source(data, end) for end in ends]
    return {source.ident: source for source in found if source is not None}


def _source(data: EncodedDataset, end: str | SavedGroup) -> Source | None:
    """Finds an end of a direction among the mapped data; None where it has no members there."""
    if isinstance(end, SavedGroup):
        rows = end.rows(data)
        return None if rows is None else Source(f"group:{end.name}", end.name, end, rows)
    if data.latents.labels is None or end not in data.classes:
        return None
    rows = torch.nonzero(data.latents.labels == data.classes.index(end)).flatten()
    return Source(f"class:{end}", end, end, rows) if len(rows) else None


_OF_PAIR: Hashes = {**_OF_DATA, Source: lambda source: sha256(source.rows.numpy().tobytes()).hexdigest()}


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_OF_PAIR)
def direction(data: EncodedDataset, start: Source, end: Source, method: Method) -> Tensor:
    """Finds the direction between two sources; raises ValueError when there is none."""
    codes = data.latents.mean
    return latents.direction(codes[start.rows], codes[end.rows], method=method)


@st.cache_resource(max_entries=64, show_spinner="Testing the direction …", hash_funcs=_OF_PAIR)
def trust(data: EncodedDataset, start: Source, end: Source, method: Method) -> tuple[Trust, int]:
    """Judges how far to trust that direction, and counts the items that are in both and were left out.

    An item on both sides would be held out on one and known from the other. Raises ValueError when there are too few
    items to tell.
    """
    codes = data.latents.mean
    shared = torch.isin(start.rows, end.rows)
    only_start, only_end = start.rows[~shared], end.rows[~torch.isin(end.rows, start.rows)]
    return latents.trust(codes[only_start], codes[only_end], method=method), int(shared.sum())


def named(data: EncodedDataset) -> dict[str, Tensor]:
    """Finds the codes of what this session has named, where they are of this model and these data."""
    found = {name: _code(data, thing) for name, thing in saved_names.everything().items()}
    return {name: code for name, code in found.items() if code is not None}


def _code(data: EncodedDataset, thing: Saved) -> Tensor | None:
    if isinstance(thing, SavedCode):
        return saved_names.code_of(thing, data)
    if isinstance(thing, SavedGroup):
        rows = thing.rows(data)
        return None if rows is None else data.latents.mean[rows].mean(0)
    start, end = _source(data, thing.start), _source(data, thing.end)
    if start is None or end is None:
        return None
    try:
        return direction(data, start, end, thing.method)
    except ValueError:  # the two have the same mean under this model
        return None


def is_own(data: EncodedDataset, *results: Result) -> bool:
    """Looks whether codes may come from a person's own picture: what they decode to then stays in the session.

    A kept code may, and so may `here`: see `Pick.may_be_own`.
    """
    pick = selection.current(data)
    found = saved_names.everything()

    def own(kind: str, argument: str | int | None) -> bool:
        if kind == "here":
            return pick is None or pick.may_be_own
        return kind == "upload" or (kind == "name" and isinstance(found.get(str(argument)), SavedCode))

    return any(own(term.reference.kind, term.reference.argument) for result in results for term in result.terms)


# --- what expressions mean ------------------------------------------------------------------------------------------


def _drawn(model: Model, seed: int) -> Tensor:
    return model.draw(1, seed=seed)[0]


def scope(data: EncodedDataset, means: ClassMeans | None, pick: Pick | None, upload: Upload | None) -> Scope:
    """Collects what the names in an expression stand for on this screen."""
    model = data.model
    return Scope(
        means=None if means is None else means.codes,
        classes=data.classes,
        items=data.latents.mean,
        index=data.latents.index,
        here=None if pick is None else pick.tensor(),
        upload=None if upload is None else upload.seen_by(data).code,
        draw=partial(_drawn, model),
        names=named(data),
    )
