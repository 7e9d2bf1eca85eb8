"""The address: a shared one gives the same view, a bad one a sentence and a page that works."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.app.tiny_runs import CONV, PLANE
from tests.browser.screen import Explore

pytestmark = pytest.mark.browser


def test_a_shared_address_gives_the_same_view(explore, models, new_page):
    """Two people for all of it: the browser of the second has nothing in its cache at first, which takes time."""
    explore.open(CONV)
    other = Explore(new_page(profile="somebody else"))
    a_link_shows_map_spot_and_item(explore, other, models(CONV))
    explore.go(PLANE)
    explore.mapped(models(PLANE).latents.mean.numpy())
    a_link_shows_zoom_selection_grid_samples_and_holes(explore, other)


def a_link_shows_map_spot_and_item(explore, other, model):
    explore.choose("projection", "principal components")
    explore.wait_for_query("projection", "pca")
    explore.choose("color_by", "reconstruction error")
    explore.wait_for_query("color", "error")
    expect(explore.key("map").locator(".lx-scale .lx-name")).to_have_text("reconstruction error, nats")
    points = model.latents.maps["pca"].points.numpy()
    explore.mapped(points)
    spot = explore.empty_spots(points, 1)[0]
    shown = explore.after(lambda: explore.page.mouse.click(*spot))
    explore.page.wait_for_function("new URLSearchParams(location.search).has('spot')")

    other.page.goto(explore.address())
    other.ready()
    assert other.query() == explore.query()
    for key in ("explore_model", "projection", "color_by", "map_data"):
        assert other.box(key).input_value() == explore.box(key).input_value()
    assert other.decoded().source == shown.source  # to the pixel
    np.testing.assert_array_equal(other.decoded().code, shown.code)
    other.decoded().assert_decodes(model)
    np.testing.assert_allclose(
        [other.map("marks[0].x"), other.map("marks[0].y")],
        [explore.map("marks[0].x"), explore.map("marks[0].y")],
        atol=1e-3,
    )

    # The same for an item.
    row = explore.lonely_points(points, 1)[0]
    shown = explore.after(lambda: explore.click_point(row))
    explore.wait_for_query("index", str(row))
    other.page.goto(explore.address())
    other.ready()
    assert (other.decoded().source, other.decoded().index) == (shown.source, row)


def a_link_shows_zoom_selection_grid_samples_and_holes(explore, other):
    explore.key("holes").get_by_text("Show holes").click()
    explore.wait_for_query("holes", "1")
    left, top, right, bottom = explore.frame()
    explore.page.mouse.move((left + right) / 2, (top + bottom) / 2)
    explore.page.mouse.wheel(0, -300)
    explore.page.wait_for_function("new URLSearchParams(location.search).has('zoom')")
    explore.idle()
    explore.tool("lasso")
    left, top, right, bottom = explore.frame()
    corners = [(left + 60, top + 60), (right - 60, top + 60), (right - 60, bottom - 60), (left + 60, bottom - 90)]
    explore.drag([*corners, corners[0]])
    explore.page.wait_for_function("new URLSearchParams(location.search).has('select')")
    expect(explore.key("group")).to_contain_text("images selected")  # which moves all that follows it
    explore.idle()
    grid = explore.key("grid_n").get_by_role("slider")
    grid.focus()
    expect(grid).to_be_focused()
    grid.press("ArrowLeft")
    expect(grid).to_have_value("14")
    explore.wait_for_query("grid", "14")
    explore.after_sheet("samples", explore.key("samples_new").get_by_role("button").click)
    explore.after(explore.tile("samples", 3).click)
    explore.page.wait_for_function("new URLSearchParams(location.search).has('z')")

    other.page.goto(explore.address())
    other.ready()
    assert other.query() == explore.query()
    assert other.decoded().source == explore.decoded().source
    assert sorted(other.map("selected")) == sorted(explore.map("selected"))
    expect(other.key("group")).to_contain_text(f"{len(explore.map('selected'))} images selected")
    for axis in "xy":
        np.testing.assert_allclose(other.map("view")[axis], explore.map("view")[axis], rtol=1e-5)
    for key in ("grid", "samples"):
        np.testing.assert_array_equal(other.sheet(key), explore.sheet(key))
    expect(other.tile("samples", 3)).to_have_attribute("aria-selected", "true")

    # A step back each; what was looked at stays as it was.
    shown = explore.map("view")
    for param in ("z", "seed", "grid", "select"):
        explore.page.go_back()
        explore.wait_for_query(param, None)
        explore.idle()
    assert explore.map("selected") is None
    np.testing.assert_allclose(explore.map("view")["x"], shown["x"], rtol=1e-5)
    explore.page.go_forward()
    explore.page.wait_for_function("window.__latentMaps.map.selected?.length")
    assert sorted(explore.map("selected")) == sorted(other.map("selected"))


def test_a_bad_address_is_said_and_does_no_harm(explore, models):
    page = explore.page
    warnings = page.locator('[data-testid="stAlertContentWarning"]')
    explore.visit(PLANE, color="<b>loud</b>")
    expect(warnings).to_have_count(1)
    expect(warnings).to_contain_text("<b>loud</b>")
    expect(explore.key("decoded")).to_contain_text("The centre of")
    explore.open(PLANE, z="1,2,3")
    expect(warnings).to_have_count(1)
    expect(warnings).to_contain_text("this model's codes are 2 numbers")
    row = explore.lonely_points(models(PLANE).latents.mean.numpy(), 1)[0]
    shown = explore.after(lambda: explore.click_point(row))
    assert shown.index == row
    shown.assert_decodes(models(PLANE))


def test_back_and_forward_show_what_the_address_says(explore, models):
    points = models(PLANE).latents.mean.numpy()
    explore.open(PLANE)
    explore.mapped(points)
    rows = explore.lonely_points(points, 2)
    steps = [explore.address()]
    for row in rows:
        assert explore.after(lambda row=row: explore.click_point(row)).index == row
        explore.wait_for_query("index", str(row))
        steps.append(explore.address())
    explore.choose("color_by", "reconstruction error")
    explore.wait_for_query("color", "error")

    picked = explore.key("decoded").locator("img[data-index]")
    page = explore.page
    page.go_back()
    expect(explore.box("color_by")).to_have_value("class")
    expect(picked).to_have_attribute("data-index", str(rows[1]))
    page.go_back()
    expect(picked).to_have_attribute("data-index", str(rows[0]))
    assert explore.address() == steps[1]
    page.go_back()
    expect(explore.key("decoded")).to_contain_text("The centre of")
    page.go_forward()
    expect(picked).to_have_attribute("data-index", str(rows[0]))
    assert explore.address() == steps[1]
