"""Text from files is text, whatever Streamlit's Markdown would make of it."""

import pytest
from playwright.sync_api import expect

from tests.browser.components.drawn import TEXTS
from tests.browser.talk import idle

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_nothing_is_marked_up_and_every_character_is_shown(new_page):
    page = new_page()
    page.goto("/?show=text", wait_until="commit")
    expect(page.locator(f".st-key-button_{len(TEXTS) - 1}")).to_be_visible()
    idle(page)
    marked = "a[href], img, strong, em, del, code, ul, ol, h1, blockquote, hr, table, sup, .katex, [data-testid*=Icon]"
    for kind in ("text", "button"):
        for i, text in enumerate(TEXTS):
            box = page.locator(f".st-key-{kind}_{i}")
            found = box.locator(marked).evaluate_all("(all) => all.map((one) => one.outerHTML)")
            assert not found, text
            assert box.inner_text().replace("\u2060", "").strip() == text.strip()
