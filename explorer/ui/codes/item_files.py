"""Items with their codes as files to take away: CSV and NPZ."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.files.tables import table_text
from explorer.ui.cache import EncodedDataset

NO_TAGS: Mapping[int, str] = MappingProxyType({})


def items_csv(data: EncodedDataset, rows: Tensor, tags: Mapping[int, str] = NO_TAGS) -> str:
    """Writes rows as CSV: index, class, terms of the ELBO in nats, place, code; file, group and columns where known.

    `tags`, by an image's index, are a column where there are any. A family without a prior has neither ELBO nor KL, and
    a model whose likelihood is not known has squared errors.
    """
    latents, model, picked = data.latents, data.model, rows.tolist()
    index = latents.index[rows].tolist()
    columns: list[tuple[str, Sequence[object]]] = [("index", index)]
    if tags:
        columns.append(("tag", [tags.get(i, "") for i in index]))
    if latents.items is not None:
        columns.append(("file", [latents.items.names[r] for r in picked]))
    labels = latents.labels
    columns.append(("class", [""] * len(rows) if labels is None else [data.classes[i] for i in labels[rows].tolist()]))
    if latents.group is not None:
        columns.append((data.group_name, [latents.group[r] for r in picked]))
    for name, column in data.columns.items():
        known = column if isinstance(column, list) else [v if v == v else None for v in column.tolist()]
        columns.append((name, [known[r] for r in picked]))
    reconstruction, kl = latents.reconstruction[rows].double(), latents.kl[rows].double()
    numbers = [("elbo", reconstruction - kl)] if model.has_elbo else []
    numbers.append(("reconstruction", reconstruction) if model.has_likelihood else ("squared_error", -reconstruction))
    numbers += [("kl", kl)] if model.has_prior else []
    numbers += [(f"{data.map.kind}_{axis}", data.map.points[rows, i]) for i, axis in enumerate("xy")]
    numbers += [(f"z{i}", latents.mean[rows, i]) for i in range(model.latent)]
    columns += [(name, [float(f"{v:.7g}") for v in values.tolist()]) for name, values in numbers]
    return table_text([name for name, _ in columns], zip(*(values for _, values in columns), strict=True))


def code_csv(model: Model, code: Tensor) -> str:
    """Writes a code [D] as CSV: each latent's name and value."""
    names = (model.network.latent_name(i) for i in range(model.latent))
    return table_text(["latent", "value"], zip(names, (float(f"{v:.7g}") for v in code.tolist()), strict=True))


def items_npz(data: EncodedDataset, rows: Tensor, recipe: dict[str, Any]) -> bytes:
    """Writes rows as NPZ: `codes` float32 [M, D], `index` int64 [M], `labels` int64 [M], `group` and `file_name` text
    [M] when there are any, `recipe` JSON."""
    arrays = {"codes": data.latents.mean[rows].numpy(), "index": data.latents.index[rows].numpy()}
    if data.latents.labels is not None:
        arrays["labels"] = data.latents.labels[rows].numpy()
    if data.latents.group is not None:
        arrays["group"] = np.array([data.latents.group[r] for r in rows.tolist()])
    if (items := data.latents.items) is not None:
        arrays["file_name"] = np.array([items.names[r] for r in rows.tolist()])
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays, recipe=np.array(json.dumps(recipe)))
    return file.getvalue()
