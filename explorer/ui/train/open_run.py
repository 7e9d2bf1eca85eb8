"""Open a run: the zip of one, from here or from another computer, is taken in among the person's own."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.errors import RunError
from explorer.ui import access
from explorer.ui.markdown import plain

_SAID = "run_open_said"


def open_panel() -> None:
    """Draws the form, and what came of it."""
    st.caption(
        "A run's zip, as Download in the list of runs makes it, opens on any computer: to explore, to compare, and to "
        "train on where it was stopped before its end."
    )
    file = st.file_uploader("A run's zip", type=["zip"], key="run_open_zip")
    st.button("Open it", key="run_open", type="primary", disabled=file is None, on_click=_open, args=(file,))
    opened, problem = st.session_state.pop(_SAID, ("", ""))
    if problem:
        st.error(plain(problem))
    elif opened:
        st.success(f"**{plain(opened)}** is here: it is shown above.")


def _open(file: UploadedFile) -> None:
    """As a callback: takes the run in and lets the page show it."""
    try:
        name = access.open_run(file.getvalue(), file.name).name
    except RunError as error:
        st.session_state[_SAID] = ("", str(error))
        return
    st.session_state["train_run"] = name
    st.session_state[_SAID] = (name, "")
