"""Data sets that are not on this machine: a button that gets one, and how far it is, on every screen that lacks it."""

from __future__ import annotations

import streamlit as st

from explorer import datasets
from explorer.datasets import DatasetInfo
from explorer.datasets.base import bytes_text
from explorer.errors import DatasetError
from explorer.files.hosting import limits
from explorer.files.limits import free_bytes
from explorer.files.owner import Owner
from explorer.ui import access, page_switch
from explorer.ui.jobs import Job, follow
from explorer.ui.markdown import plain

MORE, CHOSEN = "More data sets", "more_data_set"
"""What the sidebar's list is called, and the key of the choice there."""

WANTED = "data_set_wanted"
"""The key of a data set that the address asked for and is not here."""

_jobs: dict[str, Job[None]] = {}  # of all who use this server: whoever asks for the same data follows the same job


def missing(name: str) -> DatasetInfo | None:
    """Looks up a data set that is not on this machine and can be downloaded to it; None for any other."""
    info = access.data_set(name)
    return info if info and not info.present and info.fetch_bytes else None


def stand_in(name: str) -> str | None:
    """Names a data set on this machine with some of the images of one that is not; None where that is here."""
    info = access.data_set(name)
    if info is None or info.present:
        return None
    return next((info.name for info in access.data_sets() if info.present and info.part_of == name), None)


def under_way() -> list[str]:
    """Names the data sets that are being downloaded."""
    return [name for name, job in _jobs.items() if job.running]


def offer(name: str, key: str) -> None:
    """Draws the button that gets a data set, or how far it is; nothing where it is here or cannot be downloaded."""
    st.fragment(_offer)(name, key)


def _offer(name: str, key: str) -> None:
    page_switch.follow()
    job = _jobs.get(name)
    if job is not None and job.running:
        follow(job, f"get_{key}", may_cancel=access.may_fetch())
        return
    info = missing(name)
    if info is None:
        return
    if not access.may_fetch():
        st.caption("A host of this server can get it.")
        return
    st.button(
        f"Get it ({bytes_text(info.fetch_bytes)})",
        key=f"get_{key}",
        icon=":material/download:",
        help=f"Downloads {plain(info.title)} to the computer that runs this app. Source: {plain(info.origin)}.",
        on_click=_start,
        args=(info,),
    )
    if job is not None and job.problem:
        st.error(plain(job.problem))


def _start(info: DatasetInfo) -> None:
    """As a callback: begins a download, or goes on with one that was cut off."""
    page_switch.refresh()
    if not access.may_fetch() or info.name in under_way():
        return

    def work(job: Job[None]) -> None:
        keep, free = limits(Owner()).free_gb, free_bytes(datasets.data_root())
        if free - info.fetch_bytes < keep * 1e9:
            raise DatasetError(
                f"The disk has {bytes_text(free)} left: {bytes_text(info.fetch_bytes)} do not fit beside the "
                f"{keep:g} GB that must stay free."
            )
        datasets.fetch(info.name, progress=job.report)

    _jobs[info.name] = Job(work, f"Getting {info.name}", f"{info.name} could not be downloaded")
