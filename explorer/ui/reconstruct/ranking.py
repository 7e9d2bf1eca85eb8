"""Rank a folder or a zip of pictures by how unusual each is to the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
import torch
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.errors import DatasetError
from explorer.evaluation.ranking import COLUMNS, RARE, SHOWN, Ranking, rank
from explorer.evaluation.scores import compared
from explorer.files.entries import read_again
from explorer.files.pictures import Progress
from explorer.files.results import Results
from explorer.files.tables import table_text
from explorer.images import pictures
from explorer.images.stacks import FIRST, FRAMES, Planes
from explorer.ui import folder_jobs, html, page_switch, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import caption_of, download_menu, panel_of
from explorer.ui.jobs import Job, follow
from explorer.ui.markdown import plain
from explorer.ui.origin import Origin, may_name_folders, name_folder, upload_folder, uploaded
from explorer.ui.planes import choose_planes, chosen_planes
from explorer.ui.reconstruct.uploads import intake
from explorer.ui.uploads.intake import list_problems
from explorer.ui.wording import counted, fit, fit_name

_JOB, _OPENED = "reconstruct_rank_job", "reconstruct_rank_opened"
_ACROSS = 12
_TILE = 84  # pixels, wide enough for the middle of a name to be left out
_START, _END = 4, 7  # characters of a long name that are shown under its tile


@dataclass(frozen=True)
class Ranked:
    """A ranking with where its pictures came from, and the model."""

    origin: str
    label: str
    model: Model
    ranking: Ranking


def rank_panel(data: EncodedDataset) -> None:
    """Draws the form, what is on its way, and what came of it."""
    st.fragment(_panel)(data)


def _panel(data: EncodedDataset) -> None:
    page_switch.hand_over()
    if opened := st.session_state.pop(_OPENED, None):  # not in the callback: the page is rerun after it
        st.toast(f"{plain(opened)} is open above.", icon=":material/arrow_upward:")
    job: Job[Ranked] | None = st.session_state.get(_JOB)
    running = job is not None and job.running
    origin = _origin(disabled=running)
    ranked = None if job is None else job.result
    choose_planes("rank", (1, 1) if ranked is None else ranked.ranking.most, FRAMES[:-1], disabled=running)
    planes = chosen_planes("rank")
    st.button(
        "Rank them",
        key="rank_start",
        type="primary",
        disabled=running or origin is None,
        on_click=folder_jobs.begin,
        args=(_JOB, origin, lambda origin: start(origin, data.model, planes)),
    )
    if job is None:
        st.caption(
            "Each picture is prepared for the model as an upload is, then scored. The worst are those the model "
            "explains least well: outliers, damaged pictures, or simply another kind of thing."
        )
    elif running:
        follow(job, "rank", counted=True)
    elif job.cancelled:
        kept = folder_jobs.goes_on(origin)
        st.info("Cancelled. **Rank them** goes on from there." if kept else "Cancelled: nothing was ranked.")
    elif job.result is None:
        st.error(plain(job.problem))
    else:
        # What is handed in is not kept beside the uploader: a ranked picture can be opened while it is there.
        _shown(job.result, origin if origin is not None and origin.ident == job.result.origin else None)


def _origin(*, disabled: bool) -> Origin | None:
    """Draws the choice of a zip or a folder, or of the name of one where who says it sits at this computer."""
    zipped, folder = st.columns(2, gap="small")
    with zipped:
        file = st.file_uploader("A zip of pictures", type=["zip"], key="rank_upload", disabled=disabled)
    with folder:
        found = upload_folder("Or a folder", "rank_directory", disabled=disabled)
    if file is not None:
        return uploaded(file)
    if found is not None:
        return found
    if not may_name_folders():
        return None
    return name_folder(
        "Or a folder or zip on this computer",
        "rank_folder",
        disabled=disabled,
        help="Its path. The pictures are only read.",
    )


def start(origin: Origin, model: Model, planes: Planes = FIRST) -> Job[Ranked]:
    """Begins to rank what was handed in, at once or when one of the others has ended."""

    def work(path: Path, results: Results, report: Progress) -> Ranked:
        found = rank(path, model, planes=planes, progress=report, label=origin.label, results=results)
        return Ranked(origin.ident, origin.label, model, found)

    about = f"rank {model.info.content} {planes}"
    return folder_jobs.start(origin, about, work, f"Ranking {origin.label}", f"{origin.label} could not be ranked")


def _shown(found: Ranked, origin: Origin | None) -> None:
    ranking, model = found.ranking, found.model
    count = len(ranking.files)
    order = ranking.order.tolist()
    unusual = f"{ranking.unusual:,}" if ranking.unusual else "none"
    name = fit_name(model)
    what = (name if model.has_elbo else name.lower()) + (" in nats" if model.has_likelihood else "")
    st.markdown(
        f"**{counted(count, 'picture')}** of {plain(found.label)} ranked by "
        f"{plain(model.info.id)}, which explains {unusual} of them worse than {1 - RARE:.0%} of its test images."
    )
    stem = Path(found.label).stem or "pictures"
    download_menu(
        "rank",
        f"{stem}-ranked",
        caption_of(
            model.info, f"{counted(count, 'picture')} of {found.label}, ranked by {what}, the most unusual first"
        ),
        figure=lambda: [panel_of(_images(ranking, order[:SHOWN]), min(_ACROSS, len(order)))],
        table=lambda: table_text(COLUMNS, ranking.rows()),
    )
    if origin is None:
        st.caption("Choose the same folder or zip again to open one of its pictures above.")
    else:
        st.caption("Click a picture to open it above.")
    few = min(SHOWN, count) if count < 2 * SHOWN else SHOWN
    if count <= SHOWN:
        _tiles(found, origin, order, "rank_worst", f"The most unusual first, with their {what}")
    else:
        _tiles(found, origin, order[:few], "rank_worst", f"The most unusual, with their {what}")
        best = order[::-1][: min(few, count - few)]
        _tiles(found, origin, best, "rank_best", "The best explained")
    for note in ranking.notes:
        st.caption(plain(note))
    if ranking.unreadable:
        list_problems([f"{path}: {reason}" for path, reason in ranking.unreadable])


def _images(ranking: Ranking, rows: list[int]) -> Tensor:
    return torch.stack([ranking.images[row] for row in rows])


def _tiles(found: Ranked, origin: Origin | None, rows: list[int], key: str, label: str) -> None:
    ranking = found.ranking
    columns = min(_ACROSS, len(rows))
    st.caption(label)
    tiles(
        key=key,
        sheet_url=html.source(pictures.sheet(_images(ranking, rows), columns), "WEBP"),
        count=len(rows),
        columns=columns,
        tile=sheets.tile_size(found.model),
        titles=[_title(found, row) for row in rows],
        captions=[_caption(found, row) for row in rows],
        min_tile_px=_TILE,
        max_tile_px=_TILE,
        gap=6,
        label=label,
        on_pick=None if origin is None else lambda i: _open(origin, ranking.files[rows[i]]),
    )


def _open(origin: Origin, file: str) -> None:
    """As a callback: look at a ranked picture as at any that is uploaded."""
    name = file.rpartition("/")[2]
    try:
        with origin.path() as path:
            intake.take([(name, data) for _, data in read_again(path, [file])])
        st.session_state[_OPENED] = name
    except (DatasetError, OSError):
        intake.store.add([], [f"{name} could not be read again: {origin.label} has changed, or is gone."])
    st.session_state["reconstruct_source"] = "upload"
    page_switch.refresh()


def _title(found: Ranked, row: int) -> str:
    ranking = found.ranking
    how, which = compared(float(ranking.better_than[row]))
    return f"{ranking.files[row]}: {fit(found.model, float(ranking.elbo[row]))}, {how} than {which} of the test images"


def _caption(found: Ranked, row: int) -> str:
    """Gives the file's name, without its middle where it is long, and its score."""
    name = found.ranking.files[row].rpartition("/")[2]
    if len(name) > _START + _END + 1:
        name = f"{name[:_START]}\u2060…\u2060{name[-_END:]}"  # word joiners: a line may not end there
    return f"{name} {fit(found.model, float(found.ranking.elbo[row])).removesuffix(' nats')}"
