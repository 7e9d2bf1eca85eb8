"""Encoder and decoder saved apart, for use where Latent Explorer is not installed."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from explorer.loaded import load
from explorer.models import LatentModel


class _Encoder(nn.Module):
    def __init__(self, network: LatentModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.network.posterior(images)
        return mean, logvar


class _Decoder(nn.Module):
    def __init__(self, network: LatentModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor) -> Tensor:
        return self.network.decode(codes)


def _half(part: type[_Encoder] | type[_Decoder], network: LatentModel, example: Tensor) -> nn.Module:
    """A `part` of a network without the modules that it never calls, so that a file holds no more than its half."""
    module = part(copy.deepcopy(network))
    used: set[nn.Module] = set()
    handles = [m.register_forward_hook(lambda m, *_: used.add(m)) for m in module.network.modules()]
    with torch.no_grad():
        module(example)
    for handle in handles:
        handle.remove()
    for child, inner in list(module.network.named_children()):
        if used.isdisjoint(inner.modules()):
            delattr(module.network, child)
    return module


def export(name: str | Path, out: Path) -> list[Path]:
    """Write `encoder.pt2` and `decoder.pt2`, torch.export programs for a batch of any size.

    `torch.export.load("decoder.pt2").module()(codes)` decodes float32 [N, D] to [N, C, H, W] in [0, 1]; the
    encoder takes float32 [N, C, H, W] in [0, 1] and gives mean and logvar [N, D].

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        OSError: the folder cannot be written.
    """
    model = load(name, device="cpu")
    out.mkdir(parents=True, exist_ok=True)
    batch = torch.export.Dim("batch", min=1)
    parts: dict[str, tuple[type[_Encoder] | type[_Decoder], Tensor]] = {
        "encoder.pt2": (_Encoder, torch.zeros(2, *model.image_shape)),
        "decoder.pt2": (_Decoder, torch.zeros(2, model.latent)),
    }
    files = []
    for file, (part, example) in parts.items():
        module = _half(part, model.network, example)
        program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, out / file)
        files.append(out / file)
    return files
