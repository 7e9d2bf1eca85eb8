"""A person's own images: a zip or a folder in, a look at what a model will see, a data set with a name out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import streamlit as st

from explorer import runs
from explorer.datasets import DatasetInfo, own
from explorer.errors import DatasetError, RunError
from explorer.images.arrays import Size, size_words
from explorer.images.stacks import FRAMES
from explorer.ui import page_switch, people
from explorer.ui.jobs import Job, follow
from explorer.ui.markdown import plain
from explorer.ui.origin import Origin
from explorer.ui.own_data.listing import own_list
from explorer.ui.own_data.origin import choose_origin, choose_table, how_to
from explorer.ui.own_data.preview import show_preview
from explorer.ui.own_data.roles import asked, forget, pick_roles
from explorer.ui.planes import choose_planes, chosen_planes, forget_planes

OnReady = Callable[[str], None]

_AUTO = "auto"
_CHANNELS = {_AUTO: None, "gray": 1, "RGB": 3}
_JOB, _LOOKED, _PROBLEM, _EXISTING, _ADDED = "own_job", "own_looked", "own_problem", "own_same", "own_added"
_PATIENCE = 1.0  # seconds: most previews are there before there is a progress to show


# Of all who use this server, at once.
_previews, _additions = threading.BoundedSemaphore(2), threading.BoundedSemaphore(2)


def own_data_panel(on_ready: OnReady | None = None) -> None:
    """Draws the panel: a form with a preview, what is on its way in, and the data sets that are there.

    `on_ready` is called with `own:NAME` when a data set has been added, or chosen from the list. That may be in the
    middle of a run or in a callback, so it may only set state that is no widget's; the whole page reruns afterwards.
    """
    st.fragment(_panel)(on_ready)


def _panel(on_ready: OnReady | None) -> None:
    page_switch.follow()
    with st.container(key="own_data"):
        if not _success():
            _form(on_ready)
        own_list(on_ready)


# --- the form ------------------------------------------------------------------------------------------------------


def _form(on_ready: OnReady | None) -> None:
    job: Job[DatasetInfo] | None = st.session_state.get(_JOB)
    origin = choose_origin(disabled=job is not None, on_change=_new_origin, on_again=_look_again)
    if origin is None:
        how_to()
    else:
        _options(origin, disabled=job is not None)
    if job is not None:
        follow(job, "own", on_end=lambda: _finish(job, on_ready))
    if problem := st.session_state.get(_PROBLEM):
        existing = st.session_state.get(_EXISTING)
        with st.container(key="own_refused"):
            (st.info if existing else st.error)(plain(problem))
            if existing and on_ready is not None:
                st.button(f"Use {plain(existing)}", key="own_existing", on_click=_use, args=(existing, on_ready))


def _options(origin: Origin, *, disabled: bool) -> None:
    """Name, size and colour, the preview in them, and the button."""
    if "own_name" not in st.session_state:
        st.session_state["own_name"] = own.propose_name(origin.label)
    chosen = st.session_state.get("own_size", _AUTO)
    planes = chosen_planes("own")
    channels = _CHANNELS[st.session_state.get("own_channels", _AUTO)]
    table = choose_table(disabled=disabled, on_change=_new_table)
    wanted = own.Wanted(_size_of(chosen), channels, planes, asked())
    looking = _look(origin, wanted, table)
    found = looking.result.suggested_shape if looking.result else (0, 0)
    kept = [] if found[0] == found[1] else [size_words(found)]  # a square is among the sizes
    name, size, colour = st.columns([2, 1, 1], gap="small")
    name.text_input(
        "Name",
        key="own_name",
        max_chars=40,
        disabled=disabled,
        help="Letters, digits, dot, dash and underscore. The data set will be called own:NAME.",
    )
    size.selectbox(
        "Size",
        list(dict.fromkeys([_AUTO, *map(size_words, own.SIZES), *kept, chosen])),
        key="own_size",
        format_func=lambda text: "Automatic" if text == _AUTO else text,
        disabled=disabled,
        help="Every image is resized to this width and height, in a black frame of that shape. Images that are no "
        "squares can keep their shape. Smaller ones train faster: 28 suits handwritten digits, 64 suits cells, and 128 "
        "takes 20 times as long as 28.",
    )
    colour.selectbox(
        "Colour",
        list(_CHANNELS),
        key="own_channels",
        format_func=lambda text: {_AUTO: "Automatic", "gray": "Gray", "RGB": "Colour (RGB)"}[text],
        disabled=disabled,
        help="Gray images need a third of the memory and time.",
    )
    most = (looking.result.frames, looking.result.stack_channels) if looking.result else (1, 1)
    choose_planes("own", most, FRAMES, disabled=disabled)
    with st.container(key="own_preview"):
        if looking.running:
            follow(looking, "own_look")
            return
        if looking.cancelled:
            st.info("Cancelled: the images were not looked at.")
            st.button("Look at them", key="own_look_again", on_click=_look_again)
            return
        if looking.result is None:
            st.error(plain(looking.problem))
            return
        pick_roles(looking.result, disabled=disabled)
        show_preview(looking.result, origin.ident)
    given = origin, wanted, table
    st.button("Add data set", key="own_add", type="primary", disabled=disabled, on_click=_start, args=given)


def _size_of(text: str) -> Size | None:
    """The size that `size_words` named; None for an automatic one."""
    if text == _AUTO:
        return None
    width, height = map(int, text.split(" × "))
    return height, width


def _look(origin: Origin, wanted: own.Wanted, table: Origin | None) -> Job[own.Preview]:
    """Begins the preview, and waits a moment for it; kept until something else is asked for."""
    key = (origin.ident, wanted, table and table.ident)
    looked: tuple[Any, Job[own.Preview]] | None = st.session_state.get(_LOOKED)
    if looked is not None and looked[0] == key:
        return looked[1]
    if looked is not None:
        looked[1].cancel()

    def work(job: Job[own.Preview]) -> own.Preview:
        with origin.path() as path, _with_table(wanted, table) as all_wanted:
            return own.preview(path, all_wanted, label=origin.label, progress=job.report)

    job = Job(work, "Looking at the images", f"{origin.label} could not be read", places=_previews, of_session=True)
    st.session_state[_LOOKED] = (key, job)
    job.join(_PATIENCE)
    return job


# --- on its way in -------------------------------------------------------------------------------------------------


def _start(origin: Origin, wanted: own.Wanted, table: Origin | None) -> None:
    """As a callback: begin to add what the form says."""
    _forget()
    name = st.session_state.get("own_name", "").strip()
    try:
        own.check_name(name)
        runs.check_room(people.here().owner)
    except (DatasetError, RunError) as error:
        st.session_state[_PROBLEM] = str(error)
        return
    if st.session_state.get(_JOB) is None:
        st.session_state[_JOB] = add(name, origin, wanted, table)


@contextmanager
def _with_table(wanted: own.Wanted, table: Origin | None) -> Iterator[own.Wanted]:
    if table is None:
        yield wanted
        return
    with table.path() as path:
        yield replace(wanted, table=path, table_label=table.label)


def add(name: str, origin: Origin, wanted: own.Wanted, table: Origin | None = None) -> Job[DatasetInfo]:
    """Begins to make a data set of what was handed in. Cancelled, or left by its visitor, it leaves nothing behind."""

    owner = people.here().owner  # here, and not in the job's thread, which is nobody's

    def work(job: Job[DatasetInfo]) -> DatasetInfo:
        with origin.path() as path, _with_table(wanted, table) as all_wanted:
            return own.create(name, path, all_wanted, progress=job.report, label=origin.label, owner=owner)

    return Job(
        work,
        f"Adding {name}",
        f"{origin.label} could not be added",
        advice="; choose a smaller size",
        places=_additions,
        of_session=True,
    )


def _finish(job: Job[DatasetInfo], on_ready: OnReady | None) -> None:
    st.session_state[_JOB] = None
    if job.result is not None:
        st.session_state[_ADDED] = job.result.name.removeprefix("own:")
        st.session_state[_LOOKED] = None
        if on_ready is not None:
            on_ready(job.result.name)
    elif job.cancelled:
        st.toast("Cancelled: nothing was added.")
    else:
        st.session_state[_PROBLEM] = job.problem
        st.session_state[_EXISTING] = job.error.name if isinstance(job.error, own.AlreadyHere) else ""


def _success() -> bool:
    """Draws what has just been added in place of the form, so that the browser drops the upload; False if nothing."""
    name = st.session_state.get(_ADDED)
    if name is None:
        return False
    try:
        found = own.details(name)
    except DatasetError:  # removed since
        _forget()
        return False
    notes = list(dict.fromkeys(note for split in found.notes.values() for note in split))
    notes = [*own.few_note(sum(found.counts.values())), *notes]
    st.success(
        f"**own:{plain(name)}** is ready: {found.counts['train']:,} images to train on, "
        f"{found.counts['test']:,} to test on." + "".join(f"\n- {plain(note)}" for note in notes)
    )
    st.button("Add another", key="own_more", icon=":material/add:", on_click=_new_origin)
    return True


def _look_again() -> None:
    """As a callback: the preview is of what was there before."""
    _forget()
    st.session_state.pop(_LOOKED, None)


def _use(name: str, on_ready: OnReady) -> None:
    """As a callback: take a data set that is there."""
    _forget()
    on_ready(name)
    page_switch.refresh()


def _new_origin() -> None:
    """As a callback: something else was handed in; name and refusals were the former's."""
    _forget()
    forget()
    st.session_state.pop("own_name", None)
    forget_planes("own")


def _new_table() -> None:
    """As a callback: another table was handed in, with other columns."""
    _forget()
    forget()


def _forget() -> None:
    for key in (_PROBLEM, _EXISTING, _ADDED):
        st.session_state.pop(key, None)
