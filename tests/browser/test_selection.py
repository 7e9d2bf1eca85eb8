"""Lasso and box by mouse: who is inside, what the panel says of them, what is downloaded."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.app.tiny_runs import CONV, PLANE
from tests.browser.screen import pixels_of

pytestmark = pytest.mark.browser

EDGE_PX = 2.0  # plotly thins out a lasso's corners by up to 1.5 pixels


def inside(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Which points [N, 2] lie in a polygon [M, 2]: an odd number of edges is crossed on the way out to the right."""
    crossed = np.zeros(len(points), int)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
        between = (y0 > points[:, 1]) != (y1 > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x0 + (points[:, 1] - y0) / (y1 - y0) * (x1 - x0)
        crossed += between & (points[:, 0] < at)
    return crossed % 2 == 1


def distance_to_edges(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    found = np.full(len(points), np.inf)
    for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
        along = end - start
        t = np.clip((points - start) @ along / (along @ along), 0, 1)
        found = np.minimum(found, np.linalg.norm(points - start - t[:, None] * along, axis=1))
    return found


def assert_is_what_was_drawn(selected: list[int], where: np.ndarray, corners: np.ndarray) -> None:
    """Exactly the points inside, but for those on the very line."""
    chosen = np.zeros(len(where), bool)
    chosen[selected] = True
    certain = distance_to_edges(where, corners) > EDGE_PX
    np.testing.assert_array_equal(chosen[certain], inside(where, corners)[certain])
    assert chosen.sum() > 30


def test_lasso_and_box(explore, models):
    """One page for all that is drawn: to open another takes as long as most of these steps."""
    explore.open(PLANE, index="0")
    lasso(explore, models(PLANE))
    explore.go(CONV)
    points = models(CONV).latents.maps["umap"].points.numpy()
    explore.mapped(points)
    for tool, off in (("select", (-30, 40)), ("lasso", (-30, 40)), ("lasso", (40, 15))):
        an_outline_may_start_beside_the_plot(explore, points, tool, off)
        explore.key("map").locator(".lx-clear").click()
        expect(explore.key("group")).to_contain_text("Draw a lasso")
        explore.ready()
    box_on_a_projection(explore, models(CONV))


def an_outline_may_start_beside_the_plot(explore, points, tool, off):
    """In the margin, where the axis's numbers are: 36 pixels on the left of a map without titles."""
    explore.tool(tool)
    left, top, right, bottom = explore.frame()
    x, y = (left + off[0], top + off[1]) if off[0] < 0 else (left + off[0], bottom + off[1])
    far = (right - 20, bottom - 20) if off[0] < 0 else (right - 20, top + 20)
    turn = [] if tool == "select" else [(x, far[1])]
    explore.drag([(x, y), (far[0], y), far, *turn])
    expect(explore.key("group")).to_contain_text("images selected")
    explore.idle()
    inside_x, inside_y = max(x, left), min(max(y, top), bottom)
    corners = np.array([(inside_x, inside_y), (far[0], inside_y), far, (inside_x, far[1])])
    assert_is_what_was_drawn(explore.map("selected"), explore.pixels_of_points(points), corners)


def lasso(explore, model):
    codes = model.latents.mean.numpy()
    expect(explore.key("group")).to_contain_text("Draw a lasso")
    explore.tool("lasso")
    left, top, right, bottom = explore.frame()
    width, height = right - left, bottom - top
    corners = np.array([left, top]) + np.array([width, height]) * [(0.35, 0.3), (0.75, 0.35), (0.6, 0.5), (0.8, 0.75),
                                                                   (0.4, 0.7)]  # fmt: skip
    explore.drag([*corners, corners[0]])
    group = explore.key("group")
    expect(group).to_contain_text("images selected")
    explore.idle()
    selected = explore.map("selected")
    assert_is_what_was_drawn(selected, explore.pixels_of_points(codes), corners)
    expect(group).to_contain_text(f"{len(selected)} images selected")
    assert explore.query()["index"] == "0"  # a drag is no click, though it ends where it began

    mean = codes[selected].astype(np.float64).mean(0)
    image = group.locator("img[data-mean]")
    np.testing.assert_allclose([float(v) for v in image.get_attribute("data-mean").split(",")], mean, atol=1e-4)
    exact = model.decode(mean[None].astype(np.float32))[0, 0].numpy() * 255
    assert np.abs(pixels_of(image.get_attribute("src")) - exact).max() <= 1

    typical = explore.ids("typical", 24)
    apart = np.linalg.norm(codes[selected] - mean, axis=1)
    np.testing.assert_allclose(np.linalg.norm(codes[typical] - mean, axis=1), np.sort(apart)[:24], atol=1e-4)
    shown = explore.after(explore.tile("typical", 3).click)
    assert shown.index == typical[3]
    shown.assert_decodes(model)
    assert explore.map("selected") == selected

    check_downloads(explore, model, selected, PLANE, "lasso")

    bars = explore.page.wait_for_function(
        "() => document.querySelector('.st-key-group .js-plotly-plot')?.calcdata?.[0]?.map((bar) => bar.s)"
    )
    group_chart = bars.json_value()
    np.testing.assert_array_equal(group_chart, np.bincount(model.latents.labels.numpy()[selected], minlength=10))
    explore.key("map").locator(".lx-clear").click()
    expect(group).to_contain_text("Draw a lasso")


def check_downloads(explore, model, selected, ident, tool) -> None:
    codes, labels = model.latents.mean.numpy(), model.latents.labels.numpy()
    table = explore.download("group", "csv").path().read_bytes()
    assert table.startswith(b"\xef\xbb\xbf")  # the mark by which spreadsheets know UTF-8
    header, *lines = csv.reader(io.StringIO(table.decode("utf-8-sig")))
    assert header[:5] == ["index", "class", "elbo", "reconstruction", "kl"]
    assert header[-model.latent :] == [f"z{i}" for i in range(model.latent)]
    assert sorted(int(line[0]) for line in lines) == sorted(selected)
    for line in lines:
        assert line[1] == model.classes[labels[int(line[0])]]
        np.testing.assert_allclose(np.array(line[-model.latent :], float), codes[int(line[0])], rtol=1e-6)

    with np.load(explore.download("group", "npz").path(), allow_pickle=False) as arrays:
        assert set(arrays) == {"codes", "index", "labels", "recipe"}
        assert sorted(arrays["index"]) == sorted(selected)
        np.testing.assert_array_equal(arrays["codes"], codes[arrays["index"]])
        np.testing.assert_array_equal(arrays["labels"], labels[arrays["index"]])
        recipe = json.loads(str(arrays["recipe"]))

    # The recipe selects them again.
    assert (recipe["model"], recipe["data"], recipe["tool"]) == (ident, "mnist-5k", tool)
    outline = np.array(recipe["outline"])
    outline = outline[(outline != np.roll(outline, 1, 0)).any(1)]  # a lasso's last corner may be its first
    points = model.latents.maps[recipe["projection"]].points.numpy().astype(np.float64)
    size = np.ptp(outline, axis=0).max()
    certain = distance_to_edges(points, outline) > 1e-4 * size
    again = inside(points, outline)
    np.testing.assert_array_equal(np.isin(np.arange(len(points)), selected)[certain], again[certain])


def box_on_a_projection(explore, model):
    explore.tool("select")
    left, top, right, bottom = explore.frame()
    x0, x1 = left + 0.3 * (right - left), left + 0.6 * (right - left)
    y0, y1 = top + 0.3 * (bottom - top), top + 0.7 * (bottom - top)
    explore.drag([(x0, y0), (x1, y1)])
    expect(explore.key("group")).to_contain_text("images selected")
    explore.idle()
    selected = explore.map("selected")
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    assert_is_what_was_drawn(selected, explore.pixels_of_points(model.latents.maps["umap"].points.numpy()), corners)
    expect(explore.key("group")).to_contain_text(f"{len(selected)} images selected")
    check_downloads(explore, model, selected, CONV, "box")
    # Another map is another picture: what was drawn on the first means nothing on it.
    explore.choose("projection", "principal components")
    explore.wait_for_query("projection", "pca")
    expect(explore.key("group")).to_contain_text("Draw a lasso")
