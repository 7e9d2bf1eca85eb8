"""Plotly figures from arrays. Knows nothing of models, and nothing of the page's theme: backgrounds are clear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go

# Ten hues that stay apart on white and on near-black, for people who see red and green alike too: neighbours
# in the circle differ in lightness.
PALETTE = (
    "#4e79f6",
    "#f28e2b",
    "#2aa876",
    "#e15759",
    "#9d6be0",
    "#c49a1a",
    "#e377c2",
    "#17a2b8",
    "#8c8c8c",
    "#a0693f",
)
COLORSCALE = "Viridis"
LEGEND_ABOVE = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}


def palette(n: int) -> list[str]:
    """Chooses n colours for classes or groups: PALETTE's ten, and beyond them those that differ most from all before.

    Chosen one by one, each farthest from its nearest among those before (Gonzalez 1985, "Clustering to minimize the
    maximum intercluster distance"), in Oklab, where distances are near to how different colours look.
    """
    colors = list(PALETTE[:n])
    if n > len(colors):
        colors += _more_colors()[: n - len(colors)]
    return [colors[i % len(colors)] for i in range(n)]  # hundreds of groups share some


@cache
def _more_colors() -> list[str]:
    """Finds the colours after PALETTE's: neither so light nor so dark that white or near-black hides them."""
    steps = np.arange(16, 256, 24)
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    places = _oklab(candidates)
    seen = (places[:, 0] > 0.45) & (places[:, 0] < 0.84)
    candidates, places = candidates[seen], places[seen]
    first = _oklab(np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in PALETTE]))
    apart = np.linalg.norm(places[:, None] - first[None], axis=2).min(1)
    found = []
    for _ in range(_MOST_COLORS - len(PALETTE)):
        chosen = int(apart.argmax())
        found.append("#" + "".join(f"{c:02x}" for c in candidates[chosen]))
        apart = np.minimum(apart, np.linalg.norm(places - places[chosen], axis=1))
    return found


_MOST_COLORS = 250


