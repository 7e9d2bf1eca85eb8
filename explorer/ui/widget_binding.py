"""Widgets that show a value of the session's own, which another widget or a button may change as well.

`bind` puts the value into the widget's state before the widget is made, and `from_widget` makes the callback that
writes the change back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

__all__ = ["bind", "catch_up", "from_widget", "whole"]

_SHOWN, _HANDLERS = "bound_shown", "bound_handlers"


def bind(key: str, value: Any) -> None:
    """Before a widget is made: let it show `value`. Touches nothing when it does already, so that no typing is lost."""
    _of(_SHOWN)[key] = value
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def whole(take: Callable[[Any], None]) -> Callable[[Any], None]:
    """Hands whole numbers on as `int`, and others as they are, so that they are refused.

    A number field of step 1 would cut off what follows the point before Python sees it: its step is 1.0, its format %g.
    """
    return lambda value: take(int(value) if isinstance(value, float) and value.is_integer() else value)


def from_widget(key: str, handle: Callable[[Any], None]) -> Callable[[], None]:
    """A callback that hands a widget's new value to `handle`."""
    _of(_HANDLERS)[key] = handle
    return lambda: _hear(key)


def catch_up() -> None:
    """Hand over what a person has put into widgets and no callback has told of, as a callback of a button.

    Who types and clicks the button sends two messages at once. Streamlit breaks off the run of the first for that of
    the second, to which the typed value is no news any more: its callback may never be called.
    """
    shown, handlers = _of(_SHOWN), _of(_HANDLERS)
    for key in list(handlers):
        if key in shown and key in st.session_state and st.session_state[key] != shown[key]:
            _hear(key)


def _hear(key: str) -> None:
    value = st.session_state[key]
    _of(_SHOWN)[key] = value
    _of(_HANDLERS)[key](value)


def _of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = st.session_state.setdefault(name, {})
    return found
