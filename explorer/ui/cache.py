"""Cached loading: one copy of each model and of each encoded data set for all sessions of the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import streamlit as st
import torch
from torch import Tensor

from explorer import datasets
from explorer.checkpoints.folder import CheckpointInfo, checkpoints
from explorer.checkpoints.model import Model, load
from explorer.datasets import ImageDataset
from explorer.errors import DatasetError
from explorer.evaluation import encodings
from explorer.latents import Latents, colours, maps
from explorer.latents.items import Column
from explorer.latents.maps import Map
from explorer.models.conditional import cycle_labels

STORED = "test"  # the data that a checkpoint brings along: codes of its test set
_MOST_ITEMS = 10_000  # images that are encoded on the spot; more by a job, whose codes are kept on the disk


@st.cache_resource(ttl=2, show_spinner=False)
def all_checkpoints() -> list[CheckpointInfo]:
    """Every checkpoint, looked up again after two seconds: a run may have finished."""
    return checkpoints()


@st.cache_resource(max_entries=12, show_spinner="Opening the model …")
def open_model(ident: str, content: str) -> Model:
    """The model of that id; `content` is the checkpoint's, so that a run that went on is opened again."""
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
    before_test: int = 0  # training images that `latents.index` counts first; 0 where the test set alone is mapped
    drawn_as: int | None = None  # the class that a conditional decoder is told of a code that is no item's

    @property
    def map_key(self) -> str:
        """Names the points of the map: which codes, laid out how."""
        return f"{self.key}-{self.map.kind}"

    @property
    def quality(self) -> dict[str, float]:
        """The map's figures of quality that are defined; older checkpoints store NaN for those that are not."""
        return {name: value for name, value in self.latents.quality.get(self.map.kind, {}).items() if value == value}

    @cached_property
    def group_name(self) -> str:
        """What its groups are called: the column that they are, or patients."""
        return colours.group_name(self.latents)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The columns of its items, but for the one of its groups."""
        return colours.columns_of(self.latents)

    def originals(self) -> ImageDataset | str:
        """The images themselves, in the order of the codes, or a sentence on how to get them."""
        channels, size = self.model.image_shape[0], self.model.image_shape[1:]
        try:
            if self.name == STORED and self.before_test:
                return self._all_originals()
            if self.name == STORED:
                data = datasets.load(self.source, "test", size=size, channels=channels)
                trained = self.model.info.config["dataset"].get("test_sha256", data.fingerprint)
                if data.fingerprint != trained:
                    return f"The images of {self.source} on this machine are not those that the model was tested on."
                return data
            return encodable(self.source, size, channels)
        except DatasetError as error:
            return str(error)

    def _all_originals(self) -> ImageDataset | str:
        channels, size = self.model.image_shape[0], self.model.image_shape[1:]
        splits = [datasets.load(self.source, split, size=size, channels=channels) for split in ("train", "test")]
        trained = self.model.info.config["dataset"]
        if any(data.fingerprint != trained.get(f"{data.split}_sha256", data.fingerprint) for data in splits):
            return f"The images of {self.source} on this machine are not those that the model was trained on."
        return _joined(*splits)

    def images_of(self, rows: Tensor) -> Tensor | None:
        """The uint8 images [M, C, H, W] of some rows int64 [M], or None when their data set is not on this machine."""
        data, index = self.originals(), self.latents.index[rows]
        return None if isinstance(data, str) or int(index.max()) >= len(data) else data.images[index]

    def original(self, row: int) -> Tensor | None:
        """The image [C, H, W] of a row, or None as of several."""
        found = self.images_of(torch.tensor([row]))
        return None if found is None else found[0]

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
    """The images of a data set that are mapped: its test split, or all of a small or own set.

    Of more than a million, as many at random. Raises DatasetError.
    """
    data = datasets.load(name, "test", size=size, channels=channels)
    if datasets.is_whole(name):
        data = _joined(datasets.load(name, "train", size=size, channels=channels), data)
    return data if len(data) <= encodings.MOST_ITEMS else _some_of(data)


def _some_of(data: ImageDataset) -> ImageDataset:
    most = encodings.MOST_ITEMS
    rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:most].sort().values
    note = f"The map has {most:,} of the {len(data):,} images of {data.name}, chosen at random: always the same."
    return replace(data.subset(rows), notes=[*data.notes, note])


@st.cache_resource(max_entries=6, show_spinner=False, hash_funcs={ImageDataset: lambda data: data.fingerprint})
def _joined(train: ImageDataset, test: ImageDataset) -> ImageDataset:
    return datasets.join_splits(train, test)


def projections(model: Model) -> list[str]:
    """The maps that a model's codes have, the default first."""
    return [kind for kind in maps.KINDS if kind in model.mapped.maps]


