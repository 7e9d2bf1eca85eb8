"""A server of nothing but our components, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from benchmarks.serving import Server, serve
from tests.browser.talk import idle

HERE = Path(__file__).parent
ROOTS = {
    "film": ".lx-film",
    "sliders": ".lx-knobs",
    "map": ".lx-map",
    "crowd": ".lx-map",
    "tiles": ".lx-tiles",
    "draw": ".lx-draw",
    "paste": ".lx-paste",
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("components") / "server.log"
    with serve(log, app=HERE / "app.py", PYTHONPATH=str(HERE.parents[2])) as found:
        yield found


@pytest.fixture
def shown(new_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the page of a component; `query` is the rest of its address, other keywords are those of `new_page`."""

    def open_page(component: str, query: dict[str, str] | None = None, **options: object) -> Page:
        page = new_page(**options)
        page.goto(f"/?{urlencode({'show': component, **(query or {})})}", wait_until="commit")
        root = ROOTS[component]
        expect(page.locator(f'{root}[data-state="ready"]')).to_be_visible()
        idle(page)
        return page

    return open_page
