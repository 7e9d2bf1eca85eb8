"""Scrolls a part of the page into sight."""

from __future__ import annotations

import streamlit as st

from explorer.ui.components.mounting import Component

__all__ = ["into_view"]

_COMPONENT = Component("into_view", "lx-into-view")


def into_view(key: str, part: str, below: str) -> None:
    """Scrolls where a part is not wholly in sight, once for each key, when the page's script has come to rest.

    Args:
        key: of its own on the page.
        part: key of the container or widget that is to be seen.
        below: key of what stays at the page's top and covers what scrolls under it.
    """
    with st.container(key=f"lx_pulse_{key}"):  # hidden by the style sheet, as a pulse is
        _COMPONENT.show(key, {"part": part, "below": below})
