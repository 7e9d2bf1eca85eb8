"""The view that a person has chosen, in the session and in the URL: model, colours, projection, data and the pick.

A pick is one code: an item of the mapped data, or any spot of the code space. It belongs to a model; when the
model changes, an item stays picked (as the other model encodes it) and a bare code is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
import torch
from streamlit.runtime.scriptrunner import get_script_run_ctx
from torch import Tensor

from explorer.ui import html
from explorer.ui.cache import STORED, Mapped
from explorer.ui.components.latent_map.component import Selected
from explorer.ui.wording import GROUP

COLORS = {"class": "class", "kl": "KL", "error": "reconstruction error", "density": "density"}  # of any map
PROJECTIONS = {"umap": "UMAP", "pca": "principal components"}

_PICK, _SELECTION = "explore_pick", "explore_selection"
_NOTICES, _RESTORED, _DEFAULTS = "explore_notices", "explore_restored", "explore_defaults"
_MOST_TEXT = 1001  # one more than an expression may have, so that a longer one is said to be too long
_MAX_MAGNITUDE = 1e6  # a code further out than this is a typing error


@dataclass(frozen=True)
class Pick:
    """A chosen code of `model`. `index` is the image's in its data set `items`, None for a bare code.

    `xy` is the spot on the map where it was picked, if it was; `approximate` says that the code was estimated
    from that spot; `origin` says in words where it came from.
    """

    model: str
    code: tuple[float, ...]
    items: str = ""
    index: int | None = None
    xy: tuple[float, float] | None = None
    approximate: bool = False
    origin: str = ""

    def tensor(self) -> Tensor:
        """The code as float32 [D]."""
        return torch.tensor(self.code, dtype=torch.float32)


def items_of(data: Mapped) -> str:
    """Names the images that an index counts: the same for a stored test set and the same set encoded now."""
    whole = data.name == "mnist-5k"  # both its splits are mapped
    # A person's own set can be made anew under its name, of other images.
    own = f"@{data.images_digest[:16]}" if data.source.startswith("own:") else ""
    return f"{data.source}{own}/{'all' if whole else 'test'}"


def choose_row(data: Mapped, row: int, origin: str = "the map") -> None:
    """Pick an item by its row."""
    st.session_state[_PICK] = Pick(
        data.model.info.id,
        _rounded(data.latents.mean[row]),
        items_of(data),
        int(data.latents.index[row]),
        origin=origin,
    )


def choose_code(
    data: Mapped, code: Tensor, origin: str, *, xy: tuple[float, float] | None = None, approximate: bool = False
) -> None:
    """Pick a bare code."""
    st.session_state[_PICK] = Pick(data.model.info.id, _rounded(code), xy=xy, approximate=approximate, origin=origin)


def choose_spot(data: Mapped, x: float, y: float) -> None:
    """Pick the code under a spot of the map."""
    code = data.map.code_at(torch.tensor([[x, y]], dtype=torch.float32))[0]
    choose_code(data, code, "the map", xy=(x, y), approximate=not data.map.exact)


def clear() -> None:
    """Forget the pick."""
    st.session_state.pop(_PICK, None)


def current(data: Mapped) -> Pick | None:
    """The pick as it applies to the mapped data: kept, encoded anew for another model, or None."""
    pick: Pick | None = st.session_state.get(_PICK)
    if pick is None or (pick.model == data.model.info.id and pick.index is None):
        return pick
    if pick.index is not None and pick.items == items_of(data):
        row = data.row_of(pick.index)
        if row is not None:
            if pick.model != data.model.info.id:
                choose_row(data, row, pick.origin)
            return st.session_state[_PICK]
    if pick.model == data.model.info.id:  # its data set is not on the map any more; the code still is one
        return Pick(pick.model, pick.code, origin=pick.origin)
    clear()
    return None


def row_of(data: Mapped, pick: Pick) -> int | None:
    """The row of a picked item among the mapped data."""
    return data.row_of(pick.index) if pick.index is not None and pick.items == items_of(data) else None


def row_name(data: Mapped, row: int) -> str:
    """What an item is called: its class and its group, where there are any, and its index."""
    label = "" if data.latents.labels is None else f"{data.classes[int(data.latents.labels[row])]} · "
    group = "" if data.latents.group is None else f"{GROUP} {data.latents.group[row]} · "
    return f"{label}{group}#{int(data.latents.index[row])}"


def colors(data: Mapped) -> dict[str, str]:
    """What can colour the map of these data, with its name on the screen."""
    if data.latents.group is None:
        return COLORS
    return {"class": COLORS["class"], "group": GROUP, **COLORS}


def selection() -> Selected | None:
    """What is selected on Explore's map, also after a visit to another screen."""
    return st.session_state.get(_SELECTION)


def select(selected: Selected | None) -> None:
    """From the map's callback: keep what is selected, or forget it."""
    st.session_state[_SELECTION] = selected


def _rounded(code: Tensor) -> tuple[float, ...]:
    code = code.nan_to_num(0.0).clamp(-_MAX_MAGNITUDE, _MAX_MAGNITUDE)
    # As many digits as the URL has, so that a pasted link decodes the very same code.
    return tuple(float(f"{v:.6g}") for v in code.tolist())


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

    A value that the session has but the options no longer do is dropped. `names` are the options' on the screen,
    which a mapping of options has itself; the URL may say these, too. `usual` is the first of the options for a widget
    that has no other default.
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


def restore_pick(data: Mapped) -> None:
    """On the session's first run: the pick that the URL names, or a notice why it was ignored."""
    if not _first("pick")[0]:
        return
    if _went_back():
        clear()
    index, z = st.query_params.get("index"), st.query_params.get("z")
    if index is not None:
        row = data.row_of(int(index)) if index.isascii() and index.isdigit() and len(index) < 10 else None
        if row is not None:
            choose_row(data, row, "the address")
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
            choose_code(data, torch.tensor(code), "the address")


def _parse(text: str, length: int) -> list[float] | None:
    parts = text.split(",")
    if len(parts) != length:
        return None
    try:
        code = [float(part) for part in parts]
    except ValueError:
        return None
    return code if all(math.isfinite(v) and abs(v) <= _MAX_MAGNITUDE for v in code) else None


def asked(param: str) -> str | None:
    """What the URL says of a parameter; only the first call of a session is answered, later the session knows."""
    return _first(param)[1]


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


def write_url(
    model: str, color: str, projection: str, data: str, pick: Pick | None, more: Mapping[str, str] | None = None
) -> None:
    """Put the view in the URL, with what else a screen has; what is the default stays out of it."""
    view = {"model": model}
    if color != "class":
        view["color"] = color
    if projection not in ("plane", "umap"):
        view["projection"] = projection
    if data != STORED:
        view["data"] = data
    if pick is not None and pick.index is not None:
        view["index"] = str(pick.index)
    elif pick is not None:
        view["z"] = html.code_text(pick.tensor())
    view |= {name: value for name, value in (more or {}).items() if len(value) < _MOST_TEXT}
    put_address(view)


def put_address(params: Mapping[str, str]) -> None:
    """Let the URL's query be this: a step in the browser's history if it was another.

    An address that a person went back to stays as it is: another would be a step forward from there.
    """
    if not _went_back() and st.query_params.to_dict() != params:
        st.query_params.from_dict(params)
