"""A model from elsewhere: a pair of ONNX files, handed in or named, becomes a model among the others and is opened."""

from __future__ import annotations

import threading
from hashlib import sha256

import streamlit as st

from explorer import runs
from explorer.checkpoints.pairs import HOW, named_dataset
from explorer.errors import CheckpointError, RunError
from explorer.evaluation.adoption import AdoptedModel, proposed_name
from explorer.runs.adopting import adopt_apart
from explorer.ui import access, address, getting, notifications, page_switch, people
from explorer.ui.jobs import Job, follow
from explorer.ui.markdown import plain, sentence
from explorer.ui.origin import (
    DIRECTORY,
    PATH,
    Origin,
    choose_way,
    may_name_folders,
    name_folder,
    upload_folder,
    uploaded,
)

_JOB, _LOOKED, _PROBLEM = "adopt_job", "adopt_looked", "adopt_problem"

_adoptions = threading.BoundedSemaphore(1)  # of all who use this server, at once


def adopt_panel() -> None:
    """Draws the form, and how far a model is on its way in."""
    st.fragment(_panel)()


def _panel() -> None:
    page_switch.follow()
    st.caption(
        "A VAE or an autoencoder that another program has trained is explored like the models here, from a folder or a "
        f"zip with encoder.onnx, decoder.onnx and adopt.json: {HOW} shows how to make them with PyTorch, Keras, pythae "
        "and diffusers."
    )
    if not access.may_adopt():
        st.info("On this server a host alone takes in models that were trained elsewhere.")
        return
    job: Job[AdoptedModel] | None = st.session_state.get(_JOB)
    origin = _choose_origin(disabled=job is not None)
    if origin is not None:
        _options(origin, disabled=job is not None)
    if job is not None:
        follow(job, "adopt", on_end=lambda: _finish(job))
    if problem := st.session_state.get(_PROBLEM):
        st.error(problem)


def _choose_origin(*, disabled: bool) -> Origin | None:
    way = choose_way("Upload files", "adopt_way", disabled=disabled, on_change=_forget)
    if way == DIRECTORY:
        return upload_folder("The model's folder", "adopt_directory", disabled=disabled, on_change=_forget)
    if way == PATH and may_name_folders():
        return name_folder(
            "Folder or zip on this computer",
            "adopt_folder",
            disabled=disabled,
            help="Its path. The files are copied; the folder itself stays as it is.",
            on_change=_forget,
        )
    files = st.file_uploader(
        "A zip, or the files themselves",
        accept_multiple_files=True,
        key="adopt_files",
        disabled=disabled,
        on_change=_forget,
    )
    if not files:
        return None
    if len(files) == 1 and not files[0].name.endswith((".onnx", ".json")):
        return uploaded(files[0])
    ident = sha256("".join(sorted(file.file_id for file in files)).encode()).hexdigest()
    return Origin(f"upload {ident}", "your files", tuple(files))


def _options(origin: Origin, *, disabled: bool) -> None:
    """Draws name and data set and the button; or what is wrong with what was handed in."""
    named = _look(origin)
    if isinstance(named, CheckpointError):
        st.error(sentence(named))
        return
    here = [info.name for info in access.data_sets() if info.present]
    if named and named not in here and not people.is_shared() and getting.missing(named) is None:
        here.append(named)  # such as folder:PATH
    if "adopt_name" not in st.session_state:
        st.session_state["adopt_name"] = proposed_name("adopted" if origin.label == "your files" else origin.label)
    name, data = st.columns(2, gap="small")
    name.text_input(
        "Name", key="adopt_name", max_chars=64, disabled=disabled, help="Letters, digits, dot, dash and underscore."
    )
    chosen = data.selectbox(
        "Data set",
        here,
        here.index(named) if named in here else None,
        placeholder="Choose the images that it draws",
        key=f"adopt_data_{origin.ident}",
        disabled=disabled,
        help="Its test images are encoded, mapped and measured. adopt.json may name it.",
    )
    if named and named not in here:
        st.caption(f"adopt.json names {plain(named)}, which is not here.")
        getting.offer(named, "adopt")
    st.button(
        "Adopt it",
        key="adopt_start",
        type="primary",
        disabled=disabled or chosen is None,
        on_click=_start,
        args=(origin, chosen),
    )


def _look(origin: Origin) -> str | CheckpointError:
    """The data set that its adopt.json names, empty for none; or why it cannot be adopted."""
    looked = st.session_state.get(_LOOKED)
    if looked is None or looked[0] != origin.ident:
        found: str | CheckpointError
        try:
            with origin.path() as path:
                found = named_dataset(path, origin.label)
        except CheckpointError as error:
            found = error
        except OSError as error:
            found = CheckpointError(f"{origin.label} could not be read: {error.strerror or error}")
        looked = st.session_state[_LOOKED] = (origin.ident, found)
    known: str | CheckpointError = looked[1]
    return known


def _start(origin: Origin, dataset: str) -> None:
    """As a callback: begins to take in what the form says. Cancelled, or left by its visitor, it leaves nothing."""
    st.session_state.pop(_PROBLEM, None)
    name, owner = st.session_state["adopt_name"].strip(), people.here().owner
    try:
        runs.check_room(owner)
    except RunError as error:
        st.session_state[_PROBLEM] = sentence(error)
        return

    def work(job: Job[AdoptedModel]) -> AdoptedModel:
        def report(step: str, done: int, of: int | None) -> None:
            job.doing = step
            job.report(done, of)

        with origin.path() as path:
            return adopt_apart(path, origin.label, dataset, name, owner, progress=report)

    if st.session_state.get(_JOB) is None and access.may_adopt():
        st.session_state[_JOB] = Job(
            work,
            "Opening the graphs",
            f"{origin.label} could not be adopted",
            places=_adoptions,
            of_session=True,
        )


def _finish(job: Job[AdoptedModel]) -> None:
    st.session_state[_JOB] = None
    if job.result is not None:
        _forget()
        notifications.open_in_explore(job.result.info.name)
        for note in job.result.notes:
            address.notice(f"{note[:1].upper()}{note[1:]}.".replace("?.", "?"))
    elif job.cancelled:
        st.toast("Cancelled: nothing was adopted.")
    else:
        st.session_state[_PROBLEM] = sentence(ValueError(job.problem))


def _forget() -> None:
    """As a callback: something else was handed in; name and refusal were the former's."""
    for key in (_PROBLEM, _LOOKED, "adopt_name"):
        st.session_state.pop(key, None)
