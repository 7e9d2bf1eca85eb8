"""What a model looks like after each epoch: reconstructions, samples and a small map, to watch it learn.

Each frame is a file of its own in the run's `frames/`, next to `probe.safetensors`, which has what all of them share.
Frames are for looking: they never take more than a fiftieth of the time, and what is left of many is every second one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from explorer.checkpoints.folder import read_metadata, read_tensors
from explorer.datasets import ImageDataset
from explorer.errors import CheckpointError
from explorer.files.journal import replace_file
from explorer.latents import fitted_draws, maps
from explorer.models import LatentModel
from explorer.models.conditional import in_turn
from explorer.models.evaluation import to_float

SHOWN = 8  # test images that are reconstructed
SAMPLES = 64
PROBE = 500  # points of the map
SIDE = 64  # pixels: larger images are shrunk
SHARE = 0.02  # of the time that frames may take
MOST = 240  # frames that are kept
MOST_BYTES = 64 << 20  # of a run's frames: larger images, fewer frames
_FILE = re.compile(r"(\d+)\.safetensors")


@dataclass(frozen=True)
class Probe:
    """What the frames of a run have in common: the test images shown and the points of the map.

    `originals` uint8 [R, C, h, w]; `labels` int64 [P] or None; `index` int64 [P], positions in the test split, of
    which the first R are the images shown; `classes` the names of the labels.
    """

    originals: UInt8[Tensor, "r c h w"]
    labels: Int[Tensor, " p"] | None
    index: Int[Tensor, " p"]
    classes: list[str]


@dataclass(frozen=True)
class Frame:
    """One epoch: `reconstructions` uint8 [R, C, h, w], `samples` uint8 [64, C, h, w] of fixed noise, `points` [P, 2]
    and the average `kl` of each latent in nats [D]."""

    reconstructions: UInt8[Tensor, "r c h w"]
    samples: UInt8[Tensor, "s c h w"]
    points: Float[Tensor, "p 2"]
    kl: Float[Tensor, " d"]


def choose_probe(labels: Tensor | None, count: int) -> Tensor:
    """Positions of the probe set among `count` images: one of each class first, then in a fixed random order."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    if labels is not None:
        seen: set[int] = set()
        first = []
        for position in order.tolist():
            if (label := int(labels[position])) not in seen:
                seen.add(label)
                first.append((label, position))
        ahead = [position for _, position in sorted(first)][:SHOWN]
        chosen = set(ahead)
        order = torch.tensor(ahead + [p for p in order.tolist() if p not in chosen], dtype=torch.int64)
    return order[:PROBE]


