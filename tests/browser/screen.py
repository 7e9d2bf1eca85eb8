"""The Explore screen as a test sees it: its parts by their keys, its pictures as pixels."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from playwright.sync_api import Download, Locator, Page, expect
from scipy.spatial import KDTree

from explorer.checkpoints.model import Model
from explorer.latents import compact
from tests.browser import talk
from tests.browser.talk import WAIT_MS

RESULTS = Path(__file__).parents[2] / "test-results"

_DECODED = ".st-key-decoded img[data-code]"
_SHEET_URL = "e => JSON.parse(e.style.getPropertyValue('--lx-sheet').slice(4, -1))"
_STILL = """([key, asked]) => {
  const map = window.__latentMaps?.[key];
  if (document.querySelector(`.st-key-${key} .lx-map`)?.dataset.state !== "ready" || !map?.figure) return false;
  const now = JSON.stringify([asked, map.view, map.pixelOf(0, 0)]);
  window.__still = window.__still?.now === now ? { now, frames: window.__still.frames + 1 } : { now, frames: 0 };
  return window.__still.frames >= 3;
}"""
_GO = """address => {
  document.querySelector("[data-testid=stMain]").scrollTo(0, 0);
  history.pushState(history.state, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
}"""
_WIDE = """limit => {
  const parts = [document.documentElement, document.querySelector("[data-testid=stMain]")];
  return parts.every((e) => e && e.scrollWidth <= (limit ?? e.clientWidth));
}"""


@dataclass(frozen=True)
class Decoded:
    """The image of the panel: its code as the page says it, the item's index if it is one, its pixels."""

    code: np.ndarray  # float64 [D]
    index: int | None
    source: str  # the data: URI

    @property
    def pixels(self) -> np.ndarray:
        return pixels_of(self.source)

    def assert_decodes(self, model: Model) -> None:
        """The pixels are what the decoder makes of the code that stands in the page."""
        image = model.decode(self.code[None].astype(np.float32))[0].numpy() * 255
        seen = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        assert np.abs(self.pixels - seen).max() <= 1


def pixels_of(source: str) -> np.ndarray:
    """Pixels [H, W] or [H, W, C] of a data: URI."""
    return pixels(base64.b64decode(source.split(",", 1)[1]))


def pixels(data: bytes) -> np.ndarray:
    """Pixels of the bytes of a picture, as float64."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture, np.float64)


def follow(page: Page, scheme: str) -> None:
    """Make the page's system `light` or `dark`, and wait until the page is too."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.wait_for_function(
        "light => { const app = document.querySelector('[data-testid=stApp]');"
        " const [r, g, b] = getComputedStyle(app).backgroundColor.match(/\\d+/g).map(Number);"
        " return (r + g + b > 384) === light }",
        arg=scheme == "light",
    )


def assert_fits(page: Page, limit: int | None = None) -> None:
    """Nothing sticks out sideways of the page, or of so many pixels, once all of it has found its size."""
    talk.painted(page)
    page.wait_for_function(_WIDE, arg=limit)


