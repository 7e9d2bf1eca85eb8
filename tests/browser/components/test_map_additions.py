"""Trails, marks that stay, and a selection that comes back, on a map of its own."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.components import drawn
from tests.browser.screen import Explore, pixels
from tests.browser.talk import painted

pytestmark = pytest.mark.browser

TRAIL = [[3.0 - 0.25 * i, 0.02 * (i - 12) ** 2 - 2.9] for i in range(24)]
PRIMARY = (15, 118, 110)  # of the light theme


@pytest.fixture
def screen(shown) -> Explore:
    page: Page = shown("map")
    page.wait_for_function("window.__films?.film?.url")
    page.wait_for_function("window.__latentMaps?.map?.followers.length")  # what is drawn anew under a click swallows it
    screen = Explore(page)
    screen.map_ready()
    return screen


def at(screen: Explore, x: float, y: float) -> np.ndarray:
    """The colour [3] of the page at a place of the map, once the map is drawn as it is to be."""
    screen.page.mouse.move(5, 5)
    painted(screen.page)
    where = screen.map(f"pixelOf({x}, {y})")
    shot = pixels(screen.page.screenshot())
    return shot[round(where["y"]), round(where["x"]), :3]


def seek(screen: Explore, step: int) -> None:
    """Show a step of the film, and wait until the map's dot is drawn there."""
    screen.page.evaluate(f"window.__films.film.seek({step})")
    screen.page.wait_for_function(
        "([x, y]) => document.querySelector('.st-key-map .lx-plot').layout.shapes.at(-1).xanchor === x",
        arg=TRAIL[step],
    )


def test_dot_marks_and_labels(screen):
    """One page for all of these, and one for selections: to open another takes as long as most of these steps."""
    the_dot_follows_the_film(screen)
    the_dot_moves_without_drawing_the_map_anew(screen)
    a_click_moves_only_the_selected_mark(screen)
    labels_lie_neither_on_each_other_nor_on_rings(screen)


def the_dot_follows_the_film(screen):
    for step in (0, 8, 23):
        seek(screen, step)
        assert screen.map("followers") == [{"x": TRAIL[step][0], "y": TRAIL[step][1]}]
    x, y = TRAIL[8]
    seek(screen, 8)
    np.testing.assert_allclose(at(screen, x, y), PRIMARY, atol=3)
    seek(screen, 2)
    assert at(screen, x, y).max() < 60  # the trail's own dot, in the text's colour
    assert at(screen, x - 0.01, y).max() < 60


def test_nothing_leans_on_what_is_there_for_tests(new_page):
    page = new_page()
    page.add_init_script("Object.defineProperty(navigator, 'webdriver', { get: () => false })")  # as a person's is
    page.goto("/?show=map", wait_until="commit")
    for root in (".lx-map", ".lx-film"):
        expect(page.locator(f'{root}[data-state="ready"]')).to_be_visible()
    page.get_by_role("slider", name="Step").fill("8")
    page.wait_for_function(
        "([x, y]) => document.querySelector('.lx-plot').layout?.shapes?.at(-1).xanchor === x", arg=TRAIL[8]
    )
    assert page.evaluate("Object.keys(window).filter((name) => name.startsWith('__l') || name === '__films')") == []


def the_dot_moves_without_drawing_the_map_anew(screen):
    screen.page.evaluate(
        "window.plots = 0, document.querySelector('.st-key-map .lx-plot').on('plotly_afterplot', () => window.plots++)"
    )
    view = screen.map("view")
    screen.page.get_by_role("button", name="Play").click()
    screen.page.wait_for_function(
        "([x, y]) => window.__films.film.step === 23"
        " && document.querySelector('.st-key-map .lx-plot').layout.shapes.at(-1).xanchor === x",
        arg=TRAIL[-1],
    )
    painted(screen.page)  # to draw it anew would take a moment more
    assert screen.page.evaluate("window.plots") == 0
    assert screen.map("view") == view
    assert screen.map("followers") == [{"x": TRAIL[-1][0], "y": TRAIL[-1][1]}]


def a_click_moves_only_the_selected_mark(screen):
    before = screen.map("marks")
    assert [mark["kind"] for mark in before] == ["result", "ingredient", "ingredient", "selected"]
    spot = screen.empty_spots(drawn.points(), 1)[0]
    screen.page.mouse.click(*spot)
    screen.page.wait_for_function("window.__latentMaps.map.marks.at(-1).x !== 1")
    screen.idle()
    after = screen.map("marks")
    assert after[:3] == before[:3]
    np.testing.assert_allclose([after[3]["x"], after[3]["y"]], screen.place_of(spot), atol=1e-3)


