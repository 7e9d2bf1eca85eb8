"""Upload cells: what pictures of a person's own look like to the models of healthy and of infected cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.errors import CheckpointError
from explorer.ui.cells import intake, uploads
from explorer.ui.cells.examination import examined
from explorer.ui.cells.overview import DEVICE, overview
from explorer.ui.cells.report import report_panel
from explorer.ui.cells.upload_job import Taking
from explorer.ui.cells.uploads import MOST
from explorer.ui.components.pulse.component import pulse
from explorer.ui.markdown import plain, sentence
from explorer.ui.wording import duration

_MOST_MEGABYTES = 200  # a file: a slide scanner's picture has 30 to 150
_LISTED = 5  # problems; more are behind a click
_PATIENCE = 1.0  # seconds: a handful of files is in before there is a progress to show
_SECONDS = 0.5  # between two looks at files on their way


def upload_panel() -> dict[str, str]:
    """Draw the panel. What it shows is in the session and not in the URL, so there is nothing to say of it there."""
    st.fragment(_panel)()
    return {}


def _panel() -> None:
    with st.container(key="cells_upload"):
        st.markdown("##### Upload cells", help=_HELP)
        try:
            _drawn()
        except CheckpointError as error:
            st.error(sentence(error))


def _drawn() -> None:
    # Each part has a place of its own: while a slow one is drawn, what has been below it must not be seen twice.
    taking, undo, problems, note, cells, closer, report = (st.container() for _ in range(7))
    with taking:
        _intake()
    state = uploads.kept()
    if state.undo is not None:
        with undo, st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(plain(state.undo[0]))
            st.button("Undo", key="cells_upload_undo", type="tertiary", on_click=uploads.undo)
    with problems:
        _problems(state.problems)
    if state.note:
        note.info(state.note)
    with report:
        report_panel()
    with cells:
        if state.cells:
            overview(state)
        elif state.taking is None:
            _empty()
    with closer:
        if (cell := state.looked_at) is not None:
            examined(cell)


def _intake() -> None:
    """The uploader. What it was given is taken in at once, and another, empty one takes its place."""
    place = st.empty()
    job = _on_its_way(uploads.kept().taking)
    files = _uploader(place, uploads.kept().taken, disabled=job is not None)
    if files and job is None:
        job = intake.take([(file.name, file.getvalue()) for file in files])
        _release(files)
        if job is not None:
            job.join(_PATIENCE)
        job = _on_its_way(job)
        _uploader(place, uploads.kept().taken, disabled=job is not None)
    if job is not None:
        st.fragment(_follow)(job)


def _on_its_way(job: Taking | None) -> Taking | None:
    """The files that are still being read; what they have become if they are not is kept."""
    if job is None or job.running:
        return job
    intake.taken(job)
    return None


def _follow(job: Taking) -> None:
    """How far the files on their way are; at their end the whole panel follows."""
    if not job.running:
        st.rerun()
    pulse("cells_upload_pulse", _SECONDS)
    with st.container(horizontal=True, vertical_alignment="center", key="cells_upload_progress"):
        left = job.seconds_left
        doing = "Reading" if job.share < 0.5 else "Screening"
        text = "Stopping …" if job.stopping else f"{doing} {job.count:,} files"
        st.progress(job.share, text if left is None or job.stopping else f"{text}: {duration(left)} left")
        st.button("Cancel", key="cells_upload_cancel", on_click=job.cancel, disabled=job.stopping)


def _uploader(place: st.delta_generator.DeltaGenerator, number: int, *, disabled: bool) -> Sequence[UploadedFile]:
    return place.file_uploader(
        "Pictures of single cells, of any format, size and shape",
        accept_multiple_files=True,
        key=f"cells_upload_files_{number}",
        max_upload_size=_MOST_MEGABYTES,
        disabled=disabled,
        help="They stay in the memory of this session: nothing is written to the disk or sent anywhere else.",
    )


def _release(files: Sequence[UploadedFile]) -> None:
    """Let go of files that have been taken in: Streamlit would hold them until the session ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def _empty() -> None:
    st.markdown(
        f"Drop pictures of single red blood cells here, up to {MOST}. Each is set on a black square of 64 × 64 "
        "pixels, and you see what a model of healthy cells and a model of infected ones make of it, where it looks "
        f"infected, and how likely that is. {DEVICE}."
    )
    if st.button("Try it on examples", key="cells_upload_examples", icon=":material/science:"):
        with st.spinner("Fetching examples …"):
            intake.take_examples()
        st.rerun()


def _problems(problems: Sequence[str]) -> None:
    if not problems:
        return
    with st.container(key="cells_upload_problems"):
        listed = [f"- {plain(problem)}" for problem in problems]
        if len(problems) == 1:
            st.warning(plain(problems[0]))
        elif len(problems) <= _LISTED:
            st.warning("\n".join(listed))
        else:
            st.warning(f"{len(problems):,} files could not be used, among them:\n" + "\n".join(listed[:_LISTED]))
            with st.expander("All of them"):
                st.markdown("\n".join(listed))
        st.button("Dismiss", key="cells_upload_dismiss", type="tertiary", on_click=_dismiss)


def _dismiss() -> None:
    """As a callback: the problems have been read."""
    uploads.keep(replace(uploads.kept(), problems=()))


_HELP = (
    "Malaria parasites are too small for the models to draw: what is left when a cell's reconstruction is taken away "
    "shows them. A small detector reads these residuals, and its score is turned into a probability on patients that "
    "it was not trained on. The pictures of training were cut out along the outline of the cell and lie on black, as "
    "NIH's malaria data set has them: cut out yours alike."
)
