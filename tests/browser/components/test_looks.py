"""Screenshots of the components for whoever looks; checked is that nothing sticks out sideways."""

from __future__ import annotations

from itertools import product

import pytest

from tests.browser.screen import RESULTS, assert_fits, follow

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("component", ["film", "sliders", "map", "tiles"])
def test_themes_and_widths(shown, component):
    query = {"film": {"count": "64"}, "sliders": {"count": "12"}}.get(component)
    page = shown(component, query, viewport={"width": 1280, "height": 900})
    RESULTS.mkdir(exist_ok=True)
    for scheme, width in product(("light", "dark"), (1280, 390)):
        follow(page, scheme)
        page.set_viewport_size({"width": width, "height": 900})
        assert_fits(page)
        page.wait_for_function(
            """(width) => [...document.querySelectorAll(':is(.lx-film, .lx-knobs, .lx-tiles, .lx-frame) *')]
              .filter((e) => e.checkVisibility() && !e.closest('.lx-film-strip, .lx-plot'))
              .every((e) => e.getBoundingClientRect().right <= width)""",
            arg=width,
        )
        page.screenshot(path=RESULTS / f"{component}-{scheme}-{width}.png", full_page=True)
