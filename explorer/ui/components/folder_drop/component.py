"""Folders that are dropped on an uploader: their files keep their paths, which Streamlit would drop."""

from __future__ import annotations

import streamlit as st

from explorer.ui.components.mounting import Component

__all__ = ["folder_drop"]

_COMPONENT = Component("folder_drop", "lx-folder-drop")


def folder_drop(key: str) -> None:
    """Lets files of folders that are dropped anywhere on the page be named by their paths, as those of chosen ones are.

    Args:
        key: of no other on the page.
    """
    with st.container(key=f"lx_pulse_{key}"):  # hidden by the style sheet, or a gap would show where it stands
        _COMPONENT.show(key, {})
