"""Which figures of several models are held against each other, which of them is best, and the tables for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from explorer.checkpoints.folder import CheckpointInfo
from explorer.evaluation.comparison import Figure, compare, to_latex, to_markdown


def model(ident: str, metrics: dict[str, Any], *, likelihood: str = "bernoulli", **data: Any) -> CheckpointInfo:
    binarise, classes = data.pop("binarise", False), data.pop("classes", 0)
    config = {
        "dataset": {"name": "mnist", **data},
        "model": {"likelihood": likelihood, "binarise": binarise, "classes": classes, "image_shape": [1, 28, 28]},
    }
    return CheckpointInfo(ident, Path(ident), shipped=True, config=config, metrics={"n": 100, **metrics})


def figure(models: list[CheckpointInfo], name: str) -> Figure:
    return next(found for found in compare(models) if found.name == name)


def test_the_best_of_what_may_be_ranked():
    models = [model("a", {"elbo": -150.0, "mse": 0.04, "kl": 6.0}), model("b", {"elbo": -90.0, "mse": 0.05, "kl": 9.0})]
    assert figure(models, "elbo").best == {1}
    assert figure(models, "mse").best == {0}
    assert figure(models, "kl").best == set()  # neither more nor less is better
    assert not any(found.unranked for found in compare(models))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (model("b", {"elbo": -9.0}, likelihood="gaussian"), "another kind of likelihood"),
        (model("b", {"elbo": -9.0}, likelihood="logistic-mixture"), "another kind of likelihood"),
        (model("b", {"elbo": -9.0}, name="fashion-mnist"), "other test images"),
        (model("b", {"elbo": -9.0}, only="7"), "other test images"),
        (model("b", {"elbo": -9.0, "n": 50}), "other test images"),
        (model("b", {"elbo": -9.0}, test_sha256="other"), "other images of that name"),
        (model("b", {"elbo": -9.0}, binarise=True), "grey pixels against binarised ones"),
        (model("b", {"elbo": -9.0}, classes=10), "images whose class is known against images alone"),
    ],
)
def test_what_cannot_be_compared_is_never_ranked(other, why):
    first = model("a", {"elbo": -150.0}, test_sha256="one")
    found = figure([first, other], "elbo")
    assert (found.best, found.unranked) == (set(), {0: why, 1: why})
    with_a_third = figure([first, other, model("c", {"elbo": -140.0}, test_sha256="one")], "elbo")
    assert (with_a_third.best, with_a_third.unranked) == ({2}, {1: why})


def test_a_variance_that_was_learnt_is_a_density_as_a_fixed_one_is():
    models = [model("a", {"elbo": -1.0}, likelihood="gaussian"), model("b", {"elbo": 2.0}, likelihood="sigma")]
    assert figure(models, "elbo").best == {1}


def test_an_older_checkpoint_without_a_digest_counts_as_of_the_same_images():
    models = [model("a", {"elbo": -150.0}), model("b", {"elbo": -140.0}, test_sha256="one")]
    assert figure(models, "elbo").best == {1}


def test_bounds_by_other_numbers_of_draws_are_apart():
    models = [model("abc"[i], {"measures": {"log_likelihood": -i, "k": k}}) for i, k in enumerate((10, 500, 10))]
    found = figure(models, "log_likelihood")
    assert (found.best, found.unranked) == ({0}, {1: "another number of draws"})


def test_bits_of_the_importance_weighted_bound_are_apart_from_those_of_the_elbo():
    counts = ({"k": 500}, {"k": 1}, {})  # a bound by one draw is the ELBO on average
    models = [model("abc"[i], {"measures": {"bits_per_dim": 6.0 + i, **k}}) for i, k in enumerate(counts)]
    found = figure(models, "bits_per_dim")
    assert (found.best, found.unranked) == ({1}, {0: "another number of draws"})


@pytest.mark.parametrize("damage", [{"elbo": "low"}, {"elbo": None}, {"elbo": float("nan")}, {"measures": [1]}, {}])
def test_damaged_metrics_are_figures_that_were_not_measured(damage):
    models = [model("a", damage), model("b", {"elbo": -140.0})]
    assert figure(models, "elbo").values == (None, -140.0)


def test_tables_for_papers():
    models = [
        model("my_model|a", {"elbo": -150.25, "active_units": 2}),
        model("50% & more", {"elbo": -90.5, "active_units": 14}),
        model("BEST", {"elbo": -400.0}, likelihood="gaussian"),
    ]
    figures = [found for found in compare(models) if found.name in ("elbo", "active_units")]
    names = [one.id for one in models]
    assert to_markdown(names, figures).splitlines() == [
        "| model | ELBO, nats | active latents |",
        "| --- | ---: | ---: |",
        "| my_model\\|a | −150.25 | 2 |",
        "| 50% & more | **−90.5** | 14 |",
        "| BEST | (−400) |  |",
    ]
    assert to_latex(names, figures).splitlines() == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"model & ELBO, nats & active latents \\",
        r"\midrule",
        r"my\_model|a & $-$150.25 & 2 \\",
        r"50\% \& more & \textbf{$-$90.5} & 14 \\",
        r"BEST & ($-$400) &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
