"""What panels that draw at random have in common: a seed, which a button moves on, and a temperature."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from explorer.ui import address

_LAST_SEED = 10**6


def restore(seed: str, temperature: str = "", *, param: str = "seed", usual: float = 1.0) -> None:
    """Before the controls are drawn: starts the seed of that key, and the temperature if any, from the address.

    Args:
        seed: its key.
        temperature: its key.
        param: what the address calls the seed.
        usual: the temperature to begin with.
    """
    address.restore_number(param, seed, 0, _LAST_SEED, default=0)
    if temperature:
        address.restore_number("temperature", temperature, 0.0, 2.0, default=usual, step=0.05)


def query(seed: str, temperature: str, *, param: str = "seed") -> dict[str, str]:
    """Gives what the address says of both, empty where it says nothing."""
    number, scale = st.session_state[seed], st.session_state[temperature]
    return {param: str(number) if number else "", "temperature": "" if scale == 1 else f"{scale:g}"}


def temperature_slider(key: str, help: str, *, width: int | Literal["stretch"] = "stretch") -> float:
    """Draws the slider."""
    return st.slider("Temperature", 0.0, 2.0, step=0.05, key=key, persist_state="session", help=help, width=width)


def seed_button(
    key: str,
    seed: str,
    label: str = "New draws",
    *,
    icon: str | None = None,
    help: str | None = None,
    disabled: bool = False,
) -> None:
    """Draws the button that takes the next seed."""

    def move_on() -> None:
        st.session_state[seed] = (int(st.session_state.get(seed, 0)) + 1) % (_LAST_SEED + 1)

    st.button(label, key=key, icon=icon, on_click=move_on, help=help, disabled=disabled)
