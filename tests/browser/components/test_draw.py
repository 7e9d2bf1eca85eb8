"""Drawing in a real browser: every hand draws, the newest drawing arrives, and no stroke is lost."""

from __future__ import annotations

import base64
import io
import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.talk import idle

pytestmark = pytest.mark.browser

SIDE = 280


def draws(page: Page, expression: str) -> object:
    return page.evaluate(f"window.__draws.draw.{expression}")


def square(page: Page) -> np.ndarray:
    """Brightness [SIDE, SIDE] of the square, as the browser has it."""
    return np.reshape(draws(page, "pixels"), (SIDE, SIDE))


def settled(page: Page) -> np.ndarray:
    """The square once Python has it, checked against the PNG that Python got."""
    page.wait_for_function("window.__draws?.draw?.pending === false")
    idle(page)  # what Python has answered stands before what it has to say of it
    mine = square(page)
    seen = page.locator("img.seen")
    if draws(page, "empty"):
        expect(seen).to_have_count(0)
        return mine
    count = page.get_by_text("Drawings:").inner_text().split()[1].rstrip(",")
    expect(seen).to_have_attribute("alt", count)
    body = base64.b64decode((seen.get_attribute("src") or "").split(",", 1)[1])
    with Image.open(io.BytesIO(body)) as picture:
        assert picture.size == (SIDE, SIDE)
        np.testing.assert_array_equal(np.asarray(picture.convert("L")), mine)
    return mine


def origin(page: Page) -> tuple[float, float]:
    box = page.locator(".lx-draw-canvas").bounding_box()
    assert box
    assert (box["width"], box["height"]) == (SIDE, SIDE)
    return box["x"], box["y"]


def drag(page: Page, *points: tuple[float, float], up: bool = True) -> None:
    """With the mouse, through points of the square."""
    left, top = origin(page)
    page.mouse.move(left + points[0][0], top + points[0][1])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(left + x, top + y, steps=5)
    if up:
        page.mouse.up()


def button(page: Page, name: str):
    return page.get_by_role("button", name=name)


def half_width(line: np.ndarray) -> int:
    """Pixels of a profile across a stroke that are at least half bright."""
    return int((line >= 128).sum())


def test_a_drawing(shown):
    page = shown("draw")
    strokes_widths_eraser_undo_and_clear(page)
    the_drawing_survives_another_page_and_another_square_is_empty(page)


def strokes_widths_eraser_undo_and_clear(page: Page) -> None:
    expect(page.locator(".lx-draw-hint")).to_have_text("Draw a digit here")
    assert not settled(page).any()
    for name in ("Undo", "Redo", "Clear"):
        expect(button(page, name)).to_be_disabled()

    drag(page, (40, 60), (240, 60))
    expect(page.locator(".lx-draw-hint")).to_be_hidden()
    first = settled(page)
    assert half_width(first[:, 140]) == pytest.approx(28, abs=2)  # the medium brush
    assert first[60, 40:240].min() == 255
    assert np.unique(first[40:60, 140]).size > 5  # soft at its rim
    assert not first[100:].any()

    button(page, "Small brush").click()
    drag(page, (140, 100), (140, 320))  # out of the square and not back
    button(page, "Large brush").click()
    drag(page, (60, 200))
    second = settled(page)
    assert half_width(second[150]) == pytest.approx(16, abs=2)
    assert half_width(second[200, :120]) == pytest.approx(44, abs=2)
    np.testing.assert_array_equal(second[:85], first[:85])

    button(page, "Eraser").click()
    drag(page, (140, 30), (140, 90))
    third = settled(page)
    assert half_width(third[60, 40:240]) == pytest.approx(200 - 44, abs=4)
    assert np.all(third <= second)

    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(settled(page), second)
    page.keyboard.press("Control+y")
    np.testing.assert_array_equal(settled(page), third)
    button(page, "Clear").click()
    assert not settled(page).any()
    for _ in range(4):
        button(page, "Undo").click()
    np.testing.assert_array_equal(settled(page), first)
    page.keyboard.press("Control+Shift+z")
    button(page, "Eraser").click()
    drag(page, (20, 20))  # what was undone is gone now
    expect(button(page, "Redo")).to_be_disabled()
    assert settled(page)[20, 20] == 255
    expect(page.get_by_text("runs of the page: 1", exact=False)).to_be_visible()  # only the fragment ran


