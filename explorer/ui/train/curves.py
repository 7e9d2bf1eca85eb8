"""Curves of training as files to take away: figures, and a line an epoch as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.checkpoints.folder import read_history
from explorer.figures import learning_curves
from explorer.figures.paper import Panel
from explorer.files.tables import table_text
from explorer.runs import RunInfo
from explorer.ui.downloads import download_menu
from explorer.ui.wording import epochs_text

_METRICS = ("elbo", "reconstruction", "kl")
_SETTINGS = ("learning_rate", "beta", "noise_variance", "seconds")


def curves_menu(key: str, runs: Sequence[RunInfo], metrics: Sequence[str] = _METRICS, *, train: bool = False) -> None:
    """Draws the menu of the curves of runs: a panel a metric that they have, of test and if asked training images."""

    def histories() -> dict[str, list[dict[str, Any]]]:
        return {info.name: read_history(info.path) for info in runs}

    def figure() -> list[Panel]:
        splits = ("test", "train") if train else ("test",)
        panels = [learning_curves(histories(), metric, splits) for metric in metrics]
        return [panel for panel in panels if panel.data] or panels[:1]

    name = runs[0].name if len(runs) == 1 else "runs"
    text = f"Training curves. {' '.join(map(run_text, runs))}"
    download_menu(key, f"{name}-curves", text, figure=figure, table=lambda: history_csv(histories()))


def history_csv(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Writes runs' histories as CSV, a line an epoch, with every figure that one of them has."""
    lines = [(name, row) for name, rows in histories.items() for row in rows]
    figures = {
        (split, metric): None
        for split in ("train", "test", "figures")
        for _, row in lines
        for metric in row.get(split) or {}
    }
    header = ["run", "epoch", *(name if split == "figures" else f"{split} {name}" for split, name in figures)]
    return table_text(
        [*header, *_SETTINGS],
        (
            [
                name,
                row["epoch"],
                *((row.get(split) or {}).get(metric) for split, metric in figures),
                *(row.get(setting) for setting in _SETTINGS),
            ]
            for name, row in lines
        ),
    )


def run_text(info: RunInfo) -> str:
    """Says in a sentence what a run is of, for captions: data, preset, changed settings, seed, epochs."""
    config = info.config
    changed = [f"{name} {value}" for name, value in config.settings.items()]
    only = [f"{config.only} alone"] if config.only else []
    how = [f"preset {info.preset}", *changed, *only, f"seed {config.seed}", epochs_text(info.epochs_done)]
    return f"{info.name}: {info.dataset}, {', '.join(how)}."
