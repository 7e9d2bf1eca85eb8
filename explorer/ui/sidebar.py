"""The sidebar of every screen: train a small model, and what is being trained now."""

from __future__ import annotations

import streamlit as st

from explorer.datasets import DatasetInfo
from explorer.errors import RunError
from explorer.models import FAMILIES
from explorer.runs import RunInfo
from explorer.training.presets import PRESETS
from explorer.training.run_folder import RunFiles
from explorer.ui import access, following, getting, notifications, page_switch, people
from explorer.ui.account import account
from explorer.ui.components.pulse.component import pulse
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain
from explorer.ui.train import run_form
from explorer.ui.train.allowance import show_allowance
from explorer.ui.widget_binding import bind, from_widget, number_field
from explorer.ui.wording import duration, epochs_text, nats, progress_share, progress_text

_BUSY_SECONDS, _IDLE_SECONDS = 1.0, 3.0  # between two looks at the runs

Shown = tuple[tuple[str, str], ...]


def sidebar(*, whole_page: bool) -> None:
    """Draw it. With `whole_page` a change of the form reruns the page, which shows the same choices."""
    with st.sidebar:
        account(people.here())
        st.markdown("##### Train a small model", help=meaning("Run", "Preset", "ELBO"))
        if whole_page:
            _form()
        else:
            st.fragment(_form)()
        active = access.active()
        st.fragment(_runs)(_shown(active[0], notifications.update(active[0])), [active])


# --- the form ------------------------------------------------------------------------------------------------------


def _form() -> None:
    page_switch.follow()
    form = run_form.current()
    run_form.propose_name(form)
    with st.container(key="train_form_box", gap="xsmall"):
        _data(form)
        bind("train_preset", form.preset)
        st.selectbox(
            "Preset",
            list(PRESETS),
            key="train_preset",
            help="A recipe of one of the write-ups that this program follows. "
            "Choosing one sets latents, epochs, beta and all other options to its own.",
            on_change=from_widget("train_preset", run_form.choose_preset),
        )
        st.caption(PRESETS[form.preset].summary)
        _numbers(form)
        bind("train_name", form.name)
        st.text_input(
            "Name",
            key="train_name",
            max_chars=64,
            help="Letters, digits, dot, dash and underscore. Empty it to have one proposed.",
            on_change=from_widget("train_name", run_form.choose_name),
        )
        if changed := run_form.changed(form):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.caption(f"\\+ {len(changed)} changed option{'s' * (len(changed) > 1)}", width="content")
                st.button(
                    "Reset",
                    key="train_reset",
                    type="tertiary",
                    help=f"Back to the preset: {', '.join(changed)}",
                    on_click=run_form.reset_changes,
                )
        st.button("Start", key="train_start", type="primary", width="stretch", on_click=run_form.start)
        if problem := run_form.problem(form):
            st.error(plain(problem))
        show_allowance(form)


def _data(form: run_form.Form) -> None:
    known = access.data_sets()
    bind("train_dataset", form.dataset)
    st.selectbox(
        "Data set",
        [info.name for info in known if info.present],
        key="train_dataset",
        on_change=from_widget("train_dataset", run_form.choose_dataset),
    )
    missing = {info.name: info for info in known if not info.present}
    box = st.popover(getting.MORE, icon=":material/download:", type="tertiary", key="more_data")
    with box, st.container(width=340):
        st.caption("Your own images can be added on the Train page, at its end.")
        if missing:
            _more(missing)
    for name in getting.under_way():
        getting.offer(name, f"sidebar_{name}")


def _more(missing: dict[str, DatasetInfo]) -> None:
    """Draws the data sets that are not here, one at a time: what it is, and how it can be had."""
    name = st.selectbox(
        f"{len(missing)} more can be had",
        list(missing),
        format_func=lambda name: f"{name}: {missing[name].title}",
        index=None,
        placeholder="Type to search",
        key=getting.CHOSEN,
    )
    if name in missing:
        info = missing[name]
        st.caption(f"{plain(info.origin)}.")
        if info.fetch_bytes:
            getting.offer(name, "more")
        if not info.fetch_bytes or access.may_fetch():
            st.caption(plain(info.how))


def _numbers(form: run_form.Form) -> None:
    row = st.grid(3, min_column_width=56, gap="xsmall")
    number_field(
        row,
        "Latents",
        form.latent,
        lambda v: run_form.change("latent", v),
        whole=True,
        key="train_latent",
        disabled="latent" in FAMILIES[form.value("family")].idle,
        help="How many numbers describe an image: 1 to 4,096. Two can be seen as a map as they are.",
    )
    number_field(
        row,
        "Epochs",
        form.epochs,
        lambda v: run_form.change("epochs", v),
        whole=True,
        key="train_epochs",
        help="Passes over the training images: 1 to 100,000. The proposal takes well under a minute.",
    )
    has_prior = run_form.has_prior(form)
    number_field(
        row,
        "Beta",
        form.beta,
        lambda v: run_form.change("beta", v),
        step=0.1,
        key="train_beta",
        disabled=not has_prior,
        help="Weight of the KL: 1 is the ELBO, more gives tidier codes and blurrier images. Both terms are sums in "
        "nats: the Train page has more on it."
        if has_prior
        else "This family has no prior, so no KL to weigh.",
    )
    published = PRESETS[form.preset].recipe.epochs
    if form.epochs != published:
        st.caption(f"Epochs as published: {published}")


