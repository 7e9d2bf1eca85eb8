"""A map of more points than plotly draws: a picture from afar, points from near, and all that other maps do."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from playwright.sync_api import expect

from tests.browser.components import drawn
from tests.browser.screen import Explore, pixels
from tests.browser.talk import painted

pytestmark = pytest.mark.browser


def test_a_crowded_map(shown):
    screen = Explore(shown("crowd"))
    screen.map_ready()
    page, (where, classes) = screen.page, drawn.crowd()
    state = page.locator(".lx-map")
    expect(state).to_have_attribute("data-drawn", "cells")

    # From afar a cluster has the colour of its class.
    painted(page)
    spot = screen.map(f"pixelOf({where[5::5, 0].mean()}, {where[5::5, 1].mean()})")
    seen = pixels(page.screenshot())[round(spot["y"]) - 2 : round(spot["y"]) + 2, round(spot["x"]), :3].mean(0)
    np.testing.assert_allclose(seen, (0x4C, 0x78, 0xA8), atol=40)

    # What is outlined is what lies inside, as another polygon test has it; hidden classes do not count.
    page.locator('.lx-chip[data-class="1"]').click()
    screen.tool("lasso")
    left, top, right, bottom = screen.frame()
    corners = [
        (left + 0.2 * (right - left), top + 30),
        (right - 60, top + 60),
        (right - 90, bottom - 90),
        (left + 80, bottom - 60),
    ]
    places = [screen.place_of(corner) for corner in corners]
    screen.drag([*corners, corners[0]])
    expect(page.locator(".lx-note")).to_contain_text("selected")
    chosen = screen.map("selected")
    inside = Outline(places).contains_points(where) & (classes != 1)
    assert len(chosen) > 10_000  # so many travel as bits
    assert abs(len(chosen) - inside.sum()) < 0.01 * len(chosen)
    expect(page.get_by_text(f"Selected: {len(chosen)}, of sum {sum(chosen)}", exact=True)).to_be_visible()
    page.locator(".lx-clear").click()

    # From near they are points: the one under the pointer is named, and a click chooses it.
    screen.tool("pan")
    page.evaluate("window.__latentMaps.map.setView({ x: [-0.3, 0.3], y: [-0.3, 0.3] })")
    expect(state).to_have_attribute("data-drawn", "dots")
    screen.map_ready()
    spot = screen.map("pixelOf(0, 0)")
    page.mouse.move(spot["x"] + 1, spot["y"] + 1)
    expect(page.locator(".lx-card")).to_contain_text("29999.png")
    page.mouse.click(spot["x"] + 1, spot["y"] + 1)
    expect(page.get_by_text("Clicked: 29999", exact=True)).to_be_visible()

    # A hand that moves the map moves the picture with it, before it lets go.
    screen.map_ready()
    frames = screen.map("frames")
    page.mouse.move(spot["x"] + 40, spot["y"] + 40)
    page.mouse.down()
    page.mouse.move(spot["x"] + 90, spot["y"] + 40, steps=3)
    page.wait_for_function("(before) => window.__latentMaps.map.frames > before", arg=frames)
    moved = screen.map("pixelOf(0, 0)")
    assert moved["x"] == pytest.approx(spot["x"] + 50, abs=3)
    page.mouse.up()