@st.cache_resource(max_entries=24, show_spinner="Encoding the images …")
def encoded_dataset(ident: str, content: str, data: str, projection: str) -> EncodedDataset:
    """A data set's codes on a map of the model; a new data set is placed on the stored one.

    Raises:
        DatasetError: the data set is not on this machine, or it cannot be read.
        NotEncodedError: it is so large that a job has to encode it first.
    """
    model = open_model(ident, content)
    stored = model.mapped
    if data == STORED:
        source = model.info.config["dataset"]["name"]
        digest = str(model.info.config["dataset"].get("test_sha256", ""))
        place = stored.maps[projection]
        key, before = f"{content}-{data}", int(stored.index[-1] - model.latents.index[-1])  # the test images are last
        return EncodedDataset(
            content, key, data, source, stored, place, model.classes, model, digest, before_test=before
        )
    latents, images = _encode(ident, content, data)
    if not latents.maps:
        placed = stored.maps[projection].place(latents.mean)
        chosen = maps.judged(len(placed))
        labels = None if latents.labels is None else latents.labels[chosen]
        latents = replace(
            latents,
            maps={projection: replace(stored.maps[projection], points=placed, codes=latents.mean)},
            quality={projection: maps.quality(latents.mean[chosen], placed[chosen], labels)},
        )
    place = latents.maps[projection]
    key = f"{content}-{images.fingerprint[:20]}"
    before, digest = 0, images.fingerprint
    if images.split == "all":
        channels, size = model.image_shape[0], model.image_shape[1:]
        before = _count_training(images)
        digest = datasets.load(data, "test", size=size, channels=channels).fingerprint
    notes = tuple(images.notes)
    return EncodedDataset(
        content, key, data, data, latents, place, images.classes, model, digest, notes, before_test=before
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
    rows = torch.arange(len(ids)) if data.name == STORED else maps.judged(len(ids))
    ids, codes, points = ids[rows], data.latents.mean[rows], data.map.points[rows]
    of_codes = maps.vote_accuracy(codes, ids)
    return Votes(of_codes, of_codes if data.map.exact else maps.vote_accuracy(points, ids), maps.guess_accuracy(ids))


def _count_training(images: ImageDataset) -> int:
    """How many of joined splits' images are training images: they come first."""
    columns = {} if images.split != "all" or images.items is None else images.items.columns
    return list(columns.get("split", ())).count("training")


class NotEncodedError(Exception):
    """Images wait for a job to encode them: `work` is what it does."""

    def __init__(self, file: Path, images: ImageDataset, work: Callable[[Callable[[int, int], None]], None]) -> None:
        super().__init__(f"{images.name} is not encoded yet")
        self.file, self.images, self.work = file, images, work


def _encode_kept(model: Model, content: str, images: ImageDataset) -> Latents:
    """Reads what a job has encoded. Raises NotEncodedError where none has."""
    file = encodings.encodings_file(content, images)
    found = encodings.kept(file, model, images)
    if found is not None:
        return found
    fitted = None
    if model.info.config["dataset"]["name"] == images.name:
        seed = int(model.info.config.get("seed", 0))
        trained = _count_training(images)
        fitted = torch.arange(trained, len(images)) if trained else maps.fitted_rows(len(images), seed)

    def work(report: Callable[[int, int], None]) -> None:
        encodings.check_room(file, model, images)
        encodings.keep(file, encodings.encode(model, images, report, fitted=fitted))

    raise NotEncodedError(file, images, work)


@st.cache_resource(max_entries=12, show_spinner=False)
def _encode(ident: str, content: str, data: str) -> tuple[Latents, ImageDataset]:
    model = open_model(ident, content)
    channels, size = model.image_shape[0], model.image_shape[1:]
    images = encodable(data, size, channels)
    if len(images) > _MOST_ITEMS:
        return _encode_kept(model, content, images), images
    labels = images.labels if images.classes == model.classes else None
    return Latents.of(model.evaluate(images.images, labels), images.labels, images.group, images.items), images
