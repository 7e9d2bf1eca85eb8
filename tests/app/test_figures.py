"""Figures from arrays: what the map component relies on, colours, density."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from explorer import figures
from explorer.cells import figures as cell_figures

POINTS = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)


def test_ten_classes_have_ten_colours_and_more_have_shades():
    assert figures.palette(10) == list(figures.PALETTE)
    many = figures.palette(50)
    assert len(set(many)) == 50
    assert all(len(color) == 7 and int(color[1:], 16) >= 0 for color in many)
    assert figures.palette(0) == []
    assert len(figures.palette(120)) == 120


def cielab(colors: list[str]) -> np.ndarray:
    """CIE 1976 L*a*b* of sRGB colours under D65: another space than the one that they are chosen in."""
    rgb = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = linear @ np.array(to_xyz).T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def test_thirty_groups_can_be_told_apart():
    colors = figures.palette(30)
    assert figures.palette(20) == colors[:20]
    places = cielab(colors)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 1000 * np.eye(30)
    assert apart.min() > 15  # 2.3 is what an eye just sees side by side
    assert np.diagonal(apart, 1).min() > 25  # neighbours in the legend
    assert 25 < places[:, 0].min() < places[:, 0].max() < 88  # seen on near-black and on white


def test_more_groups_than_colours_share_them():
    many = figures.palette(400)
    assert len(many) == 400
    assert many[250:] == many[:150]


def test_names_of_files_are_for_the_card():
    (trace,) = figures.map_figure(POINTS, files=[f"{i}.png" for i in range(500)]).data
    assert trace.meta["files"][7] == "7.png"


def test_groups_are_for_the_card_and_for_the_colours_when_asked():
    groups = figures.Groups(["C5", "C46"], np.arange(500) % 2, "patient")
    (trace,) = figures.map_figure(POINTS, groups=groups).data
    assert trace.meta["groups"] == [0, 1] * 250
    assert trace.meta["group_names"] == ["C5", "C46"]
    assert trace.meta["group_what"] == "patient"
    assert trace.meta["by_group"] is False
    (trace,) = figures.map_figure(POINTS, groups=dataclasses.replace(groups, colored=True)).data
    assert trace.meta["by_group"] is True


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


def test_names_are_text_to_plotly_and_nothing_else():
    """Its pseudo-HTML would make a link of one, its hover templates would look another one up."""
    name = '<a href="https:evil.example">%{x} & co'
    shown = '&lt;a href="https:evil.example">% {x} &amp; co'
    assert figures.class_histogram([name, "b"], [1, 2]).data[0].x[0] == shown
    history = [{"epoch": 1, "test": {"elbo": -1.0}}]
    assert figures.learning_curves({name: history}, "elbo").data[0].name == shown
    history[0]["train"] = history[0]["test"]
    both = figures.learning_curves({name: history}, "elbo", ("test", "train")).data
    assert both[0].name == f"{shown}, test"
    assert cell_figures.roc({name: ((0, 1), (0, 1))}).data[1].name == shown
    assert cell_figures.place_on_map(POINTS[:1], [name], (0, 0), "x", color="red").data[0].customdata[0] == shown


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
    both = figures.learning_curves(
        {"one": history(-200, -150.25), "two": history(-180)}, "elbo", ("test", "train")
    ).data
    assert [(c.name, c.line.dash) for c in both[:2]] == [("one, test", "solid"), ("one, train", "dash")]
    assert list(both[1].y) == [-199, -149.25]
    assert list(both[3].x) == [1]
    assert "nats" not in figures.learning_curves({}, "mse").layout.yaxis.title.text


def test_curves_over_time_are_smoothed_by_the_definition():
    """A weighted mean of all points so far, each step back weighing 0.9 as much."""
    rows = [{**row, "seconds": 10.0 * row["epoch"]} for row in history(-200, -150, -120, -110)]
    (trace,) = figures.learning_curves({"one": rows}, "elbo", axis="seconds", smoothing=0.9).data
    assert list(trace.x) == [10, 20, 30, 40]
    y, weights = np.array([-200, -150, -120, -110]), 0.9 ** np.arange(4)
    expected = [float(y[: n + 1] @ weights[: n + 1][::-1] / weights[: n + 1].sum()) for n in range(4)]
    np.testing.assert_allclose(trace.y, expected, rtol=1e-5)
    assert not figures.learning_curves({"one": history(-1, -2)}, "elbo", axis="seconds").data  # nothing to place it by
    with pytest.raises(ValueError, match="there is no axis"):
        figures.learning_curves({}, "elbo", axis="days")


def test_a_sweep_has_a_dot_a_model_and_a_line_through_the_means():
    figure = figures.sweep_figure({"": {10.0: [3.0, 5.0], 0.1: [1.0], 1.0: [2.0, 4.0]}}, "Beta", "KL, nats")
    line, dots = figure.data
    assert (list(line.x), list(line.y)) == ([0.1, 1, 10], [1, 3, 4])
    assert sorted(zip(dots.x, dots.y, strict=True)) == [(0.1, 1), (1, 2), (1, 4), (10, 3), (10, 5)]
    assert figure.layout.xaxis.type == "log"
    two = figures.sweep_figure({"Beta 1": {2.0: [1.0], 4.0: [2.0]}, "Beta 9": {2.0: [3.0]}}, "Latents", "KL")
    assert two.layout.xaxis.type == "linear"
    assert two.layout.showlegend
    assert [(trace.name, list(trace.y)) for trace in two.data if trace.mode == "lines"] == [
        ("Beta 1", [1, 2]),
        ("Beta 9", [3]),
    ]


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
        figures.learning_curves({}, metric, (split,))
