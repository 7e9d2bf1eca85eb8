"""What a ladder of latent layers is made of: a pass up from the image, and steps down that each meet a layer.

`DenseLadder` is the network of Sønderby et al. 2016 (arXiv:1602.02282, section 3): every layer depends on the one above
it alone. `ResidualLadder` keeps one stream of residual blocks from the top to the image, which every layer adds to, in
the spirit of Child 2021 (arXiv:2011.10650, section 3.1). Moments are float32, [N, latents of the layer].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.layers import BatchNorm1d, halved_sides
from explorer.models.residual import Block, activation, pixels

Moments = tuple[Tensor, Tensor]
"""Mean and logarithm of the variance of a layer's latents, [N, size] each."""

_MOST_LOGVAR = 6.0  # of a layer's prior: its scale stays within a factor of 20, so that no step can blow it up


class Ladder(nn.Module):
    """The parts that `LadderVAE` walks along. Layers are counted from the top.

    Attributes:
        sizes: how many latents each layer has.
        grids: channels, rows and columns of each layer, where layers are grids.
    """

    sizes: tuple[int, ...]
    grids: Sequence[tuple[int, int, int]] = ()

    @staticmethod
    def check(settings: ModelSettings) -> None:
        """Raises ValueError, one sentence, for settings that do not go together."""
        raise NotImplementedError

    def upward(self, x: Float[Tensor, "n c h w"]) -> tuple[Tensor, ...]:
        """What the pass up says of an image to each layer."""
        raise NotImplementedError

    def top(self, codes: Float[Tensor, "n d"]) -> Tensor:
        """The state that a way down begins with, for as many images as there are codes."""
        raise NotImplementedError

    def prior(self, layer: int, state: Tensor) -> Moments:
        """p(z|what lies above) of a layer."""
        raise NotImplementedError

    def evidence(self, layer: int, state: Tensor, feature: Tensor, prior: Moments) -> Moments:
        """What the image says of a layer's latents, in units of their prior's standard deviation around its mean."""
        raise NotImplementedError

    def below(self, layer: int, state: Tensor, z: Tensor) -> Tensor:
        """The state under a layer, given its latents."""
        raise NotImplementedError

    def pixels(self, state: Tensor) -> Float[Tensor, "n p h w"]:
        """The logits, from the state under the last layer."""
        raise NotImplementedError


class DenseLadder(Ladder):
    """Two hidden layers between each two layers of latents, leaky ReLUs, and batch norm where the config has it.

    A width of `encoder` and `decoder` is that of both hidden layers next to a layer of latents.
    """

    @staticmethod
    def check(settings: ModelSettings) -> None:
        for name in ("encoder", "decoder"):
            if not 1 <= (count := len(getattr(settings, name))) <= len(settings.layers):
                raise ValueError(
                    f"{name} must have a width, or at most one for each of the {len(settings.layers)} layers, in a "
                    f"dense ladder, not {count}"
                )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.sizes = config.layers
        numbers = range(len(config.layers))
        up = [_width(config.encoder, number) for number in numbers]
        down = [_width(config.decoder[::-1], number) for number in reversed(numbers)]
        self.up = nn.ModuleList(_hidden(config, a, b) for a, b in pairwise((config.pixels, *up)))
        self.means = nn.ModuleList(nn.Linear(*shape) for shape in zip(up[::-1], self.sizes, strict=True))
        self.logvars = nn.ModuleList(nn.Linear(*shape) for shape in zip(up[::-1], self.sizes, strict=True))
        self.down = nn.ModuleList(_hidden(config, a, b) for a, b in zip(self.sizes, down, strict=True))
        self.priors = nn.ModuleList(nn.Linear(a, 2 * b) for a, b in zip(down, self.sizes[1:], strict=False))
        self.out = nn.Sequential(
            nn.Linear(down[-1], math.prod(config.logits_shape)), nn.Unflatten(1, config.logits_shape)
        )

    def upward(self, x: Float[Tensor, "n c h w"]) -> tuple[Tensor, ...]:
        state, found = x.flatten(1), []
        for body in self.up:
            state = body(state)
            found.append(state)
        return tuple(reversed(found))

    def top(self, codes: Float[Tensor, "n d"]) -> Tensor:
        return torch.zeros_like(codes[:, : self.sizes[0]])

    def prior(self, layer: int, state: Tensor) -> Moments:
        if layer == 0:
            return state, state  # N(0, I)
        return _bounded(self.priors[layer - 1](state).float())

    def evidence(self, layer: int, state: Tensor, feature: Tensor, prior: Moments) -> Moments:
        mean, logvar = prior
        return (
            (self.means[layer](feature).float() - mean) * torch.exp(-0.5 * logvar),
            self.logvars[layer](feature).float() - logvar,
        )

    def below(self, layer: int, state: Tensor, z: Tensor) -> Tensor:
        below: Tensor = self.down[layer](z)
        return below

    def pixels(self, state: Tensor) -> Float[Tensor, "n p h w"]:
        logits: Tensor = self.out(state).float()
        return logits


