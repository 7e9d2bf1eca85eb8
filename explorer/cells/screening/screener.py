"""Screening cells: how likely each is to be infected, how it came to that, and whether it is a cell at all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from torch import Tensor

from explorer.cells.screening.detector import OUTSIDE, Detector, read, residual_channels, residual_score
from explorer.cells.screening.fusing import fused, layout_of
from explorer.cells.screening.typicality import Typicality, cell_features, colourless
from explorer.checkpoints.model import Model, load
from explorer.errors import CheckpointError
from explorer.files.pictures import Progress
from explorer.images.arrays import to_array
from explorer.images.batches import resize_batch
from explorer.images.decoding import decode_image
from explorer.images.depth import eight_bits
from explorer.models.evaluation import log_likelihood, to_float

MODELS = ("cells-healthy-conv", "cells-infected-conv")
UNLIKE = 0.001
"""A picture less typical than this is flagged: of a thousand real cells one is."""

Picture = str | Path | bytes | Image.Image | np.ndarray | Tensor

_BATCH = 32  # images: what a core's cache holds of the activations
_IMPORTANCE_SAMPLES = 32


@dataclass(frozen=True)
class Screening:
    """What screening says of N cells, float32 on the CPU.

    Attributes:
        p_infected: probability of an infection in [0, 1], calibrated on the validation patients, among whose cells
            every second one is infected.
        log_ratio: log p(evidence | infected) / p(evidence | healthy) in nats: `p_infected` without that share. With
            another share of infected cells s, the probability is sigmoid(log_ratio + log s / (1 - s)).
        typicality: the share of the real cells of training and validation patients that are less typical, in [0, 1];
            0 for a picture without colour.
        residual_score: the largest local residual under the healthy model alone, in units of full brightness.
    """

    p_infected: Float[Tensor, " n"]
    log_ratio: Float[Tensor, " n"]
    typicality: Float[Tensor, " n"]
    residual_score: Float[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.p_infected)

    @property
    def unlike(self) -> Tensor:
        """Which pictures are unlike any cell in training, bool [N]: of these the other figures mean nothing."""
        return self.typicality < UNLIKE

    def assuming(self, share: float) -> Screening:
        """Gives the probabilities where that share of the cells, in (0, 1), is infected: Bayes' rule.

        Raises:
            ValueError: it is no such share.
        """
        return replace(self, p_infected=torch.sigmoid(self.log_ratio + log_odds_of(share)))


def log_odds_of(share: float) -> float:
    """Computes log s / (1 - s) of a share of infected cells in (0, 1). Raises ValueError for another."""
    if not 0 < share < 1:
        raise ValueError(f"a share of infected cells lies between 0 and 1, and is neither: not {share:g}")
    return math.log(share / (1 - share))


@dataclass(frozen=True)
class Examination:
    """A few cells looked at closely: the pictures and figures behind their screening.

    Attributes:
        images: what the models see, uint8 [N, 3, H, W].
        screening: as of `Screener.screen`.
        reconstructions: by the healthy and by the infected model, float32 [N, 3, H, W] in [0, 1] each.
        evidence: local evidence for an infection in nats [N, H / 2, W / 2], on the scale of `log_ratio`: places off
            the cell are NaN.
        codes: posterior means under either model, float32 [N, D] each.
        log_likelihoods: importance-weighted bounds on log p(x) in nats [N] under either model.
    """

    images: UInt8[Tensor, "n 3 h w"]
    screening: Screening
    reconstructions: tuple[Tensor, Tensor]
    evidence: Float[Tensor, "n h2 w2"]
    codes: tuple[Tensor, Tensor]
    log_likelihoods: tuple[Tensor, Tensor]

    @property
    def likelihood_ratio(self) -> Float[Tensor, " n"]:
        """log p(x | infected model) - log p(x | healthy model) in nats: positive speaks for infected."""
        return self.log_likelihoods[1] - self.log_likelihoods[0]


@dataclass(frozen=True)
class Calibration:
    """What turns scores into log odds; fitted on validation patients.

    Attributes:
        slope, intercept: of the log odds as a line in the pooled evidence: Platt 1999, "Probabilistic outputs for
            support vector machines".
        prior: log odds of an infection among the cells it was fitted on; `share` is that share of them.
    """

    slope: float
    intercept: float
    prior: float

    @property
    def share(self) -> float:
        return 1 / (1 + math.exp(-self.prior))

    def log_odds(self, scores: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return self.slope * scores + self.intercept


class Screener:
    """The models of healthy and of infected cells with the detector that reads their residuals, opened once.

    Calls change nothing, so that sessions can share one.
    """

    def __init__(
        self,
        healthy: Model,
        infected: Model,
        detector: Detector,
        calibration: Calibration,
        typicality: Typicality,
        version: str,
    ) -> None:
        """Holds what screens; `version` names its content, for tables."""
        if healthy.image_shape != infected.image_shape or healthy.image_shape[0] != 3:
            raise ValueError("the two models must take RGB images of one size")
        self.models = (healthy, infected)
        self.device = healthy.device
        self.detector = detector.to(self.device).eval().requires_grad_(False)
        self.calibration = calibration
        self.typicality = typicality
        self.version = version
        self._layout = layout_of(self.device)
        self._networks = tuple(fused(m.network).to(memory_format=self._layout) for m in self.models)
        self._reader = fused(self.detector).to(memory_format=self._layout)

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        return self.models[0].image_shape

    def prepare(self, images: Tensor | np.ndarray | Iterable[Picture]) -> UInt8[Tensor, "n 3 h w"]:
        """Prepares images as the models see them: RGB on a black square, resized.

        Args:
            images: uint8 [N, C, H, W] or [N, H, W, C] with 1 or 3 channels, red first, or pictures: paths, the bytes of
                files, Pillow's images, uint8 arrays [H, W], [H, W, 3] or [3, H, W]. A colourless picture is taken, and
                flagged as unlike any cell.

        Raises:
            ValueError: there are none, an array is not uint8, or has no such shape.
            ImageError: a picture cannot be read.
        """
        _, size, _ = self.image_shape
        if isinstance(images, str | Path | bytes | Image.Image):
            raise ValueError("images are several: put a single picture into a list; screen_files takes folders")
        if not isinstance(images, Iterable):
            raise ValueError(f"images are an array or pictures, not {type(images).__name__}")
        if isinstance(images, Tensor | np.ndarray):
            batch = _uint8(images)
            if batch.ndim == 4:
                batch = _channels_first(batch)
                if batch.shape[2] == batch.shape[3]:
                    return resize_batch(batch, size, 3)
                images = list(batch)
            else:
                raise ValueError(f"images are uint8 [N, 3, H, W], not {list(batch.shape)}")
        found = [torch.from_numpy(to_array(_picture(image), size, 3)) for image in images]
        if not found:
            raise ValueError("there are no images to screen")
        return torch.stack(found)

    @torch.inference_mode()
    def screen(self, images: Tensor | np.ndarray | Iterable[Picture], *, progress: Progress | None = None) -> Screening:
        """Screens images, given as for `prepare`. Raises ValueError or ImageError as it does."""
        prepared = self.prepare(images)
        parts = []
        for start in range(0, len(prepared), _BATCH):
            x = to_float(prepared[start : start + _BATCH], self.device)
            seen = self._look(x)
            features = cell_features(x, seen.reconstructions, seen.codes)
            parts.append((seen.scores, residual_score(x, seen.reconstructions[0]), features, colourless(x)))
            if progress:
                progress(min(start + _BATCH, len(prepared)), len(prepared))
        scores, residuals, features, gray = (torch.cat(column).cpu() for column in zip(*parts, strict=True))
        log_odds = self.calibration.log_odds(scores)
        return Screening(
            torch.sigmoid(log_odds),
            log_odds - self.calibration.prior,
            torch.where(gray, 0.0, self.typicality.of(features)),
            residuals,
        )

    @torch.inference_mode()
    def examine(
        self, images: Tensor | np.ndarray | Iterable[Picture], *, samples: int = _IMPORTANCE_SAMPLES
    ) -> Examination:
        """Looks at a few cells closely, with `samples` draws from each posterior for the log-likelihoods.

        Raises:
            ValueError, ImageError: as `prepare`.
        """
        prepared = self.prepare(images)
        seen = self._look(to_float(prepared, self.device))
        bounds = [log_likelihood(m.network, prepared, samples=samples, seed=0) for m in self.models]
        evidence = torch.where(seen.evidence > OUTSIDE, self.calibration.slope * seen.evidence, torch.nan)
        return Examination(
            prepared,
            self.screen(prepared),
            (seen.reconstructions[0].cpu(), seen.reconstructions[1].cpu()),
            evidence.cpu(),
            (seen.codes[0].cpu(), seen.codes[1].cpu()),
            (bounds[0], bounds[1]),
        )

    def _look(self, x: Float[Tensor, "n 3 h w"]) -> _Seen:
        """Takes images in [0, 1], on the device, through both models and the detector."""
        x = x.contiguous(memory_format=self._layout)
        codes = tuple(network.posterior(x).mean for network in self._networks)
        reconstructions = tuple(network.decode(z) for network, z in zip(self._networks, codes, strict=True))
        return _Seen(codes, reconstructions, *read(self._reader, residual_channels(x, reconstructions)))


@dataclass(frozen=True)
class _Seen:
    codes: tuple[Tensor, ...]
    reconstructions: tuple[Tensor, ...]
    evidence: Tensor
    scores: Tensor


def screen(
    images: Tensor | np.ndarray | Iterable[Picture], *, device: str = "auto", progress: Progress | None = None
) -> Screening:
    """Estimates how likely cells are to be infected, by the models that come with the program. Not a medical device.

    Args:
        images: uint8 [N, 3, H, W] of any size, or pictures; see `Screener.prepare`.
        device: auto, cpu, cuda or mps.
        progress: called with the number of images done and of all.

    Raises:
        ValueError: there are no images, or they are not of these shapes.
        ImageError: a picture cannot be read.
        CheckpointError: the models are missing or damaged.
    """
    return screener(device).screen(images, progress=progress)


@lru_cache(maxsize=2)
def screener(device: str = "auto") -> Screener:
    """Opens the screener of the shipped models, once for each device.

    Raises:
        CheckpointError: the models are missing or damaged, or their detector is.
        ValueError: the device is unknown or not on this machine.
    """
    healthy, infected = (load(name, device=device) for name in MODELS)
    try:
        stored = files("explorer.cells.screening").joinpath("detector.safetensors").read_bytes()
        tensors = tensors_of(stored)
        detector = Detector()
        detector.load_state_dict({k.removeprefix("detector."): v for k, v in tensors.items() if k[:9] == "detector."})
        values = {k.removeprefix("calibration."): v for k, v in tensors.items() if k[:12] == "calibration."}
        slope, intercept, prior = (float(values[name]) for name in ("slope", "intercept", "prior"))
        typicality = Typicality(**{k[11:]: v for k, v in tensors.items() if k[:11] == "typicality."})
        sums = [(model.info.path / "SHA256SUMS").read_bytes() for model in (healthy, infected)]
        version = hashlib.sha256(b"".join([*sums, stored])).hexdigest()[:16]
    except (OSError, SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"the detector of infected cells cannot be opened: {error}") from error
    return Screener(healthy, infected, detector, Calibration(slope, intercept, prior), typicality, version)


def _uint8(images: Tensor | np.ndarray) -> Tensor:
    if isinstance(images, np.ndarray) and images.dtype != np.uint8:
        raise ValueError(f"images are uint8, from 0 to 255, not {images.dtype}")
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(np.ascontiguousarray(images) if images.flags.writeable else images.copy())
    if images.dtype != torch.uint8:
        raise ValueError(f"images are uint8, from 0 to 255, not {str(images.dtype).removeprefix('torch.')}")
    return images.cpu()


def _channels_first(images: UInt8[Tensor, "n a b c"]) -> UInt8[Tensor, "n d h w"]:
    if images.numel() == 0:
        raise ValueError("there are no images to screen")
    if images.shape[1] in (1, 3):
        return images
    if images.shape[3] in (1, 3):
        return images.permute(0, 3, 1, 2).contiguous()
    raise ValueError(f"images have 1 or 3 channels, as [N, 3, H, W] or [N, H, W, 3], not {list(images.shape)}")


def _picture(source: Picture) -> Image.Image:
    if isinstance(source, Image.Image):
        return eight_bits(source)
    if isinstance(source, str | Path | bytes):
        return decode_image(source)
    if not isinstance(source, Tensor | np.ndarray):
        raise ValueError(f"a picture is a path, bytes, an image or an array, not {type(source).__name__}")
    pixels = _uint8(source).numpy()
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or pixels.size == 0:
        raise ValueError(f"an image is uint8 [H, W], [H, W, 3] or [3, H, W], not {list(pixels.shape)}")
    return Image.fromarray(np.ascontiguousarray(pixels))
