"""A page to take away opens from a disk, with the network off: hover, click, decode anywhere."""

from __future__ import annotations

from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from explorer.checkpoints.model import load
from explorer.checkpoints.page import MOST_BYTES, write_page
from explorer.latents import compact
from explorer.latents.planes import quantiles

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICKED = """(of) => { const c = document.querySelector(`${of} canvas`);
  return [c.width, c.height, [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]]; }"""


def picked(page, of: str = "#picked") -> np.ndarray:
    width, height, values = page.evaluate(PICKED, of)
    return np.array(values, np.float64).reshape(height, width, 4)[..., 0]


def test_a_page_from_a_disk(browser: Browser, tmp_path):
    model = load("mnist-mlp-2d", device="cpu")
    corners = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
    rows = ((model.latents.mean.abs() < 1).all(1)).nonzero().flatten().tolist()
    chosen = f"box~{compact.ids_text(rows, len(model.latents))}~{compact.outline_text(corners)}"
    shown = urlencode({"color": "kl", "zoom": "-2,2,-2,2", "select": chosen, "index": "17"})
    file = write_page(load("mnist-mlp-2d", device="cpu"), tmp_path / "out.html", f"http://localhost:8501/?{shown}")
    assert file.stat().st_size < MOST_BYTES
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(file.as_uri())
    expect(page.locator(".lx-map")).to_have_attribute("data-state", "ready")
    expect(page.get_by_text("Class means, decoded")).to_be_visible()
    hooks = "window.__latentMaps.map"
    expect(page.locator("#picked p")).to_contain_text("#17, reconstructed")
    expect(page.get_by_text(f"{len(rows):,} selected images, reconstructed")).to_be_visible()
    assert sorted(page.evaluate(f"{hooks}.selected")) == rows
    np.testing.assert_allclose(page.evaluate(f"{hooks}.view")["y"], [-2, 2], atol=0.01)  # x is wider, as the map is
    page.evaluate(f"{hooks}.setView(null)")
    row = 1234
    spot = page.evaluate(f"{hooks}.pointOf({row})")
    page.mouse.move(spot["clientX"], spot["clientY"])
    page.wait_for_function(f"{hooks}.cards > 0")
    page.mouse.click(spot["clientX"], spot["clientY"])
    expect(page.locator("#picked p")).to_contain_text("reconstructed")
    said = page.locator("#picked p").inner_text()
    index = int(said.partition("#")[2].partition(",")[0])
    near = int((model.latents.index == index).nonzero())
    exact = model.decode(model.latents.mean[near][None])[0, 0].numpy() * 255
    page.wait_for_function("document.querySelector('#picked canvas').width === 28")
    assert np.abs(picked(page) - exact).mean() < 12  # WebP's loss
    empty = page.evaluate(f"{hooks}.pixelOf(-4.4, -4.2)")
    page.mouse.click(empty["x"], empty["y"])
    expect(page.locator("#picked p")).to_contain_text("The decoder at")
    assert picked(page).max() > 100
    axis = quantiles(15, 0.05)
    grid = page.locator("#grid")
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 2.5 / 15, box["y"] + box["height"] * 12.5 / 15)
    expect(page.locator(".large p")).to_have_text(f"z₀ {float(axis[2]):.2f}, z₁ {float(axis[2]):.2f}")
    exact = model.decode(axis[[2, 2]][None])[0, 0].numpy() * 255
    assert np.abs(picked(page, ".large") - exact).mean() < 12
    grid.press("ArrowRight")
    expect(page.locator(".large p")).to_have_text(f"z₀ {float(axis[8]):.2f}, z₁ 0.00")
    (mark,) = page.evaluate(f"{hooks}.marks")
    assert abs(mark["x"] - float(axis[8])) < 1e-5
    assert not wrong
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    context.close()
