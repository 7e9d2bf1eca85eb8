"""The map of codes: points to hover and click, a plane to decode anywhere, classes to hide, a lasso.

The browser's part is in this folder, one subject a file. They are joined, in the order of `_PARTS`, into
the one ES module that Streamlit loads: top-level names are shared and must be unique among them, and only
`main.js` exports. It draws with plotly.js, fetches the figure and the pictures from `explorer.ui.assets`, and
sends back clicks and selections. Nothing but those reaches Python, so hovering never waits for the server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

import streamlit as st

from explorer.ui import assets
from explorer.ui.components.scripts import css, script

__all__ = [
    "Atlas",
    "Click",
    "LegendEntry",
    "MapEvents",
    "Mark",
    "Overlay",
    "Selected",
    "Sprites",
    "Trail",
    "latent_map",
]


@dataclass(frozen=True)
class LegendEntry:
    """A class of the figure's `meta.classes`, or a group of its `meta.groups`. Its colour is the points' colour too."""

    id: int
    name: str
    color: str  # any CSS colour
    count: int


@dataclass(frozen=True)
class Sprites:
    """Small pictures of the points, in sheets: `assets.publish_sheets` gives the URL."""

    url: str  # has "{sheet}"; sheet k holds the ids k * per_sheet to (k + 1) * per_sheet - 1, row-major
    columns: int
    tile: tuple[int, int]  # width, height in pixels
    per_sheet: int


@dataclass(frozen=True)
class Atlas:
    """The plane decoded on a regular grid, as one picture of `rows` x `columns` tiles.

    In picture order: row 0 holds the highest y, column 0 the lowest x.
    """

    url: str
    columns: int
    rows: int
    tile: tuple[int, int]  # width, height in pixels
    x: tuple[float, float]  # centres of the leftmost and the rightmost tiles
    y: tuple[float, float]  # centres of the lowest and the highest tiles


@dataclass(frozen=True)
class Overlay:
    """A transparent picture below the points, stretched over a rectangle of the plane."""

    url: str
    x: tuple[float, float]  # left and right edge
    y: tuple[float, float]  # lower and upper edge
    opacity: float = 1.0


@dataclass(frozen=True)
class Mark:
    """A ring on the map. A click moves the `selected` one in the browser before Python answers.

    A `result` looks like it and stays where it is; an `ingredient` is a small one. Any other kind is one between.
    """

    x: float
    y: float
    label: str = ""
    kind: str = "selected"


@dataclass(frozen=True)
class Trail:
    """A line over the map with a dot at each of its points, such as the steps of a walk.

    A point that is not finite has no dot, and the line goes on past it. With the key of a film as its `player`
    another dot follows that film: its step is the index of the point.
    """

    points: Sequence[tuple[float, float]]
    player: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Click:
    """A place that was chosen: by pointer, by touch or with the arrow keys."""

    x: float
    y: float
    id: int | None  # of the point hit, else None: the empty plane


@dataclass(frozen=True)
class Selected:
    """Points inside an outline."""

    ids: list[int]
    kind: Literal["lasso", "box"]
    outline: list[list[float]]  # corners [x, y] in the plane
    revision: str = ""  # of the map that it was made on
    t: int = 0  # when, in milliseconds by the browser's clock


@dataclass(frozen=True)
class MapEvents:
    """`click` is there in the one run that it causes; `selected` until it is cleared."""

    click: Click | None
    selected: Selected | None


_PARTS = ("load", "theme", "plot", "selection", "marks", "trails", "legend", "hover", "input", "main")

_COMPONENT = st.components.v2.component(
    "latent_map",
    html='<div class="lx-map" data-state="loading"></div>',
    css=css("latent_map"),
    js=script(*(f"latent_map/{part}" for part in _PARTS)),
    isolate_styles=False,
)


def latent_map(
    *,
    key: str,
    figure_url: str,
    legend: Sequence[LegendEntry] | None = None,
    legend_of: str = "class",
    sprites: Sprites | None = None,
    atlas: Atlas | None = None,
    marks: Sequence[Mark] = (),
    trails: Sequence[Trail] = (),
    follows: str = "",
    overlay: Overlay | None = None,
    names: Sequence[str] | None = None,
    revision: str = "",
    empty_hint: str = "",
    label: str = "Map of codes",
    height: int = 560,
    selected: Selected | None = None,
    on_click: Callable[[Click], None] | None = None,
    on_select: Callable[[Selected | None], None] | None = None,
) -> MapEvents:
    """Show the map and return what a person did on it.

    Parameters
    ----------
    figure_url
        JSON `{data: [trace], layout}` from `assets.publish`, as `go.Figure.to_json` writes it: one scattergl
        trace with `x` and `y` [N], `customdata` [N] the integer ids; arrays as lists or in base64. Optional in
        its `meta`: `classes` [N] the class ids, `values` [N] and `value_name` for the card. A trace's `text` [N]
        takes their place on the card. `groups` [N], `group_names` and `group_what` say on the card which group, such
        as the patient, a point is of; with `by_group` the legend is of groups.
    legend
        The classes or groups, in order, with their colours, for a figure that has them; the trace needs no colours
        then. None for a continuous colouring: `marker.showscale` asks for a colour scale above the plot.
    legend_of
        What one entry is called.
    names
        Class names by class id, for the card.
    revision
        Names what the points are, such as model and projection; `layout.meta.uirevision` when empty. While it
        stays, zoom and selection survive a change of figure. A selection of another revision is not returned.
    empty_hint
        What a click on the empty plane does, said on the card there.
    label
        What a screen reader calls the map.
    height
        In pixels; at most 420 on narrow screens.
    trails
        Lines below the marks.
    follows
        Key of `code_sliders` whose `place` a dot follows.
    selected
        What was selected when the map was last on the screen, as `on_select` or `MapEvents.selected` gave it: shown
        again where the map is built anew, such as after a change of page. What a person has selected or cleared
        since then holds, and on a map of another revision it is ignored.
    on_click, on_select
        Called before the run that the event causes; `on_select` with None when the selection is cleared. That a map
        of another revision has taken the selection's place is not told.
    """
    ack_key = f"{key}-answered"

    def heard() -> None:
        payload = _field(st.session_state.get(key), "click")
        if payload is None:
            return
        st.session_state[ack_key] = payload["t"]
        if on_click is not None:
            on_click(_click(payload))

    def outlined() -> None:
        payload = _field(st.session_state.get(key), "selected")
        if on_select is not None and payload is not None and _is_of(payload.get("revision"), revision):
            on_select(_selected(payload))

    result = _COMPONENT(
        key=key,
        data={
            "key": key,
            "plotly_url": assets.plotly_url(),
            "figure_url": figure_url,
            "legend": None if legend is None else [asdict(entry) for entry in legend],
            "legend_of": legend_of,
            "sprites": None if sprites is None else asdict(sprites),
            "atlas": None if atlas is None else asdict(atlas),
            "marks": [asdict(mark) for mark in marks if isfinite(mark.x) and isfinite(mark.y)],
            "follows": follows,
            "trails": [{"points": _places(t.points), "player": t.player, "dashed": t.dashed} for t in trails],
            "overlay": None if overlay is None else asdict(overlay),
            "names": None if names is None else list(names),
            "revision": revision,
            "hint": empty_hint,
            "label": label,
            "height": height,
            "restore": None if selected is None else asdict(selected),
            # The newest click that Python has seen: the browser's own mark gives way to `marks`.
            "ack": st.session_state.get(ack_key, 0),
        },
        on_click_change=heard,
        on_selected_change=outlined,
    )
    click = _field(result, "click")
    said = _field(result, "selected")
    if said is not None and _is_of(said.get("revision"), revision):
        now = _selected(said)
    elif selected is not None and _is_of(selected.revision, revision):
        now = selected  # the browser shows it again and has said nothing of this map
    else:
        now = None
    return MapEvents(click=None if click is None else _click(click), selected=now)


def _places(points: Sequence[tuple[float, float]]) -> list[list[float | None]]:
    return [[float(value) if isfinite(value) else None for value in point] for point in points]  # JSON has no NaN


def _field(state: Any, name: str) -> dict[str, Any] | None:
    value = None if state is None else state.get(name)
    return value if isinstance(value, dict) else None


def _click(payload: dict[str, Any]) -> Click:
    point = payload.get("id")
    return Click(float(payload["x"]), float(payload["y"]), None if point is None else int(point))


def _is_of(found: str | None, revision: str) -> bool:
    return not revision or found == revision


def _selected(payload: dict[str, Any]) -> Selected | None:
    if payload.get("cleared"):
        return None
    kind: Literal["lasso", "box"] = "box" if payload["kind"] == "box" else "lasso"
    ids = [int(i) for i in payload["ids"]]
    return Selected(ids, kind, payload["outline"], str(payload.get("revision", "")), int(payload.get("t", 0)))
