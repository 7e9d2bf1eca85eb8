"""What a person uses of what one person may, and the sentences where that is too much."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import lru_cache

import torch

from explorer import datasets
from explorer.checkpoints.folder import runs_folder
from explorer.datasets import own
from explorer.datasets.own.catalog import folder as own_folder
from explorer.errors import DatasetError, RunError
from explorer.files.hosting import limits
from explorer.files.limits import bytes_of, free_bytes
from explorer.files.owner import Owner, read_owner
from explorer.models import build
from explorer.runs.listing import RunInfo, active, folders
from explorer.training.experiment import model_config
from explorer.training.presets import Recipe, TrainConfig, preset


def count_active(owner: Owner) -> int:
    """Counts the runs of a person that wait or run."""
    return sum(info.owner.ident == owner.ident for info in active())


def disk_used(owner: Owner) -> int:
    """Counts the bytes of a person's runs and data sets. Looks at every file of them."""
    kept = [own_folder() / name for name in own.names()]
    return bytes_of(path for path in (*folders(), *kept) if read_owner(path).ident == owner.ident)


def check_run(config: TrainConfig, owner: Owner) -> None:
    """Raises RunError where a person may not start such a run, or not now."""
    check_size(config, owner)
    allowed = limits(owner)
    if allowed.runs is not None and (count := count_active(owner)) >= allowed.runs:
        has = "A run of yours waits or runs" if count == 1 else f"{count} runs of yours wait or run"
        raise RunError(f"{has}, as many as one person may have here: let one end, or cancel it.")
    check_room(owner)


def check_resumed(info: RunInfo, epochs: int | None) -> None:
    """Raises RunError where its person may not let a run go on up to so many epochs, or not now."""
    minutes = limits(info.owner).minutes
    if minutes is not None and info.seconds >= 60 * minutes:
        raise RunError(f"{info.name} has trained for {minutes:g} minutes, as long as a run may here.")
    check_run(info.config if epochs is None else replace(info.config, epochs=epochs), info.owner)


def check_size(config: TrainConfig, owner: Owner) -> None:
    """Raises RunError where a run would be larger than a person may start, whatever else there is."""
    allowed, recipe = limits(owner), config.recipe()
    if allowed.images is not None and (count := images(config)) > allowed.images:
        per_epoch = count // max(1, recipe.epochs)
        raise RunError(
            f"{recipe.epochs:,} epochs of {per_epoch:,} images are more than the {allowed.images:,} images that a run "
            f"may see here: {_or_fewer(allowed.images // per_epoch)}."
        )
    if allowed.weights is not None and (count := _weights_on(config, recipe)) > allowed.weights:
        raise RunError(
            f"This network has {count:,} weights, and a model may have {allowed.weights:,} here: choose fewer or "
            "narrower layers."
        )


def _or_fewer(epochs: int) -> str:
    return "choose smaller data" if epochs < 1 else f"choose {epochs:,} epochs or fewer"


def check_room(owner: Owner, more: int = 0) -> None:
    """Raises RunError where a person may put nothing more on the disk, or not so many bytes more."""
    allowed = limits(owner)
    for place in (runs_folder(), own_folder()):
        with contextlib.suppress(OSError):  # which the one who writes there will say
            if (free := free_bytes(place)) - more < allowed.free_gb * 1e9:
                raise RunError(
                    f"The disk is nearly full: {free / 1e9:.1f} GB are left, and {allowed.free_gb:g} GB must stay for "
                    "runs that are on their way. Delete runs or data sets first."
                )
    if allowed.disk_gb is not None and (used := disk_used(owner)) + more >= allowed.disk_gb * 1e9:
        raise RunError(
            f"Your runs and data sets take {used / 1e9:.2g} GB, and one person may have {allowed.disk_gb:g} GB here: "
            "delete some of them first."
        )


def images(config: TrainConfig) -> int:
    """How many images a run sees in all of its epochs, as far as its data set's size is known beforehand."""
    return config.recipe().epochs * training_images(config.dataset or preset(config.preset).dataset)[0]


def training_images(name: str) -> tuple[int, tuple[int, int, int] | None]:
    """How many images a data set has to train on, 60,000 where it does not say, and their shape as far as is known."""
    if name.startswith("own:"):
        with contextlib.suppress(DatasetError):
            found = own.details(name.removeprefix("own:"))
            return found.counts["train"], found.image_shape
    source = datasets.SOURCES.get(name)
    return (60_000, None) if source is None else (source.counts.get("train", 60_000), source.image_shape)


def _weights_on(config: TrainConfig, recipe: Recipe) -> int:
    """Counts the weights; none where the shape of the images is known only once they are read."""
    name = config.dataset or preset(config.preset).dataset
    shape = next((info.image_shape for info in datasets.available(config.data_root) if info.name == name), None)
    return 0 if shape is None else _weights(recipe, shape)


@lru_cache(maxsize=64)
def _weights(recipe: Recipe, shape: tuple[int, int, int]) -> int:
    with torch.device("meta"):  # without memory
        return sum(weights.numel() for weights in build(model_config(recipe, shape, 2)).parameters())
