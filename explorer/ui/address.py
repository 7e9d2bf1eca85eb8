"""The URL's query: what it says becomes the session's choices on the first run, and the choices are written to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import streamlit as st
import torch
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.latents import compact
from explorer.ui import selection
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.components.latent_map.component import Selected, View
from explorer.ui.components.pulse.component import pulse
from explorer.ui.selection import Pick

_NOTICES, _RESTORED, _DEFAULTS = "explore_notices", "explore_restored", "explore_defaults"
_CURRENT = "address_now"
_MOST_TEXT = 1001  # one more than an expression may have, so that a longer one is said to be too long
_LONGEST = 8000  # of all of an address: servers and messengers cut off what is longer
_REST_SECONDS = 0.5  # of a slider, before the address follows it

TOUR = "tour_at"
"""Where the session says which tour is under way, and at which step: a name and an index."""

_Number = TypeVar("_Number", int, float)


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
    screen, which a mapping of options has itself; the URL may say these, too. `usual` is the default, which the session
    then has; without it the widget has one of its own.
    """
    if isinstance(options, Mapping):
        names, options = options, list(options)
    first, wanted = _first(param)
    if wanted not in options:
        wanted = next((option for option, name in (names or {}).items() if name == wanted), wanted)
    if wanted is not None and wanted not in options:
        instead = usual if usual is not None and usual in options else options[0]
        shown = (names or {}).get(instead, instead)
        notice(f"The address asks for {what} “{wanted[:60]}”, which is not here: showing {shown}.")
    elif wanted is not None:
        st.session_state[key] = wanted
    elif first and _went_back():
        st.session_state.pop(key, None)
    if key in st.session_state and st.session_state[key] not in options:
        del st.session_state[key]
    if usual is not None:  # in place of an old one it has to be said: the browser would go on showing that
        st.session_state.setdefault(key, usual)


def restore_pick(data: EncodedDataset) -> None:
    """On the session's first run: the pick that the URL names, or a notice why it was ignored."""
    if not _first("pick")[0]:
        return
    if _went_back():
        selection.clear()
    index, z, spot = (st.query_params.get(param) for param in ("index", "z", "spot"))
    if index is not None:
        row = data.row_of(int(index)) if index.isascii() and index.isdigit() and len(index) < 10 else None
        if row is not None:
            selection.choose_row(data, row, "the address")
            return
        notice(f"The item “{index[:20]}” in the address was ignored: this map has items 0 to {len(data.latents) - 1}.")
    if spot is not None:
        place = compact.read_numbers(spot, 2)
        if place is None:
            notice("The spot in the address was ignored: it is two numbers, separated by a comma.")
        else:
            selection.choose_spot(data, *place)
    elif z is not None:
        code = compact.read_code(z, data.model.latent)
        if code is None:
            notice(
                f"The code in the address was ignored: this model's codes are {data.model.latent} numbers, "
                "separated by commas."
            )
        else:
            selection.choose_code(data, torch.tensor(code), "the address")


def restore_map(data: EncodedDataset, *, selects: bool = False) -> None:
    """On the session's first run: the part of the map that the URL names and, where one `selects`, what is selected."""
    first, zoom = _first("zoom")
    chosen = _first("select")[1] if selects else None
    if not first or (zoom is None and chosen is None and not _went_back()):
        return
    view = None
    if zoom is not None:
        x0, x1, y0, y1 = compact.read_numbers(zoom, 4) or (0.0, 0.0, 0.0, 0.0)
        if x0 != x1 and y0 != y1:
            view = View((x0, x1), (y0, y1))
        else:
            notice("The part of the map in the address was ignored: it is four numbers, from and to on both axes.")
    found = None if chosen is None else _selected(data, chosen)
    if chosen is not None and found is None:
        notice("The selection in the address was ignored: it is of another map, or it was cut off.")
    if selects:
        selection.select(found)
    selection.look_at(data, view)
    selection.show_anew()


