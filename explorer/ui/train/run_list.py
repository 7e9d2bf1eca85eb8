"""The list of runs: search, ten a page, and what can be done with each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from html import escape

import streamlit as st

from explorer import runs
from explorer.files.tables import table_text
from explorer.runs import RunInfo
from explorer.training.presets import PRESETS
from explorer.ui import access, following, notifications, page_switch, people
from explorer.ui.downloads import download_menu
from explorer.ui.markdown import plain
from explorer.ui.train import run_form
from explorer.ui.train.run_selection import pick_key, run_selection
from explorer.ui.wording import ago, counted, duration, number

_PAGE = 10
_MINE, _ALL = "Mine", "All"
_ACTIONS = {
    "explore": ":material/scatter_plot: Open in Explore",
    "watch": ":material/monitoring: Watch",
    "cancel": ":material/stop_circle: Cancel",
    "resume": ":material/resume: Resume",
    "settings": ":material/content_copy: Copy its settings",
    "rename": ":material/edit: Rename",
    "share": ":material/group: Share",
    "unshare": ":material/group_off: Stop sharing",
    "delete": ":material/delete: Delete",
}
# Names of Material symbols, which Streamlit's own font draws.
_ICONS = {
    "queued": "hourglass_top",
    "running": "play_circle",
    "finished": "check_circle",
    "cancelled": "stop_circle",
    "failed": "error",
    "interrupted": "power_off",
}
_HEAD = (
    '<div class="lx-run lx-run-head" aria-hidden="true"><span>State</span><span>Run</span>'
    "<span>Test ELBO</span><span>Time</span><span>Started</span></div>"
)
# What is being renamed; what was deleted last, and the token that brings it back, by name; what went wrong.
_RENAMING, _DELETED, _PROBLEM = "run_renaming", "run_deleted", "run_problem"
_NEW_NAME = "run_new_name"


def run_list(found: list[RunInfo]) -> None:
    """Draws the list. `found` is what `access.runs()` has just said; the list looks again when it reruns by itself."""
    fresh = [found]
    st.fragment(_list)(fresh)


def _list(fresh: list[list[RunInfo]]) -> None:
    page_switch.follow()
    found = fresh.pop() if fresh else access.runs()
    with st.container(key="runs"):
        _undo()
        if problem := st.session_state.pop(_PROBLEM, ""):
            st.error(plain(problem))
        if not found:
            st.caption("No runs yet.")
            return
        listed = _whose(found)
        searched = st.text_input(
            "Search",
            key="runs_search",
            type="search",
            placeholder="Search by name, data, preset or state",
            label_visibility="collapsed",
            live=True,
        )
        matching = [info for info in listed if _matches(info, searched)]
        if not matching:
            st.caption("No run matches your search." if listed else "None of these runs is yours.")
        pages = max(1, -(-len(matching) // _PAGE))
        page = int(st.session_state.get("runs_page", 1))
        if page > pages:  # which the box below would take for the first
            page = st.session_state["runs_page"] = pages
        now = datetime.now(UTC)
        if matching:
            st.html(_HEAD)
        for info in matching[(page - 1) * _PAGE : page * _PAGE]:
            _row(info, now)
        if pages > 1:
            st.pagination(pages, key="runs_page")
        download_menu(
            "run_list",
            "runs",
            f"{counted(len(matching), 'run')} with their test figures in nats an image.",
            table=lambda: _csv(matching),
        )
        run_selection(found, _delete_all)


def _csv(found: list[RunInfo]) -> str:
    """Writes runs as CSV: a line a run with its state, settings and test figures."""
    figures = ("elbo", "reconstruction", "kl", "mse", "active_units")
    header = ["run", "state", "data", "class", "preset", "settings", "seed", "epochs", *figures, "seconds", "started"]
    return table_text(
        header,
        (
            [
                info.name,
                str(info.state),
                info.dataset,
                info.config.only or "",
                info.preset,
                " ".join(f"{name}={value}" for name, value in info.config.settings.items()),
                info.config.seed,
                info.epochs_done,
                *(info.test.get(name) for name in figures),
                info.seconds,
                info.created.isoformat(),
            ]
            for info in found
        ),
    )


def _whose(found: list[RunInfo]) -> list[RunInfo]:
    """Draws the choice between one's own runs and all of them, where there are others' ones."""
    mine = [info for info in found if access.is_mine(info)]
    if len(mine) == len(found):
        return found
    chosen = st.segmented_control(
        "Whose",
        [_MINE, _ALL],
        key="runs_whose",
        default=_MINE if mine else _ALL,
        required=True,
        label_visibility="collapsed",
    )
    return mine if chosen == _MINE else found


def _matches(info: RunInfo, searched: str | None) -> bool:
    text = f"{info.name} {info.dataset} {info.preset} {info.state} {access.caption(info.owner)}".lower()
    return all(word in text for word in (searched or "").lower().split())


# --- a row ---------------------------------------------------------------------------------------------------------


def _row(info: RunInfo, now: datetime) -> None:
    with st.container(
        horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall", key=f"run_row_{info.name}"
    ):
        st.checkbox(
            f"Select {plain(info.name)}", key=pick_key(info.name), label_visibility="collapsed", persist_state="session"
        )
        st.html(_facts(info, now), width="stretch")
        st.download_button(
            f"Download {plain(info.name)} as zip",
            partial(access.archive, info.name, people.here()),  # made when it is asked for, in no session
            f"{info.name}.zip",
            "application/zip",
            key=f"run_zip_{info.name}",
            type="tertiary",
            icon=":material/download:",
            on_click="ignore",
        )
        st.menu_button(
            f"More for {info.name}",
            _possible(info),
            key=f"run_menu_{info.name}",
            type="tertiary",
            icon=":material/more_vert:",
            format_func=_ACTIONS.__getitem__,
            on_click=_act,
            args=(info,),
        )
    if st.session_state.get(_RENAMING) == info.name:
        _rename(info)


def _changed(info: RunInfo) -> str:
    """Beta and latents where they differ from the preset's, as in the name that the form proposes."""
    usual = PRESETS[info.preset].recipe if info.preset in PRESETS else None
    told = {"beta": info.config.settings.get("beta"), "latent": info.config.settings.get("latent")}
    named = {"beta": "beta", "latent": "latents"}
    differing = {name: value for name, value in told.items() if isinstance(value, int | float)}
    return "".join(f" · {named[name]} {v:g}" for name, v in differing.items() if v != getattr(usual, name, None))


