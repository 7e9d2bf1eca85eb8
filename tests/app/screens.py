"""The whole app under Streamlit's test runner, in a runs folder of its own: for tests of the sidebar and of Train."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer import runs
from explorer.files.locks import is_locked
from explorer.runs import queue
from explorer.ui import address, cache
from explorer.ui.shell import NAVIGATION as APP
from tests import background, warm_worker

PAGES = Path(__file__).parents[2] / "pages"
TIMEOUT = 240.0  # a first run imports all, a worker PyTorch, on a machine that may be busy


@contextlib.contextmanager
def own_space(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of runs, and no data set but the one of the installation; no worker outlives the context."""
    place = folder / "runs"
    monkeypatch.setattr(queue, "subprocess", warm_worker)
    monkeypatch.setenv("EXPLORER_RUNS", str(place))
    monkeypatch.setenv("EXPLORER_DATA", str(folder / "no-data"))
    cache.all_checkpoints.clear()
    try:
        yield place
    finally:
        for info in reversed(runs.active()):  # those that wait first, so that none of them starts
            with contextlib.suppress(runs.RunError):
                runs.cancel(info.name)
        wait(lambda: not runs.active() and not any(is_locked(path) for path in place.glob("*")))
        runs.advance()  # which collects the exit code of the last one
        cache.all_checkpoints.clear()


@contextlib.contextmanager
def runs_in(folder: Path) -> Iterator[Path]:
    """Gives the app the runs in `folder`/runs, and no data but what is always there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_RUNS", str(folder / "runs"))
        patch.setenv("EXPLORER_DATA", str(folder))
        cache.all_checkpoints.clear()
        yield folder / "runs"
        cache.all_checkpoints.clear()


def page(screen: str, **query: str) -> AppTest:
    """A screen after its first run under an address, without an exception or a complaint."""
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / f"{screen}.py"))
    for name, value in query.items():
        at.query_params[name] = value
    sound(at.run())
    assert not at.error, texts(at.error)
    assert not at.warning, texts(at.warning)
    return at


def explore() -> AppTest:
    """The app as it opens: on Explore."""
    return sound(AppTest.from_file(APP, default_timeout=TIMEOUT).run())


def train(**query: str) -> AppTest:
    """The app on its Train page."""
    at = explore().switch_page(str(PAGES / "train.py"))
    for name, value in query.items():
        at.query_params[name] = value
    return sound(at.run())


def sound(at: AppTest) -> AppTest:
    """The app, after a run without an exception."""
    assert not at.exception, at.exception[0].value
    return at


def go_back(at: AppTest, /, **query: str) -> AppTest:
    """The page after the browser's Back, to an address that says this."""
    at.query_params.clear()
    for name, value in query.items():
        at.query_params[name] = value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address, "_went_back", lambda: True)
        return sound(at.run())


def press(at: AppTest, key: str) -> AppTest:
    return sound(at.button(key=key).click().run())


def act(at: AppTest, name: str, action: str) -> AppTest:
    """Choose from the menu of a run in the list."""
    at.get_by_key(f"run_menu_{name}").set_value(action)
    return sound(at.run())


def keys(at: AppTest) -> set[str]:
    """The keys of all buttons there are."""
    return {button.key for button in at.button if button.key}


def texts(elements: object) -> str:
    return " ".join(str(element.value) for element in elements)  # type: ignore[attr-defined]


def wait(until: Callable[[], object], seconds: float = TIMEOUT) -> None:
    """Wait for something that another process does, and look after the queue as the server does meanwhile."""
    background.until(lambda: (runs.advance(), until())[1], seconds)


def wait_for(name: str, *states: str) -> runs.RunInfo:
    """Wait until a run is in one of some states."""
    wait(lambda: runs.run(name).state in states)
    return runs.run(name)


def put(trained: Path, place: Path, **request: object) -> None:
    """A copy of a run that was trained before; `request` changes what it says it was asked for."""
    shutil.copytree(trained, place)
    asked = json.loads((place / "run.json").read_text())
    (place / "run.json").write_text(json.dumps({**asked, **request}))
