"""The Arithmetic screen as a test sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import Locator, expect

from explorer.checkpoints.model import Model
from tests.browser.screen import Explore, pixels_of

KINDS = {
    "expression": ".st-key-expression img[data-code]",
    "sliders": ".st-key-sliders img[data-code]",
    "directions": ".st-key-direction_knob img[data-code]",
}


class Arithmetic(Explore):
    PATH, MAP = "/arithmetic", "arithmetic_map"

    def open(self, model: str = "", **query: str) -> Arithmetic:
        """Open the screen under an address and wait until it is drawn."""
        self.page.goto(f"{self.PATH}?{urlencode({'model': model, **query} if model else query)}", wait_until="commit")
        self.map_ready()
        return self

    def tool(self, name: str) -> None:
        """Open one of the tools by its name on the screen."""
        self.key("arithmetic_tool").get_by_role("radio", name=name, exact=True).click()
        expect(self.key(name.lower())).to_be_visible()
        self.idle()

    def type(self, text: str) -> None:
        """Type an expression and press Enter."""
        box = self.key("expression_text").get_by_role("textbox")
        box.fill(text)
        box.press("Enter")

    def image(self, tool: str) -> Locator:
        """The decoded image of a tool."""
        return self.page.locator(KINDS[tool]).last

    def shown(self, tool: str) -> tuple[np.ndarray, np.ndarray]:
        """The code that the image of a tool says it has, and its pixels."""
        source, code = self.image(tool).evaluate("e => [e.getAttribute('src'), e.dataset.code]")
        return np.array([float(v) for v in code.split(",")]), pixels_of(source)

    def after_code(self, tool: str, action: Callable[[], object]) -> tuple[np.ndarray, np.ndarray]:
        """Do something that changes a tool's image; what it shows then."""
        before = self.image(tool).get_attribute("data-code") or ""
        action()
        expect(self.image(tool)).not_to_have_attribute("data-code", before)
        self.idle()
        return self.shown(tool)

    def after_film(self, action: Callable[[], object]) -> None:
        """Do something that makes the walk another one, and wait until its film is there."""
        before = self.film("url")
        action()
        self.page.wait_for_function(
            "old => { const film = window.__films?.walk_film; return film?.url && film.url !== old }", arg=before
        )
        self.idle()

    def film(self, expression: str) -> Any:
        """A value from the film's hooks, such as `step`."""
        return self.page.evaluate(f"window.__films.walk_film.{expression}")


def assert_decodes(model: Model, code: np.ndarray, pixels: np.ndarray) -> None:
    """The pixels are what the decoder makes of the code, to a gray level."""
    image = model.decode(code[None].astype(np.float32))[0, 0].numpy() * 255
    assert np.abs(pixels - image).max() <= 1
