"""Runs to watch, in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.watch.runs import WatchedRun


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs."""
    place = tmp_path / "runs"
    place.mkdir()
    monkeypatch.setenv("EXPLORER_RUNS", str(place))
    return place


@pytest.fixture
def watched(folder: Path) -> Iterator[WatchedRun]:
    """A run that is being trained."""
    run = WatchedRun(folder)
    yield run
    run.let_go()
