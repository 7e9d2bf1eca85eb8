"""A walk as a film: one big picture, play and scrub, the strip of all steps, and how dense each step's place is.

Playing and scrubbing happen in the browser, where maps follow them; nothing but the button's press reaches Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

from explorer.ui.components.mounting import Component
from explorer.ui.components.payloads import index

__all__ = ["film"]

_COMPONENT = Component("film", "lx-film")


def film(
    *,
    key: str,
    sheet_url: str,
    count: int,
    columns: int,
    tile: tuple[int, int] = (28, 28),
    shares: Sequence[float] | None = None,
    stops: Sequence[int] = (),
    stop_names: Sequence[str] = (),
    label: str = "Walk",
    revision: str,
    on_use: Callable[[int], None] | None = None,
) -> None:
    """Shows the first `count` tiles of a sheet, one after another.

    Args:
        key: of its own on the page.
        sheet_url: one picture of tiles in row-major order: from `assets.publish`, or a data: URL.
        count: number of steps.
        columns: tiles in a row of the sheet.
        tile: width and height of a tile in the sheet, in pixels.
        shares: one a step, 0 to 1: the share of real images' codes that lie in less dense places. Drawn below the
            scrubber with a line at 5%; no chart without them. A value that is not finite is left out of it.
        stops: steps that are places of their own: labelled in the strip.
        stop_names: what they are called.
        label: what a screen reader calls the film.
        revision: names what is walked through. While it stays, so does the step; another one starts at 0.
        on_use: called with the step when "Use this code" is pressed, before the run that the press causes. Without it
            there is no such button.

    Raises:
        ValueError: there are not as many names as stops.
    """
    if len(stops) != len(stop_names):
        raise ValueError(f"{len(stops)} stops have {len(stop_names)} names")

    _COMPONENT.show(
        key,
        {
            "sheet_url": sheet_url,
            "count": count,
            "columns": columns,
            "tile": list(tile),
            "shares": None if shares is None else [float(s) if isfinite(s) else None for s in shares],
            "stops": [{"step": int(step), "name": name} for step, name in zip(stops, stop_names, strict=True)],
            "label": label,
            "usable": on_use is not None,
        },
        revision=revision,
        answers={} if on_use is None else {"use": lambda answer: on_use(min(index(answer, "step"), count - 1))},
    )
