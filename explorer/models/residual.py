"""Residual convolutional bodies: deeper than plain ones, and as easy to train.

Pre-activated blocks (He et al. 2016, "Identity mappings in deep residual networks", arXiv:1603.05027) with SiLU, each
the identity at the start (Goyal et al. 2017, "Accurate, large minibatch SGD", arXiv:1706.02677, section 5.1). A width
in the config is a block; where it differs from the one before, the sides are halved (doubled by a decoder). Without
batch norm digits come out black for the first hundred steps or longer, as the first weights have it.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.layers import BatchNorm2d, halved_sides

NECK = 32  # channels between the last block and the code: a linear layer from all of them would be most of the weights


class Block(nn.Module):
    """x plus two convolutions of it, of a kernel that is odd."""

    def __init__(self, config: ModelConfig, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *activation(config, width),
            nn.Conv2d(width, width, kernel, padding=kernel // 2),
            *activation(config, width),
            nn.Conv2d(width, width, kernel, padding=kernel // 2),
        )
        self.start_weights()

    def start_weights(self) -> None:
        """Makes the block the identity, whatever weights its layers have been given."""
        last = self.body[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Residual:
    """Residual blocks of convolutions; the sides are halved and doubled where the width changes.

    With `halved`, blocks see half the image's sides at most, in a quarter of the time: a pixel's logit is one of the
    four of its place there (Shi et al. 2016, "Real-time single image and video super-resolution using an efficient
    sub-pixel convolutional neural network", arXiv:1609.05158).
    """

    convolves = True

    def __init__(self, *, halved: bool = False) -> None:
        self.stride = 2 if halved else 1

    def check(self, settings: ModelSettings) -> None:
        if _changes(settings.encoder) != _changes(settings.decoder):
            raise ValueError(
                "encoder and decoder must change their width equally often in a residual network, "
                f"not {_changes(settings.encoder)} and {_changes(settings.decoder)} times"
            )

    def encoder(self, config: ModelConfig, outputs: int) -> nn.Module:
        neck = (NECK, *self._sides(config, config.encoder)[-1])
        widths = config.encoder
        layers: list[nn.Module] = [nn.Conv2d(config.image_shape[0], widths[0], 3, stride=self.stride, padding=1)]
        for before, width in pairwise((widths[0], *widths)):
            if width != before:
                layers += [*activation(config, before), nn.Conv2d(before, width, 3, stride=2, padding=1)]
            layers.append(Block(config, width))
        layers += [*activation(config, widths[-1]), nn.Conv2d(widths[-1], NECK, 1), *activation(config, NECK)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(math.prod(neck), outputs))

    def decoder(self, config: ModelConfig, inputs: int) -> nn.Module:
        widths = config.decoder
        *larger, smallest = self._sides(config, widths)
        neck = (NECK, *smallest)
        layers: list[nn.Module] = [nn.Linear(inputs, math.prod(neck)), nn.Unflatten(1, neck)]
        layers += [*activation(config, NECK), nn.Conv2d(NECK, widths[0], 1)]
        for before, width in pairwise((widths[0], *widths)):
            if width != before:
                layers += [*activation(config, before), nn.Upsample(larger.pop())]
                layers.append(nn.Conv2d(before, width, 3, padding=1))
            layers.append(Block(config, width))
        layers += activation(config, widths[-1])
        return nn.Sequential(*layers, *pixels(config, widths[-1], self.stride))

    def _sides(self, config: ModelConfig, widths: tuple[int, ...]) -> list[tuple[int, int]]:
        """The sides that blocks see, from the image on."""
        return halved_sides(config, self.stride - 1 + _changes(widths))[self.stride - 1 :]


class Crop(nn.Module):
    """The upper left of a picture whose sides were odd before they were halved."""

    def __init__(self, sides: tuple[int, int]) -> None:
        super().__init__()
        self.sides = sides

    def forward(self, x: Tensor) -> Tensor:
        h, w = self.sides
        return x[:, :, :h, :w]


def pixels(config: ModelConfig, width: int, stride: int) -> list[nn.Module]:
    """Makes the logits from so many channels, at the image's sides divided by `stride`."""
    channels, *sides = config.logits_shape
    last = nn.Conv2d(width, stride**2 * channels, 3, padding=1)
    return [last] if stride == 1 else [last, nn.PixelShuffle(stride), Crop((sides[0], sides[1]))]


def activation(config: ModelConfig, width: int) -> list[nn.Module]:
    """Makes what comes before a convolution of so many channels."""
    return [*([BatchNorm2d(width)] if config.batch_norm else []), nn.SiLU()]


def _changes(widths: tuple[int, ...]) -> int:
    """How often the width changes from one block to the next."""
    return sum(a != b for a, b in pairwise(widths))
