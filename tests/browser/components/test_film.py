"""The film in a real browser: each step shows its own picture, however one gets there."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from explorer.ui.components.film.component import film as show_film
from tests.browser.components import drawn
from tests.browser.talk import idle

pytestmark = pytest.mark.browser

STEPS = """() => {
  window.steps = [];
  document.addEventListener("lx-moved", ({ detail }) => window.steps.push([detail.key, detail.step]));
}"""


def film(page: Page, expression: str) -> object:
    return page.evaluate(f"window.__films.film.{expression}")


def assert_shows(page: Page, step: int, count: int = 24, kind: int = 0) -> None:
    """Picture, counter, scrubber, strip and chart are those of the step."""
    expect(page.locator(f'.lx-film[data-state="ready"][data-step="{step}"]')).to_be_visible()
    assert (film(page, "step"), film(page, "count")) == (step, count)
    rgba = np.reshape(film(page, "pixels"), (drawn.TILE[1], drawn.TILE[0], 4))
    np.testing.assert_array_equal(rgba[..., :3], np.repeat(drawn.walk(count, kind)[step][..., None], 3, 2))
    expect(page.locator(".lx-film-count")).to_have_text(f"{step + 1} / {count}")
    expect(page.get_by_role("slider", name="Step")).to_have_value(str(step))
    assert page.locator('.lx-film-frame[aria-current="true"]').get_attribute("data-step") == str(step)


def test_a_film(shown):
    """One page for all that is done with it: to open another takes as long as most of these steps."""
    page = shown("film")
    each_step_has_its_picture_and_what_is_said_of_it(page)
    the_strip_shows_the_sheet_tile_by_tile(page)
    keys_pointer_and_strip(page)
    without_shares_stops_and_use(page)
    the_step_survives_a_rerun_and_another_walk_starts_anew(page)


def each_step_has_its_picture_and_what_is_said_of_it(page: Page) -> None:
    assert_shows(page, 0)
    assert not film(page, "playing")
    for step in (7, 11, 23):
        page.get_by_role("slider", name="Step").fill(str(step))
        assert_shows(page, step)
        share = drawn.shares(24)[step]
        words = page.locator(".lx-film-density")
        expect(words).to_contain_text(f"{100 * share:.{1 if share < 0.0995 else 0}f}% of real images lie in emptier")
        expect(words).to_have_attribute("data-low", str(share < 0.05).lower())
    assert drawn.shares(24)[11] < 0.05  # so that both kinds of sentence were seen
    assert page.locator(".lx-film-stop").all_inner_texts() == ["mean(3)", "item(1234)", "mean(Ankle boot)"]


def the_strip_shows_the_sheet_tile_by_tile(page: Page) -> None:
    for step in (0, 13):
        face = page.locator(f'.lx-film-frame[data-step="{step}"] .lx-face')
        at = face.evaluate(
            "e => { const s = getComputedStyle(e); return [s.backgroundPosition, s.backgroundSize, e.clientWidth,"
            " e.clientHeight, s.backgroundImage] }"
        )
        width, height = at[2:4]
        left, top = (float(part.removesuffix("px")) for part in at[0].split())
        assert (left, top) == pytest.approx((-(step % 8) * width, -(step // 8) * height), abs=0.5)
        assert float(at[1].split("px")[0]) == pytest.approx(8 * width, abs=0.5)
        assert urlsplit(at[4]).path.endswith('walk-24-0.png")')


def test_playing_leaves_no_step_out(shown):
    page = shown("film", {"count": "12"})
    page.evaluate(STEPS)
    page.get_by_role("button", name="Fast").click()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("window.steps.length === 11 && !window.__films.film.playing")
    assert page.evaluate("window.steps") == [["film", step] for step in range(1, 12)]
    assert_shows(page, 11, 12)
    page.get_by_role("button", name="Play").click()  # from the end: from the start again
    page.wait_for_function("window.steps.length === 23 && !window.__films.film.playing")
    assert [step for _, step in page.evaluate("window.steps")[11:]] == [0, *range(1, 12)]


def test_there_and_back(shown):
    page = shown("film", {"count": "6"})
    page.evaluate(STEPS)
    page.get_by_role("button", name="There and back").click()
    page.get_by_role("button", name="Fast").click()
    page.locator(".lx-film-picture").click()
    page.wait_for_function("window.steps.length >= 14")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    seen = [step for _, step in page.evaluate("window.steps")]
    assert seen[:14] == [1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4]
    paused = film(page, "step")
    page.evaluate(  # as long as three steps take, by the browser's own clock
        """() => new Promise((done) => {
          const end = performance.now() + 300;
          const look = () => (performance.now() > end ? done() : requestAnimationFrame(look));
          look();
        })"""
    )
    assert_shows(page, paused, 6)


def keys_pointer_and_strip(page: Page) -> None:
    film(page, "seek(0)")
    scrubber = page.get_by_role("slider", name="Step")
    scrubber.focus()
    for key, step in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 23), ("Home", 0)):
        page.keyboard.press(key)
        assert_shows(page, step)
    page.get_by_role("button", name="There and back").click()  # so that it has no end before it is paused
    scrubber.focus()
    page.keyboard.press(" ")
    page.wait_for_function("window.__films.film.playing && window.__films.film.step > 1")
    page.keyboard.press(" ")
    assert not film(page, "playing")
    page.locator('.lx-film-frame[data-step="17"]').click()
    assert_shows(page, 17)
    chart = page.locator(".lx-film-svg").bounding_box()
    place = page.locator(".lx-film-dot").bounding_box()
    assert chart
    assert place
    assert place["x"] + place["width"] / 2 == pytest.approx(chart["x"] + 8 + (chart["width"] - 16) * 17 / 23, abs=0.6)
    page.mouse.move(place["x"], chart["y"] + 30)
    page.mouse.down()
    page.mouse.move(chart["x"] + 8 + (chart["width"] - 16) * 5.2 / 23, chart["y"] + 90)  # the pointer is captured
    assert_shows(page, 5)
    page.mouse.up()
    page.mouse.move(chart["x"] + chart["width"] - 10, chart["y"] + 30)
    assert_shows(page, 5)


def the_step_survives_a_rerun_and_another_walk_starts_anew(page: Page) -> None:
    film(page, "seek(9)")
    page.get_by_role("button", name="Rerun").click()
    idle(page)
    page.get_by_role("button", name="Use this code").click()
    expect(page.get_by_text("Used: 9")).to_be_visible()
    assert_shows(page, 9)

    held: list[Route] = []
    page.route("**/walk-24-1.png", lambda route: held.append(route))
    with page.expect_request("**/walk-24-1.png"):  # the request leaves after the film says that it is updating
        page.get_by_text("1", exact=True).click()
    expect(page.locator('.lx-film[data-state="updating"]')).to_be_visible()
    assert film(page, "url").endswith("walk-24-0.png")
    page.wait_for_function("window.__films.film.step === 9")  # the old one stays
    while not held:  # a request is told of before its route gets it
        page.wait_for_timeout(20)
    held[0].continue_()
    assert_shows(page, 0, kind=1)
    assert film(page, "url").endswith("walk-24-1.png")


def test_pictures_that_do_not_come_can_be_asked_for_again(shown):
    page = shown("film")
    film(page, "seek(3)")
    page.route("**/walk-24-1.png", lambda route: route.fulfill(body="no picture", content_type="image/png"))
    page.get_by_text("1", exact=True).click()
    expect(page.locator('.lx-film[data-state="failed"]')).to_contain_text("The pictures could not be loaded.")
    page.unroute("**/walk-24-1.png")
    page.route("**/walk-24-1.png", lambda route: route.fulfill(body=drawn.sheet(24, 1), content_type="image/png"))
    page.get_by_role("button", name="Retry").click()
    assert_shows(page, 0, kind=1)
    expect(page.get_by_text("could not be loaded")).to_be_hidden()


def without_shares_stops_and_use(page: Page) -> None:
    page.get_by_text("Plain").click()
    idle(page)
    expect(page.get_by_role("button", name="Use this code")).to_be_hidden()
    expect(page.locator(".lx-film-svg")).to_be_hidden()
    expect(page.locator(".lx-film-stop")).to_have_count(0)
    film(page, "seek(4)")
    assert_shows(page, 4)
    page.get_by_text("Plain").click()
    idle(page)


def test_a_film_of_one_picture(shown):
    page = shown("film", {"count": "1"})
    assert_shows(page, 0, 1)
    expect(page.get_by_role("button", name="Play")).to_be_disabled()
    page.locator(".lx-film-picture").click()
    assert not film(page, "playing")


def test_every_stop_needs_a_name():
    with pytest.raises(ValueError, match="2 stops have 1 names"):
        show_film(key="film", sheet_url="", count=3, columns=3, stops=(0, 2), stop_names=("a",), revision="")
