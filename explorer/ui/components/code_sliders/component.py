"""Some values of a code as sliders, beside the image that they decode to; the image follows every move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite

import streamlit as st

from explorer.ui.components.payloads import triggered
from explorer.ui.components.scripts import css, script

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

_COMPONENT = st.components.v2.component(
    "code_sliders",
    html='<div class="lx-knobs" data-state="loading"></div>',
    css=css("code_sliders"),
    js=script("code_sliders/knobs", "code_sliders/main"),
    isolate_styles=False,
)


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
    """Show the sliders and the picture; call `on_move` while a person moves one.

    The browser sends the newest values as soon as the ones before are answered, so at most one move waits for its
    picture. What a person moves stays where they put it until Python has heard of it; then Python's value holds.
    In a fragment only the fragment runs for a move.

    Parameters
    ----------
    knobs
        In the order shown. What is typed outside `low` to `high` goes to that end.
    picture
        URL of the image: a data: URI, or from `assets.publish`.
    picture_alt
        Its alternative text.
    picture_data
        Becomes its data-* attributes: `{"code": "0.1,0.2"}` is `data-code`. They change together with the picture.
    caption
        Shown under the picture.
    revision
        Names the code that is being edited. With another one every value is Python's, whatever was being moved.
    columns
        Columns of sliders where there is room for them.
    place
        Where the code lies on a map that follows these sliders: its dot moves with them.
    label
        What a screen reader calls the group.
    on_move
        Called with the new values by the knobs' ids, of those that moved, before the run that the move causes.
    """
    ack_key = f"{key}-answered"

    def heard() -> None:
        payload = triggered(key, "move")
        if payload is None:
            return
        st.session_state[ack_key] = payload["t"]
        if payload.get("revision") == revision:  # else another code was being edited
            ids = {knob.id for knob in knobs}
            values = {int(ident): float(value) for ident, value in payload["values"].items()}
            on_move({i: max(-_LARGEST, min(_LARGEST, v)) for i, v in values.items() if i in ids and isfinite(v)})

    _COMPONENT(
        key=key,
        data={
            "key": key,
            "knobs": [asdict(knob) for knob in knobs],
            "picture": picture,
            "picture_alt": picture_alt,
            "picture_data": dict(picture_data),
            "caption": caption,
            "revision": revision,
            "columns": columns,
            "place": list(place) if place is not None and all(isfinite(v) for v in place) else None,
            "label": label,
            # The newest move that Python has seen: the picture is of it, and the browser's values give way.
            "ack": st.session_state.get(ack_key, 0),
        },
        on_move_change=heard,
    )