def labels_lie_neither_on_each_other_nor_on_rings(screen):
    boxes = """([labels, rings]) => [...document.querySelectorAll(labels), ...[...document.querySelectorAll(rings)]
      .filter((shape) => shape.getAttribute("d").includes("A"))].map((shape) => {
        const { left, right, top, bottom } = shape.getBoundingClientRect(); return [left, right, top, bottom] })"""
    where = [".st-key-map .annotation", ".st-key-map .shapelayer path"]
    plot = "document.querySelector('.st-key-map .lx-plot')"
    shift = f"() => JSON.stringify({plot}.layout.annotations.map((label) => label.xshift))"
    before = screen.page.evaluate(shift)
    screen.page.evaluate("window.__latentMaps.map.setView({ x: [-60, 60], y: [-60, 60] })")  # all rings in one place
    screen.page.wait_for_function(f"(before) => ({shift})() !== before", arg=before)
    painted(screen.page)
    found = screen.page.evaluate(boxes, where)
    labels = found[:3]
    assert len(found) > 6
    for i, (left, right, top, bottom) in enumerate(labels):
        for other in found[i + 1 :]:
            assert right <= other[0] or other[1] <= left or bottom <= other[2] or other[3] <= top


def told(screen: Explore) -> int:
    """How often Python was told of a selection."""
    return int(screen.page.get_by_text("Told:").inner_text().split()[1])


def select(screen: Explore, across: float) -> list[int]:
    """Draw a box from the middle up to the right, `across` of the way; the ids inside once Python knows them."""
    screen.map_ready()
    before = told(screen)
    screen.tool("select")
    left, top, right, bottom = screen.frame()
    middle = ((left + right) / 2 + 3, (top + bottom) / 2 + 3)
    screen.drag([middle, (middle[0] + across * (right - left) / 2, top + 5)])
    expect(screen.page.get_by_text(f"Told: {before + 1}", exact=True)).to_be_visible()
    chosen = screen.map("selected")
    expect(screen.page.get_by_text(f"Selected: {len(chosen)}", exact=True)).to_be_visible()
    return chosen


def away_and_back(screen: Explore) -> None:
    screen.page.get_by_text("another", exact=True).click()
    expect(screen.page.locator(".lx-map")).to_have_count(0)
    screen.page.get_by_text("map", exact=True).click()
    screen.map_ready()


def test_selections(screen):
    a_selection_belongs_to_its_revision(screen)
    a_selection_comes_back_until_it_is_cleared(screen)


def a_selection_comes_back_until_it_is_cleared(screen):
    before = told(screen)
    chosen = select(screen, 0.4)
    assert 30 < len(chosen) < 400
    away_and_back(screen)
    assert screen.map("selected") == chosen
    expect(screen.page.get_by_text(f"Selected: {len(chosen)}", exact=True)).to_be_visible()
    assert screen.map("dimmed") == screen.map("shown") - len(chosen)
    newer = select(screen, 0.2)
    assert newer != chosen
    screen.page.get_by_role("button", name="Rerun").click()
    screen.map_ready()
    assert screen.map("selected") == newer
    away_and_back(screen)
    assert screen.map("selected") == newer
    screen.key("map").locator(".lx-clear").click()
    expect(screen.page.get_by_text("Selected: None", exact=True)).to_be_visible()
    expect(screen.page.get_by_text(f"Told: {before + 3}", exact=True)).to_be_visible()
    screen.page.get_by_role("button", name="Rerun").click()
    screen.map_ready()
    assert screen.map("selected") is None
    away_and_back(screen)
    assert screen.map("selected") is None
    expect(screen.page.get_by_text("Selected: None", exact=True)).to_be_visible()


def a_selection_belongs_to_its_revision(screen):
    before = told(screen)
    chosen = select(screen, 0.5)
    radio = screen.page.get_by_role("radiogroup", name="Points")
    radio.get_by_text("1", exact=True).click()
    screen.page.wait_for_function("window.__latentMaps?.map?.figure?.endsWith('points-1.json')")
    expect(screen.page.get_by_text("Selected: None", exact=True)).to_be_visible()
    assert screen.map("selected") is None
    expect(
        screen.page.get_by_text(f"Told: {before + 1}", exact=True)
    ).to_be_visible()  # that it is out of sight is no news
    radio.get_by_text("0", exact=True).click()
    expect(screen.page.get_by_text(f"Selected: {len(chosen)}", exact=True)).to_be_visible()
    screen.page.wait_for_function("window.__latentMaps?.map?.selected?.length")
    assert screen.map("selected") == chosen
