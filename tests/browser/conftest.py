"""A real server and a real Chromium for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from benchmarks.serving import Server, launch, serve
from explorer.loaded import Model, load
from tests.app import tiny_runs
from tests.browser.screen import RESULTS, Explore

WAIT_MS = 30_000
expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's event loop stays in the main thread, where asyncio.run refuses to start."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if report.failed:
        item.stash.setdefault(FAILED, []).append(report.when)
    return report


FAILED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny models and the damaged ones, trained once a session."""
    return tiny_runs.once(tmp_path_factory)


@pytest.fixture(scope="session")
def server(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app as `make run` serves it, with the tiny models for runs and no data set but the installation's."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "data").mkdir()
    with serve(folder / "server.log", EXPLORER_RUNS=str(runs), EXPLORER_DATA=str(folder / "data")) as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; each gets a context of its own, as fresh as a new profile."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        if chromium is None:
            message = "there is no Chromium here: run `make browser` once, or name one by CHROMIUM"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Pages in contexts of their own, of the shared server or of another `base_url`.

    At the end none may have logged an error or asked another host for anything.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    hosts = {urlsplit(server.url).netloc}

    def asked(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc not in hosts:
            complaints.append(f"asked {url}")

    def logged(message: ConsoleMessage) -> None:
        # Opened at the address of a page, Streamlit looks for its server below that address before it looks above it.
        path = urlsplit(message.location["url"]).path
        probing = path.endswith(("/_stcore/health", "/_stcore/host-config")) and not path.startswith("/_stcore")
        if message.type == "error" and not probing:
            complaints.append(f"console: {message.text}")

    def make(**options: object) -> Page:
        options = {"viewport": {"width": 1280, "height": 1400}, "base_url": server.url, **options}
        hosts.add(urlsplit(str(options["base_url"])).netloc)
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.on("request", lambda r: asked(r.url))
        context.on("console", logged)
        context.on("weberror", lambda e: complaints.append(f"uncaught: {e.error}"))
        page = context.new_page()
        page.on("websocket", lambda s: asked(s.url.replace("ws", "http", 1)))
        return page

    yield make
    if FAILED in request.node.stash:
        save_evidence(request.node.name, server, [page for c in contexts for page in c.pages])
    for context in contexts:
        context.close()
    assert not complaints


def save_evidence(test: str, server: Server, pages: list[Page]) -> None:
    """Screenshots and the end of the server's log, for whoever has to find out why a test failed."""
    RESULTS.mkdir(exist_ok=True)
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in test)[:120]
    (RESULTS / f"{name}.log").write_text(server.log_tail(), "utf-8")
    for number, page in enumerate(pages[:3]):
        page.screenshot(path=RESULTS / f"{name}-{number}.png", full_page=True)


@pytest.fixture
def explore(new_page: Callable[..., Page]) -> Explore:
    """The Explore screen in a fresh context, not yet opened."""
    return Explore(new_page())


@pytest.fixture(scope="session")
def models(runs: Path) -> Callable[[str], Model]:
    """Opens a tiny model by its id, as the server does."""
    opened: dict[str, Model] = {}

    def model(ident: str) -> Model:
        if ident not in opened:
            opened[ident] = load(runs / ident.removeprefix("runs/"))
        return opened[ident]

    return model
