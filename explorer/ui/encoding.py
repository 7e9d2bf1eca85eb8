"""Data sets that a map waits for: a job encodes them, and whoever asks for the same follows the same job."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from explorer.ui import cache
from explorer.ui.cache import EncodedDataset, NotEncodedError
from explorer.ui.jobs import Job, follow
from explorer.ui.markdown import plain

_jobs: dict[str, Job[None]] = {}  # by the file that each writes


def encoded_dataset(ident: str, content: str, data: str, projection: str) -> EncodedDataset:
    """A data set's codes on a map of the model; stops the page while a job encodes it.

    Raises:
        DatasetError: the data set is not on this machine, or it cannot be read.
    """
    try:
        return cache.encoded_dataset(ident, content, data, projection)
    except NotEncodedError as waiting:
        _wait_for(waiting)


def _wait_for(waiting: NotEncodedError) -> NoReturn:
    images, ident = waiting.images, str(waiting.file)
    job = _jobs.get(ident)
    if job is None:
        name = images.name
        job = _jobs[ident] = Job(
            lambda job: waiting.work(job.report),
            f"Encoding {len(images):,} images of {name}",
            f"{name} was not encoded",
        )
    if job.running:
        st.info("The map is here once its images are encoded. Their codes are kept, so it opens at once from then on.")
        follow(job, "encoding", counted=True)
    elif not (job.problem or job.cancelled):  # it was done between two looks
        _forget(ident)
        st.rerun()
    else:
        if job.problem:
            st.error(plain(job.problem))
        st.button("Encode the images", key="encode_images", on_click=_forget, args=(ident,), type="primary")
    st.stop()


def _forget(ident: str) -> None:
    """Lets the next look begin the job anew."""
    _jobs.pop(ident, None)
