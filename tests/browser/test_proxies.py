"""The app behind proxies that take a path off, or keep it: maps, pictures, clicks, uploads and downloads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.serving import Server
from tests.app.tiny_runs import PLANE
from tests.browser.screen import Explore
from tests.browser.stripping import stripping
from tests.browser.talk import BUSY_MS

pytestmark = pytest.mark.browser

PREFIX = "/user/ada/proxy/8501"


@pytest.fixture(scope="module")
def behind(server: Server) -> Iterator[str]:
    """The address of the app behind a proxy that takes its path off."""
    with stripping(server.url, PREFIX) as address:
        yield address


@pytest.fixture
def page(behind: str, new_page) -> Page:
    return new_page(base_url=behind, profile="behind")


def test_the_map_draws_and_a_click_decodes_behind_a_proxy_that_takes_the_path_off(page, behind, models):
    model = models(PLANE)
    explore = Explore(page)
    page.goto(f"{behind}?model={PLANE}", wait_until="commit")
    explore.ready(BUSY_MS)
    (row,) = explore.lonely_points(model.latents.mean.numpy(), 1)
    shown = explore.after(lambda: explore.click_point(row))
    assert shown.index == row
    shown.assert_decodes(model)
    assert explore.sheet("neighbours").any()
    page.get_by_role("link", name="Train").click()
    expect(page.locator(".lx-tv input[type=range]")).to_be_visible(timeout=BUSY_MS)
    assert page.url.startswith(f"{behind}train")
    page.reload()
    expect(page.locator(".lx-tv input[type=range]")).to_be_visible(timeout=BUSY_MS)
    with page.expect_download() as download:
        page.locator("[class*=st-key-run_zip_] button").first.click()
    assert Path(download.value.path()).stat().st_size > 10_000
