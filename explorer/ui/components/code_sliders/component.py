"""Some values of a code as sliders, beside the image that they decode to; the image follows every move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from explorer.ui.components.mounting import Component
from explorer.ui.components.payloads import number

__all__ = ["Knob", "code_sliders"]


@dataclass(frozen=True)
class Knob:
    """One value: a latent of the code, or how far to go along a direction."""

    id: int
    name: str
    value: float
    low: float
    high: float
    home: float  # where a reset goes; marked on the track
    hint: str = ""  # said on hover, and below the name where there is room
    faded: bool = False  # shown in grey: it changes next to nothing
    digits: int = 2  # after the point


_LARGEST = 1e6  # a value further out than this is a typing error

_COMPONENT = Component("code_sliders", "lx-knobs")


def code_sliders(
    *,
    key: str,
    knobs: Sequence[Knob],
    picture: str,
    picture_alt: str,
    picture_data: Mapping[str, str],
    caption: str = "",
    revision: str,
    columns: int = 2,
    place: tuple[float, float] | None = None,
    label: str = "Latents",
    on_move: Callable[[dict[int, float]], None],
) -> None:
    """Shows the sliders and the picture; calls `on_move` while a person moves one.

    The browser sends the newest values as soon as the ones before are answered, so at most one move waits for its
    picture. What a person moves stays where they put it until Python has heard of it; then Python's value holds.
    In a fragment only the fragment runs for a move.

    Args:
        key: of its own on the page.
        knobs: in the order shown. What is typed outside `low` to `high` goes to that end.
        picture: URL of the image: a data: URI, or from `assets.publish`.
        picture_alt: its alternative text.
        picture_data: becomes its data-* attributes: `{"code": "0.1,0.2"}` is `data-code`. They change together with the
            picture.
        caption: shown under the picture.
        revision: names the code that is being edited. With another one every value is Python's, whatever was moved.
        columns: columns of sliders where there is room for them.
        place: where the code lies on a map that follows these sliders: its dot moves with them.
        label: what a screen reader calls the group.
        on_move: called with the new values by the knobs' ids, of those that moved, before the run that the move causes.
    """

    def moved(answer: dict[str, Any]) -> None:
        values = answer.get("values")
        if not isinstance(values, dict):
            return
        ids = {str(knob.id): knob.id for knob in knobs}
        found = {ids[name]: number(values, name) for name in values if name in ids}
        on_move({ident: max(-_LARGEST, min(_LARGEST, value)) for ident, value in found.items()})

    _COMPONENT.show(
        key,
        {
            "knobs": [asdict(knob) for knob in knobs],
            "picture": picture,
            "picture_alt": picture_alt,
            "picture_data": dict(picture_data),
            "caption": caption,
            "columns": columns,
            "place": list(place) if place is not None and all(isfinite(v) for v in place) else None,
            "label": label,
        },
        revision=revision,
        answers={"move": moved},
    )
