"""What a page to take away shows first: as an address of Explore says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import torch
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.latents import Latents, compact
from explorer.latents.maps import KINDS, Map


@dataclass(frozen=True)
class PageView:
    """A map and what is shown of it.

    Attributes:
        map: of the codes that the checkpoint brings along.
        color: a key of `explorer.latents.colours.colors_of`, or `tag`.
        zoom: ranges of x and y; None for all.
        selected: ids, kind and outline of a selection, as the map's component has it; None for none.
        pick: a picked place, `x`, `y` and `id`, the row of an item or None; None for none.
    """

    map: Map
    color: str
    zoom: dict[str, list[float]] | None
    selected: dict[str, Any] | None
    pick: dict[str, Any] | None

    @classmethod
    def read(cls, model: Model, address: str) -> PageView:
        """Reads an address that the app shows, or its query.

        Raises:
            ValueError: it says something that this model's map does not have, or shows other images than its own.
        """
        query = {name: values[-1] for name, values in parse_qs(address.rpartition("?")[2]).items()}
        if query.get("data", "test") != "test":
            raise ValueError(f"a page holds the images that came with the model, and the view is of {query['data']}")
        if query.get("model", model.info.id) != model.info.id:
            raise ValueError(f"the view is of {query['model']}, not of {model.info.id}")
        latents = model.mapped
        kinds = [kind for kind in KINDS if kind in latents.maps]
        kind = query.get("projection", kinds[0])
        if kind not in kinds:
            raise ValueError(f"the view's projection is {kind!r}, and the model has {', '.join(kinds)}")
        found = latents.maps[kind]
        selected = _selected(query, len(latents))
        return cls(found, query.get("color", "class"), _zoom(query), selected, _pick(query, latents, found))


def _zoom(query: dict[str, str]) -> dict[str, list[float]] | None:
    if "zoom" not in query:
        return None
    x0, x1, y0, y1 = compact.read_numbers(query["zoom"], 4) or (0, 0, 0, 0)
    if x0 == x1 or y0 == y1:
        raise ValueError("the view's zoom must be four numbers, from and to on both axes")
    return {"x": [x0, x1], "y": [y0, y1]}


def _selected(query: dict[str, str], count: int) -> dict[str, Any] | None:
    if "select" not in query:
        return None
    kind, ids, outline = (*query["select"].split("~"), "", "")[:3]
    rows, corners = compact.read_ids(ids, count), compact.read_outline(outline)
    if not rows or corners is None:
        raise ValueError("the view's selection is of another map, or it was cut off")
    return {"ids": rows, "kind": "box" if kind == "box" else "lasso", "outline": corners}


def _pick(query: dict[str, str], latents: Latents, of: Map) -> dict[str, Any] | None:
    if index := query.get("index"):
        known = latents.index.tolist()
        if not (index.isascii() and index.isdigit() and len(index) < 10 and int(index) in known):
            raise ValueError(f"the view's item {index[:20]!r} is not on the map")
        row = known.index(int(index))
        return {**_place(of.points[row]), "id": row}
    if spot := compact.read_numbers(query.get("spot", ""), 2):
        return {**_place(torch.tensor(spot)), "id": None}
    if of.exact and (code := compact.read_numbers(query.get("z", ""), 2)):
        return {**_place(torch.tensor(code)), "id": None}
    return None


def _place(point: Tensor) -> dict[str, float]:
    x, y = point.tolist()
    return {"x": x, "y": y}
