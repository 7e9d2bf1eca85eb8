"""The Reconstruct screen in a real browser: models see what is drawn, uploaded and spoilt."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from explorer.judging import judge
from explorer.loaded import Model
from explorer.ui.wording import nats
from tests.app.tiny_runs import PLANE
from tests.browser.screen import Explore, pixels_of

pytestmark = pytest.mark.browser

_CODE = ".st-key-result img[data-code]"


class Reconstruct(Explore):
    def start(self, **query: str) -> Reconstruct:
        self.page.goto("/reconstruct?" + "&".join(f"{name}={value}" for name, value in query.items()))
        expect(self.page.locator('.st-key-reconstruct_map .lx-map[data-state="ready"]')).to_be_visible()
        self.idle()
        return self

    def stroke(self, corners: list[tuple[float, float]]) -> None:
        """Draw through places of the square, in shares of its side."""
        box = self.key("draw").locator("canvas").first.bounding_box()
        assert box
        self.drag([(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners])

    def seen(self) -> np.ndarray:
        """What the model sees, [H, W] of 0 to 255."""
        return self._picture("as the model sees it")

    def made(self) -> np.ndarray:
        return self._picture("the reconstruction")

    def _picture(self, alt: str) -> np.ndarray:
        return pixels_of(self.key("result").get_by_alt_text(alt, exact=True).get_attribute("src") or "")

    def code(self) -> np.ndarray:
        said = self.page.locator(_CODE).get_attribute("data-code") or ""
        return np.array([float(value) for value in said.split(",")])

    def changed(self, action: Callable[[], object]) -> None:
        """Do something that changes the code, and wait until nothing changes any more."""
        before = self.page.locator(_CODE).get_attribute("data-code") if self.page.locator(_CODE).count() else ""
        action()
        expect(self.page.locator(_CODE)).not_to_have_attribute("data-code", before or "-")
        self.idle()
        self.page.wait_for_function("!window.__draws?.draw?.pending")
        self.idle()

    def assert_is_of(self, model: Model) -> None:
        """The code, the reconstruction and the score are the model's own of what it is said to see."""
        image = torch.from_numpy(self.seen().astype(np.uint8))[None, None]
        found = judge(model, image)
        np.testing.assert_allclose(self.code(), found.code[0], rtol=1e-3, atol=1e-3)
        assert np.abs(self.made() - 255 * found.reconstruction[0, 0].numpy()).max() <= 1
        expect(self.key("result")).to_contain_text(nats(float(found.elbo[0])))
        expect(self.key("result")).to_contain_text(found.sentence())

    def give(self, *files: tuple[str, bytes]) -> None:
        payload = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
        self.key("upload").locator("input[type=file]").set_input_files(payload)  # type: ignore[arg-type]


