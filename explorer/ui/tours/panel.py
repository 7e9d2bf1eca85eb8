"""A tour's panel above the screen, the list of tours, and the words for who comes for the first time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import streamlit as st

from explorer.ui import address, page_switch
from explorer.ui.components.into_view.component import into_view
from explorer.ui.components.pulse.component import pulse
from explorer.ui.components.remember.component import remember
from explorer.ui.markdown import plain
from explorer.ui.tours import TOURS
from explorer.ui.tours.tour import Step, Tour
from explorer.ui.train import run_form

_DONE, _WELCOME = "tour_done", "welcome"
_CLOSED = "latent_explorer_welcome"  # a cookie's name
_LOOK_SECONDS = 0.7


def begin() -> None:
    """Before a page: starts the tour that the address names, with what its step begins with."""

    def read(text: str) -> tuple[str, int] | None:
        name, _, number = text.partition(".")
        if name not in TOURS:
            address.notice(f"There is no tour called “{name[:30]}”: the list is under Tours on Explore.")
            return None
        steps = TOURS[name].steps
        at = min(max(int(number) - 1, 0), len(steps) - 1) if re.fullmatch("[0-9]{1,3}", number) else 0
        if not steps[at].gone():
            for key, value in steps[at].choices.items():
                st.session_state.setdefault(key, value)
        return name, at

    address.restore_value("tour", address.TOUR, read, default=None)


def start(name: str) -> None:
    """As a callback: begins a tour at its first step, on that step's screen."""
    st.session_state[_WELCOME] = False
    _go_to(name, 0)


def tour_panel() -> None:
    """Draws the step of the tour under way; nothing without one."""
    if st.session_state.get(address.TOUR) is not None:
        st.fragment(_panel, key="tour")()


def _panel() -> None:
    page_switch.follow()
    at: tuple[str, int] | None = st.session_state.get(address.TOUR)
    if at is None:
        return
    tour, number = TOURS[at[0]], at[1]
    step = tour.steps[number]
    done = _is_done(tour, number)
    gone = "" if done else step.gone()
    with st.container(border=True, gap="xsmall", key="tour_panel"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{tour.title}** :small[:gray[{number + 1} of {len(tour.steps)}]]", width="content")
            with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
                _buttons(tour, number, step, done=done, gone=bool(gone))
        if gone:
            st.warning(f"{plain(gone)} Skip this step.", icon=":material/warning:")
        elif done:
            st.markdown(step.do)
            st.success(step.seen, icon=":material/check:")
            if step.shows:
                into_view(f"tour_{tour.name}_{number}", step.shows, below="tour_panel")
        else:
            st.markdown(f"{step.do} :small[:gray[Do it, and this panel goes on.]]")
    if not done:
        pulse("tour", _LOOK_SECONDS)


def _buttons(tour: Tour, number: int, step: Step, *, done: bool, gone: bool) -> None:
    last = number == len(tour.steps) - 1
    if done and step.formula:
        with st.popover("Formula", icon=":material/functions:", type="tertiary", key="tour_formula"):
            st.markdown(step.formula)
    if number:
        st.button("Back", key="tour_back", type="tertiary", on_click=_go_to, args=(tour.name, number - 1))
    if not (done or gone) and st.session_state.get(page_switch.SHOWN) != step.page.stem:
        st.button("Take me there", key="tour_there", type="primary", on_click=_go_to, args=(tour.name, number))
    if not last:
        st.button(
            "Next" if done else "Skip",
            key="tour_next",
            type="primary" if done else "tertiary",
            on_click=_go_to,
            args=(tour.name, number + 1),
        )
    elif done:
        st.button("Finish", key="tour_next", type="primary", on_click=_leave)
    st.button("Leave the tour", key="tour_leave", type="tertiary", icon=":material/close:", on_click=_leave)


def _is_done(tour: Tour, number: int) -> bool:
    """Whether a step has been done once: what is undone later stays seen."""
    done: set[tuple[str, int]] = st.session_state.setdefault(_DONE, set())
    if (tour.name, number) not in done and tour.steps[number].done():
        done.add((tour.name, number))
    return (tour.name, number) in done


def _go_to(name: str, number: int) -> None:
    """As a callback: to a step, on its screen, which shows what the step begins with."""
    step = TOURS[name].steps[number]
    st.session_state[address.TOUR] = (name, number)
    if (name, number) not in st.session_state.get(_DONE, set()) and not step.gone():
        st.session_state.update(step.choices)
    page_switch.go(step.page)


def _leave() -> None:
    st.session_state[address.TOUR] = None
    page_switch.refresh()


# --- the first visit ------------------------------------------------------------------------------------------------


def tours_list() -> None:
    """Draws the list of tours as a popover of a screen's head."""
    key = f"tours_{st.session_state.get(address.TOUR) is not None}"  # of another key it is drawn anew, and so closed
    with st.popover("Tours", icon=":material/explore:", type="tertiary", key=key):
        st.caption("Each leads over the real screens, step by step, in five to ten minutes.")
        _tour_buttons("tours")
        st.button("Show the welcome", key="welcome_again", type="tertiary", on_click=_again)


def _tour_buttons(key: str) -> None:
    for tour in TOURS.values():
        st.button(tour.title, key=f"{key}_{tour.name}", help=tour.summary, on_click=start, args=(tour.name,))


def welcome() -> None:
    """Draws what this is and where to begin, on a first visit: once closed it stays away from this browser."""
    if _WELCOME not in st.session_state:
        closed = st.context.cookies.get(_CLOSED) == "closed"
        st.session_state[_WELCOME] = not closed and not st.query_params
    if st.session_state[_WELCOME]:
        st.fragment(_welcome, key="welcome")()
    elif st.session_state.get("welcome_closed"):
        remember("welcome_cookie", _CLOSED, "closed")


def _welcome() -> None:
    page_switch.follow()
    doors: dict[str, tuple[str, Callable[[], None]]] = {
        "look": ("Look at a trained model", _close),
        "own": ("Bring your own pictures", _own),
        "train": ("Train one now", _train),
    }
    with st.container(border=True, key="welcome"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown("**What this is**", width="content")
            st.button("Close", key="welcome_close", type="tertiary", icon=":material/close:", on_click=_close)
        st.markdown(
            "See what a **variational autoencoder** has learnt: it presses an image into a few numbers, its *code*, "
            "and draws an image from any code, so that all images lie on a map you can walk on."
        )
        with st.container(horizontal=True, gap="small"):
            for name, (label, action) in doors.items():
                kind: Literal["primary", "secondary"] = "primary" if name == "look" else "secondary"
                st.button(label, key=f"welcome_{name}", type=kind, on_click=action)
            with st.popover("Take a tour", icon=":material/explore:", key="welcome_tours"):
                _tour_buttons("welcome")


def _close() -> None:
    st.session_state[_WELCOME], st.session_state["welcome_closed"] = False, True
    page_switch.refresh()


def _own() -> None:
    _close()
    st.session_state[page_switch.TRAIN_OWN] = True
    page_switch.go(page_switch.TRAIN)


def _train() -> None:
    _close()
    run_form.start_default()
    page_switch.go(page_switch.TRAIN)


def _again() -> None:
    st.session_state[_WELCOME] = True
    page_switch.refresh()