def _facts(info: RunInfo, now: datetime) -> str:
    """A row's text as HTML: what it is, how it went."""
    quality, what = number(info.test.get("elbo")), "test ELBO"
    if info.test.get("elbo") is None and info.test.get("reconstruction") is not None:
        quality, what = f"({number(info.test['reconstruction'])})", "test reconstruction: it has no ELBO"
    cells = [
        (quality, f"{what}, nats an image"),
        (duration(info.seconds), "time spent training"),
        (ago(info.created, now), f"started {info.created.astimezone():%d %B %Y, %H:%M:%S}"),
    ]
    icon = _ICONS.get(info.state, "")
    only = f", {info.config.only}" if info.config.only else ""
    whose = f" · {caption}" if (caption := access.caption(info.owner)) else ""
    return (
        f'<div class="lx-run" data-run="{escape(info.name)}" data-state="{escape(info.state)}">'
        f'<span class="lx-run-state" title="{escape(info.message)}"><i aria-hidden="true">{icon}</i>'
        f"{escape(info.state)}</span>"
        f'<span class="lx-run-name"><b>{escape(info.name)}</b>'
        f"<small>{escape(info.dataset)}{escape(only)} · {escape(info.preset or 'unknown')}{_changed(info)}"
        f"{escape(whose)}</small>"
        "</span>"
        + "".join(f'<span class="lx-run-cell" title="{escape(title)}">{escape(text)}</span>' for text, title in cells)
        + "</div>"
    )


