"""Codes of a data set that takes minutes to encode: a block at a time, with progress, and kept on the disk.

A file is named by what was encoded by what, so it is never out of date; it lies beside the data, and goes when they go.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save

from explorer import datasets
from explorer.checkpoints.model import Model
from explorer.datasets import ImageDataset
from explorer.datasets.base import data_root
from explorer.datasets.own.catalog import PREFIX, folder
from explorer.errors import DatasetError
from explorer.files.hosting import limits
from explorer.files.journal import replace_file
from explorer.files.limits import free_bytes
from explorer.files.owner import Owner
from explorer.files.tensors import read_tensors
from explorer.latents import Latents, maps
from explorer.models import Posterior
from explorer.models.evaluation import Rows

MOST_ITEMS = 1_000_000
"""Images of one map."""
_BLOCK = 1000  # images between two reports
_MOST_KEPT = 8  # files of a data set: of the models that were looked at last


def encodings_file(content: str, images: ImageDataset) -> Path:
    """Names the file with the codes of images under a checkpoint of that digest."""
    place = folder() / images.name.removeprefix(PREFIX) if datasets.is_own(images.name) else data_root()
    return place / "codes" / f"{sha256(f'{content} {images.fingerprint}'.encode()).hexdigest()[:32]}.safetensors"


def check_room(file: Path, model: Model, images: ImageDataset) -> None:
    """Raises DatasetError where the disk has no room for the codes of images."""
    needed = len(images) * (6 * model.latent + 8 + 8 * len(model.mapped.maps))
    spare, free = limits(Owner()).free_gb, free_bytes(file.parent)
    if free - needed < spare * 1e9:
        raise DatasetError(
            f"The disk has {free / 1e9:.1f} GB left: the codes of {images.name}, {needed / 1e6:,.1f} MB, do not fit "
            f"beside the {spare:g} GB that must stay free."
        )


def encode(
    model: Model, images: ImageDataset, report: Callable[[int, int], None], *, fitted: torch.Tensor | None = None
) -> Latents:
    """Encodes images and places them on each of the model's maps.

    Args:
        model: the model.
        images: of its shape.
        report: hears how many images are done, of how many; what it raises ends the work.
        fitted: rows int64 [M] of images that the model's maps were fitted to: what is measured of the maps is measured
            on others, where there are enough.
    """
    labels = images.labels if images.classes == model.classes else None
    rows, sums = Rows(len(images)), torch.zeros(())
    for start in range(0, len(images), _BLOCK):
        report(start, len(images))
        block = slice(start, start + _BLOCK)
        found = model.evaluate(images.images[block], None if labels is None else labels[block], seed=start // _BLOCK)
        points = [placing.place(found.posterior.mean) for placing in model.mapped.maps.values()]
        rows.add(*found.posterior, found.kl, found.reconstruction, *points)
        sums = sums + found.kl_by_group * len(found.kl)
    report(len(images), len(images))
    mean, logvar, kl, reconstruction, *points = rows.columns
    placed = dict(zip(model.mapped.maps, points, strict=True))
    judged = maps.judged(len(images), fitted)
    quality = {
        kind: maps.quality(mean[judged], xy[judged], None if images.labels is None else images.labels[judged])
        for kind, xy in placed.items()
    }
    if "umap" in quality:
        quality["umap"]["placed"] = 1.0
    codes = Latents(
        Posterior(mean, logvar), kl, reconstruction, torch.arange(len(images)), kl_by_group=sums / len(images)
    )
    return _with_maps(codes, model, placed, quality, images)


def keep(file: Path, codes: Latents) -> None:
    """Writes codes with their maps. Raises OSError; then nothing of them is left."""
    tensors = {
        "mean": codes.mean,
        "logvar": codes.posterior.logvar.half(),
        "kl": codes.kl,
        "reconstruction": codes.reconstruction,
        "kl_by_group": codes.kl_by_group,
        **{f"map_{kind}": found.points for kind, found in codes.maps.items()},
    }
    data = save(
        {name: value.contiguous() for name, value in tensors.items() if value is not None},
        {"quality": json.dumps(codes.quality)},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, data)
    for old in sorted(file.parent.glob("*.safetensors"), key=lambda path: path.stat().st_mtime)[:-_MOST_KEPT]:
        old.unlink(missing_ok=True)


def kept(file: Path, model: Model, images: ImageDataset) -> Latents | None:
    """Reads what `keep` wrote of images; None where there is nothing, or nothing that can be used."""
    n, kinds = len(images), list(model.mapped.maps)
    shapes = {"mean": (n, model.latent), "logvar": (n, model.latent), "kl": (n,), "reconstruction": (n,)}
    shapes |= {f"map_{kind}": (n, 2) for kind in kinds}
    try:
        tensors, metadata = read_tensors(file)
        if any(tensors[name].shape != shape for name, shape in shapes.items()):
            return None
        quality = {kind: dict(json.loads(metadata["quality"])[kind]) for kind in kinds}
        codes = Latents(
            Posterior(tensors["mean"], tensors["logvar"].float()),
            tensors["kl"],
            tensors["reconstruction"],
            torch.arange(n),
            kl_by_group=tensors["kl_by_group"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with contextlib.suppress(OSError):  # another person's
        os.utime(file)
    return _with_maps(codes, model, {kind: tensors[f"map_{kind}"] for kind in kinds}, quality, images)


def _with_maps(
    codes: Latents,
    model: Model,
    placed: dict[str, torch.Tensor],
    quality: dict[str, dict[str, float]],
    images: ImageDataset,
) -> Latents:
    made = {kind: replace(model.mapped.maps[kind], points=xy, codes=codes.mean) for kind, xy in placed.items()}
    return replace(codes, maps=made, quality=quality, labels=images.labels, group=images.group, items=images.items)
