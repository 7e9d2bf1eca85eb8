"""What a tool of Arithmetic has to show on the map beside it, and to say in the address."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from explorer.latents import Result
from explorer.ui.cache import EncodedDataset
from explorer.ui.components.latent_map.component import Mark, Trail


@dataclass(frozen=True)
class MapMarks:
    """Rings and lines for the map, and the URL's parameters."""

    marks: tuple[Mark, ...] = ()
    trails: tuple[Trail, ...] = ()
    follows: str = ""  # key of sliders whose code the map follows
    address: dict[str, str] = field(default_factory=dict)


MOST_LABELS = 12  # rings with words: more cover the map


def ring(data: EncodedDataset, code: Tensor, label: str = "", kind: str = "ingredient") -> Mark:
    """Makes a ring where a code lies on the map."""
    return Mark(*place_of(data, code), label, kind)


def place_of(data: EncodedDataset, code: Tensor) -> tuple[float, float]:
    """Finds where a code [D] lies on the map."""
    x, y = data.map.place(code[None])[0].tolist()
    return x, y


def rings(data: EncodedDataset, result: Result, name: str = "result") -> tuple[Mark, ...]:
    """Makes rings for an expression's result and each place that it was made from; directions are no places."""
    places = [term for term in result.terms if term.reference.kind not in ("name", "here", "origin")][:MOST_LABELS]
    alone = len(result.terms) == 1 and result.terms[0].weight == 1
    found = () if alone else tuple(ring(data, term.code, term.reference.text) for term in places)
    return (*found, ring(data, result.code, name, "result"))
