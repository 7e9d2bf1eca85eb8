"""How much of everything is run, and on what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from explorer.models import GaussianPosterior, Noise
from explorer.training import saving
from explorer.training.config import beta_at
from explorer.training.cuda_graphs import Step
from explorer.training.experiment import Experiment
from explorer.training.lifecycle import create_run
from explorer.training.optimizer import learning_rate
from explorer.training.presets import PRESETS, TrainConfig


@dataclass
class Plan:
    """One run of the benchmark.

    Attributes:
        device: where, for `choose_device`.
        root: where the data sets lie.
        folder: for runs; emptied by the caller.
        steps: of each comparison.
        seconds: that each throughput is measured for.
        quality: for presets, epochs to train for and the figure that is to be reached.
        matrix: side of the matrices that measure the peak rates.
        resumed: presets that are stopped and resumed.
        measured: presets whose throughput is measured.
        larger: batches that the first two of these are measured with as well.
        settings: that make networks small for a dry run.
    """

    device: str
    root: Path
    folder: Path
    steps: int
    seconds: float
    quality: dict[str, tuple[int, str, float]]
    matrix: int
    resumed: tuple[str, ...]
    measured: tuple[str, ...]
    larger: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    _made: int = 0

    def config(self, preset: str, **options: Any) -> TrainConfig:
        options = {"device": self.device, "umap": False, "data_root": self.root, **options}
        settings = {**self.settings, **options.pop("settings", {})}
        return TrainConfig(preset=preset, settings=settings, **options)

    def place(self) -> Path:
        """A folder for a run, not there yet."""
        self._made += 1
        return self.folder / f"run-{self._made}"

    def experiment(self, preset: str, **options: Any) -> Experiment:
        """A run at its first step, as `explorer.train` makes it."""
        path, config = self.place(), self.config(preset, **options)
        create_run(path, config)
        return Experiment.start(path, config)


# Of the presets whose published quality is timed: epochs, the figure, and what it should come to. `conv-100` is
# published with a test loss; for the others it is what our shipped checkpoints reach.
QUALITY = {
    "mlp-2d": (200, "elbo", -150.06),
    "conv-100": (50, "loss", 28.217),
    "cells-conv": (60, "mse", 0.0068),
    "ladder-conv": (5, "elbo", -91.6),
}
FULL: dict[str, Any] = {
    "steps": 10,
    "seconds": 0.8,
    "quality": QUALITY,
    "matrix": 8192,
    "resumed": ("mlp-2d", "conv-100", "cells-conv"),
    "measured": ("mlp-2d-mse", "mlp-2d", "conv-100", "cells-conv", "dense", "cvae", "vq", "ladder"),
    "larger": (512, 1024, 4096),
}
DRY: dict[str, Any] = {
    "steps": 2,
    "seconds": 0.02,
    "quality": {name: (1, *QUALITY[name][1:]) for name in ("conv-100", "ladder-conv")},
    "matrix": 64,
    "resumed": ("mlp-2d", "conv-100"),
    "measured": ("mlp-2d-mse", "conv-100", "vq", "ladder"),
    "larger": (32,),
    "settings": {"batch_size": 16},
}


def presets() -> list[str]:
    return list(PRESETS)


def batches(run: Experiment, steps: int) -> Iterator[Tensor]:
    """Positions of so many whole batches, the same on every device, without end of an epoch."""
    n, batch = len(run.train_set), run.recipe.batch_size
    generator = torch.Generator().manual_seed(1)
    order = torch.randperm(n, generator=generator).to(run.device)
    whole = max(1, n // batch)
    for i in range(steps):
        yield order[(i % whole) * batch :][:batch]


def take(run: Experiment, step: Step, steps: int) -> Tensor:
    """Takes steps as the loop does: nll, KL and the extra of each, nats an image, float64 [steps, 3]."""
    rows, batch = [], run.recipe.batch_size
    for i, index in enumerate(batches(run, steps)):
        epoch = i / run.steps
        rate = learning_rate(run.recipe, epoch, run.steps)
        rows.append(step(index, rate, beta_at(run.recipe, epoch)))
    return torch.stack(rows).double().cpu() / batch


@contextmanager
def shared_noise(seed: int = 0) -> Iterator[None]:
    """Draws the posterior's noise on the CPU: a GPU's generator gives other numbers for the same seed."""
    generator = torch.Generator().manual_seed(seed)

    def sample(self: GaussianPosterior, _: Noise = None) -> Tensor:
        drawn = torch.randn(self.mean.shape, generator=generator).to(self.mean.device)
        return torch.addcmul(self.mean, drawn, torch.exp(0.5 * self.logvar))

    with mock.patch.object(GaussianPosterior, "sample", sample):
        yield


@contextmanager
def without_map_quality() -> Iterator[None]:
    """Leaves out how good the maps of the test set are at a run's end: a CPU's work of several seconds."""
    make = saving.map_latents
    with mock.patch.object(saving, "map_latents", lambda latents, **given: make(latents, **{**given, "final": False})):
        yield


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference of the same steps' figures, relative to the largest of them: a loss may pass zero."""
    return float((a - b).abs().sum(1).max() / b.abs().sum(1).max())


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
