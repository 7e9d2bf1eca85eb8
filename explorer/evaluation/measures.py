"""All measures of a model: their names, units and sources, and how they are taken together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from explorer.evaluation import likelihoods
from explorer.evaluation.subject import NotMeasured, Subject


class Measure(NamedTuple):
    """A figure: its name on screens and in tables, its unit, and what it means with its source, a clause."""

    label: str
    unit: str
    help: str


MEASURES = {
    "log_likelihood": Measure(
        "log-likelihood",
        "nats",
        "importance-weighted bound on log p(x) by k draws, an average over images; Burda et al. 2016, "
        "arXiv:1509.00519, eq. 8",
    ),
    "bits_per_dim": Measure(
        "bits/dim",
        "bits",
        "at most so many bits name a value of an 8-bit image; of a density by uniform dequantisation, Theis et al. "
        "2016, arXiv:1511.01844, section 3.1",
    ),
}
"""What is measured besides the terms of the ELBO, by the name under `measures` in metrics.json."""

_PARTS: tuple[tuple[Callable[[Subject], dict[str, float]], tuple[str, ...]], ...] = (
    (likelihoods.bound, ("log_likelihood",)),
    (likelihoods.bits, ("bits_per_dim",)),
)


@dataclass(frozen=True)
class Measured:
    """What was measured: figures by name, in the order of MEASURES, and why the others are absent, a sentence each."""

    values: dict[str, float]
    absent: dict[str, str]
    subject: Subject

    def to_json(self) -> dict[str, Any]:
        """What metrics.json has under `measures`."""
        subject = self.subject
        where = {"dataset": subject.test.name, "split": subject.test.split, "n": len(subject.test)}
        return {
            **self.values,
            **({} if subject.draws is None else {"k": subject.draws}),
            "absent": self.absent,
            "measured_on": {**where, "device": str(subject.model.device), "seed": subject.seed},
        }


def measure(subject: Subject) -> Measured:
    """Takes every measure that the model and its data have."""
    values: dict[str, float] = {}
    absent: dict[str, str] = {}
    for take, names in _PARTS:
        try:
            values |= take(subject)
        except NotMeasured as reason:
            absent |= dict.fromkeys(names, str(reason))
    return Measured(values, absent, subject)
