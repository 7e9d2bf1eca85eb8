"""Encoder and decoder saved apart, for use where Latent Explorer is not installed."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from explorer.checkpoints.model import load
from explorer.models import LatentModel


class _Encoder(nn.Module):
    def __init__(self, network: LatentModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.network.posterior(images)
        return posterior.mean, posterior.logvar


class _ConditionalDecoder(nn.Module):
    """The decoder of a conditional model, which takes the class of each code as well."""

    def __init__(self, network: LatentModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor, labels: Tensor) -> Tensor:
        return self.network.decode(codes, labels)


class _Decoder(nn.Module):
    def __init__(self, network: LatentModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor) -> Tensor:
        return self.network.decode(codes)


_Part = type[_Encoder] | type[_Decoder] | type[_ConditionalDecoder]


def _half(part: _Part, network: LatentModel, example: tuple[Tensor, ...]) -> nn.Module:
    """A `part` of a network without the modules that it never calls, so that a file holds no more than its half."""
    module = part(copy.deepcopy(network))
    used: set[nn.Module] = set()
    handles = [m.register_forward_hook(lambda m, *_: used.add(m)) for m in module.network.modules()]
    with torch.no_grad():
        module(*example)
    for handle in handles:
        handle.remove()
    for child, inner in list(module.network.named_children()):
        if used.isdisjoint(inner.modules()):
            delattr(module.network, child)
    return module


def export(name: str | Path, out: Path) -> list[Path]:
    """Write `encoder.pt2` and `decoder.pt2`, torch.export programs for a batch of any size.

    `torch.export.load("decoder.pt2").module()(codes)` decodes float32 [N, D] to [N, C, H, W] in [0, 1]; the
    encoder takes float32 [N, C, H, W] in [0, 1] and gives mean and logvar [N, D]. The decoder of a conditional model
    is called with codes and labels, int64 [N].

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        OSError: the folder cannot be written.
    """
    model = load(name, device="cpu")
    out.mkdir(parents=True, exist_ok=True)
    batch = torch.export.Dim("batch", min=1)
    codes, labels = torch.zeros(2, model.latent), torch.zeros(2, dtype=torch.int64)
    parts: dict[str, tuple[_Part, tuple[Tensor, ...]]] = {
        "encoder.pt2": (_Encoder, (torch.zeros(2, *model.image_shape),)),
        "decoder.pt2": (_ConditionalDecoder, (codes, labels)) if model.conditional else (_Decoder, (codes,)),
    }
    files = []
    for file, (part, example) in parts.items():
        module = _half(part, model.network, example)
        program = torch.export.export(module, example, dynamic_shapes=tuple({0: batch} for _ in example))
        torch.export.save(program, out / file)
        files.append(out / file)
    return files
