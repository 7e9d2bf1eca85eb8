"""Lets the browser remember a word, in a cookie that the next visit brings along."""

from __future__ import annotations

import streamlit as st

from explorer.ui.components.mounting import Component

__all__ = ["remember"]

_COMPONENT = Component("remember", "lx-remember")


def remember(key: str, name: str, value: str) -> None:
    """Sets a cookie for a year; `st.context.cookies` has it from the next visit on.

    Args:
        key: of its own on the page.
        name: of the cookie: letters and underscores.
        value: letters.
    """
    with st.container(key=f"lx_pulse_{key}"):  # hidden by the style sheet, as a pulse is
        _COMPONENT.show(key, {"name": name, "value": value})
