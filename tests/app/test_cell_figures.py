"""Pictures and figures of a screened cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.cells import figures
from explorer.images import pictures


def test_what_is_left_over_is_the_difference_on_gray():
    a, b = torch.rand(3, 9, 7), torch.rand(3, 9, 7)
    a[:, :2] = 0.01
    shown = np.asarray(pictures.left_over(a, b, gain=2.0, background=0.15), np.float64)
    expected = np.clip(127.5 + 2 * 255 * (a - b).permute(1, 2, 0).numpy(), 0, 255)
    assert np.abs(shown - expected)[2:][a.mean(0).numpy()[2:] > 0.16].max() <= 2.5  # both were rounded before
    assert np.abs(shown[:2] - 127.5).max() <= 0.5


def test_evidence_is_red_where_it_is_and_has_a_line_at_the_edge():
    image = torch.full((3, 64, 64), 0.6)
    values = torch.full((32, 32), -9.0)
    values[:4] = float("nan")
    values[10:20, 10:20] = 9.0
    shown = np.asarray(pictures.evidence(image, values, low=-4, high=4, edge=0.0), np.int64)
    assert shown.shape == (256, 256, 3)
    inside, outside = shown[120, 120], shown[220, 220]
    np.testing.assert_allclose(inside, 0.85 * np.array(pictures.EVIDENCE) + 0.15 * 153, atol=1.5)
    np.testing.assert_allclose(outside, 153, atol=1)
    np.testing.assert_allclose(shown[:16], 153, atol=1)  # NaN is clear
    line = (shown == pictures.EVIDENCE).all(2)
    rows, columns = np.nonzero(line)
    assert {rows.min(), columns.min()} == {80}  # half way from place 9 to place 10, of 8 pixels each
    assert not line[100:140, 100:140].any()


def test_a_cell_on_a_map():
    points = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    figure = figures.place_on_map(points, ["C1"] * 50, (0.5, -1.0), "<b> %{x}", color="#123456")
    assert [trace.type for trace in figure.data] == ["scatter", "scatter"]
    assert (figure.data[1].x[0], figure.data[1].y[0]) == (0.5, -1.0)
    assert figure.data[1].hovertemplate.startswith("&lt;b> % {x}")
    assert figures.place_on_map(points, None, (0, 0), "x", color="red").data[0].hoverinfo == "skip"


def test_calibration_and_roc():
    figure = figures.calibration([(0.1, 0.12, 400), (0.9, 0.85, 100)])
    assert list(figure.data[1].y) == [0.12, 0.85]
    assert list(figure.data[1].marker.size) == pytest.approx([18, 12])
    assert figure.data[1].cliponaxis is False  # or the mark at 100% would be cut off
    assert len(figures.calibration([]).data[1].x) == 0
    figure = figures.roc({"a": ((0, 0.2, 1), (0, 0.9, 1)), "b": ((0, 1), (0, 1))})
    assert [trace.name for trace in figure.data] == ["guessing", "a", "b"]
    assert list(figure.data[1].y) == [0, 0.9, 1]


def test_the_highest_hue_stays_below_the_edge():
    peak = [0.0] * 35 + [0.33]
    figure = figures.hues({"real": peak, "generated": [1 / 36] * 36})
    assert figure.layout.yaxis.range[1] > 33
    assert figure.layout.legend.y > 1  # above the plot, on no line of it
    assert [trace.name for trace in figure.data] == ["real", "generated"]
