"""A model that was trained elsewhere: a pair of ONNX graphs on the CPU, or two functions of another process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.models.base import LatentModel, place_name, register
from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.graphs import Graph, at_once
from explorer.models.options import option
from explorer.models.posteriors import GaussianPosterior, PointPosterior, Posterior
from explorer.models.registry import NETWORKS

LAYOUTS = ("NCHW", "NHWC")
_NEARLY = 1e-7  # of 0 or 1: chances of a white pixel that onnxruntime's sigmoid still tells from them


@no_type_check
@dataclass(frozen=True, kw_only=True)
class AdoptedConfig(ModelConfig):
    """How images and codes go into a pair of graphs, and what comes out."""

    encoder_bytes: int = option("Encoder", "data", "Bytes of the encoder's graph", minimum=1)
    decoder_bytes: int = option("Decoder", "data", "Bytes of the decoder's graph", minimum=1)
    has_prior: bool = option("Prior", "data", "Whether codes as a whole follow N(0, I)")
    mean_output: int = option("Mean", "data", "Which of the encoder's outputs is the mean", minimum=0)
    logvar_output: int = option("Log variance", "data", "Which is the log variance, -1 for none", minimum=-1)
    code_shape: tuple[int, ...] = option(
        "Shape of a code", "data", "As the graphs have it", minimum=1, maximum=4096, longest=8
    )
    layout: str = option("Layout", "data", "Where an image's channels are", choices=LAYOUTS)
    low: float = option("Black", "data", "The value of a black pixel")
    high: float = option("White", "data", "The value of a white pixel")


class _Elsewhere:
    """The network of such a model, as registries have it."""

    convolves = False

    def check(self, settings: ModelSettings) -> None:
        if not isinstance(settings, AdoptedConfig):
            raise ValueError(
                f"network {settings.network} is that of models that were trained elsewhere: choose another"
            )


NETWORKS.register("onnx", "ONNX", "a graph that was trained elsewhere", listed=False)(_Elsewhere())  # type: ignore[arg-type]
NETWORKS.register("python", "Python", "functions of a process that runs", listed=False)(_Elsewhere())  # type: ignore[arg-type]


@register
class Adopted(LatentModel):
    """A pair of graphs as bytes, which are its weights: the buffers `encoder` and `decoder`, uint8.

    Of the network `python` they say where its functions can be asked for.

    The encoder gives each image's mean and the logarithm of its variance, or a code alone; codes of any shape are
    vectors here. The decoder gives images, and where it is told the class, takes that as whole numbers.
    """

    family = "adopted"
    label = "model trained elsewhere"
    help = "a model that was trained elsewhere and adopted as a pair of ONNX files"
    trains = False
    config_type = AdoptedConfig
    settings: ClassVar[tuple[str, ...]] = ()
    config: AdoptedConfig
    encoder: Tensor
    decoder: Tensor

    def __init__(self, config: AdoptedConfig) -> None:
        super().__init__(config)
        self.has_prior = config.has_prior  # type: ignore[misc]
        self.conditional = config.classes > 0  # type: ignore[misc]
        self.register_buffer("encoder", torch.empty(config.encoder_bytes, dtype=torch.uint8))
        self.register_buffer("decoder", torch.empty(config.decoder_bytes, dtype=torch.uint8))

    @classmethod
    def check(cls, settings: ModelSettings) -> None:
        super().check(settings)
        if not isinstance(settings, AdoptedConfig):
            return
        if math.prod(settings.code_shape) != settings.latent:
            raise ValueError(f"code_shape must have {settings.latent:,} numbers, not {settings.code_shape}")
        if settings.low >= settings.high:
            raise ValueError(f"high must be more than low, which is {settings.low:g}, not {settings.high:g}")
        if settings.has_prior and settings.logvar_output < 0:
            raise ValueError("has_prior must be false for an encoder that gives a code alone")

    def latent_name(self, i: int) -> str:
        shape = self.config.code_shape
        if len(shape) != 3:
            return super().latent_name(i)
        last = self.config.layout == "NHWC"
        return place_name(i, shape if last else (*shape[1:], shape[0]), channels_last=last)

    @classmethod
    def reads_classes(cls, settings: ModelSettings) -> bool:
        return getattr(settings, "classes", 0) > 0

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Adopted:
        return self  # it runs on the CPU, wherever what it is given lies

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        config = self.config
        images = config.low + (config.high - config.low) * x.cpu()
        if config.layout == "NHWC":
            images = images.permute(0, 2, 3, 1)
        found = self._encode(images.numpy())
        mean = self._codes(found, config.mean_output).to(x.device)
        if not self.has_prior:
            return PointPosterior(mean, torch.full_like(mean, -torch.inf))
        return GaussianPosterior(mean, self._codes(found, config.logvar_output).to(x.device))

    def _codes(self, found: list[np.ndarray], which: int) -> Float[Tensor, "n d"]:
        """One of the encoder's outputs as vectors. Raises RuntimeError where it is none of such codes."""
        if which >= len(found) or found[which][0].size != self.latent:
            shapes = " and ".join(str(list(array.shape)) for array in found)
            raise RuntimeError(f"the encoder gives no {self.latent:,} numbers an image as output {which}: {shapes}")
        return torch.from_numpy(found[which]).reshape(len(found[which]), -1).float()

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n p h w"]:
        config = self.config
        given = [z.cpu().numpy().reshape(-1, *config.code_shape)]
        if self.conditional:
            given.append(np.zeros(len(z), np.int64) if labels is None else labels.cpu().numpy())
        c, h, w = config.image_shape
        shape = (h, w, c) if config.layout == "NHWC" else (c, h, w)
        made = torch.from_numpy(self._decode(*given)[0]).float()
        if made[0].numel() != config.pixels or (made.ndim == 4 and made.shape[1:] != shape):
            raise RuntimeError(f"the decoder gives {list(made.shape)} for {len(z)} codes, not images of {list(shape)}")
        images = made.view(-1, *shape).permute(0, 3, 1, 2) if config.layout == "NHWC" else made.view(-1, *shape)
        images = ((images - config.low) / (config.high - config.low)).to(z.device)
        return images.logit(_NEARLY) if config.output == "sigmoid" else images

    @cached_property
    def _encode(self) -> Graph:
        return Graph(self.encoder, self.config.network, at_once(self.config.pixels))

    @cached_property
    def _decode(self) -> Graph:
        return Graph(self.decoder, self.config.network, at_once(self.config.pixels))
