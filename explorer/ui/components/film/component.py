"""A walk as a film: one big picture, play and scrub, the strip of all steps, and how dense each step's place is.

The browser's part is in this folder, one subject a file; only `main.js` exports anything. Playing and scrubbing happen
in the browser, which tells the rest of the page by an `lx-step` event on `document` (`{key, step, count}`); nothing but
the button's press reaches Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

import streamlit as st

from explorer.ui.components.payloads import triggered
from explorer.ui.components.scripts import css, script

__all__ = ["film"]

_COMPONENT = st.components.v2.component(
    "film",
    html='<div class="lx-film" data-state="loading"></div>',
    css=css("film"),
    js=script("film/layout", "film/player", "film/strip", "film/chart", "film/main"),
    isolate_styles=False,
)


def film(
    *,
    key: str,
    sheet_url: str,
    count: int,
    columns: int,
    tile: tuple[int, int] = (28, 28),
    captions: Sequence[str] | None = None,
    shares: Sequence[float] | None = None,
    stops: Sequence[int] = (),
    stop_names: Sequence[str] = (),
    label: str = "Walk",
    fps: int = 12,
    revision: str,
    on_use: Callable[[int], None] | None = None,
) -> None:
    """Show the first `count` tiles of a sheet, one after another.

    Parameters
    ----------
    sheet_url
        One picture of tiles in row-major order: from `assets.publish`, or in itself as a data: URL.
    count
        Number of steps.
    columns
        Tiles in a row of the sheet.
    tile
        Width and height of a tile in the sheet, in pixels.
    captions
        One a step: shown beside the counter.
    shares
        One a step, 0 to 1: the share of real images' codes that lie in less dense places. Drawn below the scrubber
        with a line at 5%; no chart without them. A value that is not finite is left out of it.
    stops, stop_names
        Steps that are places of their own, and what they are called: labelled in the strip.
    label
        What a screen reader calls the film.
    fps
        Steps a second at normal speed.
    revision
        Names what is walked through. While it stays, so does the step; another one starts at 0.
    on_use
        Called with the step when "Use this code" is pressed, before the run that the press causes. Without it there
        is no such button.
    """
    if len(stops) != len(stop_names):
        raise ValueError(f"{len(stops)} stops have {len(stop_names)} names")

    def heard() -> None:
        payload = triggered(key, "use")
        if on_use is not None and payload is not None and payload.get("revision") == revision:  # else of an older film
            on_use(int(payload["step"]))

    _COMPONENT(
        key=key,
        data={
            "key": key,
            "sheet_url": sheet_url,
            "count": count,
            "columns": columns,
            "tile": list(tile),
            "captions": None if captions is None else list(captions),
            "shares": None if shares is None else [float(s) if isfinite(s) else None for s in shares],
            "stops": [{"step": int(step), "name": name} for step, name in zip(stops, stop_names, strict=True)],
            "label": label,
            "fps": fps,
            "revision": revision,
            "usable": on_use is not None,
        },
        on_use_change=heard,
    )
