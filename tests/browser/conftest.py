"""A real server and a real Chromium for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.serving import Server, launch, serve
from explorer.checkpoints.model import Model, load
from tests.app import tiny_runs
from tests.browser.screen import RESULTS, Explore
from tests.browser.tabs import PAGES_OWN, Profile
from tests.browser.talk import TEST_SECONDS, WAIT_MS

expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's event loop stays in the main thread, where asyncio.run refuses to start.

    They have time for a busy machine: each of their waits has a limit of its own.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    for item in items:
        if item.get_closest_marker("browser") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


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
    """One Chromium for all tests. The pages of a profile share a process, which compiles the scripts but once."""
    with sync_playwright() as playwright:
        chromium = launch(playwright, "--process-per-site")
        if chromium is None:
            message = "there is no Chromium here: run `make browser` once, or name one by CHROMIUM"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> dict[str, Profile]:
    """The profiles that tests share, by the address of the server that their pages are of."""
    return {}


@pytest.fixture
def new_page(
    browser: Browser, server: Server, profiles: dict[str, Profile], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Pages of the shared server or of another `base_url`, as a person's tabs; other keywords are a context's.

    They are of a profile that tests share, emptied before, or of the one that `profile` names: that is new, with
    nothing in any cache, and goes with the test. So does that of a page with keywords that are no page's, such as
    `has_touch`. At the end no page may have logged an error or asked another host for anything.
    """
    used: dict[tuple[str, str], Profile] = {}
    pages: list[Page] = []

    def make(*, base_url: str = server.url, profile: str = "", **options: object) -> Page:
        own = {name: options.pop(name) for name in set(options) - PAGES_OWN}
        profile = profile or (f"with {own}" if own else "")
        if (base_url, profile) not in used:
            if profile:
                found = Profile(browser, base_url, **own)
            elif not (found := profiles.get(base_url)):
                found = profiles[base_url] = Profile(browser, base_url).keep()
            found.empty()
            used[base_url, profile] = found
        pages.append(used[base_url, profile].page(**options))
        return pages[-1]

    yield make
    if FAILED in request.node.stash:
        save_evidence(request.node.name, server, [page for page in pages if not page.is_closed()])
    for page in pages:
        page.close()
    for (_, name), profile in used.items():
        if name:
            profile.context.close()
    assert not [complaint for profile in used.values() for complaint in profile.complaints]


def save_evidence(test: str, server: Server, pages: list[Page]) -> None:
    """Screenshots and the end of the server's log, for whoever has to find out why a test failed."""
    RESULTS.mkdir(exist_ok=True)
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in test)[:120]
    (RESULTS / f"{name}.log").write_text(server.log_tail(), "utf-8")
    for number, page in enumerate(pages[:3]):
        page.screenshot(path=RESULTS / f"{name}-{number}.png", full_page=True)


@pytest.fixture
def explore(new_page: Callable[..., Page]) -> Explore:
    """The Explore screen in a page of its own, not yet opened."""
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
