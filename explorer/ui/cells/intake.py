"""What becomes a cell of this session: files that were uploaded, parts of large pictures, examples for who has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st
import torch
from torch import Tensor

from explorer import datasets
from explorer.cells.screening import Screener, screener
from explorer.cells.screening.verdicts import verdicts
from explorer.errors import DatasetError
from explorer.images import pictures
from explorer.images.arrays import to_array
from explorer.images.slides import LARGE_SIDE, Large
from explorer.ui.cells import uploads
from explorer.ui.cells.upload_job import UNJUDGED, Taking, judged
from explorer.ui.cells.uploads import MOST, Square, UploadedCell

_EXAMPLES = 6  # of each state


@st.cache_resource(show_spinner="Opening the models …")
def opened() -> Screener:
    """The screener, opened once for all sessions. Raises CheckpointError."""
    return screener()


def take(files: Sequence[tuple[str, bytes]]) -> Taking | None:
    """Begin to take files in: `taken` ends it. None where there are too many.

    Raises CheckpointError.
    """
    before = uploads.kept()
    if len(before.cells) + len(files) > MOST:
        problems = (*before.problems, _too_many(len(files), len(before.cells)))
        uploads.keep(replace(before, problems=problems, taken=before.taken + 1))
        return None
    job = Taking(files, before, opened())
    try:
        # That they were handed over and to what is one step: or a rerun in between would take them in twice.
        uploads.keep(replace(before, taken=before.taken + 1, taking=job))
    except BaseException:
        job.cancel()
        raise
    return job


def taken(job: Taking) -> None:
    """Keep what files have become that have been read."""
    problems = [*job.problems, job.problem] if job.problem else job.problems
    if job.cancelled:
        problems = [f"Cancelled: nothing of these {job.count:,} files was taken in."]
    uploads.add([] if job.cancelled else job.cells, problems, taken=job)


def _too_many(count: int, there: int) -> str:
    beside = f" and {there:,} are here" if there else ""
    return (
        f"These are {count:,} files{beside}: this screen takes {MOST} at most. For more, run "
        "python -m explorer screen FOLDER --out scores.csv, which takes a folder or a zip of any size."
    )


def recrop(cell: UploadedCell, large: Large, side: int | None) -> None:
    """As a callback: screen the square of that side at a large picture's place, or with None all of it again."""
    picture = large.overview if side is None else large.crop(side)
    image = torch.from_numpy(to_array(picture, cell.image.shape[-1], 3))
    (verdict,) = verdicts(opened().screen(image[None]))
    uploads.exchange(
        cell, replace(cell, image=image, verdict=verdict, crop=None if side is None else Square(side, large.place))
    )


def is_large(cell: UploadedCell) -> bool:
    """Whether the picture that was uploaded is clearly more than a cell."""
    return max(cell.size) > LARGE_SIDE


# --- examples ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Examples:
    names: list[str]
    images: Tensor
    remarks: list[str]
    note: str


def take_examples() -> None:
    """Keep some examples: real cells where the malaria data are on this machine, else generated ones.

    Raises CheckpointError.
    """
    found = _real() or _generated()
    cells = [
        UploadedCell(0, name, f"example {name}", image, UNJUDGED, (remark,))
        for name, image, remark in zip(found.names, found.images, found.remarks, strict=True)
    ]
    uploads.add(judged(cells, opened()), note=found.note)


def _real() -> _Examples | None:
    """Cells of test patients, each of another one, or None where their data set is not here."""
    if not any(info.name == "malaria" and info.present for info in datasets.available()):
        return None
    _, size, _ = opened().image_shape
    try:
        data = datasets.load("malaria", "test", size=size, channels=3)
    except DatasetError:
        return None
    if data.labels is None or data.group is None:
        return None
    seen: set[str] = set()
    rows: list[int] = []
    left = [_EXAMPLES] * len(data.classes)
    for row in torch.randperm(len(data), generator=torch.Generator().manual_seed(0)).tolist():
        label, patient = int(data.labels[row]), data.group[row]
        if left[label] and patient not in seen:
            left[label] -= 1
            seen.add(patient)
            rows.append(row)
    states = [data.classes[int(data.labels[row])] for row in rows]
    patients = [data.group[row] for row in rows]
    return _Examples(
        [f"{patient}, {state}" for patient, state in zip(patients, states, strict=True)],
        data.images[rows],
        [
            f"A real cell of patient {patient}, labelled {state}."
            for patient, state in zip(patients, states, strict=True)
        ],
        "The examples are real cells of patients that nothing here was trained on, with the labels that came with "
        "them. A few labels of either kind are wrong.",
    )


def _generated() -> _Examples:
    """Cells that the shipped models draw."""
    names, images, remarks = [], [], []
    for model, state in zip(opened().models, ("healthy", "infected"), strict=True):
        images.append(opened().prepare(pictures.to_uint8(model.sample(_EXAMPLES, seed=0))))
        names += [f"generated {state} {i + 1}" for i in range(_EXAMPLES)]
        remarks += [f"Drawn by the model of {state} cells: no photograph."] * _EXAMPLES
    return _Examples(
        names,
        torch.cat(images),
        remarks,
        "The examples are generated by the models that come with the program, since the malaria data are not on this "
        "machine. They are too smooth for real cells, and the models draw no parasites: their figures only show what "
        "the screen looks like. Real ones come with `python -m explorer data fetch malaria`.",
    )
