"""The map's figure for more points than plotly draws smoothly: as few bytes as the eye needs, for a canvas of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from explorer.figures import color_scale, map_figure

MOST_PLOTTED = 20_000
"""Points of a map; of more the browser draws a picture instead of plotly's points."""
_STEPS = 65_535
_LEVELS = 39  # of a value along its colours, as many as an eye tells apart; one more is of what is not known


def crowded_map(
    points: np.ndarray,
    *,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    values: np.ndarray | None = None,
    value_name: str = "",
    facts: dict[str, Any],
    **layout: Any,
) -> go.Figure:
    """Makes the figure of a map of so many points that a WebGL plot of them stands still without a GPU.

    A point's id is its row. Places are 16-bit steps between the outermost points, some hundredths of a pixel of the
    whole map, and what colours them a byte or two: a million points are 5 MB. The card's words are fetched for the
    points that a pointer comes to.

    Args:
        points: float [N, 2].
        classes: class ids [N] to colour by; not where there are groups or values.
        groups: positions [N] among groups to colour by.
        values: float [N] to colour by, NaN where it is not known.
        value_name: what the values are.
        facts: `url`, with {sheet}, of JSON with a list of `per_sheet` points' facts: label, group, file, number.
        **layout: what `map_figure` takes of axes.
    """
    figure = map_figure(points[:1], **layout)
    (trace,) = figure.data
    low = points.min(0).astype(np.float64)
    step = np.maximum((points.max(0) - low) / _STEPS, 1e-12)
    x, y = ((points - low) / step).round().astype(np.uint16).T
    meta: dict[str, Any] = {
        "x_steps": [float(low[0]), float(step[0])],
        "y_steps": [float(low[1]), float(step[1])],
        "facts": facts,
    }
    if groups is not None:
        meta |= {"groups": _small(groups), "by_group": True}
    elif classes is not None:
        meta["classes"] = _small(classes)
    if values is not None:
        scale = color_scale(values, value_name)
        share = np.clip((values - scale["cmin"]) / (scale["cmax"] - scale["cmin"]), 0, 1)
        meta |= {"levels": np.nan_to_num(share * _LEVELS, nan=_LEVELS + 1).round().astype(np.uint8)}
        meta |= {"value_name": value_name}
        trace.marker.update(scale)
    trace.update(x=np.ascontiguousarray(x), y=np.ascontiguousarray(y), customdata=None, meta=meta)
    return figure


def _small(ids: np.ndarray) -> np.ndarray:
    return ids.astype(np.uint8 if int(ids.max(initial=0)) < 256 else np.uint16)
