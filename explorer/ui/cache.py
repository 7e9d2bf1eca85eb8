"""Cached loading: one copy of each model and of each encoded data set for all sessions of the server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

import streamlit as st
import torch
from torch import Tensor

from explorer import datasets
from explorer.checkpoints.folder import MOST_SUMS, CheckpointInfo, checkpoints
from explorer.checkpoints.model import Model, load
from explorer.datasets import ImageDataset
from explorer.errors import DatasetError
from explorer.files.regular import read_regular
from explorer.latents import Latents, maps
from explorer.latents.maps import Map
from explorer.models.conditional import cycle_labels

STORED = "test"  # the data that a checkpoint brings along: codes of its test set
_QUALITY_ITEMS = 2000  # codes that the quality of an unstored map is judged by: a second instead of ten
_MOST_ITEMS = 10_000  # images that are encoded on the spot


@st.cache_resource(ttl=2, show_spinner=False)
def all_checkpoints() -> list[CheckpointInfo]:
    """Every checkpoint, looked up again after two seconds: a run may have finished."""
    return checkpoints()


def digest(info: CheckpointInfo) -> str:
    """Names a checkpoint's content, for caches and URLs of what is computed from it."""
    return sha256(read_regular(info.path / "SHA256SUMS", MOST_SUMS)).hexdigest()[:20]


@st.cache_resource(max_entries=12, show_spinner="Opening the model …")
def open_model(ident: str, content: str) -> Model:
    """The model of that id; `content` is its digest, so that a run that went on is opened again."""
    return load(ident)


@dataclass(frozen=True)
class EncodedDataset:
    """Codes of a data set under a model, with one of their maps.

    `content` is the checkpoint's digest, `key` names which codes these are; row r of `latents` is image
    `latents.index[r]` of `source`, a data set's name.
    """

    content: str
    key: str
    name: str
    source: str
    latents: Latents
    map: Map
    classes: list[str]
    model: Model
    images_digest: str = ""  # of the images that were encoded, where it is known
    notes: tuple[str, ...] = ()  # counted warnings of the data set: files that could not be read
    drawn_as: int | None = None  # the class that a conditional decoder is told of a code that is no item's

    @property
    def map_key(self) -> str:
        """Names the points of the map: which codes, laid out how."""
        return f"{self.key}-{self.map.kind}"

    @property
    def quality(self) -> dict[str, float]:
        """The map's figures of quality that are defined; older checkpoints store NaN for those that are not."""
        return {name: value for name, value in self.latents.quality.get(self.map.kind, {}).items() if value == value}

    def originals(self) -> ImageDataset | str:
        """The images themselves, in the order of the codes, or a sentence on how to get them."""
        channels, size = self.model.image_shape[0], self.model.image_shape[1:]
        try:
            if self.name == STORED:
                data = datasets.load(self.source, "test", size=size, channels=channels)
                trained = self.model.info.config["dataset"].get("test_sha256", data.fingerprint)
                if data.fingerprint != trained:
                    return f"The images of {self.source} on this machine are not those that the model was tested on."
                return data
            return encodable(self.source, size, channels)
        except DatasetError as error:
            return str(error)

    def original(self, row: int) -> Tensor | None:
        """The uint8 image [C, H, W] of a row, or None when its data set is not on this machine."""
        data = self.originals()
        index = int(self.latents.index[row])
        if isinstance(data, str) or index >= len(data) or data.image_shape != self.model.image_shape:
            return None
        return data.images[index]

    def decode(self, codes: Tensor) -> Tensor:
        """The decoder's images of codes [N, D] that are no items', float32 [N, C, H, W]."""
        return self.model.decode(codes, self.drawn_as)

    def decode_rows(self, rows: Tensor | slice) -> Tensor:
        """The decoder's images of some rows' codes, each as its own class where the decoder is told classes."""
        labels = self.latents.labels
        return self.model.decode(self.latents.mean[rows], self.conditions(None if labels is None else labels[rows]))

    def conditions(self, labels: Tensor | None) -> Tensor | int | None:
        """The classes that items with some labels are decoded as: their own, where they are the model's ones."""
        if not self.model.conditional:
            return None
        return self.drawn_as if labels is None or self.classes != self.model.classes else labels

    def condition_of(self, row: int) -> int | None:
        """The class that a row's code is decoded as; None where the decoder is told none."""
        labels = self.latents.labels
        found = self.conditions(None if labels is None else labels[row])
        return None if found is None else int(found)

    @cached_property
    def _rows(self) -> Tensor:
        """The row of each index, -1 for none."""
        index = self.latents.index
        rows = torch.full((int(index.max()) + 1,) if len(index) else (0,), -1)
        rows[index] = torch.arange(len(index))
        return rows

    def row_of(self, index: int) -> int | None:
        """The row of an image's index in its data set."""
        row = int(self._rows[index]) if 0 <= index < len(self._rows) else -1
        return None if row < 0 else row

    def rows_of(self, indices: Tensor) -> Tensor:
        """The rows of those of some indices int64 [M] that are here, in their order."""
        rows = self._rows[indices[(indices >= 0) & (indices < len(self._rows))]]
        return rows[rows >= 0]


