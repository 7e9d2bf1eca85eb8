"""Pasting in a real browser: pictures arrive byte by byte, wherever on the page they were pasted."""

from __future__ import annotations

import hashlib

import pytest
from playwright.sync_api import Page, expect

from tests.browser.components import drawn
from tests.browser.talk import BUSY_MS

pytestmark = pytest.mark.browser

PASTE = """([selector, files, text]) => {
  const clipboardData = new DataTransfer();
  for (const [name, bytes] of files) clipboardData.items.add(new File([new Uint8Array(bytes)], name));
  if (text) clipboardData.setData("text/plain", text);
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  document.querySelector(selector).dispatchEvent(event);
  return event.defaultPrevented;
}"""
COPY = """async (bytes) => {
  const blob = new Blob([new Uint8Array(bytes)], { type: "image/png" });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}"""
PNG = drawn.png(drawn.picture(0.3))
OTHER = drawn.png(drawn.picture(0.8))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def paste(page: Page, *files: tuple[str, bytes], at: str = "body", text: str = "") -> bool:
    """Dispatch a paste; whether the page took it."""
    return page.evaluate(PASTE, [at, [[name, list(data)] for name, data in files], text])


def test_pastes_of_files(shown):
    page = shown("paste")
    said = page.locator(".lx-paste-said")
    expect(said).to_have_text("or press Ctrl+V anywhere on the page")
    assert paste(page, ("one.png", PNG), ("no picture.txt", b"words"), ("zwei ö.png", OTHER))
    taken = f"0: one.png={digest(PNG)} no picture.txt={digest(b'words')} zwei ö.png={digest(OTHER)}"
    expect(page.get_by_text(taken, exact=True)).to_be_visible()

    # A text field keeps its text; a picture alone is nothing to it, and neither is any paste to a check box.
    assert not paste(page, ("a.png", PNG), at="input[type=text]", text="words")
    assert paste(page, ("b.png", PNG), at="input[type=text]")
    expect(page.get_by_text(f"1: b.png={digest(PNG)}", exact=True)).to_be_visible()
    assert paste(page, ("c.png", OTHER), at="input[type=checkbox]", text="words")
    expect(page.get_by_text(f"2: c.png={digest(OTHER)}", exact=True)).to_be_visible()
    assert not paste(page, text="words")
    expect(said).to_have_text("There is no picture in the clipboard.")

    # Too large is said, the others arrive; what one message does not hold comes in the next.
    page.evaluate(
        """() => {
          const clipboardData = new DataTransfer();
          const mb = (name, size, value) =>
            clipboardData.items.add(new File([new Uint8Array(size * 2 ** 20).fill(value)], name));
          mb("huge.png", 21, 0), mb("eleven.png", 11, 1), mb("twelve.png", 12, 2);
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.get_by_text(f"3: eleven.png={digest(bytes([1]) * (11 << 20))}", exact=True)).to_be_visible(
        timeout=BUSY_MS
    )
    twelve = f"4: twelve.png={digest(bytes([2]) * (12 << 20))}"
    expect(page.get_by_text(twelve, exact=True)).to_be_visible(timeout=BUSY_MS)
    expect(said).to_have_text("huge.png has 21.0 MB, more than the 20 MB that are allowed.")
    assert paste(page, ("d.png", PNG))
    expect(page.get_by_text(f"5: d.png={digest(PNG)}", exact=True)).to_be_visible()
    expect(said).to_have_text("or press Ctrl+V anywhere on the page")


def test_the_clipboard_itself(shown):
    page = shown("paste")
    button = page.get_by_role("button", name="Paste a picture")
    page.evaluate("void (navigator.clipboard.read = () => Promise.reject(new DOMException('', 'NotAllowedError')))")
    button.click()
    expect(page.locator(".lx-paste-said")).to_contain_text("press Ctrl+V instead, or choose a file")
    page.evaluate("delete navigator.clipboard.read")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(COPY, list(PNG))
    button.click()
    expect(page.get_by_text("0: pasted picture.png=")).to_be_visible()
    page.mouse.click(5, 700)
    page.keyboard.press("Control+V")
    expect(page.get_by_text("1: image.png=")).to_be_visible()  # as the browser calls it
