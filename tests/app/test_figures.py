"""Figures from arrays: what the map component relies on, colours, density."""

from __future__ import annotations

import json

import numpy as np
import pytest

from explorer import figures

POINTS = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)


def test_ten_classes_have_ten_colours_and_more_have_shades():
    assert figures.palette(10) == list(figures.PALETTE)
    many = figures.palette(50)
    assert len(set(many)) == 50
    assert all(len(color) == 7 and int(color[1:], 16) >= 0 for color in many)
    assert figures.palette(0) == []
    assert len(figures.palette(120)) == 120


def test_the_map_is_one_trace_with_row_numbers():
    classes = np.arange(500) % 3
    figure = figures.map_figure(POINTS, classes=classes, axes=("latent 0", "latent 1"), revision="r")
    (trace,) = figure.data
    assert trace.type == "scattergl"
    np.testing.assert_array_equal(trace.customdata, np.arange(500))
    np.testing.assert_array_equal(np.stack([trace.x, trace.y], 1), POINTS)
    assert trace.meta["classes"] == classes.tolist()
    assert "values" not in trace.meta
    assert figure.layout.meta["uirevision"] == "r"
    assert figure.layout.yaxis.scaleanchor == "x"
    assert figure.layout.xaxis.visible
    json.loads(figure.to_json())


def test_a_projection_has_no_axes():
    layout = figures.map_figure(POINTS).layout
    assert not layout.xaxis.visible
    assert not layout.xaxis.showticklabels
    assert layout.xaxis.title.text is None


def test_an_outlier_does_not_take_all_the_colours():
    values = np.linspace(0, 10, 500)
    values[7] = 1e6
    marker = figures.map_figure(POINTS, values=values, value_name="KL, nats").data[0].marker
    assert marker.cmin == pytest.approx(0.1, abs=0.05)
    assert marker.cmax == pytest.approx(9.9, abs=0.1)
    assert marker.showscale
    assert marker.colorbar.title.text == "KL, nats"


def test_constant_values_still_have_a_range():
    marker = figures.map_figure(POINTS, values=np.full(500, 3.0)).data[0].marker
    assert marker.cmin < marker.cmax


def test_density_is_one_where_points_are_spread_evenly():
    side = np.linspace(0, 1, 256, endpoint=False)
    even = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    found = figures.density(even)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.median(found), 1, atol=0.05)


def test_density_is_higher_in_a_crowd():
    rng = np.random.default_rng(0)
    crowd, rest = rng.normal(0.3, 0.01, (900, 2)), rng.uniform(-1, 1, (100, 2))
    found = figures.density(np.concatenate([crowd, rest]))
    assert found[:900].mean() > 20 * found[900:].mean()


@pytest.mark.parametrize("points", [np.zeros((1, 2)), np.zeros((5, 2)), np.array([[0.0, 1.0], [0.0, 2.0]])])
def test_density_of_few_or_equal_points_is_finite(points):
    assert np.isfinite(figures.density(points)).all()


def test_class_histogram():
    figure = figures.class_histogram(["0", "1", "cat"], [3, 0, 5])
    (bars,) = figure.data
    assert (list(bars.x), list(bars.y)) == (["0", "1", "cat"], [3, 0, 5])
    assert list(bars.marker.color) == figures.palette(3)
    assert figure.layout.xaxis.type == "category"  # "0" and "1" are names, not numbers


def history(*elbos: float | None) -> list[dict]:
    """Lines of a history with these test ELBOs, and training ones that are a nat better."""
    return [
        {"epoch": i + 1, "train": {"elbo": None if v is None else v + 1}, "test": {"elbo": v, "mse": 0.1 / (i + 1)}}
        for i, v in enumerate(elbos)
    ]


def test_learning_curves_are_a_line_a_run():
    figure = figures.learning_curves({"one": history(-200, -150.25), "two": history(-180, -160, -155)}, "elbo")
    first, second = figure.data
    assert (first.name, list(first.x), list(first.y)) == ("one", [1, 2], [-200, -150.25])
    assert (second.name, list(second.x), list(second.y)) == ("two", [1, 2, 3], [-180, -160, -155])
    assert [trace.line.color for trace in figure.data] == figures.palette(2)
    assert "nats" in figure.layout.yaxis.title.text
    assert figure.layout.xaxis.title.text == "epoch"
    (train,) = figures.learning_curves({"one": history(-200, -150.25)}, "elbo", "train").data
    assert list(train.y) == [-199, -149.25]
    assert "nats" not in figures.learning_curves({}, "mse").layout.yaxis.title.text


def test_a_run_without_the_metric_leaves_its_colour_to_nobody():
    figure = figures.learning_curves({"ae": history(None, None), "none": [], "vae": history(-1.0)}, "elbo")
    (trace,) = figure.data
    assert (trace.name, trace.mode, trace.line.color) == ("vae", "markers", figures.palette(3)[2])


def test_a_long_curve_keeps_its_ends_and_a_hole_stays_out():
    lines = history(*np.linspace(-300, -100, 5000).tolist())
    lines[3]["test"]["elbo"] = float("nan")
    (trace,) = figures.learning_curves({"long": lines}, "elbo").data
    assert 900 < len(trace.x) <= 1001
    assert (trace.x[0], trace.x[-1], trace.y[-1]) == (1, 5000, -100)
    assert np.isfinite(trace.y).all()
    assert (np.diff(trace.x) > 0).all()


@pytest.mark.parametrize(("metric", "split"), [("accuracy", "test"), ("elbo", "validation")])
def test_unknown_curves_are_refused(metric, split):
    with pytest.raises(ValueError, match="choose"):
        figures.learning_curves({}, metric, split)
