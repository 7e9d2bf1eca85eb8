"""One line on what a person may still use of a shared server, for where a run is started."""

from __future__ import annotations

import streamlit as st

from explorer import runs
from explorer.files.hosting import limits
from explorer.files.owner import Owner
from explorer.training.presets import TrainConfig
from explorer.ui import people
from explorer.ui.train import run_form
from explorer.ui.train.run_form import Form

_SECONDS = 5.0  # between two looks at all files of a person


def show_allowance(form: Form) -> None:
    """Draws what the person uses and the images that a run of this form would see; nothing where nothing is limited."""
    person = people.current()
    if person is None or not person.ident:
        return
    try:
        config = run_form.config(form)
    except ValueError:  # which the form says
        config = None
    if said := sentence(person.owner, config):
        st.caption(said)


def sentence(owner: Owner, config: TrainConfig | None) -> str:
    """Words what is used of what, as far as it is limited."""
    allowed = limits(owner)
    used, of_run = [], []
    if allowed.runs is not None:
        used.append(f"{runs.count_active(owner)} of {allowed.runs} runs")
    if allowed.disk_gb is not None:
        used.append(f"{_disk_used(owner.ident) / 1e9:.1f} of {allowed.disk_gb:g} GB")
    if allowed.images is not None and config is not None:
        of_run.append(f"{runs.images(config) / 1e6:.2g} of {allowed.images / 1e6:g} million images")
    if allowed.minutes is not None:
        of_run.append(f"{allowed.minutes:g} minutes at most")
    said = [f"You use {' and '.join(used)}." if used else "", f"This run: {', '.join(of_run)}." if of_run else ""]
    return " ".join(filter(None, said))


@st.cache_data(ttl=_SECONDS, max_entries=1000, show_spinner=False)
def _disk_used(ident: str) -> int:
    return runs.disk_used(Owner(ident))
