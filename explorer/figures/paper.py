"""Figures for a paper: plots and sheets of pictures as SVG, PDF and PNG, each with its caption in its metadata.

matplotlib draws the arrays of the plotly figures: kaleido would need a Chrome of its own, and mlxtend brings
matplotlib along anyway.
"""

from __future__ import annotations

import html
import io
import math
import re
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

DPI = 300
FORMATS = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}

_WIDTH, _SHEET_WIDTH = 5.0, 6.5  # inches, of a plot and at most of a sheet of pictures
_PIXELS = 520  # that a plot is wide on the screen, where its layout's height is meant
_MOST_VECTOR = 20_000  # points of a plot; of more a vector format has a picture at 300 dpi
_MOST_NAMED = 60  # entries of a legend
_DASHES = {"dash": "--", "dot": ":"}
_MARKERS = {"cross-thin": "+"}
_STYLE: Any = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "text.parse_math": False,  # names are names
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "explorer",  # the same figure is the same file
    "pdf.fonttype": 42,  # TrueType, which journals ask for
}
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # what XML cannot hold
_lock = threading.Lock()  # matplotlib's style is the whole process'


@dataclass(frozen=True)
class Pictures:
    """A sheet of `rows` x `columns` pictures of one size, with names of its columns and rows where they have any."""

    sheet: Image.Image
    columns: int
    rows: int
    across: Sequence[str] = ()
    down: Sequence[str] = ()
    axes: tuple[str, str] = ("", "")  # of the columns and of the rows


Panel = go.Figure | Pictures


