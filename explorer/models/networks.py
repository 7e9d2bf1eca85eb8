"""Encoder and decoder bodies, dense, convolutional and residual, and how their weights start.

Batch norm, where the config has it, comes after each hidden layer and before its ReLU (Ioffe & Szegedy 2015,
arXiv:1502.03167, section 3.2).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

from explorer.models.base import LatentModel
from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.layers import BatchNorm1d, BatchNorm2d, halved_sides
from explorer.models.registry import INITIALISATIONS, NETWORKS
from explorer.models.residual import Residual


class Network(Protocol):
    """What an encoder and a decoder are made of."""

    convolves: bool  # which is worth threads, another layout in memory and bfloat16

    def check(self, settings: ModelSettings) -> None:
        """Raises ValueError, one sentence, for widths that do not go together."""
        ...

    def encoder(self, config: ModelConfig, outputs: int) -> nn.Module:
        """Makes the module from images [N, C, H, W] to [N, outputs], without a nonlinearity at the end."""
        ...

    def decoder(self, config: ModelConfig, inputs: int) -> nn.Module:
        """Makes the module from codes [N, inputs] to logits [N, *config.logits_shape]."""
        ...


class Dense:
    """Fully connected layers."""

    convolves = False

    def check(self, settings: ModelSettings) -> None:
        """Any widths go together."""

    def encoder(self, config: ModelConfig, outputs: int) -> nn.Module:
        widths = (config.pixels, *config.encoder)
        layers: list[nn.Module] = [nn.Flatten()]
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), *_norm(config, BatchNorm1d, b), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))

    def decoder(self, config: ModelConfig, inputs: int) -> nn.Module:
        widths, shape = (inputs, *config.decoder), config.logits_shape
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), *_norm(config, BatchNorm1d, b), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers, nn.Linear(widths[-1], math.prod(shape)), nn.Unflatten(1, shape))


class Convolutional:
    """Convolutions; each encoder layer halves the sides, and each decoder layer doubles them to what they were."""

    convolves = True

    def check(self, settings: ModelSettings) -> None:
        if len(settings.encoder) != len(settings.decoder):
            raise ValueError(
                "encoder and decoder must have the same number of layers in a conv network, "
                f"not {len(settings.encoder)} and {len(settings.decoder)}"
            )

    def encoder(self, config: ModelConfig, outputs: int) -> nn.Module:
        h, w = halved_sides(config, len(config.encoder))[-1]
        layers: list[nn.Module] = []
        for a, b in pairwise((config.image_shape[0], *config.encoder)):
            convolution = [nn.Conv2d(a, b, 3, padding=1), *_norm(config, BatchNorm2d, b)]
            layers += [*convolution, nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True)]
        features = config.encoder[-1] * h * w
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, outputs))

    def decoder(self, config: ModelConfig, inputs: int) -> nn.Module:
        widths = config.decoder
        *larger, smallest = halved_sides(config, len(widths))
        first = (config.encoder[-1], *smallest)
        features = math.prod(first)
        layers: list[nn.Module] = [
            nn.Linear(inputs, features),
            *_norm(config, BatchNorm1d, features),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, first),
        ]
        for (a, b), sides in zip(pairwise((first[0], *widths)), reversed(larger), strict=True):
            # A transposed convolution of stride 1 that keeps the size is a convolution; oneDNN runs it faster.
            convolution = [nn.Conv2d(a, b, 3, padding=1), *_norm(config, BatchNorm2d, b)]
            layers += [*convolution, nn.ReLU(inplace=True), nn.Upsample(sides)]
        return nn.Sequential(*layers, nn.Conv2d(widths[-1], config.logits_shape[0], 3, padding=1))


NETWORKS.register("dense", "dense", "fully connected layers, quick, which see all pixels at once")(Dense())
NETWORKS.register(
    "conv", "convolutional", "convolutions, which look at neighbourhoods; they suit pictures, and take longer"
)(Convolutional())
NETWORKS.register(
    "residual",
    "residual",
    "a deeper kind of convolutions, whose blocks add to what they are given; for a GPU, and best with batch norm",
)(Residual())
NETWORKS.register(
    "residual-half",
    "half-size residual",
    "residual convolutions at half the image's sides and below, several times as quick; best with batch norm",
)(Residual(halved=True))


def _norm(config: ModelConfig, kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d], features: int) -> list[nn.Module]:
    return [kind(features)] if config.batch_norm else []


def laid_out(model: LatentModel) -> LatentModel:
    """Moves a model's weights to the memory layout that is quickest for its network; figures change by rounding.

    Convolutions run 1.5 to 3 times as fast with the channels of a pixel side by side.
    """
    return model.to(memory_format=torch.channels_last) if NETWORKS[model.config.network].convolves else model


def initialise(module: nn.Module, how: str) -> None:
    """Starts the weights of linear and convolutional layers as `INITIALISATIONS` says.

    Biases start at zero but under `pytorch`, which leaves all as it is. Batch norm starts as the identity. A module
    with a method `start_weights` has the last word on its own.
    """
    start = INITIALISATIONS[how]
    if start is None:
        return
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            start(layer.weight)
            bias: Tensor | None = layer.bias
            if bias is not None:
                nn.init.zeros_(bias)
    for layer in module.modules():
        if callable(start_weights := getattr(layer, "start_weights", None)):
            start_weights()


def _kaiming(weight: Tensor) -> None:
    nn.init.kaiming_uniform_(weight, nonlinearity="relu")


INITIALISATIONS.register("pytorch", "PyTorch", "PyTorch's own choice")(None)
# Glorot & Bengio 2010, eq. 16.
INITIALISATIONS.register("xavier", "Xavier", "Xavier (Glorot) uniform, as in Keras")(nn.init.xavier_uniform_)
# Keeps the variance through ReLUs: He et al. 2015, arXiv:1502.01852, eq. 10.
INITIALISATIONS.register("kaiming", "Kaiming", "Kaiming (He) uniform, which is made for ReLU")(_kaiming)
