"""Plotly figures of cells: their hues, where a screened one falls on a map of others, how well screening does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures import PALETTE, escaped

_MARK = "#e0218a"  # in neither of the classes' colours, and plain on white and on near-black


def place_on_map(
    points: np.ndarray, patients: Sequence[str] | None, spot: tuple[float, float], name: str, *, color: str
) -> go.Figure:
    """A map of real cells with one more marked on it.

    Args:
        points: of the real ones, float [N, 2].
        patients: of each, for a hover; None where they are not known.
        spot: where the other one falls.
        name: what it is called.
        color: of the real ones.
    """
    cells = go.Scattergl(
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
    """Shares of pixels by hue, a line each, from magenta through red to yellow in the middle.

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
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )
    return figure


def calibration(bins: Sequence[tuple[float, float, int]]) -> go.Figure:
    """How often cells are infected of which that was said: bins of mean probability, share infected, and count."""
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
            hovertemplate="of %{customdata:,} cells with a probability of about %{x:.0%}, %{y:.0%} are infected"
            "<extra></extra>",
        )
    )
    return _unit(figure, "probability that was said", "share that is infected")


def roc(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> go.Figure:
    """Receiver operating characteristics, a line each: by name, false and true positive rates, ascending."""
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
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0},
    )
    return figure
