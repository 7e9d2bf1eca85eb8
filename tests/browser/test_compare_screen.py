"""Compare in Chromium: a box on one map selects on the others, which stay zoomed; hover and click are followed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.browser import Traffic
from tests.app.tiny_runs import CONV, PLANE
from tests.browser.talk import WAIT_MS, idle

pytestmark = pytest.mark.browser

MOST_MESSAGES = 40  # a box: 12 for its map and a sentence; the rest is room for what the sidebar brings now and then
_READY = """() => [0, 1].every(i => window.__latentMaps?.[`compare_map_${i}`]?.figure
  && document.querySelector(`.st-key-compare_map_${i} .lx-map`)?.dataset.state === "ready")"""


def test_maps_are_linked(server, new_page, models):
    page = new_page(viewport={"width": 1280, "height": 1000})
    traffic = Traffic()
    page.on("websocket", traffic.listen)
    page.goto(f"{server.url}/compare?models={PLANE},{CONV}&part=maps")
    page.wait_for_function(_READY, timeout=WAIT_MS)
    idle(page)

    def on(number: int, expression: str):
        return page.evaluate(
            f"(() => {{ const m = window.__latentMaps['compare_map_{number}']; return {expression}; }})()"
        )

    codes = models(PLANE).latents.mean.numpy()
    low, high = np.quantile(codes, 0.3, axis=0), np.quantile(codes, 0.7, axis=0)
    corners = [on(0, f"m.pixelOf({x}, {y})") for x, y in (low, high)]
    on(0, "m.setDragmode('select')")
    on(1, "m.setView({ x: [-1, 1], y: [-1, 1] })")
    idle(page)
    view = on(1, "m.view")
    traffic.take()
    page.mouse.move(corners[0]["x"], corners[0]["y"])
    page.mouse.down()
    page.mouse.move(corners[1]["x"], corners[1]["y"], steps=8)
    page.mouse.up()
    page.wait_for_function("window.__latentMaps['compare_map_1'].selected?.length > 0", timeout=WAIT_MS)
    inside = np.flatnonzero(((codes > low) & (codes < high)).all(1))
    selected = on(1, "m.selected")  # both were tested on the same images, in the same order
    assert sorted(selected) == sorted(on(0, "m.selected"))
    assert len(set(selected) ^ set(inside.tolist())) < 0.05 * len(selected)  # those on its very edge
    assert on(1, "m.dimmed") == on(1, "m.shown") - len(selected)
    page.get_by_text(f"{len(selected):,} images selected").wait_for(timeout=WAIT_MS)
    assert traffic.messages <= MOST_MESSAGES
    idle(page)
    assert on(1, "m.view") == view
    on(1, "m.setView(null)")

    on(0, "m.setDragmode('pan')")
    row = int(np.abs(codes).sum(1).argmax())  # far out, with no other near
    place = on(0, f"m.pointOf({row})")
    page.mouse.move(place["clientX"] - 1, place["clientY"] - 1)
    page.mouse.move(place["clientX"], place["clientY"])
    page.wait_for_function("window.__latentMaps['compare_map_1'].followers.length === 1", timeout=WAIT_MS)
    there = on(1, f"m.pointOf({row})")
    follower = on(1, "m.followers[0]")
    assert (follower["x"], follower["y"]) == (there["x"], there["y"])

    page.mouse.click(place["clientX"], place["clientY"])
    page.wait_for_function("window.__latentMaps['compare_map_1'].marks.length === 1", timeout=WAIT_MS)
    mark = on(1, "m.marks[0]")
    assert (mark["x"], mark["y"]) == pytest.approx((there["x"], there["y"]), abs=1e-5)
