"""A fragment that looks again and again at what goes on elsewhere, such as a run that trains."""

from __future__ import annotations

import streamlit as st

from explorer.ui.components.mounting import Component

__all__ = ["pulse"]

_COMPONENT = Component("pulse", "lx-pulse")


def pulse(key: str, seconds: float) -> None:
    """Reruns the fragment in which this is drawn, so many seconds after the page's script has come to rest.

    Unlike a fragment with `run_every` it never interferes with what a person does: it waits while the script runs,
    while the page is hidden, and while the server is away. It goes on for as long as the fragment draws it.

    Args:
        key: of no other pulse.
        seconds: at least 0.5.
    """
    with st.container(key=f"lx_pulse_{key}"):  # hidden by the style sheet, or a gap would show where it stands
        _COMPONENT.show(key, {"seconds": seconds}, answers={"beat": lambda _: None})  # that the fragment runs is all
