"""A server of nothing but the live view of a run, and runs for it to show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from benchmarks.serving import Server, serve
from tests.app.watch.runs import WatchedRun
from tests.browser.watch.view import View

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs that the server sees."""
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[Server]:
    with serve(
        folder.parent / "watch.log", app=HERE / "app.py", EXPLORER_RUNS=str(folder), PYTHONPATH=str(HERE.parents[2])
    ) as found:
        yield found


@pytest.fixture
def new_run(folder: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., WatchedRun]]:
    """Makes runs that are being trained; keywords are those of `WatchedRun`."""
    made: list[WatchedRun] = []

    def make(**options: Any) -> WatchedRun:
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name)[:50]
        number = len(list(folder.glob(f"{name}-*")))  # a test that is tried once more has some already
        made.append(WatchedRun(folder, f"{name}-{number}", **options))
        return made[-1]

    yield make
    for run in made:
        run.let_go()


@pytest.fixture
def finished_run(new_run: Callable[..., WatchedRun]) -> Callable[..., WatchedRun]:
    """Makes runs that have ended; epochs in `without` have no frame."""

    def make(*, without: tuple[int, ...] = (), **options: Any) -> WatchedRun:
        run = new_run(**options)
        while run.done < run.epochs:
            run.end_epoch(frame=run.done + 1 not in without)
        run.end()
        return run

    return make


@pytest.fixture
def view(new_page: Callable[..., Page]) -> Callable[..., View]:
    """Opens the view of a run, or of several to choose from; keywords are those of `new_page`."""
    return lambda *runs, **options: View(new_page(**options), runs[0]).open(*runs[1:])
