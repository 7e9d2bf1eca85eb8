"""Sliders in a real browser: the picture is that of the values, and no value is lost or taken from under a finger."""

from __future__ import annotations

import base64
import io
import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.components import drawn
from tests.browser.talk import idle

pytestmark = pytest.mark.browser

START = [-1.0, -0.5, 0.0, 0.5, 1.0]


def knob(page: Page, ident: int) -> Locator:
    return page.locator(f'.lx-knob[data-id="{ident}"]')


def values(page: Page) -> list[float]:
    return list(page.evaluate("window.__codeSliders.sliders.values").values())


def assert_shows(page: Page, expected: list[float]) -> None:
    """Knobs and picture are those of the values, once nothing waits."""
    page.wait_for_function(
        """(expected) => {
          const sliders = window.__codeSliders?.sliders;
          const code = document.querySelector(".lx-knobs-picture img")?.dataset.code?.split(",").map(Number);
          return sliders?.pending === false && code?.length === expected.length
            && code.every((value, i) => Math.abs(value - expected[i]) < 1e-3);
        }""",
        arg=expected,
    )
    idle(page)
    np.testing.assert_allclose(values(page), expected, atol=1e-9)
    image = page.locator(".lx-knobs-picture img")
    code = [float(v) for v in (image.get_attribute("data-code") or "").split(",")]
    np.testing.assert_allclose(code, expected, rtol=1e-4)
    body = base64.b64decode((image.get_attribute("src") or "").split(",", 1)[1])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(body))), drawn.of_code(expected))
    ranges = page.locator(".lx-knob-range").evaluate_all("all => all.map(e => e.valueAsNumber)")
    np.testing.assert_allclose(ranges, np.clip(expected, -3, 3), atol=1e-3)
    numbers = page.locator(".lx-knob-number").evaluate_all("all => all.map(e => Number(e.value))")
    np.testing.assert_allclose(numbers, expected, atol=0.006)


def test_sliders(shown):
    page = shown("sliders")
    keys_numbers_and_resets(page)
    python_has_the_last_word_but_not_while_a_finger_is_on_the_knob(page)


def keys_numbers_and_resets(page: Page) -> None:
    assert_shows(page, START)
    expect(knob(page, 3)).to_have_attribute("data-faded", "true")
    slider = page.get_by_role("slider", name="z1")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert_shows(page, [-1, -0.4, 0, 0.5, 1])
    page.keyboard.press("Home")
    assert_shows(page, [-1, -3, 0, 0.5, 1])
    number = page.get_by_role("textbox", name="z2, value")
    number.fill("1,25")  # as some people write it
    number.blur()
    assert_shows(page, [-1, -3, 1.25, 0.5, 1])
    number.fill("")  # no number yet: nothing moves
    expect(number).to_have_attribute("aria-invalid", "true")
    number.blur()
    assert_shows(page, [-1, -3, 1.25, 0.5, 1])
    number.fill("-7")  # beyond the slider: to its end
    number.blur()
    assert_shows(page, [-1, -3, -3, 0.5, 1])
    knob(page, 2).get_by_role("button", name="Set z2 back to 0.00").click()
    assert_shows(page, [-1, -3, 0, 0.5, 1])
    slider.fill("1.5")
    assert_shows(page, [-1, 1.5, 0, 0.5, 1])
    slider.dblclick(position={"x": 300, "y": 12})
    assert_shows(page, [-1, -0.5, 0, 0.5, 1])
    slider.fill("1.5")
    page.get_by_role("slider", name="z4").fill("-2.5")
    page.get_by_role("button", name="Reset all").click()
    assert_shows(page, START)
    expect(page.get_by_role("button", name="Reset all")).to_be_disabled()
    expect(page.get_by_text("runs of the page: 1", exact=False)).to_be_visible()  # only the fragment ran


def test_a_fast_hand_builds_no_queue(shown):
    page = shown("sliders", {"slow": "0.25"})
    began = time.monotonic()
    page.evaluate(
        """async () => {
          const sliders = window.__codeSliders.sliders;
          const pause = (ms) => new Promise((done) => setTimeout(done, ms));
          const moves = () => document.body.innerText.match(/Moves: (\\d+)/)[1];
          window.waited = 0;
          for (let i = 1; i <= 40; i++) {
            sliders.set(0, i / 20);
            sliders.set(4, -i / 20);
            window.waited += sliders.pending;
            await pause(25);
            const before = moves();
            while (i % 10 === 0 && i < 40 && moves() === before) await pause(5);  // however slow the answers are
          }
        }"""
    )
    assert page.evaluate("window.waited") == 40
    assert_shows(page, [2, -0.5, 0, 0.5, -2])
    moves = int(page.get_by_text("Moves:").inner_text().split()[1].rstrip(","))
    assert 3 <= moves <= 1 + (time.monotonic() - began) / 0.25  # each waits for the answer to the one before it
    assert moves < 40


def python_has_the_last_word_but_not_while_a_finger_is_on_the_knob(page: Page) -> None:
    page.evaluate("window.__codeSliders.sliders.set(1, 2.75)")
    assert_shows(page, [-1, 2, 0, 0.5, 1])  # Python takes nothing above 2
    box = page.get_by_role("slider", name="z0").bounding_box()
    assert box
    place = [box["x"] + 8 + (box["width"] - 16) * (v + 3) / 6 for v in (-1, 1, 2.9)]
    page.mouse.move(place[0], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(place[1], box["y"] + box["height"] / 2, steps=4)
    page.mouse.move(place[2], box["y"] + box["height"] / 2, steps=4)
    page.wait_for_function(
        "() => { const sliders = window.__codeSliders.sliders; return !sliders.pending && sliders.values[0] > 2.8 }"
    )
    idle(page)
    assert values(page)[0] == pytest.approx(2.9, abs=0.05)
    code = page.locator(".lx-knobs-picture img").get_attribute("data-code") or ""
    assert code.startswith("2,")  # the picture is of what Python made of it
    page.mouse.up()
    assert_shows(page, [2, 2, 0, 0.5, 1])


def test_another_code_has_values_of_its_own(shown):
    page = shown("sliders", {"slow": "0.4"})
    page.evaluate("window.__codeSliders.sliders.set(2, 1.5)")
    assert_shows(page, [-1, -0.5, 1.5, 0.5, 1])
    page.evaluate("window.__codeSliders.sliders.set(2, 1.75)")
    page.get_by_text("1", exact=True).click()  # while the move is on its way
    expect(page.get_by_text("runs of the page: 2", exact=False)).to_be_visible()
    assert_shows(page, START)
    page.get_by_text("0", exact=True).click()
    expect(page.get_by_text("runs of the page: 3", exact=False)).to_be_visible()
    assert_shows(page, [-1, -0.5, 1.75, 0.5, 1])


def test_one_knob(shown):
    page = shown("sliders", {"count": "1"})
    assert_shows(page, [-1])
    page.get_by_role("slider", name="z0").fill("0.5")
    assert_shows(page, [0.5])
    expect(page.get_by_role("button", name="Reset all")).to_be_hidden()
    mark, slider = page.locator(".lx-knob-home").bounding_box(), page.locator(".lx-knob-range").bounding_box()
    assert mark
    assert slider
    assert mark["x"] + 1 == pytest.approx(slider["x"] + 8 + (slider["width"] - 16) * 2 / 6, abs=0.6)
