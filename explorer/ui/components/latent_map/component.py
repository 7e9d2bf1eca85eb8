"""The map of codes: points to hover and click, a plane to decode anywhere, classes to hide, a lasso.

The browser draws with plotly.js, fetches the figure and the pictures from `explorer.ui.assets`, and sends back clicks
and selections. Nothing but those reaches Python, so hovering never waits for the server.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np

from explorer.ui import assets
from explorer.ui.components.mounting import Component
from explorer.ui.components.payloads import PayloadError, index, moment, number

__all__ = [
    "Atlas",
    "Click",
    "LegendEntry",
    "Mark",
    "Overlay",
    "Selected",
    "Sprites",
    "Trail",
    "View",
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
    outline: list[list[float]]  # corners [x, y] in the plane; none where it was drawn on another map
    revision: str = ""  # of the map that it was made on
    t: int = 0  # when, in milliseconds by the browser's clock


@dataclass(frozen=True)
class View:
    """The part of the plane that is shown: ranges of the axes."""

    x: tuple[float, float]
    y: tuple[float, float]


_COMPONENT = Component("latent_map", "lx-map")


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
    link: str = "",
    overlay: Overlay | None = None,
    names: Sequence[str] | None = None,
    revision: str,
    empty_hint: str = "",
    height: int = 560,
    selected: Selected | None = None,
    view: View | None = None,
    anew: int = 0,
    on_click: Callable[[Click], None] | None = None,
    on_select: Callable[[Selected | None], None] | None = None,
    on_view: Callable[[View | None], None] | None = None,
) -> None:
    """Shows the map.

    Args:
        key: of its own on the page.
        figure_url: JSON `{data: [trace], layout}` from `assets.publish`, as `go.Figure.to_json` writes it: one
            scattergl trace with `x` and `y` [N], `customdata` [N] the integer ids; arrays as lists or in base64.
            That of a crowded map is `explorer.figures.crowded_map`'s.
            Optional in its `meta`: `classes` [N] the class ids, `values` [N] and `value_name` for the card. A trace's
            `text` [N] takes their place on the card. `groups` [N], `group_names` and `group_what` say on the card which
            group, such as the patient, a point is of; with `by_group` the legend is of groups. `files` [N] has
            the names of files.
        legend: the classes or groups, in order, with their colours, for a figure that has them; the trace needs no
            colours then. None for a continuous colouring: `marker.showscale` asks for a colour scale above the plot.
        legend_of: what one entry is called.
        sprites: a picture of each point, for the card.
        atlas: the plane, decoded, for the card.
        marks: rings.
        trails: lines below the marks.
        follows: key of `code_sliders` whose `place` a dot follows.
        link: the same for maps whose ids name the same items: a dot shows where the item under the pointer of another
            of them is on this one.
        overlay: a picture below the points.
        names: class names by class id, for the card.
        revision: names what the points are, such as model and projection. While it stays, zoom and selection survive a
            change of figure.
        empty_hint: what a click on the empty plane does, said on the card there.
        height: in pixels; at most 420 on narrow screens.
        selected: what `on_select` said last: shown again where the map is built anew, such as after a change of page.
            What a person has selected or cleared since then holds, and on a map of another revision it is ignored.
        view: what `on_view` said last: shown again where the map is built anew. None: all of it.
        anew: with another number than before `selected` and `view` hold, whatever a person has done since.
        on_click: called with the place, before the run that the click causes.
        on_select: called with the selection, or with None when it is cleared, before the run that it causes. That a map
            of another revision has taken its place is not told.
        on_view: called with what is shown once a person has zoomed or moved the map, or with None for all of it.
    """
    _COMPONENT.show(
        key,
        {
            "plotly_url": assets.plotly_url(),
            "figure_url": figure_url,
            "legend": None if legend is None else [asdict(entry) for entry in legend],
            "legend_of": legend_of,
            "sprites": None if sprites is None else asdict(sprites),
            "atlas": None if atlas is None else asdict(atlas),
            "marks": [asdict(mark) for mark in marks if isfinite(mark.x) and isfinite(mark.y)],
            "follows": follows,
            "link": link,
            "trails": [{"points": _places(t.points), "player": t.player, "dashed": t.dashed} for t in trails],
            "overlay": None if overlay is None else asdict(overlay),
            "names": None if names is None else list(names),
            "hint": empty_hint,
            "height": height,
            "restore": None if selected is None else {**vars(selected), "ids": _packed(selected.ids)},
            "view": None if view is None else asdict(view),
            "anew": anew,
            "tells_view": on_view is not None,
        },
        revision=revision,
        answers={
            "click": lambda answer: on_click(click_of(answer)) if on_click else None,
            "selected": lambda answer: on_select(selection_of(answer)) if on_select else None,
            "view": lambda answer: on_view(view_of(answer)) if on_view else None,
        },
    )


def _places(points: Sequence[tuple[float, float]]) -> list[list[float | None]]:
    return [[float(value) if isfinite(value) else None for value in point] for point in points]  # JSON has no NaN


def click_of(answer: dict[str, Any]) -> Click:
    """Reads a click.

    Raises:
        PayloadError: it has no place, or no id where it should have one.
    """
    return Click(number(answer, "x"), number(answer, "y"), None if answer.get("id") is None else index(answer, "id"))


def view_of(answer: dict[str, Any]) -> View | None:
    """Reads what is shown; None: all of it.

    Raises:
        PayloadError: it is no part of a plane.
    """
    if answer.get("all"):
        return None
    x0, x1, y0, y1 = (number(answer, name) for name in ("x0", "x1", "y0", "y1"))
    return View((x0, x1), (y0, y1))


def selection_of(answer: dict[str, Any]) -> Selected | None:
    """Reads a selection; None: it was cleared.

    Raises:
        PayloadError: its ids or its outline are not what they should be.
    """
    if answer.get("cleared"):
        return None
    ids, outline = _unpacked(answer.get("ids")), answer.get("outline")
    if not isinstance(ids, list) or not all(type(i) is int and i >= 0 for i in ids):
        raise PayloadError(_DAMAGED)
    if not isinstance(outline, list) or not all(map(_is_place, outline)):
        raise PayloadError(_DAMAGED)
    kind: Literal["lasso", "box"] = "box" if answer.get("kind") == "box" else "lasso"
    return Selected(ids, kind, outline, str(answer.get("revision", "")), moment(answer))


_DAMAGED = "The selection was damaged on its way: select again."


_MOST_BITS = 100_000_000


def _packed(ids: list[int]) -> list[int] | str:
    """Ids as they travel: listed, or where that is shorter a bit each in base64."""
    if 36 * len(ids) <= max(ids, default=0):
        return ids
    chosen = np.zeros(max(ids) + 1, bool)
    chosen[ids] = True
    return base64.b64encode(np.packbits(chosen).tobytes()).decode()


def _unpacked(ids: object) -> object:
    if not isinstance(ids, str) or len(ids) > _MOST_BITS // 6:
        return ids
    try:
        return np.flatnonzero(np.unpackbits(np.frombuffer(base64.b64decode(ids, validate=True), np.uint8))).tolist()
    except binascii.Error as error:
        raise PayloadError(_DAMAGED) from error


def _is_place(found: object) -> bool:
    return (
        isinstance(found, list) and len(found) == 2 and all(isinstance(v, int | float) and isfinite(v) for v in found)
    )
