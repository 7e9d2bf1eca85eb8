"""The Cells screen in a real browser: what is generated is what the models decode."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import explorer
from tests.browser.screen import Explore, assert_fits, pixels
from tests.browser.talk import BUSY_MS

pytestmark = pytest.mark.browser


def tiles_of(sheet: np.ndarray, side: int) -> np.ndarray:
    """The tiles [N, H, W, 3] of a square sheet."""
    size = sheet.shape[0] // side
    return sheet.reshape(side, size, side, size, 3).swapaxes(1, 2).reshape(side * side, size, size, 3)


def test_healthy_and_infected_from_the_same_codes(new_page):
    screen = Explore(new_page())
    screen.page.goto("/cells?kind=conv&side=3&temperature=0.8")
    healthy, infected = (explorer.load(f"cells-{state}-conv") for state in ("healthy", "infected"))
    for seed in (0, 1):
        codes = healthy.draw(9, temperature=0.8, seed=seed)
        for name, model in (("healthy", healthy), ("infected", infected)):
            expect(screen.tile(f"cells_{name}", 8)).to_be_visible()
            exact = model.decode(codes).permute(0, 2, 3, 1).numpy() * 255
            assert np.abs(tiles_of(screen.sheet(f"cells_{name}"), 3) - exact).mean() < 4  # WebP's loss
        if seed == 0:
            new = screen.key("cells_new").get_by_role("button")
            screen.after_sheet("cells_healthy", lambda new=new: screen.after_sheet("cells_infected", new.click))
    screen.wait_for_query("seed", "1")
    with Image.open(screen.download("cells", "pixels_png").path()) as opened:
        both = np.asarray(opened, np.float64)
    assert both.shape == (192, 192 + 8 + 192, 3)
    exact = healthy.decode(codes).permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(tiles_of(both[:, :192], 3) - exact).max() <= 1


def test_the_same_cell_in_two_states(new_page):
    screen = Explore(new_page())
    screen.page.goto("/cells?kind=both&side=3")
    expect(screen.tile("cells_difference", 8)).to_be_visible()
    screen.idle()
    model = explorer.load("cells-both")
    codes = model.draw(9, seed=0)
    one, other = (model.decode(codes, state).mean(1).numpy() for state in range(2))
    answer = screen.page.request.get(
        screen.key("cells_difference")
        .locator(".lx-tiles")
        .evaluate("e => JSON.parse(e.style.getPropertyValue('--lx-sheet').slice(4, -1))")
    )
    apart = 1 - tiles_of(pixels(answer.body())[..., :3], 3).min(-1) / 238  # orange has no blue, and blue no red
    np.testing.assert_allclose(apart, np.minimum(1, 10 * np.abs(other - one)), atol=0.05)
    assert apart.max() > 0.1

    # As sampled: the noise of each state is there to the bit, also in the download, and the difference has none.
    link = "e => getComputedStyle(e).getPropertyValue('--lx-sheet')"
    before = screen.key("cells_difference").locator(".lx-tiles").evaluate(link)
    sampled = screen.key("cells_pixels").get_by_text("As sampled")
    screen.after_sheet("cells_healthy", lambda: screen.after_sheet("cells_infected", sampled.click))
    screen.wait_for_query("pixels", "sampled")
    assert screen.key("cells_difference").locator(".lx-tiles").evaluate(link) == before
    with Image.open(screen.download("cells", "pixels_png").path()) as opened:
        halves = np.asarray(opened, np.float64)[:, :192], np.asarray(opened, np.float64)[:, -192:]
    for state, name in enumerate(("healthy", "infected")):
        drawn = model.draw_pixels(codes, state, seed=state).clamp(0, 1).permute(0, 2, 3, 1).numpy() * 255
        for seen in (screen.sheet(f"cells_{name}"), halves[state]):
            assert np.abs(tiles_of(seen, 3) - drawn).max() <= 1


def test_it_fits_a_phone(new_page):
    screen = Explore(new_page(viewport={"width": 390, "height": 844}))
    screen.page.goto("/cells?kind=conv")
    expect(screen.tile("cells_infected", 35)).to_be_visible()
    assert_fits(screen.page, 390)
    for kind in screen.key("cells_kind").get_by_role("radio").all():
        box = kind.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 390
    screen.key("cells_part").get_by_text("Gems").click()
    gems = screen.key("cells_gems").get_by_alt_text("60 generated gems")
    gems.scroll_into_view_if_needed(timeout=BUSY_MS)
    screen.page.wait_for_function(
        "() => document.querySelector('.lx-gems')?.naturalWidth === 10 * (128 + 16) + 16",  # it is there, and whole
        timeout=BUSY_MS,
    )
    assert_fits(screen.page, 390)
    assert gems.evaluate("e => e.clientWidth") > 300
