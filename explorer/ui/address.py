"""The URL's query: what it says becomes the session's choices on the first run, and the choices are written to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st
import torch
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.ui import html, selection
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.selection import MAX_MAGNITUDE, Pick

_NOTICES, _RESTORED, _DEFAULTS = "explore_notices", "explore_restored", "explore_defaults"
_MOST_TEXT = 1001  # one more than an expression may have, so that a longer one is said to be too long


def notice(text: str) -> None:
    """Say something about the address that could not be followed; shown until the next model is chosen."""
    st.session_state.setdefault(_NOTICES, []).append(text)


def notices() -> list[str]:
    return list(st.session_state.get(_NOTICES, []))


def forget_notices() -> None:
    st.session_state.pop(_NOTICES, None)


def restore_choice(
    param: str,
    key: str,
    options: Sequence[str] | Mapping[Any, str],
    what: str,
    names: Mapping[str, str] | None = None,
    *,
    usual: str | None = None,
) -> None:
    """Before a widget of that key is made: start it from the URL, and say so when the URL asks for what is not there.

    A value that the session has but the options no longer do gives way to the default. `names` are the options' on the
    screen, which a mapping of options has itself; the URL may say these, too. `usual` is the default of a widget that
    has none of its own.
    """
    if isinstance(options, Mapping):
        names, options = options, list(options)
    first, wanted = _first(param)
    if wanted not in options:
        wanted = next((option for option, name in (names or {}).items() if name == wanted), wanted)
    if wanted is not None and wanted not in options:
        shown = (names or {}).get(options[0], options[0])
        notice(f"The address asks for {what} “{wanted[:60]}”, which is not here: showing {shown}.")
    elif wanted is not None:
        st.session_state[key] = wanted
    elif first and _went_back():
        st.session_state.pop(key, None)
        if usual is not None:
            st.session_state[key] = usual
    if key in st.session_state and st.session_state[key] not in options:
        del st.session_state[key]
        if usual is not None:  # which has to be said: the browser would go on showing the old one
            st.session_state[key] = usual


def restore_pick(data: EncodedDataset) -> None:
    """On the session's first run: the pick that the URL names, or a notice why it was ignored."""
    if not _first("pick")[0]:
        return
    if _went_back():
        selection.clear()
    index, z = st.query_params.get("index"), st.query_params.get("z")
    if index is not None:
        row = data.row_of(int(index)) if index.isascii() and index.isdigit() and len(index) < 10 else None
        if row is not None:
            selection.choose_row(data, row, "the address")
            return
        notice(f"The item “{index[:20]}” in the address was ignored: this map has items 0 to {len(data.latents) - 1}.")
    if z is not None:
        code = _parse(z, data.model.latent)
        if code is None:
            notice(
                f"The code in the address was ignored: this model's codes are {data.model.latent} numbers, "
                "separated by commas."
            )
        else:
            selection.choose_code(data, torch.tensor(code), "the address")


def _parse(text: str, length: int) -> list[float] | None:
    parts = text.split(",")
    if len(parts) != length:
        return None
    try:
        code = [float(part) for part in parts]
    except ValueError:
        return None
    return code if all(math.isfinite(v) and abs(v) <= MAX_MAGNITUDE for v in code) else None


def _first(param: str) -> tuple[bool, str | None]:
    """Whether this is a parameter's first call of a session, and what the URL says of it then."""
    seen = st.session_state.setdefault(_RESTORED, set())
    if param in seen:
        return False, None
    seen.add(param)
    return True, st.query_params.get(param)


def _went_back() -> bool:
    """Whether this run is for an address that a person went back to, or forward: what it leaves out is the default."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def follow_history() -> None:
    """At the start of the script: after the browser's Back or Forward everything is as the address says."""
    if _went_back():
        forget_notices()
        st.session_state[_RESTORED] = set()


def restore_text(param: str, key: str, *, default: str) -> None:
    """Before a text widget of that key is made: start it from the URL, or from the default.

    What nobody has changed follows the default, which another model or pick may change.
    """
    first, text = _first(param)
    last = st.session_state.setdefault(_DEFAULTS, {})
    if text is not None:
        st.session_state[key] = text[:_MOST_TEXT]
    elif (first and _went_back()) or st.session_state.get(key) in (None, last.get(key)):
        st.session_state[key] = default
    last[key] = default


def restore_value(param: str, key: str, read: Callable[[str], object], *, default: object) -> None:
    """Before a widget of that key is made, if there is one: start the value from the URL, as `read` has it."""
    first, text = _first(param)
    if text is not None:
        st.session_state[key] = read(text)
    elif first and _went_back():
        st.session_state[key] = default
    st.session_state.setdefault(key, default)


def restore_number(param: str, key: str, low: int, high: int, *, default: int) -> None:
    """Before a slider of that key is made: start it from the URL, or from the default."""
    first, text = _first(param)
    if text is not None and text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high:
        st.session_state[key] = int(text)
        return
    if text is not None:
        notice(f"“{param}={text[:20]}” in the address was ignored: it is a whole number from {low} to {high}.")
    if first and text is None and _went_back():
        st.session_state[key] = default
    st.session_state.setdefault(key, default)


def write_url(data: EncodedDataset, color: str, pick: Pick | None, more: Mapping[str, str] | None = None) -> None:
    """Put the view in the URL, with what else a screen has; what is the default stays out of it."""
    view = {"model": data.model.info.id}
    if color != "class":
        view["color"] = color
    if data.map.kind not in ("plane", "umap"):
        view["projection"] = data.map.kind
    if data.name != STORED:
        view["data"] = data.name
    if data.drawn_as:
        view["as"] = data.model.classes[data.drawn_as]
    if pick is not None and pick.index is not None:
        view["index"] = str(pick.index)
    elif pick is not None:
        view["z"] = html.code_text(pick.tensor())
    put_address(view | {name: value for name, value in (more or {}).items() if len(value) < _MOST_TEXT})


def put_address(params: Mapping[str, str]) -> None:
    """Let the URL's query be this: a step in the browser's history if it was another.

    An address that a person went back to stays as it is: another would be a step forward from there.
    """
    if not _went_back() and st.query_params.to_dict() != params:
        st.query_params.from_dict(params)
