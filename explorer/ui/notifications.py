"""The runs that a session has started or seen at work: how they ended is said to it, once, until it is dismissed."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from explorer.errors import RunError
from explorer.runs import RunInfo
from explorer.ui import access, address, cache, page_switch

_SEEN, _ENDED = "train_seen", "train_ended"
_MINUTES = 15  # an end that nobody dismissed stays so long
_MOST = 3  # ends on the screen at once


@dataclass(frozen=True)
class Ended:
    """How a run ended, and when this session noticed (monotonic seconds)."""

    info: RunInfo
    noticed: float


def follow(name: str) -> None:
    """Expects an end of this run, even if it comes before anyone looks."""
    st.session_state.setdefault(_SEEN, set()).add(name)


def update(active: list[RunInfo]) -> list[RunInfo]:
    """Compares with what was active before; returns the runs whose end was not dismissed yet, newest first."""
    seen: set[str] = st.session_state.setdefault(_SEEN, set())
    ended: dict[str, Ended] = st.session_state.setdefault(_ENDED, {})
    now = {info.name for info in active}
    for name in seen - now:
        try:
            info = access.run(name)
        except RunError:  # deleted or renamed meanwhile
            continue
        if info.active:  # it came back between the two looks
            now.add(name)
        else:
            ended[name] = Ended(info, time.monotonic())
            cache.all_checkpoints.clear()  # which may not know how it is now
    st.session_state[_SEEN] = now
    oldest = time.monotonic() - 60 * _MINUTES
    kept = {
        name: end
        for name, end in ended.items()
        if name not in now and end.noticed > oldest and end.info.path.is_dir()  # not deleted or renamed since
    }
    st.session_state[_ENDED] = dict(list(kept.items())[-_MOST:])
    return [end.info for end in reversed(st.session_state[_ENDED].values())]


def dismiss(name: str) -> None:
    st.session_state.get(_ENDED, {}).pop(name, None)


def open_in_explore(name: str) -> None:
    """As a callback: shows a run's model on the Explore page, whatever that page showed before."""
    cache.all_checkpoints.clear()  # which may not know it yet
    address.forget_notices()
    st.session_state["explore_model"] = f"runs/{name}"
    dismiss(name)
    page_switch.go(page_switch.EXPLORE)


def open_in_train(name: str) -> None:
    """As a callback: shows a run on the Train page."""
    st.session_state["train_run"] = name
    page_switch.go(page_switch.TRAIN)
