"""Upload cells: what pictures of a person's own look like to the models of healthy and of infected cells."""

from __future__ import annotations

import streamlit as st

from explorer.errors import CheckpointError
from explorer.ui import getting
from explorer.ui.cells.examination import examined
from explorer.ui.cells.examples import EXAMPLES, GENERATED, add_examples
from explorer.ui.cells.folder import folder_panel
from explorer.ui.cells.overview import DEVICE, overview
from explorer.ui.cells.report import report_panel
from explorer.ui.cells.uploads import intake
from explorer.ui.markdown import sentence


def upload_panel() -> dict[str, str]:
    """Draws the panel. What it shows is in the session and not in the URL, so there is nothing to say of it there."""
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
    uploader, folder, undo, problems, note, cells, closer, report = (st.container() for _ in range(8))
    with uploader:
        intake.uploader()
    with folder:
        folder_panel()
    state = intake.store.state
    with undo:
        intake.undo()
    with problems:
        intake.problems()
    if state.note:
        note.info(state.note)
    if state.note == GENERATED:
        with note:
            getting.offer(EXAMPLES, "cells_note")
    with report:
        report_panel()
    with cells:
        if state.items:
            overview(state)
        elif state.job is None:
            _empty()
    with closer:
        if (cell := state.looked_at) is not None:
            examined(cell)


def _empty() -> None:
    st.markdown(
        f"Drop pictures of single red blood cells here, or zips of them, up to {intake.most} pictures. Each is placed "
        "on a black square of 64 × 64 pixels. You then see how a model of healthy cells and a model of infected ones "
        f"redraw it, where it looks infected, and how likely that is. {DEVICE}."
    )
    if st.button("Try it on examples", key="cells_upload_examples", icon=":material/science:"):
        with st.spinner("Fetching examples …"):
            add_examples()
        st.rerun()
    if getting.missing(EXAMPLES):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption("Real cells for examples are not on this machine: without them, examples are generated.")
            getting.offer(EXAMPLES, "cells")


_HELP = (
    "Malaria parasites are too small for the models to draw, so they show in what is left when a cell's reconstruction "
    "is subtracted. A small detector reads these residuals; its score was calibrated to a probability on patients it "
    "was not trained on. The training pictures, from NIH's malaria data set, are cut out along the cell's outline, on "
    "black: cut out yours the same way."
)
