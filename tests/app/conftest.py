"""What the tests of the app share: models of a few seconds' training in place of the person's own runs."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner

from explorer.ui import cache
from tests.app import tiny_runs

st.set_option("client.showErrorDetails", "full")  # our settings keep them from the screen

# Every `AppTest` looks through all that is installed for components: the answer is the same each time.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny models and the damaged ones, trained once a session."""
    return tiny_runs.once(tmp_path_factory)


@pytest.fixture
def own_runs(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The app and the package see those runs, and no data set but the one of the installation."""
    monkeypatch.setenv("EXPLORER_RUNS", str(runs))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))
    cache.all_checkpoints.clear()
    by_name = (cache.encodable, cache._encode, cache.encoded_dataset)  # others keep by content what they keep
    yield runs
    st.cache_data.clear()
    for kept in by_name:
        kept.clear()
