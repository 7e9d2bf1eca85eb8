"""Encoder and decoder saved apart, for use where Latent Explorer is not installed."""

from __future__ import annotations

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
    parts = {
        "encoder.pt2": (_Encoder(model.network), torch.zeros(2, *model.image_shape)),
        "decoder.pt2": (_Decoder(model.network), torch.zeros(2, model.latent)),
    }
    files = []
    for file, (module, example) in parts.items():
        program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, out / file)
        files.append(out / file)
    return files
