"""A sweep from the form: the settings as they stand, for several values of one of them, and several seeds."""

from __future__ import annotations

import streamlit as st

from explorer.errors import DatasetError, RunError
from explorer.training.presets import TrainConfig
from explorer.training.sweep import NUMBERS, plan, read_values
from explorer.ui import access, page_switch
from explorer.ui.markdown import plain
from explorer.ui.train import run_form
from explorer.ui.train.run_form import Form
from explorer.ui.widget_binding import catch_up

_SETTING, _VALUES, _SEEDS, _PROBLEM = "sweep_setting", "sweep_values", "sweep_seeds", "sweep_problem"
_USUAL = {"beta": "0.1, 1, 10", "latent": "2, 8, 32"}


def sweep_popover(form: Form) -> None:
    """Draws the button that opens the choices, with how many runs they come to."""
    with st.popover("Sweep", icon=":material/stacked_line_chart:", key="sweep"):
        setting = st.selectbox(
            "Vary",
            list(NUMBERS),
            list(NUMBERS).index("beta"),
            format_func=lambda name: str(NUMBERS[name].metadata["label"]),
            key=_SETTING,
        )
        st.text_input("Values", _USUAL.get(setting, ""), key=f"{_VALUES}_{setting}", placeholder="1, 2, 4")
        st.number_input("Seeds", 1, 10, 1, key=_SEEDS, help="Runs of each value, from seed 0 on: how much is chance?")
        runs = _runs(form)
        if isinstance(runs, str):
            st.caption(plain(runs))
        else:
            st.caption(f"{len(runs)} runs, one after another. Read them on **Compare**, under Sweeps.")
        st.button("Start the sweep", key="sweep_start", type="primary", on_click=_start, disabled=isinstance(runs, str))
        if problem := st.session_state.pop(_PROBLEM, ""):
            st.error(plain(problem))


def _runs(form: Form) -> dict[str, TrainConfig] | str:
    """The runs by name, or why there are none."""
    state = st.session_state
    setting = state.get(_SETTING, "beta")
    try:
        values = read_values(setting, state.get(f"{_VALUES}_{setting}", ""))
        return plan(run_form.config(form), form.name, {setting: values}, range(int(state.get(_SEEDS, 1))))
    except ValueError as error:
        return run_form.sentence(error)


def _start() -> None:
    """As a callback: queues all of them; a refusal says how many are queued."""
    catch_up()
    runs = _runs(run_form.current())
    if isinstance(runs, str):
        return
    for number, (name, config) in enumerate(runs.items()):
        try:
            access.submit(config, name)
        except (RunError, ValueError, DatasetError, OSError) as error:
            st.session_state[_PROBLEM] = f"{number} of {len(runs)} runs are queued. {run_form.sentence(error)}"
            break
    else:
        st.session_state["train_run"] = next(iter(runs))
    page_switch.refresh()