def test_keys_pen_and_finger(shown):
    page = shown("draw", has_touch=True, viewport={"width": 390, "height": 900})
    canvas = page.get_by_role("application", name="Draw a digit here")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    canvas.focus()
    expect(page.locator(".lx-draw-help")).to_have_css("opacity", "1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    assert draws(page, "at") == [150, 100]  # by pixels of an image of 28
    page.keyboard.press(" ")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    assert draws(page, "drawing")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowDown")
    keys = settled(page)
    assert keys[100, 100:151].min() == 255
    assert not keys[130:].any()

    left, top = origin(page)
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        where = [{"x": left + x, "y": top + y, "id": i} for i, (x, y) in enumerate(points)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    touch("touchStart", (60, 160))
    touch("touchMove", (60, 200))
    touch("touchStart", (60, 200), (200, 40))  # a second finger draws nothing
    touch("touchMove", (60, 240), (240, 40))
    touch("touchEnd")
    page.wait_for_function("window.__draws.draw.strokes === 2")
    finger = settled(page)
    assert finger[160:241, 60].min() == 255
    assert finger[40, 180:].max() == 0
    assert page.evaluate("window.scrollY") == 0

    def pen(kind: str, x: float, y: float, buttons: int) -> None:
        said = {"type": kind, "x": left + x, "y": top + y, "pointerType": "pen", "button": "left", "clickCount": 1}
        client.send("Input.dispatchMouseEvent", {**said, "buttons": buttons})

    pen("mousePressed", 150, 160, 1)
    pen("mouseMoved", 240, 240, 1)
    pen("mouseReleased", 240, 240, 0)
    page.wait_for_function("window.__draws.draw.strokes === 3")
    assert settled(page)[200, 195] == 255
    assert draws(page, "strokes") == 3


def test_the_drawing_follows_the_hand_without_a_queue(shown):
    page = shown("draw", {"slow": "0.3"})
    began = time.monotonic()
    drag(page, (40, 40), (240, 40), up=False)
    expect(page.locator("img.seen")).to_be_visible()  # while the button is still down
    assert draws(page, "drawing")
    left, top = origin(page)
    for i in range(40):
        page.mouse.move(left + 240 - 4 * i, top + 40 + 4 * i)
    page.mouse.up()
    final = settled(page)
    assert final[200, 80] == 255
    count = int(page.get_by_text("Drawings:").inner_text().split()[1].rstrip(","))
    assert 2 <= count <= 1 + (time.monotonic() - began) / 0.3  # each waits for the answer to the one before it
    drag(page, (40, 250), (80, 250), up=False)
    button(page, "Rerun").focus()
    page.keyboard.press("Enter")  # in the middle of a stroke
    expect(page.get_by_text("runs of the page: 2", exact=False)).to_be_visible()
    page.mouse.move(left + 200, top + 250)
    page.mouse.up()
    assert settled(page)[250, 40:201].min() == 255


def the_drawing_survives_another_page_and_another_square_is_empty(page: Page) -> None:
    drag(page, (40, 40), (200, 220))
    mine = settled(page)
    radios = page.get_by_role("radiogroup", name="Screen")
    radios.get_by_text("another").click()
    expect(page.locator(".lx-draw")).to_have_count(0)
    radios.get_by_text("square").click()
    expect(page.locator('.lx-draw[data-state="ready"][data-empty="false"]')).to_be_visible()
    np.testing.assert_array_equal(settled(page), mine)
    page.get_by_role("radiogroup", name="Square").get_by_text("1").click()
    expect(page.locator('.lx-draw[data-state="ready"][data-empty="true"]')).to_be_visible()
    idle(page)
    assert not square(page).any()
    # What cannot have been drawn here is answered with a sentence, and the next drawing takes it away.
    page.evaluate(
        """() => {
          window.real = HTMLCanvasElement.prototype.toDataURL;
          HTMLCanvasElement.prototype.toDataURL = () => "data:image/png;base64,bm8gcGljdHVyZQ==";
          window.__draws.draw.stroke([[50, 50], [90, 90]]);
        }"""
    )
    expect(page.get_by_role("alert")).to_contain_text("it is not a PNG image of 280 x 280 pixels")
    page.evaluate("HTMLCanvasElement.prototype.toDataURL = window.real, window.__draws.draw.stroke([[90, 200]])")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert settled(page)[200, 90] == 255
