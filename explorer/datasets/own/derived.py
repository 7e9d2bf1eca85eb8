"""A data set of a person's own, made of one that is here: some images kept, left out, or put into other classes."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from explorer.datasets.base import SPLITS, DatasetInfo, ImageDataset
from explorer.datasets.own.catalog import check_name, taken
from explorer.datasets.own.creation import store, taken_error
from explorer.errors import DatasetError
from explorer.files.owner import NOBODY, Owner

_TEST_SHARE = 0.2


def derive(
    name: str,
    data: ImageDataset,
    *,
    keep: Tensor,
    classes: Mapping[int, str],
    training: Tensor | None = None,
    owner: Owner = NOBODY,
    root: str | os.PathLike[str] | None = None,
) -> DatasetInfo:
    """Keeps some of the images as `own:NAME`, as they are.

    Args:
        name: up to 40 letters, digits, dots, dashes and underscores.
        data: the images.
        keep: which of them, bool [N].
        classes: the classes of those, by position, that get another one. Of images without classes those that get none
            are "other".
        training: which of them are for training, bool [N]; without, or where all that is kept is of one split, they are
            dealt anew, a fifth of each class for testing.
        owner: whose it will be.
        root: where data sets lie.

    Raises:
        DatasetError: the name is none or taken, too few images are left, or they cannot be stored.
    """
    check_name(name)
    if taken(name, root):
        raise taken_error(name)
    rows = keep.nonzero().flatten()
    kept = _relabelled(data, classes).subset(rows)
    kept = _without_empty_classes(kept)
    for_training = _deal(kept) if training is None else training[rows]
    if for_training.all() or not for_training.any():  # all that is kept is of one split
        for_training = _deal(kept)
    splits = {
        split: replace(kept.subset(for_training if split == "train" else ~for_training), split=split, notes=[])
        for split in SPLITS
    }
    if not all(len(part) for part in splits.values()):
        raise DatasetError("Too few images are left to train on some and test on others: keep more of them.")
    digest = hashlib.sha256("".join(part.fingerprint for part in splits.values()).encode()).hexdigest()
    origin = f"Your own, made of {data.name}"
    return store(name, splits, origin, _group_column(kept), "derived", digest, owner=owner, root=root)


def _relabelled(data: ImageDataset, classes: Mapping[int, str]) -> ImageDataset:
    if not classes:
        return data
    own = ["other"] * len(data) if data.labels is None else [data.classes[i] for i in data.labels.tolist()]
    named = [classes.get(i, name) for i, name in enumerate(own)]
    found = sorted(set(named))
    place = {name: i for i, name in enumerate(found)}
    return replace(data, labels=torch.tensor([place[name] for name in named]), classes=found)


def _without_empty_classes(data: ImageDataset) -> ImageDataset:
    if data.labels is None:
        return data
    present, labels = data.labels.unique(return_inverse=True)
    return replace(data, labels=labels, classes=[data.classes[i] for i in present.tolist()])


def _group_column(data: ImageDataset) -> str:
    """The column of the items that the groups are, where one is."""
    columns = {} if data.items is None or data.group is None else data.items.columns
    return next((name for name, column in columns.items() if isinstance(column, list) and column == data.group), "")


def _deal(data: ImageDataset) -> Tensor:
    """Deals a fifth of each class, at least one of two, for testing; bool [N] of those for training."""
    labels = torch.zeros(len(data), dtype=torch.int64) if data.labels is None else data.labels
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    training = torch.ones(len(data), dtype=torch.bool)
    for label in labels.unique().tolist():
        members = order[labels[order] == label]
        training[members[: math.ceil(_TEST_SHARE * len(members)) if len(members) > 1 else 0]] = False
    return training
