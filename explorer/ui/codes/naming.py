"""A name to save something under: a field with a button, and what came of it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.ui.codes import saved_names
from explorer.ui.codes.saved_names import Saved
from explorer.ui.markdown import plain


def name_to_save(key: str, stem: str, thing: Callable[[str], Saved]) -> None:
    """Draw the field and the button; `thing` makes what is saved, of the name, when the button is pressed."""
    name_key, said_key = f"{key}_name", f"{key}_said"

    def save() -> None:
        name = str(st.session_state.get(name_key) or "").strip()
        try:
            saved_names.save(name, thing(name))
        except ValueError as error:
            st.session_state[said_key] = (False, str(error))
        else:
            st.session_state[said_key] = (True, f"Kept: expressions know it as {name}.")
            st.session_state[name_key] = saved_names.free_name(stem)

    if st.session_state.get(name_key) is None:
        st.session_state[name_key] = saved_names.free_name(stem)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Name", key=name_key, width=180, help="Letters, digits and _; for expressions and walks")
        st.button("Keep", key=f"{key}_keep", on_click=save)
    said: tuple[bool, str] | None = st.session_state.pop(said_key, None)
    if said is not None:
        (st.success if said[0] else st.error)(plain(said[1]))


def saved_list(usable: set[str]) -> None:
    """All names, each with what it is and a way to forget it; the last one forgotten can be recalled."""
    found, gone = saved_names.everything(), saved_names.forgotten()
    if not found and gone is None:
        return
    with st.container(key="kept", gap="xsmall"):
        st.caption("Names for expressions")
        for name, thing in found.items():
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                note = "" if name in usable else " (not of this model or these data)"
                st.markdown(f"`{name}` is {plain(thing.what)}{note}", width="content")
                st.button(
                    "Forget", key=f"kept_forget_{name}", type="tertiary", on_click=saved_names.forget, args=(name,)
                )
        if gone is not None:
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.caption(f"Forgot {plain(gone)}.", width="content")
                st.button("Undo", key="recall_kept", type="tertiary", on_click=saved_names.recall)
