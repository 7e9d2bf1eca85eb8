"""Several runs of the list together: their curves in one chart, and a button that deletes them all."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.checkpoints.folder import read_history
from explorer.figures import learning_curves
from explorer.runs import RunInfo
from explorer.ui import access, address
from explorer.ui.glossary import meaning
from explorer.ui.train.curves import curves_menu

_MOST_CURVES = 12
_METRIC, _ASKED = "runs_metric", "runs_asked"
_METRICS = {"elbo": "ELBO", "reconstruction": "reconstruction", "kl": "KL", "loss": "loss"}


def pick_key(name: str) -> str:
    """The key of the box that selects a run."""
    return f"run_pick_{name}"


def restore(found: list[RunInfo]) -> None:
    """Before the list is drawn: selects the runs that the address names, and the curve."""
    names = {info.name for info in found}

    def read(text: str) -> set[str]:
        wanted = set(text.split(","))
        for unknown in sorted(wanted - names)[:1]:
            address.notice(f"The address selects the run “{unknown[:60]}”, which is not here.")
        return wanted & names

    st.session_state[_ASKED] = None
    address.restore_value("selected", _ASKED, read, default=set())
    asked: set[str] | None = st.session_state[_ASKED]
    if asked is not None:
        for name in names:
            st.session_state[pick_key(name)] = name in asked
    address.restore_choice("curve", _METRIC, _METRICS, "the curve", usual="elbo")


def query(found: list[RunInfo]) -> dict[str, str]:
    """Gives what the address says of it, empty where it says nothing."""
    chosen = [info.name for info in found if st.session_state.get(pick_key(info.name))]
    curve = st.session_state.get(_METRIC, "elbo")
    return {"selected": ",".join(chosen), "curve": curve if len(chosen) > 1 and curve != "elbo" else ""}


def run_selection(found: list[RunInfo], on_delete: Callable[[list[str]], None]) -> None:
    """Draws the curves of the selected runs and a button that deletes them; without any, nothing."""
    _draw(found, on_delete)
    address.put_more(query(found))


def _draw(found: list[RunInfo], on_delete: Callable[[list[str]], None]) -> None:
    chosen = [info for info in found if st.session_state.get(pick_key(info.name))]
    if not chosen:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="runs_selection"):
        st.markdown(f"**{len(chosen)} selected**", width="content")
        st.button("Select none", key="runs_none", type="tertiary", on_click=_select_none, args=(chosen,))
        mine = [info.name for info in chosen if access.may_change(info)]
        st.button(
            "Delete selected" if len(mine) == len(chosen) else f"Delete {len(mine)} of yours",
            key="runs_delete",
            icon=":material/delete:",
            disabled=not mine,
            on_click=on_delete,
            args=(mine,),
        )
    if len(chosen) < 2:
        st.caption("Select a second run to compare their curves.")
        return
    st.session_state.setdefault(_METRIC, "elbo")
    metric = st.segmented_control(
        "Curve",
        list(_METRICS),
        format_func=_METRICS.__getitem__,
        key=_METRIC,
        required=True,
        label_visibility="collapsed",
    )
    histories = {info.name: read_history(info.path) for info in chosen[:_MOST_CURVES]}
    st.caption("Of the test images, after each epoch", help=meaning("ELBO", "Squared error", "Epoch"))
    if len(chosen) > _MOST_CURVES:
        st.caption(f"Only the newest {_MOST_CURVES} are drawn.")
    st.plotly_chart(learning_curves(histories, metric or "elbo"), key="runs_curves", config={"displayModeBar": False})
    curves_menu("runs_curves", chosen[:_MOST_CURVES], [metric or "elbo"])


def _select_none(chosen: list[RunInfo]) -> None:
    for info in chosen:
        st.session_state[pick_key(info.name)] = False
