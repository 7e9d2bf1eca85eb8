"""A fragment that comes again and again, and what it must leave alone: what another one draws meanwhile."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.talk import idle

pytestmark = pytest.mark.browser


def test_it_goes_on_and_leaves_nothing_stale_on_the_page(new_page):
    page = new_page()
    page.goto("/?show=pulse")
    expect(page.get_by_text(re.compile("Beats: [3-9]"))).to_be_visible()
    box = page.locator("label", has_text="More")
    for _ in range(2):  # with `run_every` most leave the text there
        box.click()
        expect(page.get_by_text("Drawn with.")).to_be_visible()
        expect(page.get_by_text("There is more.")).to_be_visible()
        idle(page)
        box.click()
        expect(page.get_by_text("Drawn without.")).to_be_visible()
        expect(page.get_by_text("There is more.")).to_be_hidden()
    beats = int(page.get_by_text("Beats: ").inner_text().removeprefix("Beats: "))
    expect(page.get_by_text(re.compile(f"Beats: (?!{beats}$)"))).to_be_visible()
