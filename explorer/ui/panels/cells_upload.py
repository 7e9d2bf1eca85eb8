"""Upload cells: what pictures of a person's own look like to the models of healthy and of infected cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.checkpoints import CheckpointError
from explorer.ui.markdown import plain, sentence
from explorer.ui.panels import cells_intake, cells_kept
from explorer.ui.panels.cells_examined import examined
from explorer.ui.panels.cells_overview import DEVICE, overview
from explorer.ui.panels.cells_report import report_panel

_MOST_MEGABYTES = 200  # a file: a slide scanner's picture has 30 to 150
_LISTED = 5  # problems; more are behind a click


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
    intake, undo, problems, note, cells, closer, report = (st.container() for _ in range(7))
    with intake:
        _intake()
    state = cells_kept.kept()
    if state.undo is not None:
        with undo, st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(plain(state.undo[0]))
            st.button("Undo", key="cells_upload_undo", type="tertiary", on_click=cells_kept.undo)
    with problems:
        _problems(state.problems)
    if state.note:
        note.info(state.note)
    with report:
        report_panel()
    with cells:
        if not state.cells:
            _empty()
        else:
            overview(state)
    with closer:
        if (cell := state.looked_at) is not None:
            examined(cell)


def _intake() -> None:
    """The uploader. What it was given is taken in at once, and another, empty one takes its place."""
    place, progress = st.empty(), st.empty()
    files = _uploader(place, cells_kept.kept().taken)
    if not files:
        return
    given = [(file.name, file.getvalue()) for file in files]
    bar = progress.progress(0.0, f"Reading {len(given):,}")
    cells_intake.take(given, lambda share, text: bar.progress(min(share, 1.0), text))
    progress.empty()
    state = cells_kept.kept()
    cells_kept.keep(replace(state, taken=state.taken + 1))
    _uploader(place, state.taken + 1)
    _release(files)


def _uploader(place: st.delta_generator.DeltaGenerator, number: int) -> Sequence[UploadedFile]:
    return place.file_uploader(
        "Pictures of single cells, of any format, size and shape",
        accept_multiple_files=True,
        key=f"cells_upload_files_{number}",
        max_upload_size=_MOST_MEGABYTES,
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
        "Drop pictures of single red blood cells here, as many as you like. Each is set on a black square of 64 × 64 "
        "pixels, and you see what a model of healthy cells and a model of infected ones make of it, where it looks "
        f"infected, and how likely that is. {DEVICE}."
    )
    if st.button("Try it on examples", key="cells_upload_examples", icon=":material/science:"):
        bar = st.progress(0.0, "Fetching examples")
        cells_intake.take_examples(lambda share, text: bar.progress(min(share, 1.0), text))
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
    cells_kept.keep(replace(cells_kept.kept(), problems=()))


_HELP = (
    "Malaria parasites are too small for the models to draw: what is left when a cell's reconstruction is taken away "
    "shows them. A small detector reads these residuals, and its score is turned into a probability on patients that "
    "it was not trained on. The pictures of training were cut out along the outline of the cell and lie on black, as "
    "NIH's malaria data set has them: cut out yours alike."
)
