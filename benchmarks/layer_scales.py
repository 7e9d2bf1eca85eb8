"""How large signals and gradients are in each layer of a network, and what is left of its first weights.

Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", judge an
initialisation by the spread of activations and gradients layer by layer (section 4, figures 6 to 9): neither should
vanish or grow with depth. He et al. 2015, arXiv:1502.01852, section 2.2, do the same for layers with ReLU.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from explorer.cells.initialisation import LayerScale
from explorer.models import LatentModel


@dataclass(frozen=True)
class _Layer:
    name: str
    module: nn.Linear | nn.Conv2d
    part: int = 0  # which of `parts` equal pieces of the layer's outputs
    parts: int = 1

    def piece(self, tensor: Tensor, dim: int) -> Tensor:
        return tensor.chunk(self.parts, dim)[self.part]


def scales(
    network: LatentModel,
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"] | None = None,
    *,
    beta: float = 1.0,
    seed: int = 0,
) -> list[LayerScale]:
    """Measures the scales of each linear or convolutional layer in order, over a batch of images in [0, 1].

    The loss is that of training: the batch's mean of what the objective charges, at one draw of z an image from a
    generator of `seed`, with batch norm by the batch's own statistics. It is measured on a copy: the network stays as
    it is, its running statistics and gradients too, and so does torch's global generator.

    Raises:
        ValueError: there are fewer than two images, of which batch norm could take no statistics.
    """
    if len(images) < 2:
        raise ValueError("scales are measured over a batch of at least two images")
    measured = copy.deepcopy(network).train().requires_grad_(True)
    measured.zero_grad(set_to_none=True)
    layers = _layers(measured)
    spread: dict[str, float] = {}

    def look(found: list[_Layer], module: nn.Module, inputs: Any, output: Tensor) -> None:
        for layer in found:  # now, since a ReLU may write over its input
            spread[layer.name] = float(layer.piece(output.detach(), 1).double().std(correction=0))

    for module in dict.fromkeys(layer.module for layer in layers):
        module.register_forward_hook(partial(look, [layer for layer in layers if layer.module is module]))
    with torch.enable_grad():
        terms = measured.terms(images, torch.Generator(images.device).manual_seed(seed), labels)
        terms.loss(beta).backward()
    found = []
    for layer in layers:
        weight = layer.module.weight
        assert weight.grad is not None
        field = weight[0][0].numel()
        gradient = float(layer.piece(weight.grad, 0).double().square().mean().sqrt())
        fans = weight.shape[1] * field, weight.shape[0] * field
        found.append(LayerScale(layer.name, *fans, spread[layer.name], gradient))
    return found


def _layers(network: LatentModel) -> list[_Layer]:
    encoder, decoder = (
        [m for m in network.get_submodule(side).modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        for side in ("encoder", "decoder")
    )
    heads = ["mean", "log variance"] if encoder[-1].weight.shape[0] == 2 * network.latent else ["code"]
    return [
        *(_Layer(f"encoder {i}", module) for i, module in enumerate(encoder[:-1], 1)),
        *(_Layer(name, encoder[-1], i, len(heads)) for i, name in enumerate(heads)),
        *(_Layer(f"decoder {i}", module) for i, module in enumerate(decoder[:-1], 1)),
        _Layer("output", decoder[-1]),
    ]


def kept(first: LatentModel, last: LatentModel) -> list[float]:
    """Measures how much of a network's first weights is left in its last, by layer as in `scales`.

    The cosine of the angle between the two: 1 where nothing was learnt, near 0 where nothing is left of the start.
    """
    found = []
    for a, b in zip(_layers(first), _layers(last), strict=True):
        before, after = (layer.piece(layer.module.weight.detach(), 0).double().flatten() for layer in (a, b))
        found.append(float(torch.cosine_similarity(before, after, dim=0)))
    return found
