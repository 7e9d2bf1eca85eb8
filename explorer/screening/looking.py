"""Looking at screened cells one by one: their verdicts, where the evidence lies, which training cells are near."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from explorer.datasets.malaria import CLASSES
from explorer.maps import nearest
from explorer.screening.screener import UNLIKE, Calibration, Screening

COLUMNS = ("file", "p_infected", "log_ratio", "typicality")
LIKELY = 0.5  # from this probability on a cell is called likely infected


@dataclass(frozen=True)
class Verdict:
    """What screening says of one cell, in the units of `Screening`."""

    p_infected: float
    log_ratio: float
    typicality: float
    residual_score: float

    @property
    def unlike(self) -> bool:
        """Whether the picture is unlike any cell in training: then the other figures mean nothing."""
        return self.typicality < UNLIKE

    @property
    def likely(self) -> bool:
        """Whether it is a cell, and rather infected than not."""
        return not self.unlike and self.p_infected >= LIKELY

    def at_share(self, share: float) -> float:
        """The probability of an infection where that share of the cells, in (0, 1), is infected: Bayes' rule."""
        return 1 / (1 + math.exp(min(700.0, -self.log_ratio - math.log(share / (1 - share)))))


def verdicts(screening: Screening) -> list[Verdict]:
    """One a cell, in order."""
    columns = (screening.p_infected, screening.log_ratio, screening.typicality, screening.residual_score)
    return [Verdict(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def scores_csv(rows: Iterable[tuple[str, Verdict]]) -> str:
    """File names and verdicts as a table: p_infected and typicality in [0, 1], log_ratio in nats, as many digits as
    tell any two float32 apart.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, verdict in rows:
        figures = (verdict.p_infected, verdict.log_ratio, verdict.typicality)
        writer.writerow([name, *(str(np.float32(value)) for value in figures)])
    return text.getvalue()


def alone(evidence: Float[Tensor, "h w"], calibration: Calibration) -> Float[Tensor, "h w"]:
    """A map of local evidence as what each place alone would say of the cell: nats for an infection, 0 undecided.

    Scores are pooled by log-sum-exp, so that a cell with one place that stands out has the log ratio of that place.
    """
    return evidence + (calibration.intercept - calibration.prior)


@dataclass(frozen=True)
class Near:
    """The training cells whose codes are nearest to a cell's, nearest first: codes [K, D], patients, distances [K]."""

    codes: Float[Tensor, "k d"]
    patients: list[str]
    distances: list[float]


@dataclass(frozen=True)
class TrainingCells:
    """Codes of some training cells of one class under the model of that class, with the patient of each."""

    codes: Float[Tensor, "n d"]
    patients: list[str]

    def nearest(self, code: Float[Tensor, " d"], count: int) -> Near:
        """Those nearest to a code by Euclidean distance."""
        distances, index = nearest(code[None], self.codes, count)
        rows = index[0].tolist()
        return Near(self.codes[rows], [self.patients[row] for row in rows], distances[0].tolist())

    @cached_property
    def spacing(self) -> float:
        """The median distance from one of these cells to the nearest other one."""
        distances, _ = nearest(self.codes, self.codes, 2)  # the first one is the cell itself
        return float(distances[:, 1].median())


@cache
def training_cells() -> dict[str, TrainingCells]:
    """The stored ones, by class.

    Raises:
        OSError, SafetensorError: the file is missing or damaged.
    """
    path = str(files("explorer.screening").joinpath("cells.safetensors"))
    with safe_open(path, "pt") as stored:
        names = stored.metadata()["patients"].split(" ")
        return {
            state: TrainingCells(
                stored.get_tensor(f"{state}.codes").float(),
                [names[row] for row in stored.get_tensor(f"{state}.patient").tolist()],
            )
            for state in CLASSES
        }