def ink(side: int = 300) -> bytes:
    """A seven with a pen on grayish paper."""
    picture = Image.new("RGB", (side, 2 * side), (225, 220, 210))
    places = [(0.3 * side, 0.5 * side), (0.7 * side, 0.5 * side), (0.4 * side, 1.2 * side)]
    ImageDraw.Draw(picture).line(places, fill=(40, 40, 70), width=side // 12)
    data = io.BytesIO()
    picture.save(data, "JPEG")
    return data.getvalue()


def test_the_reconstruction_follows_what_is_drawn(new_page: Callable[..., Page], models: Callable[[str], Model]):
    screen = Reconstruct(new_page()).start(model=PLANE)
    expect(screen.key("nothing_yet")).to_contain_text("Draw a digit")
    screen.changed(lambda: screen.stroke([(0.3, 0.25), (0.7, 0.25)]))
    screen.assert_is_of(models(PLANE))
    first = screen.made()
    screen.changed(lambda: screen.stroke([(0.7, 0.25), (0.45, 0.8)]))
    screen.assert_is_of(models(PLANE))
    assert np.abs(screen.made() - first).max() > 30
    marks = screen.page.evaluate("window.__latentMaps.reconstruct_map.marks")
    np.testing.assert_allclose([marks[-1]["x"], marks[-1]["y"]], screen.code(), atol=1e-3)
    # It is there after a visit to another page, where it is `upload`.
    code = screen.code()
    screen.key("to_arithmetic").get_by_role("button").click()
    expect(screen.key("expression_text").locator("input")).to_be_visible()
    screen.key("expression_text").locator("input").fill("upload")
    screen.page.keyboard.press("Enter")
    expect(screen.page.locator("img[data-code]").last).to_have_attribute(
        "data-code", ",".join(f"{value:.6g}" for value in code)
    )
    screen.page.get_by_role("link", name="Reconstruct").click()
    expect(screen.page.locator(_CODE)).to_be_visible()
    screen.idle()
    np.testing.assert_allclose(screen.code(), code, atol=1e-4)


def test_pictures_good_and_broken(new_page: Callable[..., Page], models: Callable[[str], Model]):
    screen = Reconstruct(new_page()).start(model=PLANE, source="upload")
    screen.changed(lambda: screen.give(("ink.jpg", ink()), ("broken.png", b"\x89PNG broken")))
    screen.assert_is_of(models(PLANE))
    assert screen.seen()[0].max() < 60  # white on black now
    expect(screen.key("stages")).to_contain_text("Inverted: the rim is bright")
    expect(screen.key("stages")).to_contain_text("resized to 28 x 28")
    expect(screen.key("upload_problems")).to_contain_text("broken.png could not be read")
    screen.key("steps").get_by_role("button").first.click()
    screen.changed(lambda: screen.page.locator(".st-key-steps_invert label").click())
    assert screen.seen()[0].min() > 150
    screen.assert_is_of(models(PLANE))
    screen.page.keyboard.press("Escape")
    begun = time.monotonic()
    screen.changed(lambda: screen.give(("other.jpg", ink(500))))
    assert time.monotonic() - begun < 10  # benchmarks/ measures; this is for what hangs
    expect(screen.tile("uploads", 1)).to_be_visible()
    screen.changed(lambda: screen.tile("uploads", 0).click())
    screen.key("upload_remove").get_by_role("button").click()
    expect(screen.key("upload_undo")).to_be_visible()
    screen.key("to_explore").get_by_role("button").click()
    screen.ready()
    assert screen.query()["model"] == PLANE
    assert "z" in screen.query()


def test_a_slider_is_followed_and_said_in_the_address(new_page: Callable[..., Page], models: Callable[[str], Model]):
    screen = Reconstruct(new_page()).start(model=PLANE, source="test", data="mnist-5k", index="20")
    picture = screen.key("spoil").locator(".lx-knobs-picture img")
    expect(picture).to_have_attribute("data-noise", "0")
    clean = pixels_of(picture.get_attribute("src") or "")
    noise = screen.key("spoil").locator('.lx-knob[data-id="0"] input[type=range]')
    noise.press("PageUp")
    expect(picture).not_to_have_attribute("data-noise", "0")
    screen.wait_for_query("noise", picture.get_attribute("data-noise"))
    spoilt = pixels_of(picture.get_attribute("src") or "")
    assert np.abs(spoilt - clean)[:, :212].mean() > 3
    expect(screen.key("spoil")).to_contain_text("than the clean image")
    screen.page.reload()
    expect(picture).to_have_attribute("data-noise", screen.query()["noise"])
    assert np.abs(pixels_of(picture.get_attribute("src") or "") - spoilt).max() == 0


def test_on_a_phone_with_quick_strokes(new_page: Callable[..., Page], models: Callable[[str], Model]):
    screen = Reconstruct(new_page(viewport={"width": 390, "height": 844})).start(model=PLANE)
    screen.key("draw").scroll_into_view_if_needed()
    screen.stroke([(0.3, 0.3), (0.7, 0.3), (0.4, 0.8)])
    screen.stroke([(0.3, 0.5), (0.6, 0.5)])
    screen.changed(lambda: screen.stroke([(0.2, 0.8), (0.5, 0.8)]))
    screen.assert_is_of(models(PLANE))
    assert screen.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
