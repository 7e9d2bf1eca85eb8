"""A code as a figure: its numbers as bars, or the entries of a codebook that it is made of as colours."""

from __future__ import annotations

import torch
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.images import pictures
from explorer.ui import html


def code_figure(model: Model, code: Tensor, kl_by_latent: Tensor | None) -> str:
    """Draws a code [D]: of a grid, each place in the colour of its entry, and similar entries in similar colours."""
    network = model.network
    if network.entries is None or network.grid is None:
        return html.code_bars(code, kl_by_latent)
    entries, (rows, columns) = network.entries.cpu(), network.grid
    index = torch.cdist(code.unflatten(0, (-1, entries.shape[1])), entries).argmin(1)
    colours = _colours(entries)[index].T.unflatten(1, (rows, columns))
    return html.image(
        pictures.single(colours),
        f"code: {rows} × {columns} entries of {len(entries):,}",
        alt="the entries of the code, similar ones in similar colours",
    )


def _colours(entries: Tensor) -> Tensor:
    """RGB [C, 3] in [0, 1] of entries [C, E]: their first three principal components."""
    centred = entries - entries.mean(0)
    parts = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:3].T
    low, high = parts.min(0).values, parts.max(0).values
    scaled = (parts - low) / (high - low).clamp_min(1e-6)
    return torch.cat([scaled, torch.full((len(entries), 3 - scaled.shape[1]), 0.5)], 1)
