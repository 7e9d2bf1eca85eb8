"""Damaged checkpoints and runs, opened on every screen: no traceback on any of them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.faults.sound import put_damaged, train_sound
from explorer.ui import cache
from explorer.ui.shell import NAVIGATION

_PAGES = Path(__file__).parents[2] / "pages"
_SECONDS = 60.0


def prepare(place: Path) -> None:
    """Trains what is damaged."""
    train_sound(place)


def attempt(place: Path, rng: Random) -> str:
    """Damages one, and visits every screen with it."""
    said = put_damaged(place, rng)
    st.cache_data.clear()
    st.cache_resource.clear()
    cache.all_checkpoints.clear()
    try:
        at = AppTest.from_file(NAVIGATION, default_timeout=_SECONDS)
        at.query_params["model"] = "runs/damaged"
        _assert_sound(at.run(), "explore")
        for page in sorted(_PAGES.glob("*.py")):
            at.switch_page(str(page))
            at.query_params["model"] = "runs/damaged"
            _assert_sound(at.run(), page.stem)
        return said
    except Exception as error:
        error.add_note(said)
        raise


def _assert_sound(at: AppTest, screen: str) -> None:
    assert not at.exception, f"{screen}: {at.exception[0].message or at.exception[0].value}"
