"""Rank a folder or a zip of pictures by how unusual each is to the model."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st
import torch

from explorer import pictures
from explorer.ranking import SHOWN, Ranking
from explorer.ui import html, sheets
from explorer.ui.adding import Origin
from explorer.ui.components.tiles import tiles
from explorer.ui.library import Mapped
from explorer.ui.markdown import plain
from explorer.ui.panels.own_origin import may_name_folders
from explorer.ui.panels.reconstruct_job import RankingJob
from explorer.ui.panels.reconstruct_result import share_of
from explorer.ui.wording import duration, nats

_JOB = "reconstruct_rank_job"
_SECONDS = 0.5  # between two looks at a ranking on its way
_ACROSS = 12
_WORST = 0.01  # of the test images
_LISTED = 5  # unreadable files; more are behind a click


def rank_panel(data: Mapped) -> None:
    """Draw the form, what is on its way, and what came of it."""
    st.fragment(_panel)(data)


def _panel(data: Mapped) -> None:
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
        st.fragment(_follow, run_every=_SECONDS)(job)
    elif job is not None:
        _ended(job)
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


def _start(origin: Origin, data: Mapped) -> None:
    """As a callback."""
    st.session_state[_JOB] = RankingJob(origin, data.model)


def _follow(job: RankingJob) -> None:
    """The progress of what is on its way; at its end the whole panel follows."""
    if not job.running:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", key="rank_progress"):
        if job.stopping:
            text = "stopping …"
        elif job.of == 0:
            text = "looking at the pictures …"
        else:
            left = job.seconds_left
            text = f"{job.done:,} of {job.of:,}" + ("" if left is None else f" · {duration(left)} left")
        st.progress(job.done / job.of if job.of else 0.0, f"Ranking {plain(job.label)}: {text}")
        st.button("Cancel", key="rank_cancel", on_click=job.cancel, disabled=job.stopping)


def _ended(job: RankingJob) -> None:
    if job.cancelled:
        st.info("Cancelled: nothing was ranked.")
    elif job.problem:
        st.error(plain(job.problem))
    elif job.result is not None:
        _shown(job, job.result)


def _shown(job: RankingJob, ranking: Ranking) -> None:
    count, model = len(ranking.files), job.model
    order = ranking.order.tolist()
    what = "ELBO" if model.has_prior else "reconstruction"
    st.markdown(
        f"**{count:,} {'picture' if count == 1 else 'pictures'}** of {plain(job.label)} ranked by "
        f"{plain(model.info.id)}. {_outliers(ranking)}"
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
        "it does better than.",
    )
    few = min(SHOWN, count) if count < 2 * SHOWN else SHOWN
    if count <= SHOWN:
        _tiles(job, ranking, order, "rank_worst", f"The most unusual first, with their {what} in nats")
    else:
        _tiles(job, ranking, order[:few], "rank_worst", f"The most unusual, with their {what} in nats")
        best = order[::-1][: min(few, count - few)]
        _tiles(job, ranking, best, "rank_best", "The best accounted for")
    for note in ranking.notes:
        st.caption(plain(note))
    _unreadable(ranking.unreadable)


def _outliers(ranking: Ranking) -> str:
    """How many do as badly as the worst of the test images."""
    count = sum(share < _WORST for share in ranking.better_than.tolist())
    which = f"{count:,} of them do" if count != 1 else "One of them does"
    return f"{which} worse than {1 - _WORST:.0%} of the model's test images."


def _tiles(job: RankingJob, ranking: Ranking, rows: list[int], key: str, label: str) -> None:
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
        captions=[nats(float(ranking.elbo[row])).removesuffix(" nats") for row in rows],
        min_tile_px=56,
        max_tile_px=84,
        gap=6,
        label=label,
    )


def _title(ranking: Ranking, row: int) -> str:
    share = share_of(float(ranking.better_than[row]))
    return f"{ranking.files[row]}: {nats(float(ranking.elbo[row]))}, better than {share} of the test images"


def _unreadable(found: dict[str, str]) -> None:
    if not found:
        return
    lines = [f"- {plain(path)}: {plain(reason)}" for path, reason in found.items()]
    st.warning(
        f"{len(found):,} {'file' if len(found) == 1 else 'files'} could not be read:\n" + "\n".join(lines[:_LISTED])
    )
    if len(lines) > _LISTED:
        with st.expander("All of them"):
            st.markdown("\n".join(lines))