def _oklab(rgb: np.ndarray) -> np.ndarray:
    """Converts sRGB of 0 to 255 [N, 3] to Oklab (Ottosson 2020, "A perceptual color space for image processing")."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(linear @ np.array(_TO_CONES).T)
    return np.asarray(cones @ np.array(_TO_LAB).T)


_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


@dataclass(frozen=True)
class Groups:
    """What points [N] are of beside their classes: a patient each, named `what` on the screen."""

    names: Sequence[str]
    ids: np.ndarray  # [N], positions in `names`
    what: str
    colored: bool = False  # by these and not by class


def map_figure(
    points: np.ndarray,
    *,
    classes: np.ndarray | None = None,
    groups: Groups | None = None,
    files: Sequence[str] | None = None,
    values: np.ndarray | None = None,
    value_name: str = "",
    axes: tuple[str, str] | None = None,
    bounds: tuple[tuple[float, float], tuple[float, float]] | None = None,
    equal: bool = True,
    revision: str = "",
) -> go.Figure:
    """Makes the scatter that the map component draws: one trace, row numbers in `customdata`.

    One trace, because points selected over several vanish (plotly.js issue 7728); row numbers, because a point's
    own index changes when classes are hidden.

    Args:
        points: float [N, 2].
        classes: class ids [N], or None.
        groups: for the card beside the pointer, and for the colours when it says so.
        files: names [N], for the card.
        values: what to colour by, float [N], NaN where it is not known; None colours by class.
        axes: names of the axes; None for a projection, whose axes mean nothing.
        bounds: what of x and of y is in view at first; None for all points.
        equal: whether a unit is as long on both axes.
        revision: while this stays the same, zoom and selection survive another figure.
    """
    n = len(points)
    marker: dict[str, Any] = {"size": 5 if n <= 6000 else 4, "opacity": 0.75}
    meta: dict[str, Any] = {}
    if classes is not None:
        meta["classes"] = np.asarray(classes).tolist()
    if groups is not None:
        meta |= {"groups": np.asarray(groups.ids).tolist(), "group_names": list(groups.names)}
        meta |= {"group_what": groups.what, "by_group": groups.colored}
    if files is not None:
        meta["files"] = list(files)
    if values is not None:
        marker |= {"color": np.asarray(values, np.float32), **color_scale(values, value_name)}
        shown = [float(f"{value:.6g}") if value == value else None for value in values.tolist()]
        meta |= {"values": shown, "value_name": value_name}
    trace = go.Scattergl(
        x=np.asarray(points[:, 0], np.float32),
        y=np.asarray(points[:, 1], np.float32),
        customdata=np.arange(n, dtype=np.int32),
        mode="markers",
        marker=marker,
        meta=meta,
        hoverinfo="none",
    )
    axis: dict[str, Any] = {
        "visible": axes is not None,
        "zeroline": axes is not None,
        "showgrid": axes is not None,
        "showticklabels": axes is not None,
    }
    ranges = [list(bound) for bound in bounds] if bounds else [None, None]
    layout = go.Layout(
        xaxis={**axis, "range": ranges[0], "title": {"text": axes[0]} if axes else None},
        yaxis={
            **axis,
            "range": ranges[1],
            "title": {"text": axes[1]} if axes else None,
            "scaleanchor": "x" if equal else None,
        },
        margin={"l": 44 if axes else 8, "r": 8, "t": 8, "b": 40 if axes else 8},
        meta={"uirevision": revision},
        showlegend=False,
    )
    return go.Figure(trace, layout)


def color_scale(values: np.ndarray, name: str) -> dict[str, Any]:
    """Makes a marker's scale for values [N], NaN for what is not known: one outlier must not take all the colours."""
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, [1, 99]) if len(known) else (0, 0)
    return {
        "colorscale": COLORSCALE,
        "cmin": float(low),
        "cmax": float(max(high, low + 1e-6)),
        "showscale": True,
        "colorbar": {"title": {"text": escaped(name), "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }


def density(points: np.ndarray) -> np.ndarray:
    """Measures how crowded the map is at each point [N, 2], relative to an even spread over it: float32 [N].

    A histogram of 128 cells a side, smoothed by a Gaussian of 1.5 cells, read off at the points' own cells.
    """
    from scipy.ndimage import gaussian_filter  # not before somebody asks for it: half a second

    bins = 128
    low, high = points.min(0), points.max(0)
    cell = np.clip(((points - low) / np.maximum(high - low, 1e-9) * bins).astype(int), 0, bins - 1)
    counts = np.zeros((bins, bins))
    np.add.at(counts, (cell[:, 0], cell[:, 1]), 1)
    smooth = gaussian_filter(counts, 1.5)
    return (smooth[cell[:, 0], cell[:, 1]] * bins * bins / len(points)).astype(np.float32)


def escaped(text: str) -> str:
    """Escapes a name for plotly, which reads all text as a little HTML, with links, and hovers as templates.

    To be used wherever such a name becomes a text, a tick, a trace's name or `customdata`.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("%{", "% {")


def class_histogram(names: Sequence[str], counts: Sequence[int], *, ticks: bool = True) -> go.Figure:
    """Draws bars of how many items a class or group has, in the map's colours; without `ticks` a hover names them."""
    bars = go.Bar(
        x=[escaped(name) for name in names],
        y=list(counts),
        marker={"color": palette(len(names))},
        hovertemplate="%{x}: %{y}<extra></extra>",
    )
    layout = go.Layout(
        height=150,
        margin={"l": 30, "r": 4, "t": 6, "b": 24},
        xaxis={"type": "category", "fixedrange": True, "showticklabels": ticks},
        yaxis={"fixedrange": True, "nticks": 4},
        bargap=0.2,
    )
    return go.Figure(bars, layout)


def kl_bars(kl: np.ndarray, names: Sequence[str], faint: float) -> go.Figure:
    """Draws the KL [D] of each latent in nats as bars, the largest first; those below `faint` are grey.

    The axis has names where there is room for them; a hover names every bar.
    """
    order = np.argsort(-kl, kind="stable")
    few = len(kl) <= _MOST_NAMED_BARS
    bars = go.Bar(
        x=[escaped(names[i]) for i in order],
        y=[float(f"{value:.5g}") for value in kl[order]],
        marker={"color": [FAINT if value < faint else _TOLD for value in kl[order]]},
        hovertemplate="%{x}: %{y:.3g} nats<extra></extra>",
    )
    layout = go.Layout(
        height=190,
        margin={"l": 50, "r": 4, "t": 6, "b": 36},
        xaxis={
            "type": "category",
            "fixedrange": True,
            "showticklabels": few,
            "title": None if few else {"text": f"{len(kl):,} latents, the strongest first"},
        },
        yaxis={"fixedrange": True, "nticks": 5, "title": {"text": "KL, nats"}},
        bargap=0.2,
    )
    return go.Figure(bars, layout)


_MOST_NAMED_BARS = 12
_TOLD = "#14a098"
FAINT = "#9a9a9a"
"""Of what tells nothing, or has no name."""

_METRIC_UNITS = {
    "elbo": "ELBO, nats an image",
    "reconstruction": "reconstruction, nats an image",
    "kl": "KL, nats an image",
    "loss": "loss, nats an image",
    "mse": "mean squared error",
}
CURVE_AXES = {"epoch": "epoch", "steps": "steps", "images": "images", "seconds": "time, seconds"}
"""What learning curves may run over: keys of a history's lines, with the axis' title."""
_MOST_POINTS = 1000  # of a curve: a screen shows no more


def learning_curves(
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    metric: str,
    splits: Sequence[str] = ("test",),
    *,
    axis: str = "epoch",
    smoothing: float = 0.0,
) -> go.Figure:
    """Draws one metric of several runs, in the order of `histories`: a line a run, dashed for training images.

    A run without the metric, such as the ELBO of a plain autoencoder, is left out; its colour stays its own.

    Args:
        histories: by a run's name, the lines of its history.
        metric: elbo, reconstruction, kl, loss or mse.
        splits: test, train or both. There is no mse of the training images.
        axis: a key of `CURVE_AXES`; a line without it is left out.
        smoothing: from 0 to 1, the share of each point that is the smoothed curve before it.

    Raises:
        ValueError: an unknown metric, split or axis.
    """
    if axis not in CURVE_AXES:
        raise ValueError(f"there is no axis {axis!r}: choose from {', '.join(CURVE_AXES)}")
    if metric not in _METRIC_UNITS:
        raise ValueError(f"there is no metric {metric!r}: choose from {', '.join(_METRIC_UNITS)}")
    if not set(splits) <= {"train", "test"}:
        raise ValueError(f"there are no splits {splits!r}: choose train or test")
    figure = go.Figure()
    for (name, rows), color in zip(histories.items(), palette(len(histories)), strict=True):
        for split in splits:
            points = [(row.get(axis), (row.get(split) or {}).get(metric)) for row in rows]
            known = [(x, y) for x, y in points if x is not None and isinstance(y, int | float) and np.isfinite(y)]
            if not known:
                continue
            if smoothing:
                from pandas import Series

                at, values = zip(*known, strict=True)
                known = [*zip(at, Series(values).ewm(alpha=1 - smoothing).mean(), strict=True)]
            step = -(-len(known) // _MOST_POINTS)
            x, y = zip(*dict.fromkeys([*known[::step], known[-1]]), strict=True)
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=[float(f"{value:.6g}") for value in y],
                    name=escaped(name if len(splits) == 1 else f"{name}, {split}"),
                    mode="lines" if len(x) > 1 else "markers",
                    line={"color": color, "width": 2, "dash": "dash" if split == "train" else "solid"},
                    marker={"color": color},
                    hovertemplate="%{y:,.5g}",
                )
            )
    figure.update_layout(
        height=340,
        margin={"l": 60, "r": 10, "t": 10, "b": 44},
        xaxis={"title": {"text": CURVE_AXES[axis]}, "rangemode": "tozero", "zeroline": False},
        yaxis={"title": {"text": _METRIC_UNITS[metric]}, "zeroline": False},
        hovermode="x unified",
        showlegend=True,
        legend=LEGEND_ABOVE,
    )
    return figure


def sweep_figure(lines: Mapping[str, Mapping[float, Sequence[float]]], setting: str, title: str) -> go.Figure:
    """Draws a figure over the setting that was swept: a dot a model, and a line through the means of each value.

    The axis of the setting is logarithmic where its values are positive and span a factor of ten.

    Args:
        lines: numbers by value of the setting, by what a line is of: empty where there is one alone.
        setting: what was swept.
        title: what the numbers are.
    """
    xs = sorted({x for points in lines.values() for x in points})
    log = bool(xs) and xs[0] > 0 and xs[-1] / xs[0] >= 10
    figure = go.Figure()
    for (name, points), color in zip(lines.items(), cycle(PALETTE)):
        of = {"name": escaped(name), "legendgroup": name}
        along = sorted(points)
        means = [float(np.mean(points[x])) for x in along]
        dots = [(x, y) for x in along for y in points[x]]
        said = f"{escaped(name)}, {escaped(setting)}" if name else escaped(setting)
        figure.add_scatter(x=along, y=means, mode="lines", line={"color": color, "width": 2}, hoverinfo="skip", **of)
        figure.add_scatter(
            x=[x for x, _ in dots],
            y=[y for _, y in dots],
            mode="markers",
            marker={"color": color, "size": 8, "opacity": 0.7},
            hovertemplate=f"{said} %{{x}}: %{{y:,.5g}}<extra></extra>",
            showlegend=False,
            **of,
        )
    figure.update_layout(
        height=240,
        margin={"l": 60, "r": 10, "t": 10, "b": 44},
        xaxis={"title": {"text": escaped(setting)}, "type": "log" if log else "linear", "zeroline": False},
        yaxis={"title": {"text": title}, "zeroline": False},
        showlegend=len(lines) > 1,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    if log:
        figure.update_xaxes(tickvals=xs, ticktext=[f"{x:g}" for x in xs])
    return figure
