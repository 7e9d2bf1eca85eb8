"""Rank a folder or a zip of pictures by how unusual each is to the model."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st
import torch

from explorer.errors import DatasetError
from explorer.images import pictures
from explorer.scoring.ranking import RARE, SHOWN, Ranking, read_again
from explorer.scoring.scores import compared
from explorer.ui import html, page_switch, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.components.pulse.component import pulse
from explorer.ui.components.tiles.component import tiles
from explorer.ui.markdown import plain
from explorer.ui.own_data.adding import Origin
from explorer.ui.own_data.origin import may_name_folders
from explorer.ui.reconstruct import intake, uploads
from explorer.ui.reconstruct.ranking_job import RankingJob
from explorer.ui.wording import duration, nats, number

_JOB, _OPENED = "reconstruct_rank_job", "reconstruct_rank_opened"
_SECONDS = 0.5  # between two looks at a ranking on its way
_ACROSS = 12
_LISTED = 5  # unreadable files; more are behind a click
_TILE = 84  # pixels, wide enough for the middle of a name to be left out
_START, _END = 4, 7  # characters of a long name that are shown under its tile


def rank_panel(data: EncodedDataset) -> None:
    """Draw the form, what is on its way, and what came of it."""
    st.fragment(_panel)(data)


def _panel(data: EncodedDataset) -> None:
    page_switch.hand_over()
    if opened := st.session_state.pop(_OPENED, None):  # not in the callback: the page is rerun after it
        st.toast(f"{plain(opened)} is open above.", icon=":material/arrow_upward:")
    job: RankingJob | None = st.session_state.get(_JOB)
    running = job is not None and job.running
    origin = _origin(disabled=running)
    st.button(
        "Rank them",
        key="rank_start",
        type="primary",
        disabled=running or origin is None,
        on_click=_start,
        args=(origin, data),
    )
    if job is not None and running:
        st.fragment(_follow)(job)
    elif job is not None:
        # What is handed in is not kept beside the uploader: a ranked picture can be opened while it is there.
        _ended(job, origin if origin is not None and origin.ident == job.ident else None)
    else:
        st.caption(
            "Each picture is prepared for the model as an upload is, and scored. The worst are those that it can "
            "account for least: outliers, damaged pictures, or simply another kind of thing."
        )


def _origin(*, disabled: bool) -> Origin | None:
    """A zip that is uploaded, or the name of a folder where the one who names it sits at this computer."""
    file = st.file_uploader("A zip of pictures", type=["zip"], key="rank_upload", disabled=disabled)
    if file is not None:
        return Origin(f"upload {file.file_id}", file.name, file.getvalue())
    if not may_name_folders():
        return None
    text = st.text_input(
        "Or a folder or zip on this computer",
        key="rank_folder",
        placeholder="/home/me/pictures",
        disabled=disabled,
        help="Its path. The pictures are only read.",
    )
    text = (text or "").strip().strip("\"'")
    if not text:
        return None
    path = Path(os.path.expanduser(text))  # which, unlike Path.expanduser, takes an unknown ~name as it is
    return Origin(f"folder {path}", path.name or str(path), path)


def _start(origin: Origin, data: EncodedDataset) -> None:
    """As a callback."""
    st.session_state[_JOB] = RankingJob(origin, data.model)


def _follow(job: RankingJob) -> None:
    """The progress of what is on its way; at its end the whole panel follows."""
    if not job.running:
        st.rerun()
    pulse("rank_pulse", _SECONDS)
    with st.container(horizontal=True, vertical_alignment="center", key="rank_progress"):
        if job.stopping:
            text = "stopping …"
        elif job.waiting:
            text = "waiting for another ranking to end …"
        elif job.of == 0:
            text = "looking at the pictures …"
        else:
            left = job.seconds_left
            text = f"{job.done:,} of {job.of:,}" + ("" if left is None else f" · {duration(left)} left")
        st.progress(job.done / job.of if job.of else 0.0, f"Ranking {plain(job.label)}: {text}")
        st.button("Cancel", key="rank_cancel", on_click=job.cancel, disabled=job.stopping)


def _ended(job: RankingJob, origin: Origin | None) -> None:
    if job.cancelled:
        st.info("Cancelled: nothing was ranked.")
    elif job.problem:
        st.error(plain(job.problem))
    elif job.result is not None:
        _shown(job, job.result, origin)


def _shown(job: RankingJob, ranking: Ranking, origin: Origin | None) -> None:
    count, model = len(ranking.files), job.model
    order = ranking.order.tolist()
    what = "ELBO" if model.has_prior else "reconstruction"
    st.markdown(
        f"**{count:,} {'picture' if count == 1 else 'pictures'}** of {plain(job.label)} ranked by "
        f"{plain(model.info.id)}: {ranking.unusual:,} accounted for worse than {1 - RARE:.0%} of the model's test "
        "images."
    )
    st.download_button(
        "Download the table",
        job.csv,
        file_name=f"{Path(job.label).stem or 'pictures'}-ranked.csv",
        mime="text/csv",
        key="rank_csv",
        icon=":material/download:",
        on_click="ignore",
        help="A line a picture, the most unusual first: file, ELBO, its two terms, and the share of test images that "
        "the model accounts for less well.",
    )
    if origin is None:
        st.caption("Hand the same pictures in again to open one of them above.")
    else:
        st.caption("Click a picture to open it above.")
    few = min(SHOWN, count) if count < 2 * SHOWN else SHOWN
    if count <= SHOWN:
        _tiles(job, ranking, origin, order, "rank_worst", f"The most unusual first, with their {what} in nats")
    else:
        _tiles(job, ranking, origin, order[:few], "rank_worst", f"The most unusual, with their {what} in nats")
        best = order[::-1][: min(few, count - few)]
        _tiles(job, ranking, origin, best, "rank_best", "The best accounted for")
    for note in ranking.notes:
        st.caption(plain(note))
    _unreadable(ranking.unreadable)


def _tiles(job: RankingJob, ranking: Ranking, origin: Origin | None, rows: list[int], key: str, label: str) -> None:
    images = torch.stack([ranking.images[row] for row in rows])
    columns = min(_ACROSS, len(rows))
    st.caption(label)
    tiles(
        key=key,
        sheet_url=html.source(pictures.sheet(images, columns), "WEBP"),
        count=len(rows),
        columns=columns,
        tile=sheets.tile_size(job.model),
        titles=[_title(ranking, row) for row in rows],
        captions=[_caption(ranking, row) for row in rows],
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
            intake.take([(name, read_again(path, file))])
        st.session_state[_OPENED] = name
    except (DatasetError, OSError):
        uploads.add([], [f"{name} could not be read again: {origin.label} has changed, or is gone."])
    st.session_state["reconstruct_source"] = "upload"
    page_switch.refresh()


def _title(ranking: Ranking, row: int) -> str:
    how, which = compared(float(ranking.better_than[row]))
    return f"{ranking.files[row]}: {nats(float(ranking.elbo[row]))}, {how} than {which} of the test images"


def _caption(ranking: Ranking, row: int) -> str:
    """The file's name, without its middle where it is long, and its score."""
    name = ranking.files[row].rpartition("/")[2]
    if len(name) > _START + _END + 1:
        name = f"{name[:_START]}\u2060…\u2060{name[-_END:]}"  # word joiners: a line may not end there
    return f"{name} {number(float(ranking.elbo[row]))}"


def _unreadable(found: list[tuple[str, str]]) -> None:
    if not found:
        return
    lines = [f"- {plain(path)}: {plain(reason)}" for path, reason in found]
    st.warning(
        f"{len(found):,} {'file' if len(found) == 1 else 'files'} could not be read:\n" + "\n".join(lines[:_LISTED])
    )
    if len(lines) > _LISTED:
        with st.expander("All of them"):
            st.markdown("\n".join(lines))