# --- the runs ------------------------------------------------------------------------------------------------------


def _shown(active: list[RunInfo], ended: list[RunInfo]) -> Shown:
    """What a change of makes the page draw itself anew: which runs there are to see, and their states."""
    return tuple((info.name, info.state) for info in [*active, *ended])


def _runs(shown: Shown, fresh: list[tuple[list[RunInfo], int]]) -> None:
    """The person's active runs and those that have just ended; how many others' ones there are.

    `shown` is what the page as a whole was drawn for. `fresh` has the active runs as they were then, for the one time
    that this is drawn with the page; later it looks itself.
    """
    page_switch.follow()
    active, others = fresh.pop() if fresh else access.active()
    ended = notifications.update(active)
    if _shown(active, ended) != shown or following.is_stale():
        st.rerun()
    pulse("train_pulse", _BUSY_SECONDS if active else _IDLE_SECONDS)
    with st.container(key="train_runs", gap="small"):
        running = [info for info in active if info.state == "running"]
        for i, info in enumerate(running):
            _running(info, "" if i == 0 else f"_{info.name}")
        for i, info in enumerate(ended):
            _ended(info, "" if i == 0 else f"_{info.name}")
        for i, info in enumerate(info for info in active if info.state == "queued"):
            _queued(info, "" if i == 0 and not running else f"_{info.name}")
        if others:
            st.caption("1 run of somebody else" if others == 1 else f"{others} runs of others")


def _running(info: RunInfo, key: str) -> None:
    with st.container(border=True, gap="xsmall", key=f"train_run_{info.name}"):
        st.markdown(f"**{plain(info.name)}**")
        st.progress(progress_share(info), progress_text(info))
        progress = info.progress
        value = None if progress is None or progress.phase == "starting" else progress.elbo
        what = "ELBO"
        if progress is not None and progress.elbo is None and progress.phase != "starting":
            value, what = progress.reconstruction, "reconstruction"
        if value is not None:
            st.caption(f"{what} {nats(value)} an image")
        _buttons(info, key)


def _queued(info: RunInfo, key: str) -> None:
    with st.container(border=True, gap="xsmall", key=f"train_run_{info.name}"):
        st.markdown(f"**{plain(info.name)}**")
        place = "next" if info.position == 1 else f"number {info.position}"
        st.caption(f"waiting, {place} in line")
        _buttons(info, key)


def _buttons(info: RunInfo, key: str) -> None:
    stopping = info.state == "running" and RunFiles(info.path).asked_to_stop()
    with st.container(horizontal=True, gap="xsmall"):
        st.button("Watch", key=f"train_watch{key}", on_click=notifications.open_in_train, args=(info.name,))
        st.button(
            "Stopping …" if stopping else "Cancel",
            key=f"train_cancel{key}",
            disabled=stopping,
            on_click=_cancel,
            args=(info.name,),
        )


def _cancel(name: str) -> None:
    try:
        access.cancel(name)
    except (RunError, OSError) as error:
        st.toast(plain(run_form.sentence(error)), icon=":material/warning:")


def _ended(info: RunInfo, key: str) -> None:
    with st.container(border=True, gap="xsmall", key=f"train_run_{info.name}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{plain(info.name)}**", width="content")
            st.button(
                f"Dismiss {plain(info.name)}",
                key=f"train_dismiss{key}",
                type="tertiary",
                icon=":material/close:",
                on_click=notifications.dismiss,
                args=(info.name,),
            )
        if info.state == "finished":
            st.success(f"{result_text(info)} after {duration(info.seconds)}", icon=":material/check_circle:")
        elif info.state == "cancelled":
            st.info(f"Cancelled after {epochs_text(info.epochs_done)}.")
        else:
            why = run_form.sentence(RunError(info.message or "no reason is known"))
            st.error(plain(f"{info.state.capitalize()}: {why}"))
        with st.container(horizontal=True, gap="xsmall"):
            if info.has_checkpoint and info.state in ("finished", "cancelled"):
                st.button(
                    "Open in Explore",
                    key=f"train_open{key}",
                    type="primary",
                    on_click=notifications.open_in_explore,
                    args=(info.name,),
                )
            if info.state != "finished":
                st.button(
                    "See why" if info.state != "cancelled" else "See the run",
                    key=f"train_why{key}",
                    on_click=notifications.open_in_train,
                    args=(info.name,),
                )


def result_text(info: RunInfo) -> str:
    """The run's last test ELBO in words, or the reconstruction of an autoencoder."""
    if (elbo := info.test.get("elbo")) is not None:
        return f"Test ELBO {nats(elbo)}"
    if (reconstruction := info.test.get("reconstruction")) is not None:
        return f"Test reconstruction {nats(reconstruction)}"
    return "No epoch done"
