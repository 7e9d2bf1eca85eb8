"""Widgets that show a value of the session's own, which another widget or a button may change as well.

`bind` puts the value into the widget's state before the widget is made, and `from_widget` makes the callback that
writes the change back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

__all__ = ["bind", "catch_up", "from_widget", "number_field"]

_SHOWN, _HANDLERS = "bound_shown", "bound_handlers"


def bind(key: str, value: Any) -> None:
    """Before a widget is made: let it show `value`. Touches nothing when it does already, so that no typing is lost."""
    _of(_SHOWN)[key] = value
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def number_field(
    place: Any,
    label: str,
    value: float,
    take: Callable[[Any], None],
    *,
    key: str,
    step: float = 1.0,
    whole: bool = False,
    **about: Any,
) -> None:
    """Draws a field for a number in a part of the page; one that was emptied shows its number again.

    Streamlit would have it start from 0, which the browser took for a person's wish where the run that drew the field
    first was broken off. A field of step 1 would cut off what follows the point before Python sees it: so whole
    numbers have step 1.0 and format %g, and are handed on as `int`, others as they are, to be refused.
    """
    bind(key, float(value))

    def heard(found: float | None) -> None:
        if found is not None:
            take(int(found) if whole and found.is_integer() else found)

    place.number_input(label, value=None, step=step, format="%g", key=key, on_change=from_widget(key, heard), **about)


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
