"""Several models' figures side by side: which may be held against which, and which is best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.checkpoints.folder import CheckpointInfo
from explorer.evaluation.measures import MEASURES, Measure
from explorer.models.registry import LIKELIHOODS

TERMS = {
    "elbo": Measure("ELBO", "nats", "evidence lower bound on log p(x), one draw of z an image", "higher"),
    "reconstruction": Measure("reconstruction", "nats", "log p(x|z) of an image given its code", "higher"),
    "kl": Measure("KL", "nats", "what a code tells beyond the prior"),
    "mse": Measure("squared error", "", "mean squared error of a pixel, from 0 to 1", "lower"),
    "active_units": Measure(
        "active latents",
        "",
        "latents whose posterior mean has a variance above 0.01 over the test images; Burda et al. 2016, "
        "arXiv:1509.00519, section 5.2",
    ),
}
"""What every model is measured by at the end of its training."""

_NATS = {"elbo", "reconstruction", "log_likelihood"}  # of p(x|z), in units that depend on what it is a density of


@dataclass(frozen=True)
class Figure:
    """One measure of several models, in their order.

    Attributes:
        name: its name in metrics.json.
        measure: what it is called, its unit, and what is better.
        values: None for a model of which it was not measured.
        best: positions of the best among those that may be ranked; empty where nothing can be.
        unranked: by position of those that have a value and may not be ranked with the others, why.
    """

    name: str
    measure: Measure
    values: tuple[float | None, ...]
    best: frozenset[int]
    unranked: Mapping[int, str]

    @property
    def title(self) -> str:
        return f"{self.measure.label}, {self.measure.unit}" if self.measure.unit else self.measure.label


def compare(models: Sequence[CheckpointInfo]) -> list[Figure]:
    """Sets out every figure that one of the models has, the terms of the ELBO first."""
    found = []
    for name, measure in {**TERMS, **MEASURES}.items():
        values = tuple(measured(info, name) for info in models)
        if any(value is not None for value in values):
            found.append(_figure(name, measure, values, [_conditions(info, name) for info in models]))
    return found


def measured(info: CheckpointInfo, name: str) -> float | None:
    """A figure of a model's metrics.json, which may be damaged."""
    metrics: object = info.metrics if name in TERMS else info.metrics.get("measures")
    value = metrics.get(name) if isinstance(metrics, Mapping) else None
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known and value is not None else None


def _conditions(info: CheckpointInfo, name: str) -> dict[str, Any]:
    """What a figure depends on besides the model, by why it would differ; None is not known."""
    config = info.config
    data, model = config["dataset"], config["model"]
    conditions: dict[str, Any] = {
        "other test images": (data["name"], data.get("only", ""), info.metrics.get("n"), *model["image_shape"]),
        "other images of that name": data.get("test_sha256"),
        "grey pixels against binarised ones": bool(model.get("binarise")),
    }
    if name in _NATS:
        likelihood = LIKELIHOODS[model["likelihood"]]
        conditions["another kind of likelihood"] = (likelihood.binary, likelihood.eight_bit)
    if name in _NATS or name == "bits_per_dim":
        conditions["images whose class is known against images alone"] = bool(model.get("classes"))
    if name in ("log_likelihood", "bits_per_dim"):
        measures = info.metrics.get("measures")
        by_elbo = 1 if name == "bits_per_dim" else None  # a bound by one draw is the ELBO on average
        conditions["another number of draws"] = measures.get("k", by_elbo) if isinstance(measures, Mapping) else None
    return conditions


def _figure(
    name: str, measure: Measure, values: tuple[float | None, ...], conditions: Sequence[Mapping[str, Any]]
) -> Figure:
    """Ranks the largest group of models of the same conditions; among equals that of the first model."""
    measured = [i for i, value in enumerate(values) if value is not None]
    groups = [[j for j in measured if not _difference(conditions[j], conditions[i])] for i in measured]
    ranked = max(groups, key=len, default=[])
    if len(ranked) < 2 <= len(measured):  # no two can be held against each other
        first, second = measured[:2]
        why = _difference(conditions[first], conditions[second])
        unranked = {i: _difference(conditions[i], conditions[first]) or why for i in measured}
        return Figure(name, measure, values, frozenset(), unranked)
    chief = conditions[measured[groups.index(ranked)]] if ranked else {}
    unranked = {i: _difference(conditions[i], chief) for i in measured if i not in ranked}
    best: frozenset[int] = frozenset()
    if measure.better and len(ranked) > 1:
        choose = max if measure.better == "higher" else min
        top = choose(value for i in ranked if (value := values[i]) is not None)
        best = frozenset(i for i in ranked if values[i] == top)
    return Figure(name, measure, values, best, unranked)


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Why two figures cannot be held against each other; empty where they can."""
    return next((why for why in one if None not in (one[why], other[why]) and one[why] != other[why]), "")


def to_markdown(names: Sequence[str], figures: Sequence[Figure]) -> str:
    """Writes the table in Markdown: a row a model, the best in bold, what is not ranked in brackets."""
    rows = [["model", *(figure.title for figure in figures)], ["---"] + ["---:"] * len(figures)]
    rows += [[_bar(name), *(_cell(figure, i, "**{}**") for figure in figures)] for i, name in enumerate(names)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def to_latex(names: Sequence[str], figures: Sequence[Figure]) -> str:
    """Writes the table in LaTeX for the package booktabs: as `to_markdown`, with minus signs of mathematics."""
    head = " & ".join(map(_latex, ["model", *(figure.title for figure in figures)]))
    rows = [
        " & ".join([_latex(name), *(_cell(figure, i, r"\textbf{{{}}}").replace("−", "$-$") for figure in figures)])
        for i, name in enumerate(names)
    ]
    body = "\n".join(rf"{row} \\" for row in rows)
    columns = "l" + "r" * len(figures)
    return (
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}\n"
    )


def _cell(figure: Figure, i: int, bold: str) -> str:
    value = figure.values[i]
    if value is None:
        return ""
    text = f"{value:,.5g}" if abs(value) < 1000 else f"{value:,.1f}"
    text = text.replace("-", "−")
    if i in figure.unranked:
        return f"({text})"
    return bold.format(text) if i in figure.best else text


def _bar(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


_LATEX: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}",
    "−": "$-$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_LATEX |= {character: f"\\{character}" for character in "&%$#_{}"}


def _latex(text: str) -> str:
    return text.translate(str.maketrans(_LATEX))
