"""Verdicts, their table, local evidence, and the training cells next to a code."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree
from scipy.special import expit, logit

from explorer.cells.screening import Calibration, FileScreening, Report, Screening
from explorer.cells.screening.detector import pooled
from explorer.cells.screening.verdicts import Verdict, alone, scores_csv, summary, training_cells, verdicts


def screening(n: int = 5) -> Screening:
    p = torch.linspace(0.01, 0.99, n)
    return Screening(p, torch.logit(p), torch.linspace(0.0, 1.0, n), torch.linspace(0, 0.3, n))


def verdict(p: float, *, typicality: float = 0.5) -> Verdict:
    return Verdict(p, float(logit(p)), typicality, 0.1)


def test_a_verdict_a_cell():
    found = verdicts(screening())
    assert [v.unlike for v in found] == screening().unlike.tolist() == [True, False, False, False, False]
    assert [v.state for v in found] == ["unlike", "uncertain", "uncertain", "uncertain", "infected"]
    assert [verdict(p).state for p in (0.1, 0.11, 0.89, 0.9)] == ["healthy", "uncertain", "uncertain", "infected"]
    assert verdict(0.99, typicality=0.0).state == "unlike"  # what is no cell is not infected


@pytest.mark.parametrize(
    ("ps", "odd", "said"),
    [
        ([0.95], 0, "1 cell, likely infected"),
        ([0.5], 0, "1 cell, uncertain"),
        ([0.01] * 3, 0, "3 cells, all likely healthy"),
        ([0.01, 0.95, 0.5, 0.95], 0, "4 cells: 2 likely infected, 1 uncertain, 1 likely healthy"),
        ([0.01], 4, "5 pictures: 1 cell, likely healthy; 4 unlike any cell"),
        ([0.01, 0.95], 1, "3 pictures: 2 cells (1 likely infected, 1 likely healthy); 1 unlike any cell"),
        ([], 1, "1 picture, unlike any cell"),
        ([], 1200, "1,200 pictures, all unlike any cell"),
    ],
)
def test_things_that_are_no_cells_are_not_counted_as_cells(ps, odd, said):
    assert summary([*map(verdict, ps), *[verdict(0.99, typicality=0.0)] * odd]) == said


def test_how_often_the_middle_is_wrong():
    bins = ((0.05, 0.0, 1000), (0.25, 0.5, 4), (0.45, 0.0, 2), (0.55, 0.25, 8), (0.95, 1.0, 1000))
    middle = Report(2014, 5, {}, bins, 0.0, 0.0).middle
    assert middle is not None
    assert (middle.cells, middle.wrong) == (14, pytest.approx((4 * 0.5 + 2 * 0 + 8 * 0.75) / 14))
    assert (middle.said, middle.infected) == (pytest.approx((1 + 0.9 + 4.4) / 14), pytest.approx(4 / 14))
    assert Report(2000, 5, {}, (bins[0], bins[-1]), 0.0, 0.0).middle is None


def test_probability_at_another_share():
    verdict = Verdict(float(expit(2.3)), 2.3, 0.5, 0.1)
    assert verdict.at_share(0.5) == pytest.approx(verdict.p_infected)
    assert verdict.at_share(0.01) == pytest.approx(expit(2.3 + logit(0.01)))
    assert Verdict(0.0, -2000.0, 0.5, 0.0).at_share(0.01) == pytest.approx(0.0)
    assert verdict.assuming(0.01).p_infected == verdict.at_share(0.01)
    assert (verdict.state, verdict.assuming(0.01).state) == ("infected", "healthy")
    for share in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            verdict.at_share(share)


def test_the_table_is_that_of_the_command_line(tmp_path):
    names = ["a.png", 'b, "c".png', "d\nq.png", "é.png", "e.png"]
    broken = [("=x.png", "it is empty")]
    FileScreening(names, screening(), broken, [], 0.5, "abc").write_csv(tmp_path / "scores.csv")
    text = scores_csv(zip(names, verdicts(screening()), strict=True), broken, share=0.5, model="abc")
    assert text == (tmp_path / "scores.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["file"] for row in rows] == [*names, "'=x.png"]
    assert [np.float32(row["p_infected"]) for row in rows[:-1]] == screening().p_infected.tolist()
    assert [row["verdict"] for row in rows] == [*(v.called for v in verdicts(screening())), "unreadable"]
    assert rows[-1]["unreadable"] == "it is empty"


def test_one_place_alone_says_what_the_cell_would_score():
    calibration = Calibration(1.4, -5.0, 0.1)
    raw = torch.full((1, 8, 8), -20.0)
    raw[0, 3, 4] = 6.0
    log_ratio = calibration.log_odds(pooled(raw)) - calibration.prior
    local = alone(calibration.slope * raw[0], calibration)
    assert float(local.max()) == pytest.approx(float(log_ratio), abs=1e-4)


def test_nearest_training_cells():
    for cells in training_cells().values():
        assert cells.codes.dtype == torch.float32
        assert len(cells.codes) == len(cells.patients) == 1500
        assert all(patient.startswith("C") for patient in cells.patients)
        code = torch.randn(64, generator=torch.Generator().manual_seed(0))
        found = cells.nearest(code, 5)
        tree = KDTree(cells.codes.numpy())
        distances, rows = tree.query(code.numpy(), 5)
        np.testing.assert_allclose(found.distances, distances, rtol=1e-4)
        assert found.patients == [cells.patients[row] for row in rows]
        torch.testing.assert_close(found.codes, cells.codes[torch.from_numpy(rows)])
        assert math.isclose(cells.spacing, float(np.median(tree.query(cells.codes.numpy(), 2)[0][:, 1])), rel_tol=1e-3)
