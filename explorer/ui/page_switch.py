"""What a widget's callback leaves for the script to do next: rerun the whole page, or go to another one.

A callback itself can do neither, and a widget of a fragment reruns only its fragment.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from explorer.files.shipped import shipped


def script(page: str) -> Path:
    """Returns the script of a page."""
    return shipped("pages") / f"{page}.py"


EXPLORE, ARITHMETIC, CELLS, RECONSTRUCT, COMPARE, TRAIN = (
    script(page) for page in ("explore", "arithmetic", "cells", "reconstruct", "compare", "train")
)

ARITHMETIC_TOOL, CELLS_PART, COMPARE_PART = "arithmetic_tool", "cells_part", "compare_part"
"""Keys of what chooses a part of those pages, for `go`."""

TRAIN_OWN = "train_own"
"""Key of what holds a person's own images on Train: true where it is open."""

_NEXT = "next_move"
SHOWN = "page_shown"
"""Where the session says which page is shown, by its script's name without the ending."""


def refresh() -> None:
    """From a callback: let the whole page follow what has changed."""
    st.session_state.setdefault(_NEXT, None)


def go(page: Path, **choices: str) -> None:
    """From a callback: show another page, whose widgets of these keys then have these values."""
    st.session_state.update(choices)
    st.session_state[_NEXT] = page


def hand_over() -> None:
    """At the start of a fragment whose callbacks use `go`: let the whole script make the move.

    To switch pages from a fragment loses what was chosen in the rest of the page.
    """
    if _NEXT in st.session_state:
        st.rerun()


def follow(*, fragment: bool = True) -> None:
    """At the start of the script, and of each fragment whose callbacks use this: make the move."""
    if _NEXT not in st.session_state:
        return
    page: Path | None = st.session_state.pop(_NEXT)
    if page is not None:
        st.switch_page(page)
    if fragment:
        st.rerun()
