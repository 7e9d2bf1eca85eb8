"""Panels of a page that run by themselves: a change in one of them reruns those that show what has changed.

A panel is a Streamlit fragment with a name, and with what it shows of the session. A person's action reruns the panel
that it was in. Where it changes what others show, its callback ends with `follow`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import streamlit as st

from explorer.errors import ModelGone
from explorer.ui.markdown import plain

_PANELS = "panels"


@dataclass
class _Panel:
    state: Callable[[], object]
    drawn: object  # its state when it was drawn last


def begin() -> None:
    """At the start of the script: forget the panels of the page before."""
    st.session_state[_PANELS] = {}


def guarded(draw: Callable[..., None]) -> Callable[..., None]:
    """Draws, and says so in one sentence where that needs a model whose process has ended."""

    @wraps(draw)
    def run(*args: Any) -> None:
        try:
            draw(*args)
        except ModelGone as error:
            st.warning(plain(str(error)))

    return run


def panel(name: str, draw: Callable[[], None], state: Callable[[], object] = tuple) -> None:
    """Draws a panel where it is called.

    Args:
        name: Of no other panel of the page.
        draw: Draws it, and is called again whenever it runs.
        state: What it shows of the session, to be compared by `==`.
    """

    def run() -> None:
        guarded(draw)()
        _panels()[name] = _Panel(state, state())

    st.fragment(run, key=name)()


def follow(source: str, *, shown: bool = False) -> None:
    """At the end of a panel's callback: reruns the panels whose state has changed, in place of that panel alone.

    In a callback of the page itself it would take the place of a run of the whole script, which has let go of the
    session's files (icon, downloads) by then for the script to name them again.

    Args:
        source: The panel that the callback is of. It reruns anyway where nothing else has changed.
        shown: Whether the browser shows in that panel what has changed, so that it need not rerun with the others.
    """
    panels = _panels()
    if shown and source in panels:
        panels[source].drawn = panels[source].state()
    stale = [name for name, panel in panels.items() if panel.state() != panel.drawn]
    if stale and stale != [source]:
        st.rerun(stale)


def _panels() -> dict[str, _Panel]:
    found: dict[str, _Panel] = st.session_state.setdefault(_PANELS, {})
    return found
