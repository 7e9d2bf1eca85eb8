"""A server that listens on more than localhost and signs nobody in: a cookie tells browsers apart."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.serving import Server, free_port, serve
from explorer.checkpoints.folder import SHIPPED
from explorer.files.owner import Owner, write_owner
from explorer.ui import browser_cookie
from tests.browser.talk import WAIT_MS, Talk, idle

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("shared")
    port = free_port()
    command = [sys.executable, "-m", "explorer", "serve", "--host", "0.0.0.0", "--port", str(port)]
    environment = {"EXPLORER_RUNS": str(place / "runs"), "EXPLORER_DATA": str(place / "data")}
    with serve(place / "server.log", command=command, port=port, **environment) as found:
        yield found


def visit(browser: Browser, server: Server) -> Page:
    page = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 1400}).new_page()
    page.set_default_timeout(WAIT_MS)
    Talk(page)
    page.goto("/train")
    expect(page.get_by_text("This server is shared")).to_be_visible(timeout=WAIT_MS)
    idle(page)
    return page


def ident(page: Page, runs: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who the browser is to the server."""
    monkeypatch.setenv("EXPLORER_RUNS", str(runs))
    (cookie,) = [c for c in page.context.cookies() if c["name"] == browser_cookie.NAME]
    assert cookie["httpOnly"]
    return browser_cookie.read(cookie["value"])


def test_each_browser_changes_its_own_run_alone(browser, server, monkeypatch):
    assert "nobody signs in" in server.log.read_text("utf-8")
    runs = server.log.parent / "runs"
    first, second = visit(browser, server), visit(browser, server)
    idents = [ident(page, runs, monkeypatch) for page in (first, second)]
    assert all(idents)
    assert idents[0] != idents[1]
    for name, owner in zip(("one", "two"), idents, strict=True):
        shutil.rmtree(runs / name, ignore_errors=True)  # where the test is tried once more
        shutil.copytree(SHIPPED / "mnist-mlp-2d", runs / name)
        write_owner(runs / name, Owner(owner))
    for page, own, other in ((first, "one", "two"), (second, "two", "one")):
        page.reload()  # another session, and still the same person
        page.get_by_role("radio", name="All").click()
        expect(page.locator(f'[data-run="{other}"]')).to_contain_text("another browser's")
        for name, deletes in ((own, 1), (other, 0)):
            page.get_by_role("button", name=f"More for {name}").click()
            expect(page.get_by_text("Copy its settings")).to_be_visible()
            expect(page.get_by_text("Delete", exact=True)).to_have_count(deletes)
            page.keyboard.press("Escape")
            expect(page.get_by_text("Copy its settings")).to_have_count(0)
        page.context.close()
