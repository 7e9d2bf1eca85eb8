"""Screened cells one by one: their verdicts, where the evidence lies, which training cells are near."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import Literal

import numpy as np
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from explorer.cells.screening.screener import UNLIKE, Calibration, Screening, log_odds_of
from explorer.datasets.malaria import CLASSES
from explorer.files.tables import table_text
from explorer.latents.neighbourhoods import nearest

COLUMNS = (
    "file",
    "p_infected",
    "log_ratio",
    "typicality",
    "verdict",
    "unlike",
    "share_infected",
    "model",
    "unreadable",
)
HEALTHY, INFECTED = 0.1, 0.9
"""Up to and from which probability a cell is called likely healthy and likely infected. What lies between them was so
often wrong on test patients that it is called neither: see `Report.middle`."""

State = Literal["infected", "uncertain", "healthy", "unlike"]
_CALLED: dict[State, str] = {"infected": "likely infected", "uncertain": "uncertain", "healthy": "likely healthy"}


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
    def state(self) -> State:
        """What the cell is called; a picture that is unlike any cell is called nothing but that."""
        if self.unlike:
            return "unlike"
        if HEALTHY < self.p_infected < INFECTED:
            return "uncertain"
        return "infected" if self.p_infected >= INFECTED else "healthy"

    @property
    def called(self) -> str:
        """The same, in words."""
        return _CALLED.get(self.state, "unlike any cell")

    def at_share(self, share: float) -> float:
        """Computes the probability where that share of the cells, in (0, 1), is infected: Bayes' rule.

        Raises:
            ValueError: it is no such share.
        """
        return 1 / (1 + math.exp(min(700.0, -self.log_ratio - log_odds_of(share))))

    def assuming(self, share: float) -> Verdict:
        """Gives what screening says where that share is infected. Raises ValueError as `at_share`."""
        return replace(self, p_infected=self.at_share(share))


def verdicts(screening: Screening) -> list[Verdict]:
    """Lists a verdict for each cell, in order."""
    columns = (screening.p_infected, screening.log_ratio, screening.typicality, screening.residual_score)
    return [Verdict(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def scores_csv(
    rows: Iterable[tuple[str, Verdict]], unreadable: Iterable[tuple[str, str]], *, share: float, model: str
) -> str:
    """Tabulates verdicts as `score_rows` gives them."""
    return table_text(COLUMNS, score_rows(rows, unreadable, share=share, model=model))


def score_rows(
    rows: Iterable[tuple[str, Verdict]], unreadable: Iterable[tuple[str, str]], *, share: float, model: str
) -> Iterator[list[object]]:
    """Yields the rows of a table of verdicts, under COLUMNS.

    Args:
        rows: file names and verdicts. p_infected and typicality in [0, 1] and log_ratio in nats get as many digits as
            tell any two float32 apart: probabilities near 1 must not become ties.
        unreadable: names of files that could not be read, and why; their figures are empty.
        share: of infected cells that the probabilities assume.
        model: `Screener.version`.
    """
    assumed = float(f"{share:.6g}")
    for name, v in rows:
        figures = map(np.float32, (v.p_infected, v.log_ratio, v.typicality))
        yield [name, *figures, v.called, v.unlike, assumed, model, ""]
    for name, why in unreadable:
        yield [name, None, None, None, "unreadable", None, assumed, model, why]


def summary(found: Iterable[Verdict]) -> str:
    """Counts pictures, cells among them, and what these are called, in words without a full stop."""
    counts = Counter(verdict.state for verdict in found)
    unlike, count = counts["unlike"], counts.total()
    if not unlike:
        return _cells(counts, count, ": {}")
    if unlike == count:
        return f"{_many(count, 'picture')}, {'' if count == 1 else 'all '}unlike any cell"
    return f"{_many(count, 'picture')}: {_cells(counts, count - unlike, ' ({})')}; {unlike:,} unlike any cell"


def _cells(counts: Counter[State], count: int, listed: str) -> str:
    """Counts cells and what they are called; `listed` is how several kinds are put."""
    kinds = [f"{counts[state]:,} {name}" for state, name in _CALLED.items() if counts[state]]
    if len(kinds) > 1:
        return _many(count, "cell") + listed.format(", ".join(kinds))
    (one,) = (name for state, name in _CALLED.items() if counts[state])
    return f"{_many(count, 'cell')}, {'' if count == 1 else 'all '}{one}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def alone(evidence: Float[Tensor, "h w"], calibration: Calibration) -> Float[Tensor, "h w"]:
    """Turns local evidence into what each place alone would say of the cell: nats for an infection, 0 undecided.

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
        """Finds those nearest to a code [D] by Euclidean distance."""
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
    """Reads the stored ones, by class.

    Raises:
        OSError, SafetensorError: the file is missing or damaged.
    """
    path = str(files("explorer.cells.screening").joinpath("cells.safetensors"))
    with safe_open(path, "pt") as stored:
        names = stored.metadata()["patients"].split(" ")
        return {
            state: TrainingCells(
                stored.get_tensor(f"{state}.codes").float(),
                [names[row] for row in stored.get_tensor(f"{state}.patient").tolist()],
            )
            for state in CLASSES
        }
