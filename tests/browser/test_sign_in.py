"""People who sign in with a provider: each browser has its own runs, and a host sees and stops them all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.serving import Server, free_port, serve
from explorer import runs
from tests.background import held, until
from tests.browser.provider import AUTH, provider
from tests.browser.talk import BUSY_MS, WAIT_MS, Talk, idle

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app as docs/hosting.md has it served, with a provider of this machine."""
    place = tmp_path_factory.mktemp("hosted")
    port = free_port()
    with provider() as address:
        settings = place / "class.toml"
        settings.write_text(
            f"""
url = "http://localhost:{port}"
port = {port}
hosts = ["grace@example.org"]
monitor_token = "{TOKEN}"
{AUTH.format(address)}
[limits]
images = 100_000_000
""",
            "utf-8",
        )
        command = [sys.executable, "-m", "explorer", "serve", "--settings", settings]
        environment = {"EXPLORER_RUNS": str(place / "runs"), "EXPLORER_DATA": str(place / "data")}
        with serve(place / "server.log", command=command, port=port, **environment) as found:
            yield found


@pytest.fixture
def visitor(browser: Browser, server: Server) -> Iterator[Callable[[], Page]]:
    """Opens the app in a browser of its own, in which nobody has signed in."""
    contexts = []

    def make() -> Page:
        contexts.append(browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 1400}))
        contexts[-1].set_default_timeout(WAIT_MS)
        page = contexts[-1].new_page()
        Talk(page)
        return page

    yield make
    for context in contexts:
        context.close()


def sign_in(page: Page, who: str) -> Page:
    """Signs in as somebody, and opens the Train screen."""
    page.goto("/train")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=who).click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto("/train")
    expect(page.get_by_text("Watch a model learn")).to_be_visible()
    idle(page)
    return page


def test_two_people_cannot_touch_each_others_work_and_who_signs_out_is_out(visitor, server, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(server.log.parent / "runs"))
    stranger = visitor()
    stranger.goto("/train")
    expect(stranger.get_by_role("button", name="Sign in")).to_be_visible()
    expect(stranger.locator(".st-key-train_start")).to_have_count(0)
    expect(stranger.get_by_role("link", name="Cells")).to_have_count(0)
    stranger.close()

    ada, bob, grace = (sign_in(visitor(), who) for who in ("ada", "bob", "grace"))
    for epochs in ada.locator(".st-key-train_epochs input").all():
        epochs.fill("5000")
        epochs.press("Enter")
    idle(ada)
    ada.locator(".st-key-train_start").get_by_role("button").click()
    (info,) = until(runs.active)
    assert info.owner.name == "Ada"
    row = f'[data-run="{info.name}"]'
    with held(info.name):
        expect(ada.locator(row)).to_be_visible()

        expect(bob.get_by_text("1 run of somebody else")).to_be_visible()
        bob.goto(f"/train?run={info.name}")
        expect(bob.get_by_text("Nothing has been trained yet")).to_be_visible()
        expect(bob.locator(row)).to_have_count(0)
        expect(bob.get_by_text(info.name, exact=True)).to_have_count(0)

        grace.goto("/train")
        expect(grace.get_by_role("button", name=f"More for {info.name}")).to_have_count(0)
        grace.get_by_role("radio", name="All").click()
        expect(grace.locator(row)).to_contain_text("Ada")
        grace.get_by_role("button", name=f"More for {info.name}").click()
        grace.get_by_text("Cancel", exact=True).last.click()
        idle(grace)
    until(lambda: not runs.active())
    assert runs.run(info.name).state == "cancelled"
    expect(ada.locator(f'{row}[data-state="cancelled"]')).to_be_visible(timeout=BUSY_MS)

    ada.get_by_role("button", name=f"More for {info.name}").click()
    ada.get_by_text("Share", exact=True).click()
    until(lambda: runs.run(info.name).owner.shared)
    bob.goto("/train")
    expect(bob.locator(row)).to_contain_text("Ada")
    bob.get_by_role("button", name=f"More for {info.name}").click()
    expect(bob.get_by_text("Copy its settings")).to_be_visible()
    for change in ("Delete", "Rename", "Resume"):
        expect(bob.get_by_text(change, exact=True)).to_have_count(0)

    ada.keyboard.press("Escape")
    ada.get_by_role("button", name="Sign out").click()
    expect(ada.get_by_role("button", name="Sign in")).to_be_visible()
    ada.goto("/train")
    expect(ada.get_by_role("button", name="Sign in")).to_be_visible()


def asked(server: Server, path: str, token: str = "") -> tuple[int, str]:
    """Status and text of an answer."""
    request = Request(f"{server.url}{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("path", ["/monitor/health", "/monitor/metrics", "/_stcore/metrics"])
def test_a_host_watches_and_a_visitor_cannot(server, path):
    assert [asked(server, path, token)[0] for token in ("", "fedcba9876543210", TOKEN)] == [401, 401, 200]


def test_what_a_host_watches(server):
    assert json.loads(asked(server, "/monitor/health", TOKEN)[1]) == {"ok": True, "problems": []}
    figures = asked(server, "/monitor/metrics", TOKEN)[1]
    assert 'latent_explorer_runs{state="running"} 0' in figures
    assert asked(server, "/_stcore/health") == (200, "ok")