def _selected(data: EncodedDataset, text: str) -> Selected | None:
    kind, ids, outline = (*text.split("~"), "", "")[:3]
    rows, corners = compact.read_ids(ids, len(data.latents)), compact.read_outline(outline)
    if not rows or corners is None:
        return None
    return Selected(rows, "box" if kind == "box" else "lasso", corners, data.map_key, 1)


def map_query(data: EncodedDataset, *, selects: bool = False) -> dict[str, str]:
    """Gives what the URL says of the map, empty where it says nothing."""
    view, chosen = selection.view(data), selection.selected(data)
    found = {"zoom": compact.numbers_text([*view.x, *view.y]) if view else ""}
    if selects and chosen is not None and chosen.ids and chosen.outline:
        rows = [row for row in chosen.ids if row < len(data.latents)]
        outline = compact.outline_text(chosen.outline)
        found["select"] = f"{chosen.kind}~{compact.ids_text(rows, len(data.latents))}~{outline}"
    return found


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


def restore_number(
    param: str, key: str, low: _Number, high: _Number, *, default: _Number, step: float | None = None
) -> None:
    """Before a slider of that key is made: start it from the URL, or from the default.

    A whole number where the default is one; any other goes to the nearest multiple of the `step`.
    """
    first, text = _first(param)
    found: float | None = None
    if text is not None and isinstance(default, int):
        found = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    elif text is not None:
        for value in compact.read_numbers(text, 1) or []:
            found = value if step is None else round(round(value / step) * step, 6)
    if found is not None and low <= found <= high:
        st.session_state[key] = found
        return
    if text is not None:
        whole = "whole " if isinstance(default, int) else ""
        limits = f"{compact.number_text(low)} to {compact.number_text(high)}"
        notice(f"“{param}={text[:20]}” in the address was ignored: it is a {whole}number from {limits}.")
    if first and _went_back():
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
    elif pick is not None and pick.xy is not None and pick.map_kind == data.map.kind and not data.map.exact:
        view["spot"] = compact.numbers_text(pick.xy)  # its code is the estimate of it
    elif pick is not None:
        view["z"] = compact.code_text(pick.tensor())
    put_address(view | {name: value for name, value in (more or {}).items() if value})


def current() -> dict[str, str]:
    """What the URL's query should say, however long: what is put later is in the same dictionary."""
    found: dict[str, str] = st.session_state.setdefault(_CURRENT, {})
    return found


def put_address(params: Mapping[str, str]) -> None:
    """Let the URL's query be this: a step in the browser's history if it was another.

    An address that a person went back to stays as it is: another would be a step forward from there.
    """
    shown = current()
    shown.clear()
    shown.update(params)
    at: tuple[str, int] | None = st.session_state.get(TOUR)
    params = {name: value for name, value in params.items() if name != "tour"}
    if at is not None:
        params["tour"] = f"{at[0]}.{at[1] + 1}"
    if _went_back() or st.query_params.to_dict() == params:
        return
    short: dict[str, str] = {}
    for name, value in params.items():
        if len(urlencode({**short, name: value})) <= _LONGEST:
            short[name] = value
    if st.query_params.to_dict() != short:
        st.query_params.from_dict(short)


def put_more(params: Mapping[str, str]) -> None:
    """Let the URL's query say this, too; an empty parameter stays out of it."""
    put_address({name: value for name, value in (st.query_params.to_dict() | dict(params)).items() if value})


def follow_slider(key: str, params: Mapping[str, str]) -> None:
    """In a fragment that runs with each move of a slider: let these parameters follow it once it rests.

    An empty one stays out of the address. Browsers refuse an address that changes with every move.
    """
    moving = [True]

    def follow() -> None:
        if not moving:
            put_more(params)
        elif moving.pop() and any(st.query_params.get(name, "") != value for name, value in params.items()):
            pulse(key, _REST_SECONDS)

    st.fragment(follow)()