def _hidden(config: ModelConfig, inputs: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inputs, width):
        norm = [BatchNorm1d(width)] if config.batch_norm else []
        layers += [nn.Linear(before, width), *norm, nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


class ResidualLadder(Ladder):
    """A stream of residual blocks; a layer of latents is a grid, and has its say where the stream is that small.

    A width of `encoder` and `decoder` is a level: the first of the encoder and the last of the decoder have half the
    image's sides, the next half of those. Smaller levels have the width of the smallest that has one. The image's own
    sides would take most of the time, so a pixel's logit is one of the four of its place in the largest level.
    """

    @staticmethod
    def check(settings: ModelSettings) -> None:
        if settings.grids and len(settings.grids) != len(settings.layers):
            raise ValueError(
                f"grids must have a side for each of the {len(settings.layers)} layers of a residual ladder, not "
                f"{len(settings.grids)}"
            )
        if sorted(settings.grids) != list(settings.grids):
            raise ValueError(
                "grids must have the top layer's side first and get no smaller from there, such as 1, 4, 7"
            )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        sides = halved_sides(config, math.ceil(math.log2(max(config.image_shape[1:]))), all_halve=False)
        at = _halvings(config, sides)
        levels = sorted({*range(1, 1 + len(config.encoder)), *at})
        up = [_width(config.encoder, level - 1) for level in levels]
        down = [_width(config.decoder[::-1], level - 1) for level in levels]
        self.sizes = tuple(n * math.prod(sides[level]) for n, level in zip(config.layers, at, strict=True))
        self.grids = [(n, *sides[level]) for n, level in zip(config.layers, at, strict=True)]
        self.of = [levels.index(level) for level in at]  # of each layer, its feature

        self.stem = nn.Conv2d(config.image_shape[0], up[0], 3, stride=2, padding=1)
        self.up = nn.ModuleList([Block(config, up[0])])
        for (i, a), (j, b) in pairwise(zip(levels, up, strict=True)):
            self.up.append(nn.Sequential(_smaller(config, a, b, sides[i], sides[j]), _block(config, b, sides[j])))

        self.start = nn.Parameter(torch.zeros(1, down[-1], *sides[levels[-1]]))
        self.priors, self.evidences = nn.ModuleList(), nn.ModuleList()
        self.inputs, self.steps = nn.ModuleList(), nn.ModuleList()
        for n, place, after in zip(config.layers, self.of, [*self.of[1:], 0], strict=True):
            width, shape = down[place], sides[levels[place]]
            kernel = _kernel(shape)
            self.priors.append(nn.Sequential(*activation(config, width), nn.Conv2d(width, 2 * n, 1)))
            self.evidences.append(
                nn.Sequential(
                    *activation(config, width + up[place]),
                    nn.Conv2d(width + up[place], width, kernel, padding=kernel // 2),
                    *activation(config, width),
                    nn.Conv2d(width, 2 * n, 1),
                )
            )
            self.inputs.append(nn.Conv2d(n, width, 1))
            step: list[nn.Module] = [_block(config, width, shape)]
            for level in range(place - 1, after - 1, -1):
                larger = sides[levels[level]]
                step += _larger(config, down[level + 1], down[level], sides[levels[level + 1]], larger)
                if level > after or after == 0:  # a layer's own block comes with it
                    step.append(_block(config, down[level], larger))
            self.steps.append(nn.Sequential(*step))
        self.out = nn.Sequential(*activation(config, down[0]), *pixels(config, down[0], 2))

    def upward(self, x: Float[Tensor, "n c h w"]) -> tuple[Tensor, ...]:
        state, found = self.stem(x), []
        for body in self.up:
            state = body(state)
            found.append(state)
        return tuple(found[place] for place in self.of)

    def top(self, codes: Float[Tensor, "n d"]) -> Tensor:
        return self.start.expand(codes.shape[0], -1, -1, -1)  # not len, which torch.export takes for a constant

    def prior(self, layer: int, state: Tensor) -> Moments:
        return _bounded(self.priors[layer](state).float())

    def evidence(self, layer: int, state: Tensor, feature: Tensor, prior: Moments) -> Moments:
        mean, logvar = self.evidences[layer](torch.cat([state, feature], 1)).float().chunk(2, 1)
        return mean.flatten(1), logvar.flatten(1)

    def below(self, layer: int, state: Tensor, z: Tensor) -> Tensor:
        below: Tensor = self.steps[layer](state + self.inputs[layer](z.unflatten(1, self.grids[layer])))
        return below

    def pixels(self, state: Tensor) -> Float[Tensor, "n p h w"]:
        logits: Tensor = self.out(state).float()
        return logits


def _halvings(config: ModelConfig, sides: list[tuple[int, int]]) -> list[int]:
    """How often the sides are halved for each layer's grid. Raises ValueError for one that is too large."""
    longest = [max(pair) for pair in sides]
    if max(config.grids, default=1) > longest[1]:
        of = " x ".join(map(str, config.image_shape[1:]))
        raise ValueError(f"grids of {of} images have at most {longest[1]} places a side, not {max(config.grids)}")
    grids = config.grids or (1,) * len(config.layers)
    return [max(level for level, side in enumerate(longest) if side >= grid) for grid in grids]


def _width(widths: tuple[int, ...], number: int) -> int:
    """The width of a level, counted from the image: the last one goes for all that are smaller."""
    return widths[min(number, len(widths) - 1)]


def _kernel(sides: tuple[int, int]) -> int:
    """A convolution of a single place sees no neighbours."""
    return 3 if max(sides) > 1 else 1


def _block(config: ModelConfig, width: int, sides: tuple[int, int]) -> Block:
    return Block(config, width, _kernel(sides))


def _smaller(
    config: ModelConfig, inputs: int, outputs: int, sides: tuple[int, int], wanted: tuple[int, int]
) -> nn.Module:
    """From a level up to the next that is used: to a single place from all that there are."""
    if max(wanted) == 1:
        return nn.Sequential(*activation(config, inputs), nn.Conv2d(inputs, outputs, sides))
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
    halved = tuple(-(-side // 2) for side in sides)
    return nn.Sequential(
        *activation(config, inputs), convolution, *([] if halved == wanted else [nn.AdaptiveAvgPool2d(wanted)])
    )


def _larger(
    config: ModelConfig, inputs: int, outputs: int, sides: tuple[int, int], wanted: tuple[int, int]
) -> list[nn.Module]:
    """From a level down to the next that is used."""
    if max(sides) == 1:
        return [*activation(config, inputs), nn.ConvTranspose2d(inputs, outputs, wanted)]
    return [*activation(config, inputs), nn.Conv2d(inputs, outputs, 1), nn.Upsample(wanted)]


def _bounded(moments: Tensor) -> Moments:
    mean, logvar = moments.chunk(2, 1)
    return mean.flatten(1), _MOST_LOGVAR * torch.tanh(logvar.flatten(1) / _MOST_LOGVAR)