def draw(panels: Sequence[Panel], format: str, *, caption: str = "") -> bytes:
    """Draws panels side by side, as vectors but for pictures; PNG at 300 dpi.

    Args:
        panels: plots of lines, points and bars, or sheets.
        format: svg, pdf or png.
        caption: put into the file's metadata.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    sizes = [_sheet_size(panel) if isinstance(panel, Pictures) else _plot_size(panel) for panel in panels]
    with _lock, rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a script that no font of this machine has
        page = Figure((sum(w for w, _ in sizes), max(h for _, h in sizes)), layout="constrained")
        places = page.subplots(1, len(panels), squeeze=False, width_ratios=[w for w, _ in sizes])[0]
        for place, panel, size in zip(places, panels, sizes, strict=True):
            if isinstance(panel, Pictures):
                _draw_sheet(place, panel, size)
            else:
                _draw_plot(place, panel)
        file = io.BytesIO()
        page.savefig(
            file, format=format, dpi=DPI, bbox_inches="tight", pad_inches=0.03, metadata=_metadata(format, caption)
        )
    return file.getvalue()


def with_legend(figure: go.Figure, entries: Sequence[tuple[int, str, str]]) -> go.Figure:
    """Colours `map_figure`'s points as the map's legend does: a trace an entry (id, name, colour)."""
    trace = figure.data[0]
    ids = np.asarray(trace.meta["groups" if trace.meta.get("by_group") else "classes"])
    marker = {"size": trace.marker.size, "opacity": trace.marker.opacity}
    traces = [
        go.Scatter(
            x=trace.x[ids == i], y=trace.y[ids == i], name=name, mode="markers", marker={**marker, "color": color}
        )
        for i, name, color in entries
    ]
    return go.Figure(traces, figure.layout).update_layout(showlegend=True)


def _metadata(format: str, caption: str) -> dict[str, Any]:
    caption = _seen(caption)
    if format == "pdf":
        return {"Subject": caption, "CreationDate": None}
    return {"Description": caption, **({"Date": None} if format == "svg" else {})}


# --- pictures ------------------------------------------------------------------------------------------------------


def _sheet_size(panel: Pictures) -> tuple[float, float]:
    width = min(_SHEET_WIDTH, max(1.5, 0.5 * panel.columns))
    return width, width * panel.sheet.height / panel.sheet.width + (0.4 if panel.across else 0)


def _draw_sheet(place: Axes, panel: Pictures, size: tuple[float, float]) -> None:
    width, height = panel.sheet.size
    times = max(1, math.ceil(DPI * size[0] / width))  # readers of PDF smooth what has few pixels
    large = panel.sheet.resize((times * width, times * height), Image.Resampling.NEAREST)
    place.imshow(large, cmap="gray", vmin=0, vmax=255, interpolation="none", extent=(0, panel.columns, panel.rows, 0))
    place.set_aspect(height / panel.rows / (width / panel.columns))
    place.set_xticks([i + 0.5 for i in range(len(panel.across))], [*map(_seen, panel.across)])
    place.set_yticks([i + 0.5 for i in range(len(panel.down))], [*map(_seen, panel.down)])
    place.tick_params(length=0, labelsize=6)
    place.set_xlabel(_seen(panel.axes[0]))
    place.set_ylabel(_seen(panel.axes[1]))
    place.spines[:].set_visible(False)


# --- plots ---------------------------------------------------------------------------------------------------------


def _plot_size(figure: go.Figure) -> tuple[float, float]:
    return _WIDTH, _WIDTH * (figure.layout.height or _PIXELS) / _PIXELS


def _draw_plot(place: Axes, figure: go.Figure) -> None:
    handles, names = [], []  # those that matplotlib finds by itself lack names that begin with an underscore
    for trace in figure.data:
        if trace.type == "bar":
            _draw_bars(place, trace)
            continue
        drawn = _draw_points(place, trace)
        if trace.name and trace.showlegend is not False:
            handles.append(drawn)
            names.append(_text(trace.name))
    for side in "xy":
        _draw_axis(place, side, figure.layout[f"{side}axis"])
    if figure.layout.yaxis.scaleanchor:
        place.set_aspect("equal", adjustable="datalim" if figure.layout.xaxis.range is None else "box")
    if figure.layout.showlegend is not False and 0 < len(names) <= _MOST_NAMED:
        columns = min(len(names), max(1, int(0.8 * _WIDTH / (0.53 + 0.07 * max(map(len, names))))))
        place.legend(
            handles,
            names,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=columns,
            frameon=False,
            markerscale=2 if len(handles) == len(figure.data) and figure.data[0].mode == "markers" else 1,
        )


def _draw_bars(place: Axes, trace: go.Bar) -> None:
    names = [_text(name) for name in trace.x]
    place.bar(range(len(names)), trace.y, color=trace.marker.color, width=0.8)
    place.set_xticks(range(len(names)), names)


def _draw_points(place: Axes, trace: go.Scatter | go.Scattergl) -> Artist:
    """Draws points, a line, or both; returns the line if there is one."""
    x, y = np.asarray(trace.x, float), np.asarray(trace.y, float)
    marker, line = trace.marker, trace.line
    alpha = trace.opacity
    drawn: list[Artist] = []
    if "lines" in trace.mode:
        style = _DASHES.get(line.dash, "-")
        drawn += place.plot(x, y, style, color=line.color, linewidth=0.75 * (line.width or 2), alpha=alpha)
    if "markers" in trace.mode:
        symbol = marker.symbol or "circle"
        shape = _MARKERS.get(symbol, "o")
        points = place.scatter(
            x,
            y,
            s=(0.5 * np.asarray(marker.size or 6, float)) ** 2,
            c=marker.line.color if shape == "+" else "none" if symbol.endswith("open") else marker.color,
            cmap=None if marker.colorscale is None else "viridis",
            vmin=marker.cmin,
            vmax=marker.cmax,
            alpha=marker.opacity if alpha is None else alpha,
            marker=shape,
            linewidths=0.75 * (marker.line.width or 0),
            edgecolors=marker.line.color if symbol.endswith("open") else None,
            rasterized=len(x) > _MOST_VECTOR,
        )
        if marker.showscale:
            bar = place.figure.colorbar(points, ax=place, label=_text(marker.colorbar.title.text), pad=0.02, aspect=40)
            if bar.solids is not None:
                bar.solids.set_alpha(1)
        drawn.append(points)
    return drawn[0]


def _draw_axis(place: Axes, side: str, axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

    of = place.xaxis if side == "x" else place.yaxis
    if axis.visible is False or axis.showticklabels is False:
        of.set_ticks([])
    if axis.visible is False:
        place.spines[:].set_visible(False)
    else:
        place.spines[["top", "right"]].set_visible(False)
    if axis.title.text:
        of.set_label_text(_text(axis.title.text))
    if axis.type == "log":
        place.set(**{f"{side}scale": "log"})
        of.set_major_formatter("{x:g}")
    elif axis.dtick:
        of.set_major_locator(MultipleLocator(axis.dtick))
    if axis.tickvals is not None:
        of.set_ticks(list(axis.tickvals), [_text(text) for text in axis.ticktext])
    if axis.tickformat == ".0%" or axis.ticksuffix == "%":
        of.set_major_formatter(PercentFormatter(1 if axis.tickformat else 100, decimals=0))
    if axis.range is not None:
        place.set(**{f"{side}lim": axis.range})
    elif axis.rangemode == "tozero":
        place.set(**{f"{side}lim": (0, None)})
        of.set_major_locator(MaxNLocator(integer=True))  # epochs


def _text(shown: str) -> str:
    """What plotly shows for a text that `figures.escaped` has escaped."""
    return _seen(html.unescape(shown).replace("% {", "%{"))


def _seen(text: str) -> str:
    """A text without control characters, which names of files and columns may have."""
    return _UNSEEN.sub("?", text)
