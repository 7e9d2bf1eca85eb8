"""What Arithmetic asks of a model's codes, computed once for all sessions: means, densities, paths, directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from explorer import datasets, latents
from explorer.datasets import DatasetError
from explorer.latents import ClassMeans, Density, NeighbourGraph, Scope, Trust
from explorer.loaded import Model
from explorer.ui import kept, library
from explorer.ui.kept import Method
from explorer.ui.library import Mapped
from explorer.ui.uploads import Upload
from explorer.ui.view import Pick

TRAINING = "training"  # the images that a class's mean is taken over, in place of the mapped ones

Hashes = dict[str | type[Any], Callable[[Any], Any]]
_OF_DATA: Hashes = {Mapped: lambda data: data.key}
_OF_MODEL: Hashes = {Model: lambda model: library.digest(model.info)}


@st.cache_resource(max_entries=12, show_spinner="Averaging the classes …", hash_funcs=_OF_DATA)
def class_means(data: Mapped) -> ClassMeans | None:
    """Means of the mapped data's classes; None where they have none."""
    labels = data.latents.labels
    if labels is None or not data.classes:
        return None
    return latents.class_means(data.latents.mean, labels, len(data.classes))


@st.cache_resource(max_entries=6, show_spinner="Encoding the training images …", hash_funcs=_OF_MODEL)
def training_means(model: Model) -> ClassMeans | str:
    """Means of the classes of all images that the model was trained on, or a sentence why there are none."""
    channels, size, _ = model.image_shape
    try:
        data = datasets.load(model.info.config["dataset"]["name"], "train", size=size, channels=channels)
    except DatasetError as error:
        return str(error)
    if data.labels is None:
        return f"The training images of {data.name} have no classes."
    return latents.class_means(model.encode(data.images).mean, data.labels, len(data.classes))


def training_is_here(model: Model) -> bool:
    """Whether the images that the model was trained on are on this machine."""
    name = model.info.config["dataset"]["name"]
    return any(info.name == name and info.present for info in datasets.available())


@st.cache_resource(max_entries=12, show_spinner=False, hash_funcs=_OF_MODEL)
def density(model: Model) -> Density:
    """The aggregate posterior of the test set that came with the model."""
    return Density.of(model.latents.posterior)


@st.cache_resource(max_entries=6, show_spinner="Joining neighbours …", hash_funcs=_OF_MODEL)
def graph(model: Model) -> NeighbourGraph:
    """The neighbour graph of the same codes."""
    return NeighbourGraph.of(model.latents.mean)


# --- directions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A set of items that a direction starts or ends at: `class:7`, `group:round`."""

    ident: str
    label: str
    rows: Tensor


def sources(data: Mapped) -> dict[str, Source]:
    """The classes that have members, then the groups that were kept of these images."""
    found = {}
    labels = data.latents.labels
    if labels is not None:
        for i, name in enumerate(data.classes):
            rows = torch.nonzero(labels == i).flatten()
            if len(rows):
                found[f"class:{name}"] = Source(f"class:{name}", f"class {name}", rows)
    for group in kept.groups().values():
        members = group.rows(data)
        if members is not None:
            label = f"{group.name} ({len(members):,} items)"
            found[f"group:{group.name}"] = Source(f"group:{group.name}", label, members)
    return found


_OF_PAIR: Hashes = {**_OF_DATA, Source: lambda source: (source.ident, source.rows.numpy().tobytes())}


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_OF_PAIR)
def direction(data: Mapped, start: Source, end: Source, method: Method) -> Tensor:
    """The direction between two sources; raises ValueError when there is none."""
    codes = data.latents.mean
    return latents.direction(codes[start.rows], codes[end.rows], method=method)


@st.cache_resource(max_entries=64, show_spinner="Testing the direction …", hash_funcs=_OF_PAIR)
def trust(data: Mapped, start: Source, end: Source, method: Method) -> Trust:
    """How far to trust that direction; raises ValueError when there are too few items to tell."""
    codes = data.latents.mean
    return latents.trust(codes[start.rows], codes[end.rows], method=method)


def named(data: Mapped) -> dict[str, Tensor]:
    """The codes of what this session has named, where the mapped data have the items."""
    found = sources(data)
    names = {
        group.name: data.latents.mean[source.rows].mean(0)
        for group in kept.groups().values()
        if (source := found.get(f"group:{group.name}")) is not None
    }
    for asked in kept.directions().values():
        start, end = found.get(asked.start), found.get(asked.end)
        if start is not None and end is not None:
            names[asked.name] = direction(data, start, end, asked.method)
    return names


# --- what expressions mean ------------------------------------------------------------------------------------------


def _drawn(model: Model, seed: int) -> Tensor:
    return model.draw(1, seed=seed)[0]


def scope(data: Mapped, means: ClassMeans | None, pick: Pick | None, upload: Upload | None) -> Scope:
    """What the names in an expression stand for on this screen."""
    model = data.model
    return Scope(
        means=None if means is None else means.codes,
        classes=data.classes,
        items=data.latents.mean,
        index=data.latents.index,
        here=None if pick is None else pick.tensor(),
        upload=None if upload is None else upload.code(model),
        draw=partial(_drawn, model),
        names=named(data),
    )