def _possible(info: RunInfo) -> list[str]:
    mine = access.may_change(info)
    shares = mine and people.signs_in() and info.owner.ident != ""
    able = {
        "explore": info.has_checkpoint,
        "watch": info.trained_here,
        "settings": info.trained_here,
        "cancel": mine and info.active,
        "resume": mine and info.resumable,
        "rename": mine and not info.active,
        "share": shares and not info.owner.shared,
        "unshare": shares and info.owner.shared,
        "delete": mine and not info.active,
    }
    return [action for action in _ACTIONS if able.get(action, True)]


@contextlib.contextmanager
def _problem_shown() -> Iterator[None]:
    """Keeps what goes wrong, to be shown above the list."""
    try:
        yield
    except (ValueError, OSError) as error:  # a RunError is a ValueError
        st.session_state[_PROBLEM] = run_form.sentence(error)


def _act(info: RunInfo) -> None:
    action, name = st.session_state[f"run_menu_{info.name}"], info.name
    st.session_state.pop(_RENAMING, None)
    if action == "rename":
        st.session_state[_RENAMING] = st.session_state[_NEW_NAME] = name
        return
    with _problem_shown():
        if action == "explore":
            notifications.open_in_explore(name)
        elif action == "watch":
            st.session_state["train_run"] = name
        elif action == "cancel":
            access.cancel(name)
        elif action == "resume":
            resume(name)
        elif action in ("share", "unshare"):
            access.share(name, action == "share")
        elif action == "settings":
            run_form.duplicate(info)
            st.toast(f"The form now has the settings of {plain(name)}.")
        elif action == "delete":
            _delete([name])
    page_switch.refresh()


def resume(name: str, epochs: int | None = None) -> None:
    """Resumes a run, up to so many epochs in all, and watches it. Raises RunError or ValueError."""
    access.resume(name, epochs)
    notifications.follow(name)
    st.session_state["train_run"] = name


# --- rename, delete ------------------------------------------------------------------------------------------------


def _rename(info: RunInfo) -> None:
    with (
        st.form(f"run_rename_{info.name}", border=False),  # in which Enter means Rename
        st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"),
    ):
        st.session_state.setdefault(_NEW_NAME, info.name)
        st.text_input("New name", key=_NEW_NAME, max_chars=64)
        st.form_submit_button("Rename", key="run_rename_save", type="primary", on_click=_renamed, args=(info.name,))
        st.form_submit_button("Keep the name", key="run_rename_cancel", on_click=_keep_name)


def _keep_name() -> None:
    st.session_state.pop(_RENAMING, None)


def _renamed(old: str) -> None:
    new = str(st.session_state[_NEW_NAME]).strip()
    with _problem_shown():
        access.rename(old, new)
        st.session_state.pop(_RENAMING, None)
        page_switch.refresh()


def _delete(names: list[str]) -> None:
    """Raises RunError for the first that cannot be deleted; what was deleted before can still be had back."""
    deleted: dict[str, str] = {}
    for name in names:
        following.forget(access.run(name).path)
        deleted[name] = access.delete(name)
        st.session_state[_DELETED] = deleted
        st.session_state[pick_key(name)] = False
        notifications.dismiss(name)


def _undo() -> None:
    deleted: dict[str, str] | None = st.session_state.get(_DELETED)
    if not deleted:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="run_deleted_line"):
        what = next(iter(deleted)) if len(deleted) == 1 else f"{len(deleted)} runs"
        st.markdown(f"Deleted **{plain(what)}**.", width="content")
        st.button("Undo", key="run_undo", type="tertiary", icon=":material/undo:", on_click=_restore, args=(deleted,))


def _restore(deleted: dict[str, str]) -> None:
    st.session_state.pop(_DELETED, None)
    with _problem_shown():
        for token in deleted.values():
            runs.restore(token)
    page_switch.refresh()


def _delete_all(names: list[str]) -> None:
    """As a callback."""
    with _problem_shown():
        _delete(names)
    page_switch.refresh()
