"""A chosen run or model that another tab, or another program, renames or deletes: it is followed, or said to be gone.

What is chosen is known by its folder, which a new name leaves the same, and by when it was made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import streamlit as st

from explorer.checkpoints.folder import CheckpointInfo
from explorer.runs import RunInfo

_CHOSEN, _SHOWN = "following_chosen", "following_shown"


Made = CheckpointInfo | RunInfo


@dataclass(frozen=True)
class _Chosen:
    path: Path
    inode: int
    created: datetime

    def is_made(self, other: Made | None) -> bool:
        return other is not None and other.created == self.created and _inode(other.path) == self.inode


def _inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def begin() -> None:
    """At the start of the script: nothing is shown yet."""
    st.session_state[_SHOWN] = []


def remember(key: str, options: Mapping[str, Made]) -> None:
    """After the widget of that key: keeps what the chosen options are."""
    st.session_state.setdefault(_CHOSEN, {})[key] = {
        name: _Chosen(options[name].path, _inode(options[name].path), options[name].created)
        for name in _names(key)
        if name in options
    }
    st.session_state.setdefault(_SHOWN, []).append(key)


def moves(key: str, options: Mapping[str, Made]) -> dict[str, str | None]:
    """Before the widget of that key: the chosen options that are no longer what they were, with their names now.

    None stands for what is gone, though something else may have its name.
    """
    chosen: dict[str, _Chosen] = st.session_state.get(_CHOSEN, {}).get(key, {})
    return {
        name: next((other for other, made in options.items() if chosen[name].is_made(made)), None)
        for name in _names(key)
        if name in chosen and not chosen[name].is_made(options.get(name))
    }


def forget(path: Path) -> None:
    """Lets a folder go that this session has deleted itself, and has said so."""
    for chosen in st.session_state.get(_CHOSEN, {}).values():
        for name in [name for name, was in chosen.items() if was.path == path]:
            del chosen[name]


def is_stale() -> bool:
    """Says whether the page shows something that is not where it was. Costs a look at each of their folders."""
    chosen = st.session_state.get(_CHOSEN, {})
    shown = [was for key in st.session_state.get(_SHOWN, []) for was in chosen.get(key, {}).values()]
    return any(_inode(was.path) != was.inode for was in shown)


def _names(key: str) -> list[str]:
    """What the session has chosen in a widget."""
    value = st.session_state.get(key)
    return value if isinstance(value, list) else [] if value is None else [value]
