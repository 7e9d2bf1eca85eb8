"""How well infected cells are told from healthy ones on patients that nothing was fitted on, and how fast.

Three ways, on all cells of the test patients:

- `screen`: the probability of `explorer.screen`;
- `healthy model alone`: the largest local residual under the model of healthy cells, which has never seen a parasite,
  by a formula in which nothing was fitted to infected cells;
- `difference of the ELBOs`: of the infected and the healthy model, which sums over all pixels.

Areas under the ROC are by cell, and by patient: the mean score of a patient's cells against whether any is infected.
Intervals are 95% percentile bootstraps over patients, whose cells are alike, not over cells.

Writes `explorer/cells/screening/report.json`, which the Cells screen shows. Needs the data set.
`fit_screening` comes first.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor

import explorer
from explorer.cells.screening.screener import screener
from explorer.models.evaluation import evaluate

OUT = Path(explorer.__file__).parent / "cells" / "screening" / "report.json"
RESAMPLES = 1000
BINS = 10
POINTS = 200


class Patients:
    """Which cells are whose."""

    def __init__(self, group: list[str], labels: np.ndarray) -> None:
        names = sorted(set(group))
        self.labels = labels
        self.rows = [np.flatnonzero(np.array(group) == name) for name in names]
        self.infected = np.array([labels[rows].max() for rows in self.rows])

    def aucs(self, scores: np.ndarray, chosen: np.ndarray) -> tuple[float, float]:
        """By cell and by patient, of some patients, who may be there more than once; NaN with one class only."""
        rows = np.concatenate([self.rows[i] for i in chosen])
        means = np.array([scores[self.rows[i]].mean() for i in chosen])
        infected = self.infected[chosen]
        by_patient = roc_auc_score(infected, means) if 0 < infected.mean() < 1 else np.nan
        return roc_auc_score(self.labels[rows], scores[rows]), by_patient

    def interval(self, scores: np.ndarray, *, seed: int = 0) -> tuple[list[float], list[float]]:
        """Value, 2.5% and 97.5% of the bootstrap, by cell and by patient."""
        generator = np.random.default_rng(seed)
        count = len(self.rows)
        drawn = [self.aucs(scores, generator.integers(0, count, count)) for _ in range(RESAMPLES)]
        value = self.aucs(scores, np.arange(count))
        by_cell, by_patient = (
            [float(value[i]), *(float(q) for q in np.nanpercentile([d[i] for d in drawn], [2.5, 97.5]))]
            for i in range(2)
        )
        return by_cell, by_patient


def curve(labels: np.ndarray, scores: np.ndarray) -> list[list[float]]:
    """False and true positive rates at the points that a plot needs."""
    false, true, _ = roc_curve(labels, scores)
    kept = np.unique(np.searchsorted(false + true, np.linspace(0, 2, POINTS)).clip(0, len(false) - 1))
    return [[round(float(v), 4) for v in rate[kept]] for rate in (false, true)]


def reliability(labels: np.ndarray, p: np.ndarray) -> list[list[float]]:
    """For equal bins of the probability: its mean, the share that is infected, how many cells."""
    found = []
    for low in np.linspace(0, 1, BINS, endpoint=False):
        rows = (p >= low) & ((p < low + 1 / BINS) | (low + 1 / BINS >= 1))
        if rows.any():
            found.append([round(float(p[rows].mean()), 4), round(float(labels[rows].mean()), 4), int(rows.sum())])
    return found


def elbo(model: explorer.Model, images: Tensor) -> np.ndarray:
    found = evaluate(model.network, images)
    return (found.reconstruction - found.kl).numpy()


def speed(images: Tensor) -> float:
    """Images a second once loaded: the best of three, on a machine that others use, too."""
    found = []
    for _ in range(3):
        start = time.perf_counter()
        explorer.screen(images, device="cpu")
        found.append(len(images) / (time.perf_counter() - start))
    return max(found)


def main() -> None:
    data = explorer.dataset("malaria", split="test")
    assert data.labels is not None
    assert data.group is not None
    labels = data.labels.numpy()
    opened = screener("cpu")
    found = opened.screen(data.images)
    healthy, infected = (elbo(model, data.images) for model in opened.models)
    p = found.p_infected.double().numpy()
    scores = {
        "screen": found.log_ratio.numpy(),
        "healthy model alone": found.residual_score.numpy(),
        "difference of the ELBOs": infected - healthy,
    }
    patients = Patients(data.group, labels)
    methods = {}
    for name, values in scores.items():
        by_cell, by_patient = patients.interval(p if name == "screen" else values)
        methods[name] = {
            "auc": [round(v, 4) for v in by_cell],
            "patient_auc": [round(v, 4) for v in by_patient],
            "roc": curve(labels, values),
        }
        print(
            f"{name:25} by cell {by_cell[0]:.4f} [{by_cell[1]:.4f}, {by_cell[2]:.4f}]"
            f"   by patient {by_patient[0]:.4f} [{by_patient[1]:.4f}, {by_patient[2]:.4f}]"
        )
    report = {
        "cells": len(data),
        "patients": len(patients.rows),
        "methods": methods,
        "calibration": reliability(labels, p),
        "brier": round(float(((p - labels) ** 2).mean()), 4),
        "unlike": round(float(found.unlike.float().mean()), 4),
    }
    OUT.write_text(json.dumps(report) + "\n", "utf-8")
    print(f"Brier score {report['brier']}, flagged as unlike {report['unlike']:.2%}")
    print(f"{speed(data.images[:1024]):.0f} images/s on {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
