"""Train: one run as it learns, the list of runs, every option, and a person's own images."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.errors import RunError
from explorer.runs import RunInfo
from explorer.ui import access, address, following, notifications, page_switch, pickers
from explorer.ui.components.pulse.component import pulse
from explorer.ui.markdown import plain
from explorer.ui.own_data.panel import own_data_panel
from explorer.ui.train import run_form, run_selection
from explorer.ui.train.options import options_panel
from explorer.ui.train.run_list import resume, run_list
from explorer.ui.train.watch import watch_panel
from explorer.ui.wording import epochs_text

_SECONDS = 1.0  # between two looks at a run that trains
ENDED_BADLY = ("failed", "interrupted")  # states that the picker names; others may change while it is open

WORDS = """
- **Run**: one training, from start to end, in a process of its own: closing this page does not stop it.
- **Epoch**: one pass over the training images. The **test** curves are of images that training never sees.
- **ELBO**: how well the model accounts for an image, in nats; higher is better. It is the **reconstruction** term (how
  close the decoded image comes) less the **KL** (how much the code tells beyond the prior).
- **Beta**: the weight of the KL in what training minimises. **Warm-up** lets it grow from 0.
- **Posterior collapse**: a latent whose KL is near zero tells nothing: the decoder has learnt to do without it.
- **Preset**: the settings of one of the write-ups that this program follows.
"""


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Watch a model learn", width="content")
        with st.popover("Words", icon=":material/help:", type="tertiary", key="words"):
            st.markdown(WORDS)
    found = access.runs()
    follow_chosen(found)
    if found:
        run_selection.restore(found)
        watched(found)
    else:
        nothing_yet()
    if found or "run_deleted" in st.session_state:
        st.markdown("#### Runs")
        run_list(found)
    with st.expander("All options", icon=":material/tune:", key="train_options"):
        options_panel()
    with st.expander("Your own images", icon=":material/add_photo_alternate:", key="train_own"):
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
                help=f"{epochs_text(info.epochs_done)} done; ask for more than were planned if you like.",
                width=130,
            )
        st.button("Resume", key="train_resume", icon=":material/resume:", on_click=act, args=(go_on, info.name))


def planned_epochs(info: RunInfo) -> int:
    try:
        return info.config.recipe().epochs
    except ValueError:  # settings of another version
        return info.epochs_done + 1


def go_on(name: str) -> None:
    epochs = st.session_state.get(f"resume_epochs_{name}")
    if epochs is not None and epochs != int(epochs):
        raise ValueError(f"epochs must be a whole number, not {epochs:g}")
    resume(name, None if epochs is None else int(epochs))


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


main()
