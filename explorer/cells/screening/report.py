"""How well screening does on the test patients, whom nothing was fitted on, as measured and stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from explorer.cells.screening.verdicts import HEALTHY, INFECTED


@dataclass(frozen=True)
class Method:
    """A way to tell infected cells from healthy ones: areas under its ROC with 95% bootstrap intervals, and its ROC.

    Attributes:
        auc, patient_auc: value, low, high; by cell, and by patient (the mean score of a patient's cells against
            whether any of them is infected). Patients are drawn anew in each bootstrap sample, not cells.
        roc: false positive and true positive rates, both ascending from 0 to 1.
    """

    auc: tuple[float, float, float]
    patient_auc: tuple[float, float, float]
    roc: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Middle:
    """The cells whose probability is neither low nor high: their number, their mean probability, the share of them
    that is infected, and the share for which the likelier of the two states is the wrong one.
    """

    cells: int
    said: float
    infected: float
    wrong: float


@dataclass(frozen=True)
class Report:
    """Of how many cells and patients, what each method reaches, and how far probabilities can be taken at their word.

    Attributes:
        methods: by name: `screen`, `healthy model alone` (its residual score, which no infected cell was used for),
            `difference of the ELBOs`.
        calibration: for bins of `p_infected` its mean, the share of cells that are infected, and their number.
        brier: mean squared error of `p_infected`.
        unlike: the share of these real cells that are flagged as unlike any in training.
    """

    cells: int
    patients: int
    methods: dict[str, Method]
    calibration: tuple[tuple[float, float, int], ...]
    brier: float
    unlike: float

    @property
    def middle(self) -> Middle | None:
        """Of the cells that are called uncertain; None where there are none."""
        bins = [row for row in self.calibration if HEALTHY < row[0] < INFECTED]
        cells = sum(count for *_, count in bins)
        if not cells:
            return None
        said, infected = (sum(row[i] * row[2] for row in bins) / cells for i in (0, 1))
        wrong = sum(count * (share if p < 0.5 else 1 - share) for p, share, count in bins) / cells
        return Middle(cells, said, infected, wrong)


@cache
def report() -> Report:
    """Reads the stored figures; `benchmarks.screening` measured them."""
    stored = json.loads(files("explorer.cells.screening").joinpath("report.json").read_text("utf-8"))
    methods = {
        name: Method(tuple(m["auc"]), tuple(m["patient_auc"]), (tuple(m["roc"][0]), tuple(m["roc"][1])))
        for name, m in stored["methods"].items()
    }
    bins = tuple((float(p), float(share), int(count)) for p, share, count in stored["calibration"])
    return Report(stored["cells"], stored["patients"], methods, bins, stored["brier"], stored["unlike"])
