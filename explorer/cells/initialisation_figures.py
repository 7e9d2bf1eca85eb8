"""Plotly figures of how two initialisations train: learning curves, and scales layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from explorer.figures import PALETTE, escaped

_APART = 0.16  # of a row: where two marks would cover each other


def elbo_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> go.Figure:
    """The ELBO by epoch, two lines a run: on the test images, and dashed on the training images.

    Args:
        histories: by a run's name, the lines of its history, each with an ELBO in nats an image.
    """
    figure = go.Figure()
    for (name, rows), color in zip(histories.items(), PALETTE, strict=False):
        for split, dash in (("test", "solid"), ("train", "dash")):
            figure.add_trace(
                go.Scatter(
                    x=[row["epoch"] for row in rows],
                    y=[round(row[split]["elbo"], 1) for row in rows],
                    name=escaped(f"{name}, {split}"),
                    mode="lines",
                    line={"color": color, "width": 2, "dash": dash},
                    hovertemplate="%{y:,.0f}",
                )
            )
    figure.update_layout(
        height=320,
        margin={"l": 64, "r": 10, "t": 10, "b": 44},
        xaxis={"title": {"text": "epoch"}, "fixedrange": True, "zeroline": False},
        yaxis={"title": {"text": "ELBO, nats an image"}, "tickformat": ",", "fixedrange": True, "zeroline": False},
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )
    return figure


def layer_scales(
    layers: Sequence[str], values: Mapping[str, Sequence[tuple[float, float]]], *, moments: tuple[str, str], what: str
) -> go.Figure:
    """A row a layer from top to bottom, on a logarithmic scale: a run's value before (a ring) and after (a dot).

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
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )
    return figure
