"""Plotly figures of the Cells screen: hues, a cell on a map of others, how well screening does, scales by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures import LEGEND_ABOVE, PALETTE, escaped

_APART = 0.16  # of a row: where two marks of layer scales would cover each other
_MARK = "#e0218a"  # in neither of the classes' colours, and plain on white and on near-black


def place_on_map(
    points: np.ndarray, patients: Sequence[str] | None, spot: tuple[float, float], name: str, *, color: str
) -> go.Figure:
    """Draws a map of real cells with one more marked on it.

    Args:
        points: of the real ones, float [N, 2].
        patients: of each, for a hover; None where they are not known.
        spot: where the other one falls.
        name: what it is called.
        color: of the real ones.
    """
    cells = go.Scatter(
        x=np.asarray(points[:, 0], np.float32),
        y=np.asarray(points[:, 1], np.float32),
        customdata=None if patients is None else [escaped(patient) for patient in patients],
        mode="markers",
        marker={"size": 4, "opacity": 0.45, "color": color},
        hovertemplate=None if patients is None else "a cell of patient %{customdata}<extra></extra>",
        hoverinfo="skip" if patients is None else None,
    )
    mark = go.Scatter(
        x=[spot[0]],
        y=[spot[1]],
        mode="markers",
        marker={"size": 17, "symbol": "cross-thin", "line": {"width": 4, "color": _MARK}},
        hovertemplate=f"{escaped(name)}<extra></extra>",
    )
    axis = {"visible": False, "fixedrange": True}
    layout = go.Layout(
        height=260,
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        xaxis=axis,
        yaxis={**axis, "scaleanchor": "x"},
        showlegend=False,
    )
    return go.Figure([cells, mark], layout)


def hues(histograms: Mapping[str, Sequence[float]]) -> go.Figure:
    """Draws shares of pixels by hue, a line each, from magenta through red to yellow in the middle.

    Args:
        histograms: by name, shares in equal bins of the circle from 0 to 360 degrees. The last one is drawn bold.
    """
    figure = go.Figure()
    peak = 100 * max((share for shares in histograms.values() for share in shares), default=0.0)
    for i, (name, shares) in enumerate(histograms.items()):
        half = len(shares) // 2  # cells are red: cut the circle open on the other side
        turned = [*shares[half:], *shares[:half]]
        degrees = [(k + 0.5) * 360 / len(shares) - 180 for k in range(len(shares))]
        bold = i == len(histograms) - 1
        line = {"width": 2.5, "color": PALETTE[0]} if bold else {"width": 1.5, "color": PALETTE[8], "dash": "dot"}
        figure.add_trace(
            go.Scatter(
                x=degrees,
                y=[round(100 * share, 2) for share in turned],
                name=escaped(name),
                mode="lines",
                line=line,
                hovertemplate="%{y:.1f}% of the colour at %{x:.0f}°",
            )
        )
    figure.update_layout(
        height=190,
        margin={"l": 36, "r": 6, "t": 26, "b": 34},
        xaxis={
            "range": [-130, 70],
            "tickvals": [-120, -60, 0, 60],
            "ticktext": ["blue", "magenta", "red", "yellow"],
            "fixedrange": True,
        },
        yaxis={"ticksuffix": "%", "fixedrange": True, "range": [0, max(1.08 * peak, 1)], "nticks": 4},
        showlegend=True,
        legend=LEGEND_ABOVE,
    )
    return figure


def calibration(bins: Sequence[tuple[float, float, int]]) -> go.Figure:
    """Draws how often cells are infected at a probability: bins of mean probability, share infected and count."""
    said, found, counts = zip(*bins, strict=True) if bins else ((), (), ())
    largest = max(counts, default=1)
    figure = go.Figure(_diagonal("as it should be"))
    figure.add_trace(
        go.Scatter(
            x=said,
            y=found,
            customdata=counts,
            name="test patients",
            mode="lines+markers",
            line={"color": PALETTE[0], "width": 2},
            marker={"size": [6 + 12 * (count / largest) ** 0.5 for count in counts], "opacity": 1},
            cliponaxis=False,  # most cells are at the ends, and their marks the largest
            hovertemplate="of %{customdata:,} cells with a probability of about %{x:.0%}, %{y:.0%} are infected"
            "<extra></extra>",
        )
    )
    return _unit(figure, "probability that was said", "share that is infected")


def roc(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> go.Figure:
    """Draws receiver operating characteristics, a line each: by name, false and true positive rates, ascending."""
    figure = go.Figure(_diagonal("guessing"))
    for (name, (false, true)), color in zip(curves.items(), PALETTE, strict=False):
        figure.add_trace(
            go.Scatter(
                x=list(false),
                y=list(true),
                name=escaped(name),
                mode="lines",
                line={"color": color, "width": 2},
                hovertemplate="%{y:.1%} of the infected cells found at %{x:.1%} false alarms",
            )
        )
    return _unit(figure, "share of healthy cells called infected", "share of infected cells found")


def _diagonal(name: str) -> go.Scatter:
    line = {"color": PALETTE[8], "width": 1.5, "dash": "dot"}
    return go.Scatter(x=[0, 1], y=[0, 1], name=name, mode="lines", line=line, hoverinfo="skip")


def _unit(figure: go.Figure, x: str, y: str) -> go.Figure:
    axis = {"range": [-0.02, 1.02], "tickformat": ".0%", "dtick": 0.25, "fixedrange": True, "zeroline": False}
    figure.update_layout(
        height=330,
        margin={"l": 56, "r": 10, "t": 8, "b": 44},
        xaxis={**axis, "title": {"text": x}},
        yaxis={**axis, "title": {"text": y}},
        legend=LEGEND_ABOVE,
    )
    return figure


def layer_scales(
    layers: Sequence[str], values: Mapping[str, Sequence[tuple[float, float]]], *, moments: tuple[str, str], what: str
) -> go.Figure:
    """Draws a row a layer from top to bottom, on a logarithmic scale: a run's value before (a ring) and after (a dot).

    Args:
        layers: names, in order.
        values: by a run's name, for each layer the value before and after, above zero.
        moments: what before and after are called.
        what: the axis' title.
    """
    figure = go.Figure()
    for i, ((name, pairs), color) in enumerate(zip(values.items(), PALETTE, strict=False)):
        rows = [row + (2 * i + 1 - len(values)) * _APART for row in range(len(layers))]
        ways = [(x, row) for pair, row in zip(pairs, rows, strict=True) for x in (*pair, None)]
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in ways],
                y=[row for _, row in ways],
                mode="lines",
                line={"color": color, "width": 1.5},
                opacity=0.5,
                hoverinfo="skip",
                showlegend=False,
            )
        )
        for k, (moment, symbol) in enumerate(zip(moments, ("circle-open", "circle"), strict=True)):
            figure.add_trace(
                go.Scatter(
                    x=[float(f"{pair[k]:.4g}") for pair in pairs],
                    y=rows,
                    name=escaped(f"{name}, {moment}"),
                    mode="markers",
                    marker={"color": color, "size": 9, "symbol": symbol, "line": {"width": 2, "color": color}},
                    customdata=[escaped(layer) for layer in layers],
                    hovertemplate="%{customdata}: %{x:.3g}",
                )
            )
    figure.update_layout(
        height=90 + 38 * len(layers),
        margin={"l": 84, "r": 10, "t": 10, "b": 44},
        xaxis={
            "type": "log",
            "title": {"text": what},
            "dtick": 1,
            "exponentformat": "none",
            "fixedrange": True,
        },
        yaxis={
            "tickvals": list(range(len(layers))),
            "ticktext": [escaped(layer) for layer in layers],
            "range": [len(layers) - 0.5, -0.5],
            "fixedrange": True,
            "zeroline": False,
        },
        legend=LEGEND_ABOVE,
    )
    return figure
