"""What a model looks like after each epoch: reconstructions, samples and a small map, to watch it learn.

Frames are for looking: they never take more than a fiftieth of the time, and what is left of many is every second one.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from explorer.datasets import ImageDataset
from explorer.latents import fitted_draws, maps
from explorer.models import LatentModel
from explorer.models.conditional import cycle_labels
from explorer.models.evaluation import to_float
from explorer.training.frame_files import Frame, FrameFolder, Probe

SHOWN = 8  # test images that are reconstructed
SAMPLES = 64
PROBE = 500  # points of the map
SIDE = 64  # pixels: larger images are shrunk
SHARE = 0.02  # of the time that frames may take


def choose_probe(labels: Tensor | None, count: int) -> Tensor:
    """Chooses the probe set among `count` images: one of each class first, then in a fixed random order."""
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
        model: what is looked at.
        epoch: how many epochs the run has done: frames of later ones, from before it was killed, are removed.
        positions: int64 [N], where in the test split the images of `test_set` are; None if they are all of it.
    """

    def __init__(
        self,
        path: Path,
        test_set: ImageDataset,
        model: LatentModel,
        *,
        epoch: int = 0,
        positions: Int[Tensor, " n"] | None = None,
    ) -> None:
        index = choose_probe(test_set.labels, len(test_set))
        self.images = test_set.images[index]
        self.labels = None if test_set.labels is None else test_set.labels[index]
        originals = _small(to_float(self.images[:SHOWN], torch.device("cpu")))
        self.model, spread = model, model.prior_spread()
        bars = model.layers if len(model.layers) > 1 else model.groups
        alone = all(group.size == 1 for group in bars)
        probe = Probe(
            originals,
            self.labels,
            index if positions is None else positions[index],
            test_set.classes,
            groups=None if alone else [group.name for group in bars],
            rings=None if spread is None or model.learns_prior or not model.has_plane else torch.cat(spread).tolist(),
        )
        self.files = FrameFolder(path, probe, epoch=epoch)
        self.last = self.files.last_points()
        self._cost, self._written = 0.0, -torch.inf

    def offer(self, epoch: int, kl: Tensor, *, last: bool = False) -> None:
        """Writes the frame of an epoch, unless that would slow the training down. The last one is always written.

        Raises:
            OSError: the disk is full or the folder is gone.
        """
        start = time.perf_counter()
        if not last and (epoch % self.files.stride or start - self._written < self._cost / SHARE):
            return
        frame = self._draw(self.model.by_layer(kl) if len(self.model.layers) > 1 else kl)
        self.last = frame.points
        self.files.add(epoch, frame)
        self._written = time.perf_counter()
        self._cost = self._written - start

    @torch.inference_mode()
    def _draw(self, kl: Tensor) -> Frame:
        model = self.model
        device = next(model.parameters()).device
        training = model.training
        model.eval()
        try:
            codes = model.posterior(to_float(self.images, device)).mean
            latent = codes.cpu()
            generator = torch.Generator().manual_seed(0)
            classes = drawn = None
            if model.config.classes and self.labels is not None:
                classes = self.labels[:SHOWN].to(device)
                drawn = cycle_labels(SAMPLES, model.config.classes).to(device)
            if model.has_prior:
                noise = model.sample_prior(SAMPLES, 1.0, generator, drawn)
            else:
                noise = fitted_draws(latent, torch.randn(SAMPLES, model.latent, generator=generator))
            shown = model.decode(codes[:SHOWN], classes).cpu()
            samples = model.decode(noise.to(device), drawn).cpu()
        finally:
            model.train(training)
        points = latent
        if not model.has_plane:
            points = maps.pca(latent).points
            if self.last is not None and len(self.last) == len(points):
                points = maps.align(points, self.last)
        return Frame(_small(shown), _small(samples), points, kl)


def _small(images: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h2 w2"]:
    """Images in [0, 1] as bytes, at most 64 pixels a side."""
    h, w = images.shape[-2:]
    shrink = min(1.0, SIDE / max(h, w))
    if shrink < 1:
        size = (max(1, round(h * shrink)), max(1, round(w * shrink)))
        images = F.interpolate(images, size, mode="bilinear", antialias=True)
    return images.clamp(0, 1).mul(255).round().to(torch.uint8)