@st.cache_resource(max_entries=6, show_spinner=False)
def encodable(name: str, size: tuple[int, int], channels: int) -> ImageDataset:
    """The images of a data set that are encoded on the spot: its test split, or all of `mnist-5k`.

    At most the first 10,000. Raises DatasetError.
    """
    data = datasets.load(name, "test", size=size, channels=channels)
    if name == "mnist-5k":
        train = datasets.load(name, "train", size=size, channels=channels)
        labels = None
        if train.labels is not None and data.labels is not None:
            labels = torch.cat([train.labels, data.labels])
        return replace(data, split="all", images=torch.cat([train.images, data.images]), labels=labels)
    return data if len(data) <= _MOST_ITEMS else data.subset(slice(0, _MOST_ITEMS))


def projections(model: Model) -> list[str]:
    """The maps that a model's codes have, the default first."""
    return [kind for kind in ("plane", "umap", "pca") if kind in model.latents.maps]


@st.cache_resource(max_entries=24, show_spinner="Encoding the images …")
def encoded_dataset(ident: str, content: str, data: str, projection: str) -> EncodedDataset:
    """A data set's codes on a map of the model; a new data set is placed on the stored one.

    Raises:
        DatasetError: the data set is not on this machine, or it cannot be read.
    """
    model = open_model(ident, content)
    stored = model.latents
    if data == STORED:
        source = model.info.config["dataset"]["name"]
        digest = str(model.info.config["dataset"].get("test_sha256", ""))
        place = stored.maps[projection]
        return EncodedDataset(content, f"{content}-{data}", data, source, stored, place, model.classes, model, digest)
    codes, images = _encode(ident, content, data)
    placed = stored.maps[projection].place(codes.mean)
    place = replace(stored.maps[projection], points=placed, codes=codes.mean)
    chosen = _judged(len(placed))
    labels = None if codes.labels is None else codes.labels[chosen]
    quality = maps.quality(codes.mean[chosen], placed[chosen], labels)
    latents = replace(codes, maps={projection: place}, quality={projection: quality})
    key = f"{content}-{images.fingerprint[:20]}"
    return EncodedDataset(
        content, key, data, data, latents, place, images.classes, model, images.fingerprint, tuple(images.notes)
    )


@st.cache_resource(max_entries=48, show_spinner="Drawing codes …")
def draws(ident: str, content: str, count: int, temperature: float, seed: int, label: int | None) -> Tensor:
    """Codes [N, D] from a model's prior, of a class where it is told one: in turn of all of them if that is None."""
    model = open_model(ident, content)
    labels = cycle_labels(count, model.config.classes) if label is None and model.class_prior else label
    return model.draw(count, temperature=temperature, seed=seed, labels=labels)


@dataclass(frozen=True)
class Votes:
    """How often an item's 15 nearest others name something of it right: by their codes, on the map, by guessing."""

    codes: float
    map: float
    guess: float


@st.cache_resource(
    max_entries=24, show_spinner=False, hash_funcs={EncodedDataset: lambda data: [data.key, data.map.kind]}
)
def group_votes(data: EncodedDataset) -> Votes | None:
    """How far the map follows the groups, of the items that its `quality` was judged by; None for too few of them."""
    _, ids = data.latents.groups
    if len(ids) <= maps.NEIGHBOURS:
        return None
    rows = torch.arange(len(ids)) if data.name == STORED else _judged(len(ids))
    ids, codes, points = ids[rows], data.latents.mean[rows], data.map.points[rows]
    of_codes = maps.vote_accuracy(codes, ids)
    return Votes(of_codes, of_codes if data.map.exact else maps.vote_accuracy(points, ids), maps.guess_accuracy(ids))


def _judged(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:_QUALITY_ITEMS]


@st.cache_resource(max_entries=12, show_spinner=False)
def _encode(ident: str, content: str, data: str) -> tuple[Latents, ImageDataset]:
    model = open_model(ident, content)
    channels, size = model.image_shape[0], model.image_shape[1:]
    images = encodable(data, size, channels)
    labels = images.labels if images.classes == model.classes else None
    return Latents.of(model.evaluate(images.images, labels), images.labels, images.group), images
