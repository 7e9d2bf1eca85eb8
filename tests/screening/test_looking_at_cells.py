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

from explorer.screening import Calibration, FileScreening, Screening
from explorer.screening.detector import pooled
from explorer.screening.looking import Verdict, alone, scores_csv, training_cells, verdicts


def screening(n: int = 5) -> Screening:
    p = torch.linspace(0.01, 0.99, n)
    return Screening(p, torch.logit(p), torch.linspace(0.0, 1.0, n), torch.linspace(0, 0.3, n))


def test_a_verdict_a_cell():
    found = verdicts(screening())
    assert [v.unlike for v in found] == screening().unlike.tolist() == [True, False, False, False, False]
    assert [v.likely for v in found] == [False, False, True, True, True]
    assert not Verdict(0.9, 2.0, 0.0, 0.1).likely  # what is no cell is not infected


def test_probability_at_another_share():
    verdict = Verdict(float(expit(2.3)), 2.3, 0.5, 0.1)
    assert verdict.at_share(0.5) == pytest.approx(verdict.p_infected)
    assert verdict.at_share(0.01) == pytest.approx(expit(2.3 + logit(0.01)))
    assert Verdict(0.0, -2000.0, 0.5, 0.0).at_share(0.01) == pytest.approx(0.0)


def test_the_table_is_that_of_the_command_line(tmp_path):
    names = ["a.png", 'b, "c".png', "d\nq.png", "é.png", "e.png"]
    FileScreening(names, screening(), {}, []).write_csv(tmp_path / "scores.csv")
    text = scores_csv(zip(names, verdicts(screening()), strict=True))
    assert text == (tmp_path / "scores.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["file"] for row in rows] == names
    assert [np.float32(row["p_infected"]) for row in rows] == screening().p_infected.tolist()


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
