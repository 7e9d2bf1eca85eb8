"""Encoder and decoder bodies, dense and convolutional, and how their weights start.

Batch norm, where the config has it, comes after each hidden layer and before its ReLU (Ioffe & Szegedy 2015,
arXiv:1502.03167, section 3.2).
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from explorer.models.base import ModelConfig


def encoder(config: ModelConfig, outputs: int) -> nn.Module:
    """Images [N, C, H, W] to [N, outputs], without a nonlinearity at the end."""
    if config.network == "dense":
        widths = (config.pixels, *config.encoder)
        layers: list[nn.Module] = [nn.Flatten()]
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), *_norm(config, BatchNorm1d, b), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))
    if config.network == "conv":
        c, h, w = config.image_shape
        _check_conv(config)
        layers = []
        for a, b in pairwise((c, *config.encoder)):
            convolution = [nn.Conv2d(a, b, 3, padding=1), *_norm(config, nn.BatchNorm2d, b)]
            layers += [*convolution, nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        shrink = 2 ** len(config.encoder)
        features = config.encoder[-1] * (h // shrink) * (w // shrink)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, outputs))
    raise ValueError(f"unknown network {config.network!r}: choose dense or conv")


def decoder(config: ModelConfig, inputs: int | None = None) -> nn.Module:
    """Codes [N, inputs], of the config's latents if not said otherwise, to logits [N, C, H, W]."""
    c, h, w = config.image_shape
    inputs = inputs or config.latent
    if config.network == "dense":
        widths = (inputs, *config.decoder)
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), *_norm(config, BatchNorm1d, b), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers, nn.Linear(widths[-1], config.pixels), nn.Unflatten(1, (c, h, w)))
    if config.network == "conv":
        _check_conv(config)
        widths = config.decoder
        grow = 2 ** len(widths)
        first = (config.encoder[-1], h // grow, w // grow)
        features = first[0] * first[1] * first[2]
        layers = [
            nn.Linear(inputs, features),
            *_norm(config, BatchNorm1d, features),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, first),
        ]
        for a, b in pairwise((first[0], *widths)):
            # A transposed convolution of stride 1 that keeps the size is a convolution; oneDNN runs it faster.
            convolution = [nn.Conv2d(a, b, 3, padding=1), *_norm(config, nn.BatchNorm2d, b)]
            layers += [*convolution, nn.ReLU(inplace=True), nn.Upsample(scale_factor=2)]
        return nn.Sequential(*layers, nn.Conv2d(widths[-1], c, 3, padding=1))
    raise ValueError(f"unknown network {config.network!r}: choose dense or conv")


class BatchNorm1d(nn.BatchNorm1d):
    """Batch norm that takes a batch of one image, as the last of an epoch may be, by its running statistics.

    A single image has no variance; torch's own layer refuses it.
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.training and len(input) == 1:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


def _norm(config: ModelConfig, kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d], features: int) -> list[nn.Module]:
    return [kind(features)] if config.batch_norm else []


def _check_conv(config: ModelConfig) -> None:
    _, h, w = config.image_shape
    if len(config.encoder) != len(config.decoder):
        raise ValueError("a convolutional encoder and decoder need the same number of layers")
    shrink = 2 ** len(config.encoder)
    if h % shrink or w % shrink:
        raise ValueError(f"{len(config.encoder)} poolings need sides divisible by {shrink}, not {h} x {w}")


def initialise(module: nn.Module, how: str) -> None:
    """Start the weights: `pytorch` leaves them; `xavier` is Keras' default (Glorot & Bengio 2010, eq. 16);
    `kaiming` keeps the variance through ReLUs (He et al. 2015, arXiv:1502.01852, eq. 10), uniform.

    Biases start at zero under `xavier` and `kaiming`. Batch norm starts as the identity whatever this says.
    """
    if how not in ("pytorch", "xavier", "kaiming"):
        raise ValueError(f"unknown initialisation {how!r}: choose pytorch, xavier or kaiming")
    if how == "pytorch":
        return
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            if how == "xavier":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            bias: Tensor | None = layer.bias
            if bias is not None:
                nn.init.zeros_(bias)
