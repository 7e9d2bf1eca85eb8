"""Train: one run as it learns, the list of runs, every option, and a person's own images."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.errors import CheckpointError, RunError
from explorer.runs import RunInfo
from explorer.training.lifecycle import why_not_on
from explorer.ui import access, address, following, notifications, page_switch, pickers
from explorer.ui.components.pulse.component import pulse
from explorer.ui.glossary import glossary, meaning
from explorer.ui.markdown import plain
from explorer.ui.own_data.panel import own_data_panel
from explorer.ui.train import run_form, run_selection
from explorer.ui.train.adopt_model import adopt_panel
from explorer.ui.train.curves import curves_menu
from explorer.ui.train.frames_menus import frames_menus
from explorer.ui.train.open_run import open_panel
from explorer.ui.train.options import options_panel
from explorer.ui.train.run_list import resume, run_list
from explorer.ui.train.watch import watch_panel
from explorer.ui.wording import epochs_text

_SECONDS = 1.0  # between two looks at a run that trains
ENDED_BADLY = ("failed", "interrupted")  # states that the picker names; others may change while it is open


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Watch a model learn", width="content", help=_HELP)
        glossary()
    found = access.runs()
    follow_chosen(found)
    if found:
        run_selection.restore(found)
        watched(found)
    else:
        nothing_yet()
    if found or "run_deleted" in st.session_state:
        st.markdown("#### Runs", help=_HELP)
        run_list(found)
    with st.expander("All options", icon=":material/tune:", key="train_options"):
        options_panel()
    with st.expander("Open a run", icon=":material/folder_open:", key="train_open_run"):
        open_panel()
    with st.expander("A model from elsewhere", icon=":material/deployed_code:", key="train_adopt"):
        adopt_panel()
    with st.expander(
        "Your own images", icon=":material/add_photo_alternate:", key=page_switch.TRAIN_OWN, on_change="rerun"
    ):
        own_data_panel(on_ready=use_own_data)


def follow_chosen(found: list[RunInfo]) -> None:
    """Lets the picker follow a run to its new name, and says when it is gone."""
    known = {info.name: info for info in in_order(found)}
    for old, new in following.moves("train_run", known).items():
        instead = new or (old if old in known else next(iter(known), None))
        if new is None:
            gone = f"{old} is no longer here: showing {instead or 'none'}."
            taken = f"{old} was deleted, and another run has its name now: showing that one."
            address.notice(taken if instead == old else gone)
        st.session_state["train_run"] = instead


def in_order(found: list[RunInfo]) -> list[RunInfo]:
    """The runs as the picker lists them: the person's own before others', active ones first, then the newest."""
    return sorted(found, key=lambda info: (not access.is_mine(info), not info.active))


def nothing_yet() -> None:
    """What will be seen here, and the quickest way to it."""
    address.put_address({})
    for text in address.notices():
        st.warning(plain(text))
    with st.container(border=True, key="train_empty"):
        st.markdown(
            "**Nothing has been trained yet.** Here you will see a model while it learns: its curves, what it makes of "
            "eight test images and of 64 random codes, and the map of test images as it takes shape, epoch by epoch."
        )
        st.button(
            "Train the default now",
            key="train_first",
            type="primary",
            icon=":material/play_arrow:",
            on_click=run_form.start_default,
        )
        st.caption(f"{run_form.PRESET} on {run_form.DATASET}: about half a minute. The form has more to choose.")
        if problem := run_form.current().problem:
            st.error(plain(problem))


def watched(found: list[RunInfo]) -> None:
    """The chosen run: the picker, its buttons, and all that is known of it."""
    known = {info.name: info for info in in_order(found)}
    address.restore_choice("run", "train_run", list(known), "the run", usual=next(iter(known)))
    labels = {name: f"{name} ({info.state})" if info.state in ENDED_BADLY else name for name, info in known.items()}
    pickers.show_labels("train_run", labels)
    with st.container(horizontal=True, vertical_alignment="bottom", key="train_watched"):
        name = st.selectbox(
            "Run",
            list(known),
            format_func=labels.__getitem__,
            key="train_run",
            persist_state="session",
            on_change=address.forget_notices,
            label_visibility="collapsed",
        )
        info = known[name]
        following.remember("train_run", known)
        buttons(info)
    for text in address.notices():
        st.warning(plain(text))
    if problem := st.session_state.pop("train_action_problem", ""):
        st.error(plain(problem))
    more = {param: value for param, value in run_selection.query(found).items() if value}
    address.put_address({"run": name, **more})
    st.fragment(follow_run)(info)
    if info.epochs_done or info.active:
        st.fragment(frames_menus)(info)


def follow_run(before: RunInfo) -> None:
    """The run as it stands now; the page follows when its state has changed."""
    try:
        info = access.run(before.name)
    except RunError:  # renamed or deleted meanwhile
        st.rerun()
    if info.state != before.state:
        st.rerun()
    if info.active:
        pulse("watch_pulse", _SECONDS)
    watch_panel(info)


def buttons(info: RunInfo) -> None:
    """What the person can do with the run in its state."""
    mine = access.may_change(info)
    if info.active and mine:
        st.button(
            "Cancel", key="watch_cancel", icon=":material/stop_circle:", on_click=act, args=(access.cancel, info.name)
        )
    if info.has_checkpoint:
        st.button(
            "Open in Explore",
            key="watch_open",
            icon=":material/scatter_plot:",
            type="primary" if info.state == "finished" else "secondary",
            on_click=notifications.open_in_explore,
            args=(info.name,),
        )
    if info.resumable and mine:
        if info.state == "cancelled":
            st.number_input(
                "Epochs in all",
                value=float(planned_epochs(info)),
                step=1.0,
                format="%g",
                key=f"resume_epochs_{info.name}",
                help=f"{epochs_text(info.epochs_done)} done. Ask for more than were planned if you like: the learning "
                "rate's schedule starts anew for those.",
                width=130,
            )
        st.button("Resume", key="train_resume", icon=":material/resume:", on_click=act, args=(go_on, info.name))
    if info.state == "finished" and mine:
        try:
            reason = why_not_on(info.path)
        except CheckpointError as error:
            reason = str(error)
        st.number_input(
            "Epochs more",
            value=float(info.epochs_done),
            step=1.0,
            format="%g",
            key=f"more_epochs_{info.name}",
            help="They follow what was planned: the learning rate's schedule starts anew, warm-up does not, and of a "
            "model of two stages the second is trained on.",
            disabled=bool(reason),
            width=130,
        )
        st.button(
            "Train on",
            key="train_on",
            icon=":material/forward:",
            help=reason and f"It cannot be trained on: {plain(reason)}.",
            disabled=bool(reason),
            on_click=act,
            args=(train_on, info.name),
        )
    if info.epochs_done:
        curves_menu("watch", [info], train=True)


def planned_epochs(info: RunInfo) -> int:
    try:
        return info.config.recipe().epochs
    except ValueError:  # settings of another version
        return info.epochs_done + 1


def go_on(name: str) -> None:
    epochs = st.session_state.get(f"resume_epochs_{name}")
    resume(name, None if epochs is None else whole(epochs))


def train_on(name: str) -> None:
    resume(name, access.run(name).epochs_done + whole(st.session_state[f"more_epochs_{name}"]))


def whole(epochs: float) -> int:
    if epochs != int(epochs):
        raise ValueError(f"epochs must be a whole number, not {epochs:g}")
    return int(epochs)


def act(action: Callable[[str], object], name: str) -> None:
    """As a callback: do something to a run; a refusal is said above it."""
    try:
        action(name)
    except (RunError, ValueError, OSError) as error:
        st.session_state["train_action_problem"] = run_form.sentence(error)


def use_own_data(name: str) -> None:
    """A data set of the person's own is ready: take it into the form."""
    run_form.choose_dataset(name)
    page_switch.refresh()


_HELP = meaning("Run", "Epoch", "ELBO", "Reconstruction")

main()
