"""What a tour may look for in the session's state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.errors import CheckpointError, DatasetError
from explorer.evaluation.sweeps import Sweep, find_sweeps
from explorer.ui import access, cache, page_switch, selection, sheets
from explorer.ui.train import run_form

Condition = Callable[[], bool]

MODEL, HOLES, PICK = "explore_model", "holes", "explore_pick"


def every(*conditions: Condition) -> Condition:
    return lambda: all(condition() for condition in conditions)


def on(page: Path) -> Condition:
    """Whether that screen is shown."""
    return lambda: st.session_state.get(page_switch.SHOWN) == page.stem


def state_is(key: str, *values: Any) -> Condition:
    """Whether a widget has one of some values."""
    return lambda: st.session_state.get(key) in values


def model_is(name: str) -> Condition:
    return state_is(MODEL, name)


def text_is(key: str, text: str) -> Condition:
    """Whether a text field says this, spaces aside."""
    return lambda: "".join(str(st.session_state.get(key, "")).split()) == "".join(text.split())


def picked() -> bool:
    """Whether an image or a spot is picked."""
    return st.session_state.get(PICK) is not None


def picked_in_a_hole(model: str) -> Condition:
    """Whether a spot is picked in a hole of that model's map, as the screen shows it."""

    def found() -> bool:
        pick: selection.Pick | None = st.session_state.get(PICK)
        info = access.usable().get(model)
        if info is None or pick is None or pick.model != model:
            return False
        chosen = st.session_state.get("map_data", cache.STORED)
        try:
            data = cache.encoded_dataset(model, info.content, chosen, "plane")
        except (CheckpointError, DatasetError, cache.NotEncodedError, OSError):
            return False
        return sheets.in_hole(data, *pick.place(data))

    return found


def compares(*models: str) -> Condition:
    """Whether these models are among those that Compare shows."""
    return lambda: set(models) <= set(st.session_state.get("compare_models", ()))


def without(*models: str) -> Callable[[], str]:
    """What is said where one of these models cannot be opened."""

    def said() -> str:
        usable = access.usable()
        return next((f"{model} is not here, or it is damaged." for model in models if model not in usable), "")

    return said


def outlined(key: str) -> Condition:
    """Whether a lasso or box holds some images: on Explore's map or, linked, on one of Compare's."""

    def found() -> bool:
        held = st.session_state.get(key)
        return bool(getattr(held, "ids", None) or getattr(held, "indices", None))

    return found


def form_has(option: str, *values: Any) -> bool:
    """Whether the form for training has an option at one of some values."""
    return run_form.current().value(option) in values


def swept(setting: str, values: int) -> bool:
    """Whether there is a finished sweep of so many values of a setting."""
    return any(sweep.setting == setting and len(sweep.models) >= values for sweep in _sweeps())


def sweep_is_compared(setting: str, values: int) -> bool:
    """Whether Compare shows so many models of one sweep."""
    chosen = set(st.session_state.get("compare_models", ()))
    return any(
        sweep.setting == setting and sum(any(m.id in chosen for m in of) for of in sweep.models.values()) >= values
        for sweep in _sweeps()
    )


def without_sweep(setting: str, values: int) -> Callable[[], str]:
    """What is said where there is no finished sweep of so many values of a setting."""
    return lambda: "" if swept(setting, values) else f"There is no sweep of {setting} here: the first step makes it."


def _sweeps() -> list[Sweep]:
    return find_sweeps(access.usable().values())


def moved(key: str) -> bool:
    """Whether a slider of some codes' sliders has been moved."""
    return bool(st.session_state.get(f"{key}_moved", ("", {}))[1])
