"""Cells counted by patient or by a part of their files' names, with intervals against other formulas."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from explorer.cells.screening.groups import by_group, group_of, groups_csv, wilson
from explorer.cells.screening.verdicts import Verdict

CALLED = {
    "infected": Verdict(0.99, 4.6, 0.5, 0.1),
    "uncertain": Verdict(0.5, 0.0, 0.5, 0.1),
    "healthy": Verdict(0.01, -4.6, 0.5, 0.1),
    "unlike": Verdict(0.99, 4.6, 0.0, 0.1),
}


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_shares_that_a_score_test_does_not_reject(counts):
    count, total = counts
    found = wilson(count, total)
    other = binomtest(count, total).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(found, (other.low, other.high), atol=1e-12)
    # Its ends solve (k/n - p)^2 = z^2 p (1 - p) / n, a quadratic equation in p.
    z2 = 1.959963984540054**2
    ends = np.sort(np.roots([1 + z2 / total, -2 * count / total - z2 / total, (count / total) ** 2]).real)
    np.testing.assert_allclose(found, ends, atol=1e-6)
    assert 0 <= found[0] <= count / total <= found[1] <= 1


@pytest.mark.parametrize(
    ("path", "pattern", "name"),
    [
        ("C33P1thinF_IMG_20150619_114756a_cell_179.png", "", "C33"),
        ("cell_images/Parasitized/C100P61ThinF_IMG_1.png", "", "C100"),
        ("C47, infected", "", "C47"),
        ("Cells 3.png", "", ""),
        ("aC3.png", "", ""),
        ("C3/a.png", "", ""),
        ("day 1/slide-B7_cell 3.png", "slide-*_", "B7"),
        ("slide-_x", "slide-*_", ""),
        ("slide-B7", "slide-*_", ""),
        ("patient 4/x/y.png", "*/", "patient 4"),
        ("y.png", "*/", ""),
        ("ward C.png", "ward *", "C.png"),
        ("(a+)+$b", "(a+)+$*", "b"),
    ],
)
def test_a_group_is_read_off_a_name(path, pattern, name):
    assert group_of(path, pattern) == name


@pytest.mark.parametrize("pattern", ["no star", "**", "a*b*", "(a+)+$"])
def test_a_pattern_has_one_star(pattern):
    with pytest.raises(ValueError, match="one"):
        group_of("x.png", pattern)


def test_no_pattern_takes_for_ever():
    assert group_of("a" * 100_000, "a" * 50 + "*" + "a" * 49 + "b") == ""


def test_cells_are_counted_by_patient():
    called = ["infected"] * 3 + ["healthy"] * 6 + ["uncertain", "unlike"]
    rows = [(f"C2_{i}.png", CALLED[state]) for i, state in enumerate(called)]
    rows += [("C10_a.png", CALLED["unlike"]), ("=1+1.png", CALLED["healthy"])]
    second, tenth, none = by_group(rows)
    assert [group.name for group in (second, tenth, none)] == ["C2", "C10", ""]
    assert (second.cells, second.share, second.interval) == (10, 0.3, wilson(3, 10))
    assert (tenth.cells, tenth.share, tenth.interval) == (0, None, None)
    table = list(csv.DictReader(io.StringIO(groups_csv([second, tenth, none]))))
    assert [row["group"] for row in table] == ["C2", "C10", ""]
    assert table[0] | {"low": "", "high": ""} == {
        "group": "C2", "cells": "10", "infected": "3", "uncertain": "1", "share_infected": "0.3", "low": "", "high": "",
        "unlike": "1",
    }  # fmt: skip
    assert (float(table[0]["low"]), float(table[0]["high"])) == wilson(3, 10)
    assert (table[1]["share_infected"], table[1]["low"]) == ("", "")
