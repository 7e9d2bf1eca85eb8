"""The models' learning curves in one chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from explorer.checkpoints.folder import read_history
from explorer.errors import CheckpointError
from explorer.figures import CURVE_AXES, learning_curves
from explorer.ui import address, pickers
from explorer.ui.cache import CheckpointInfo
from explorer.ui.compare.models import legend_names
from explorer.ui.downloads import download_menu
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain
from explorer.ui.train.curves import history_csv

_METRIC, _AXIS, _SMOOTHING = "compare_metric", "compare_axis", "compare_smoothing"
METRICS = {
    "elbo": "ELBO",
    "reconstruction": "reconstruction",
    "kl": "KL",
    "loss": "loss",
    "mse": "squared error",
}
_AXES = {name: title.split(",")[0] for name, title in CURVE_AXES.items()}


def curves_panel(models: Sequence[CheckpointInfo]) -> dict[str, str]:
    """Draws the chart with its choices; returns what the URL says of them."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = pickers.pick_one(
            "Curve", "curve", _METRIC, METRICS, "the curve", help=meaning("ELBO", "Squared error", "Epoch")
        )
        axis = pickers.pick_one("Over", "over", _AXIS, _AXES, "what the curves run over")
        address.restore_number("smooth", _SMOOTHING, 0.0, 0.9, default=0.0, step=0.1)
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.9,
            step=0.1,
            key=_SMOOTHING,
            persist_state="session",
            width=160,
            help="How much of each point is the curve before it: an exponential moving average.",
        )
    histories = {}
    without = []
    for info in models:
        try:
            rows = read_history(info.path)
        except (CheckpointError, OSError):
            rows = []
        if rows:
            histories[info.id] = [_placed(row, info.config) for row in rows]
        else:
            without.append(info.id)
    if histories:
        names = legend_names(models)
        named = {names[ident]: rows for ident, rows in histories.items()}
        figure = learning_curves(named, metric, axis=axis, smoothing=smoothing)
        if figure.data:
            st.plotly_chart(figure, key="compare_curves", config={"displayModeBar": False})
            download_menu(
                "compare_curves",
                "comparison-curves",
                f"{METRICS[metric]} of {', '.join(histories)} on their test sets.",
                figure=lambda: [figure],
                table=lambda: history_csv(histories),
            )
        else:
            st.info(f"None of these models has a curve of {METRICS[metric]} over {_AXES[axis]}: choose another.")
    if without:
        st.caption(f"No history came with {plain(', '.join(without))}.")
    usual = {"curve": "elbo", "over": "epoch", "smooth": "0"}
    shown = {"curve": metric, "over": axis, "smooth": f"{smoothing:g}"}
    return {name: value for name, value in shown.items() if value != usual[name]}


def _placed(row: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """A line of a history with how many images and steps it had taken."""
    images = (config.get("dataset") or {}).get("train_images")
    batch = (config.get("recipe") or {}).get("batch_size")
    epoch = row.get("epoch")
    if not isinstance(images, int) or not isinstance(epoch, int):
        return row
    steps = epoch * -(-images // batch) if isinstance(batch, int) and batch > 0 else None
    return {**row, "images": epoch * images, "steps": steps}
