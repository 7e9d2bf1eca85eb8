"""Rows of tiles with labels: a label stands at its row, and a tile is still found by its index."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import assert_fits

pytestmark = pytest.mark.browser

ROWS, ACROSS = 6, 11
BOXES = """selector => [...document.querySelectorAll(selector)].map(e => {
  const { left, right, top, bottom } = e.getBoundingClientRect();
  return { left, right, top, bottom };
})"""


def boxes(page: Page, selector: str) -> list[dict[str, float]]:
    return page.evaluate(BOXES, selector)


def test_rows_of_tiles(shown):
    page = shown("tiles")
    rings_faded_rows_and_picks(page)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert_fits(page)
        labels_stand_at_their_rows(page, width)


def labels_stand_at_their_rows(page: Page, width: int) -> None:
    labels, tiles = boxes(page, ".lx-row-label"), boxes(page, ".lx-tile")
    assert (len(labels), len(tiles)) == (ROWS, ROWS * ACROSS)
    for row, label in enumerate(labels):
        of_row = tiles[row * ACROSS : (row + 1) * ACROSS]
        assert len({round(tile["top"]) for tile in of_row}) == 1
        if width == 1280:
            assert label["right"] <= of_row[0]["left"]
            assert of_row[0]["top"] <= (label["top"] + label["bottom"]) / 2 <= of_row[0]["bottom"]
        else:
            assert label["bottom"] <= of_row[0]["top"] + 0.5
            assert label["left"] == pytest.approx(of_row[0]["left"], abs=1)
    assert max(tile["right"] for tile in tiles) <= width
    assert page.locator(".lx-row-label").nth(1).inner_text().split() == ["latent", "11", "1.55", "nats"]


def rings_faded_rows_and_picks(page: Page) -> None:
    ringed = page.locator(".lx-tile[data-ring]").evaluate_all("all => all.map(e => Number(e.dataset.index))")
    assert ringed == [row * ACROSS + 3 + row for row in range(ROWS)]
    faded = page.locator(".lx-tile[data-faded]").evaluate_all("all => all.map(e => Number(e.dataset.index))")
    assert faded == list(range(4 * ACROSS, 6 * ACROSS))
    page.locator('.lx-tile[data-index="30"]').click()
    expect(page.get_by_text("Picked: 30")).to_be_visible()
    chosen = page.locator('.lx-tile[aria-selected="true"]')
    expect(chosen).to_have_attribute("data-index", "30")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Picked: {30 + ACROSS - 1}")).to_be_visible()
    expect(chosen).to_have_attribute("data-index", str(30 + ACROSS - 1))
    assert len(page.locator(".lx-tile[data-ring]").all()) == ROWS