class Explore:
    PATH, MAP = "/", "map"

    def __init__(self, page: Page) -> None:
        self.page = page

    # Opening

    def open(self, model: str = "", **query: str) -> Explore:
        """Open the screen and wait for its map; `query` are the other parameters of the address."""
        self.visit(model, **query)
        return self.ready()

    def visit(self, model: str = "", **query: str) -> None:
        asked = {"model": model, **query} if model else query
        self.page.goto(f"/?{urlencode(asked)}", wait_until="commit")

    def go(self, model: str, **query: str) -> None:
        """Go to another address in the same session, as Back and Forward do: the page is not loaded anew.

        It costs a quarter of what another page does.
        """
        self.page.evaluate(_GO, f"{self.PATH}?{urlencode({'model': model, **query})}")

    def ready(self, timeout: float = WAIT_MS) -> Explore:
        expect(self.page.locator(_DECODED)).to_be_visible(timeout=timeout)
        return self.map_ready(timeout)

    def map_ready(self, timeout: float = WAIT_MS) -> Explore:
        """Wait until the map is drawn and at rest: a click means a place on it from then on."""
        expect(self.page.locator(f'.st-key-{self.MAP} .lx-map[data-state="ready"]')).to_be_visible(timeout=timeout)
        self.idle(timeout)
        self.page.wait_for_function(_STILL, arg=[self.MAP, time.monotonic()], timeout=timeout)
        return self

    def idle(self, timeout: float = WAIT_MS) -> None:
        """Wait until the server's script has run to its end, also for what was asked for just now."""
        talk.idle(self.page, timeout)

    # Parts

    def key(self, name: str) -> Locator:
        return self.page.locator(f".st-key-{name}")

    def download(self, key: str, ending: str) -> Download:
        """What an entry of a Download menu gives."""
        button = self.key(f"{key}_{ending}").get_by_role("button")
        if not button.is_visible():
            self.key(f"{key}_download").get_by_role("button").first.click()
        with self.page.expect_download() as found:
            button.click()
        self.page.keyboard.press("Escape")
        return found.value

    def tile(self, key: str, index: int) -> Locator:
        # Of a sheet that is decoded: a click on pictures that are about to be replaced does nothing.
        return self.key(key).locator(f'.lx-tiles[data-state="ready"] .lx-tile[data-index="{index}"]')

    def ids(self, key: str, count: int) -> list[int]:
        """The ids of so many tiles, of a sheet that is decoded."""
        tiles = self._sheet(key).locator(".lx-tile")
        expect(tiles).to_have_count(count)
        return tiles.evaluate_all("tiles => tiles.map((tile) => Number(tile.dataset.id))")

    def sheet(self, key: str) -> np.ndarray:
        """Pixels of the sheet that tiles show, as the server has it."""
        answer = self.page.request.get(self._sheet(key).evaluate(_SHEET_URL))
        assert answer.ok
        return pixels(answer.body())

    def after_sheet(self, key: str, action: Callable[[], object]) -> None:
        """Do something that makes tiles show another sheet, and wait until they do."""
        before = self._sheet(key).evaluate(_SHEET_URL)
        action()
        self.page.wait_for_function(
            "([selector, old]) => { const tiles = document.querySelector(selector);"
            f" return tiles && ({_SHEET_URL})(tiles) !== old }}",
            arg=[f'.st-key-{key} .lx-tiles[data-state="ready"]', before],
        )
        self.idle()

    def _sheet(self, key: str) -> Locator:
        return self.key(key).locator('.lx-tiles[data-state="ready"]')

    def box(self, key: str) -> Locator:
        """The input of a select box: its value is the label of what is chosen."""
        return self.key(key).get_by_role("combobox")

    def choose(self, key: str, label: str) -> None:
        """Choose an option of a select box by a part of its label, when it is in sight: a list closes by scrolling."""
        self.box(key).scroll_into_view_if_needed()
        self.idle()
        self.box(key).click()
        options = self.page.locator('[role="option"]:not(.lx-tile)')
        options.filter(has_text=label).first.click()
        expect(options).to_have_count(0)

    def query(self) -> dict[str, str]:
        """The address's parameters."""
        return self.page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")

    def address(self) -> str:
        """Where the page is, by its own account: Playwright's may be a moment old."""
        return self.page.evaluate("location.href")

    def wait_for_query(self, name: str, value: str | None) -> None:
        """Wait until the address says that of a parameter, whether or not the browser draws frames."""
        self.page.wait_for_function(
            "([name, value]) => new URLSearchParams(location.search).get(name) === value",
            arg=[name, value],
            polling=50,
        )

    def wait_for_code(self, code: np.ndarray) -> None:
        """Wait until the address has a code."""
        end = time.monotonic() + WAIT_MS / 1000
        while (found := compact.read_code(self.query().get("z", ""), len(code))) is None or not np.allclose(
            found, code, atol=1e-4
        ):
            assert time.monotonic() < end, f"the address has {found}, not {code}"
            self.page.wait_for_timeout(20)

    # The decoded panel

    def decoded(self) -> Decoded:
        source, code, index = self.page.locator(_DECODED).evaluate(
            "e => [e.getAttribute('src'), e.dataset.code, e.dataset.index ?? null]"
        )
        return Decoded(np.array([float(v) for v in code.split(",")]), None if index is None else int(index), source)

    def original(self) -> np.ndarray:
        return pixels_of(self.key("decoded").get_by_alt_text("the original image").get_attribute("src") or "")

    def after(self, action: Callable[[], object]) -> Decoded:
        """Do something that picks another code; the panel once it shows that one."""
        before = self.page.locator(_DECODED).get_attribute("data-code")
        action()
        expect(self.page.locator(_DECODED)).not_to_have_attribute("data-code", before or "")
        self.idle()
        return self.decoded()

    # The map

    def map(self, expression: str) -> Any:
        """A value from the map's hooks, such as `shown`."""
        return self.page.evaluate(f"window.__latentMaps.{self.MAP}.{expression}")

    def scale(self) -> tuple[np.ndarray, np.ndarray]:
        """(a, b) with pixel = a * place + b on both axes, from the view's corners: the map's axes are linear."""
        view = self.map("view")
        places = np.array([view["x"], view["y"]]).T
        corners = [self.map(f"pixelOf({x}, {y})") for x, y in places.tolist()]
        pixels = np.array([[corner["x"], corner["y"]] for corner in corners])
        a = (pixels[1] - pixels[0]) / (places[1] - places[0])
        return a, pixels[0] - a * places[0]

    def pixels_of_points(self, points: np.ndarray) -> np.ndarray:
        a, b = self.scale()
        return points * a + b

    def place_of(self, pixel: tuple[float, float]) -> np.ndarray:
        a, b = self.scale()
        return (np.array(pixel) - b) / a

    def frame(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the plot's inside, in pixels."""
        view = self.map("view")
        corners = self.pixels_of_points(np.array([view["x"], view["y"]]).T)
        left, right = sorted(corners[:, 0])
        top, bottom = sorted(corners[:, 1])
        return left, top, right, bottom

    def lonely_points(self, points: np.ndarray, count: int) -> list[int]:
        """Rows whose nearest neighbour on the screen is furthest away, so that a click cannot mean another."""
        where = self.pixels_of_points(points)
        left, top, right, bottom = self.frame()
        gap = KDTree(where).query(where, 2)[0][:, 1]
        inside = (where > [left + 12, top + 12]).all(1) & (where < [right - 12, bottom - 12]).all(1)
        gap[~inside] = 0
        rows = np.argsort(-gap)[:count].tolist()
        assert gap[rows].min() > 3
        return rows

    def mapped(self, points: np.ndarray) -> Explore:
        """Wait until the map is that of these places: the one before it is ready, too, until the new one has come."""
        x, y = points[0].tolist()
        self.page.wait_for_function(
            "([x, y]) => { const at = window.__latentMaps?.map?.pointOf(0);"
            " return at && Math.abs(at.x - x) < 1e-3 && Math.abs(at.y - y) < 1e-3; }",
            arg=[x, y],
        )
        return self.ready()

    def empty_spots(self, points: np.ndarray, count: int) -> list[tuple[float, float]]:
        """Whole pixels inside the plot, away from every point and from one another."""
        where = self.pixels_of_points(points)
        left, top, right, bottom = self.frame()
        x, y = np.meshgrid(np.arange(left + 40, right - 40, 11).round(), np.arange(top + 40, bottom - 40, 11).round())
        spots = np.stack([x.ravel(), y.ravel()], 1)
        free = spots[KDTree(where).query(spots)[0] > 12]
        assert len(free) >= count
        chosen = np.linspace(0, len(free) - 1, count + 2)[1:-1].astype(int)
        return [(float(a), float(b)) for a, b in free[chosen]]

    def wait_for_marks(self, condition: str) -> None:
        """Wait until a condition on the map's `marks` holds: they come a little after the page's text."""
        self.page.wait_for_function(
            f"key => {{ const marks = window.__latentMaps?.[key]?.marks; return marks && ({condition}) }}", arg=self.MAP
        )

    def click_point(self, row: int) -> None:
        at = self.map(f"pointOf({row})")
        self.page.mouse.click(at["clientX"], at["clientY"])

    def drag(self, corners: list[tuple[float, float]]) -> None:
        """Draw through these pixels with the button held."""
        self.page.mouse.move(*corners[0])
        self.page.mouse.down()
        for x, y in corners[1:]:
            self.page.mouse.move(x, y, steps=6)
        self.page.mouse.up()

    def tool(self, name: str) -> None:
        """Choose a tool of the map's toolbar: `lasso`, `select` (the box), `pan` or `zoom`."""
        self.key("map").locator(f'.modebar-btn[data-attr="dragmode"][data-val="{name}"]').click()
        self.page.wait_for_function("name => window.__latentMaps.map.dragmode === name", arg=name)