class FrameWriter:
    """Writes the frames of one run.

    Args:
        path: the run's folder.
        test_set: where the probe set is taken from.
        latent: D.
        epoch: how many epochs the run has done: frames of later ones, from before it was killed, are removed.
        positions: int64 [N], where in the test split the images of `test_set` are; None if they are all of it.
    """

    def __init__(
        self,
        path: Path,
        test_set: ImageDataset,
        latent: int,
        *,
        epoch: int = 0,
        positions: Int[Tensor, " n"] | None = None,
    ) -> None:
        self.folder = path / "frames"
        self.folder.mkdir(exist_ok=True)
        index = choose_probe(test_set.labels, len(test_set))
        self.images = test_set.images[index]
        self.labels = None if test_set.labels is None else test_set.labels[index]
        self.noise = torch.randn(SAMPLES, latent, generator=torch.Generator().manual_seed(0))
        originals = _small(to_float(self.images[:SHOWN], torch.device("cpu")))
        probe = {"originals": originals, "index": index if positions is None else positions[index]}
        if self.labels is not None:
            probe["labels"] = self.labels
        names = {"classes": json.dumps(test_set.classes)}
        replace_file(self.folder / "probe.safetensors", tensor_bytes(probe, names))
        size = originals[0].numel() * (SHOWN + SAMPLES)
        self.most = max(24, min(MOST, MOST_BYTES // size))
        self.stride = 1
        self.epochs = frame_epochs(path)
        for later in [e for e in self.epochs if e > epoch]:
            self._remove(later)
        self.last: Tensor | None = None
        if self.epochs:
            with contextlib.suppress(CheckpointError):
                self.last = read_frame(path, self.epochs[-1]).points
        self._cost, self._written = 0.0, -torch.inf

    def offer(self, model: LatentModel, epoch: int, kl: Tensor, *, last: bool = False) -> None:
        """Write the frame of an epoch, unless that would slow the training down. The last one is always written.

        Raises:
            OSError: the disk is full or the folder is gone.
        """
        start = time.perf_counter()
        if not last and (epoch % self.stride or start - self._written < self._cost / SHARE):
            return
        frame = self._draw(model, kl)
        self.last = frame["points"]
        replace_file(self.folder / f"{epoch:05d}.safetensors", tensor_bytes(frame))
        self.epochs = [e for e in self.epochs if e != epoch] + [epoch]
        while len(self.epochs) > self.most:
            self.stride *= 2
            for old in [e for e in self.epochs[:-1] if e % self.stride]:
                self._remove(old)
        self._written = time.perf_counter()
        self._cost = self._written - start

    @torch.inference_mode()
    def _draw(self, model: LatentModel, kl: Tensor) -> dict[str, Tensor]:
        device = next(model.parameters()).device
        training = model.training
        model.eval()
        try:
            codes = model.posterior(to_float(self.images, device)).mean
            latent = codes.cpu()
            noise = self.noise if model.has_prior else fitted_draws(latent, self.noise)
            told = drawn = None
            if model.conditional and self.labels is not None:
                told = self.labels[:SHOWN].to(device)
                drawn = in_turn(len(noise), model.config.classes).to(device)
            shown = model.decode(codes[:SHOWN], told).cpu()
            samples = model.decode(noise.to(device), drawn).cpu()
        finally:
            model.train(training)
        points = latent
        if latent.shape[1] != 2:
            points = maps.pca(latent).points
            if self.last is not None and len(self.last) == len(points):
                points = maps.align(points, self.last)
        tensors = {"reconstructions": _small(shown), "samples": _small(samples), "points": points, "kl": kl}
        return {name: tensor.contiguous() for name, tensor in tensors.items()}

    def _remove(self, epoch: int) -> None:
        self.epochs.remove(epoch)
        with contextlib.suppress(OSError):
            os.unlink(self.folder / f"{epoch:05d}.safetensors")


def _small(images: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h2 w2"]:
    """Images in [0, 1] as bytes, at most 64 pixels a side."""
    h, w = images.shape[-2:]
    shrink = min(1.0, SIDE / max(h, w))
    if shrink < 1:
        size = (max(1, round(h * shrink)), max(1, round(w * shrink)))
        images = F.interpolate(images, size, mode="bilinear", antialias=True)
    return images.clamp(0, 1).mul(255).round().to(torch.uint8).contiguous()


def frame_epochs(path: Path) -> list[int]:
    """The epochs that a run's folder has frames of, in order."""
    try:
        names = os.listdir(path / "frames")
    except OSError:
        return []
    return sorted(int(m[1]) for name in names if (m := _FILE.fullmatch(name)))


def read_frame(path: Path, epoch: int) -> Frame:
    """The frame of an epoch. Raises CheckpointError when it is not there or damaged."""
    tensors = read_tensors(path / "frames" / f"{epoch:05d}.safetensors")
    try:
        return Frame(tensors["reconstructions"], tensors["samples"], tensors["points"], tensors["kl"])
    except KeyError as error:
        raise CheckpointError(f"the frame of epoch {epoch} is incomplete: {error} is missing") from error


def read_probe(path: Path) -> Probe:
    """What a run's frames have in common. Raises CheckpointError when it is not there or damaged."""
    file = path / "frames" / "probe.safetensors"
    tensors, names = read_tensors(file), read_metadata(file)
    try:
        classes = [str(name) for name in json.loads(names["classes"])]
        return Probe(tensors["originals"], tensors.get("labels"), tensors["index"], classes)
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"the run's probe set is incomplete: {error}") from error
