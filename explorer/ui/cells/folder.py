"""Screens all cells of a folder or zip on this computer, however many: a summary, tables, and the likeliest to open."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from explorer.cells.screening import FileScreening, screen_files
from explorer.cells.screening.groups import groups_csv
from explorer.cells.screening.verdicts import COLUMNS
from explorer.errors import DatasetError
from explorer.files.entries import read_again
from explorer.files.pictures import Progress
from explorer.files.results import Results
from explorer.files.tables import table_text
from explorer.ui import folder_jobs
from explorer.ui.cells.overview import DEVICE, assumption
from explorer.ui.cells.uploads import assumed, intake, opened
from explorer.ui.downloads import File, download_menu
from explorer.ui.jobs import Job, follow
from explorer.ui.markdown import plain
from explorer.ui.origin import Origin, may_name_folders, name_folder
from explorer.ui.uploads.intake import list_problems

_JOB = "cells_folder_job"
_OPENED = 24  # of the likeliest to be infected


@dataclass(frozen=True)
class Screened:
    """A screening with where its pictures came from, and what was said of it by the share of infected cells."""

    origin: Origin
    files: FileScreening
    said: dict[float, str] = field(default_factory=dict)


def folder_panel() -> None:
    """Draws the form where a folder may be named, what is on its way, and what came of it."""
    if not may_name_folders():
        return
    job: Job[Screened] | None = st.session_state.get(_JOB)
    running = job is not None and job.running
    origin = name_folder(
        "Or a folder or zip on this computer, of any size",
        "cells_folder",
        disabled=running,
        help="Its path. The pictures are only read.",
    )
    if origin is not None:
        st.button(
            "Screen them",
            key="cells_folder_start",
            type="primary",
            disabled=running,
            on_click=folder_jobs.begin,
            args=(_JOB, origin, start),
        )
    if job is None:
        return
    if running:
        follow(job, "cells_folder", counted=True)
    elif job.cancelled:
        st.info("Cancelled. **Screen them** goes on from there.")
    elif job.result is None:
        st.error(plain(job.problem))
    else:
        _shown(job.result)


def start(origin: Origin) -> Job[Screened]:
    """Begins to screen a folder or zip, or goes on with it."""

    def work(path: Path, results: Results, report: Progress) -> Screened:
        return Screened(origin, screen_files(path, progress=report, results=results, label=origin.label))

    about = f"screen {opened().version}"
    return folder_jobs.start(origin, about, work, f"Screening {origin.label}", f"{origin.label} could not be screened")


def _shown(found: Screened) -> None:
    share = assumed()
    files = found.files if share is None else found.files.assuming(share)
    label = found.origin.label
    if files.share not in found.said:
        found.said[files.share] = files.summary
    st.markdown(f"**{found.said[files.share]}** in {plain(label)} · {DEVICE}")
    likeliest = files.likeliest(_OPENED)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        download_menu(
            "cells_folder",
            f"{Path(label).stem or 'cells'}-scores",
            f"The pictures of {label} with their figures and verdicts, in order of path; probabilities assume "
            f"that {assumption()} of the cells are infected. {DEVICE}.",
            table=lambda: table_text(COLUMNS, files.rows()),
            more=[
                File(
                    "Patients",
                    "-patients.csv",
                    "text/csv",
                    lambda: groups_csv(files.groups()).encode("utf-8-sig"),
                    "Counts by patient, whose number such as C47 begins the names",
                )
            ],
        )
        if likeliest:
            which = "likeliest cell" if len(likeliest) == 1 else f"{len(likeliest)} cells likeliest"
            st.button(
                f"Look at the {which} to be infected",
                key="cells_folder_open",
                on_click=lambda: _open(found.origin, likeliest),
            )
    for note in files.notes:
        st.caption(plain(note))
    if files.unreadable:
        list_problems([f"{path}: {reason}" for path, reason in files.unreadable])


def _open(origin: Origin, names: list[str]) -> None:
    """As a callback: look at cells of the folder as at any that are uploaded."""
    try:
        with origin.path() as path:
            read = [(name.rpartition("/")[2], data) for name, data in read_again(path, names)]
    except (DatasetError, OSError):
        intake.store.add([], [f"Some of these cells could not be read again: {origin.label} has changed, or is gone."])
        return
    intake.take(read)
