"""Pictures on their way in: decoded one by one, screened in batches, and examples for who has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import streamlit as st
import torch
from torch import Tensor

from explorer import datasets, pictures
from explorer.datasets import DatasetError
from explorer.datasets.images import ImageError, to_array
from explorer.datasets.slides import LARGE_SIDE, read_picture
from explorer.screening import Screener, screener
from explorer.screening.looking import Verdict, verdicts
from explorer.ui.panels import cells_kept
from explorer.ui.panels.cells_kept import MOST, UploadedCell

_MOST_LARGE = 20  # pictures of which more is kept than the models see: five megabytes each
_EXAMPLES = 6  # of each state
_UNJUDGED = Verdict(0.0, 0.0, 0.0, 0.0)

Say = Callable[[float, str], object]
"""Shows a share in [0, 1] of the work that is done, and what is being done."""


@st.cache_resource(show_spinner="Opening the models …")
def opened() -> Screener:
    """The screener, opened once for all sessions. Raises CheckpointError."""
    return screener()


def take(files: Sequence[tuple[str, bytes]], say: Say) -> None:
    """Decode files, screen what can be read, and keep it; the others become sentences.

    Raises CheckpointError.
    """
    before = cells_kept.kept()
    known = {cell.digest: cell for cell in before.cells}
    room = _MOST_LARGE - sum(cell.large is not None for cell in before.cells)
    cells: list[UploadedCell] = []
    problems: list[str] = []
    again = 0
    if len(before.cells) + len(files) > MOST:
        cells_kept.add([], [_too_many(len(files), len(before.cells))])
        return
    size = opened().image_shape[1]
    for i, (name, data) in enumerate(files):
        say(0.5 * i / len(files), f"Reading {i + 1:,} of {len(files):,}")
        digest = sha256(name.encode("utf-8", "replace") + b"\0" + data).hexdigest()
        if digest in known:
            again += 1
            continue
        try:
            picture = read_picture(data, name, size)
        except ImageError as error:
            problems.append(str(error))
            continue
        large = picture.large if room > 0 else None
        room -= large is not None
        image = torch.from_numpy(picture.seen)
        cell = UploadedCell(0, name, digest, image, _UNJUDGED, picture.remarks, picture.size, large)
        known[digest] = cell
        cells.append(cell)
    if again:
        were = "file was" if again == 1 else "files were"
        problems.append(f"{again} {were} here already, and {'is' if again == 1 else 'are'} listed once.")
    cells_kept.add(judged(cells, lambda share, text: say(0.5 + 0.5 * share, text)), problems)


def _too_many(count: int, there: int) -> str:
    beside = f" and {there:,} are here" if there else ""
    return (
        f"These are {count:,} files{beside}: this screen takes {MOST} at most. For more, run "
        "python -m explorer screen FOLDER --out scores.csv, which takes a folder or a zip of any size."
    )


def judged(cells: Sequence[UploadedCell], say: Say) -> list[UploadedCell]:
    """The cells with their verdicts."""
    if not cells:
        return []

    def progress(done: int, of: int) -> None:
        say(done / of, f"Screening {done:,} of {of:,}")

    say(0.0, f"Screening {len(cells):,}")
    found = verdicts(opened().screen(torch.stack([cell.image for cell in cells]), progress=progress))
    return [replace(cell, verdict=verdict) for cell, verdict in zip(cells, found, strict=True)]


def recrop(cell: UploadedCell, side: int | None) -> None:
    """As a callback: screen the square of that side in the middle of a large picture, or with None all of it again."""
    if cell.large is None:
        return
    picture = cell.large.overview if side is None else cell.large.crop(side)
    image = torch.from_numpy(to_array(picture, cell.image.shape[-1], 3))
    (verdict,) = verdicts(opened().screen(image[None]))
    cells_kept.exchange(cell, replace(cell, image=image, verdict=verdict, crop=side))


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


def take_examples(say: Say) -> None:
    """Keep some examples: real cells where the malaria data are on this machine, else generated ones.

    Raises CheckpointError.
    """
    found = _real() or _generated()
    cells = [
        UploadedCell(0, name, f"example {name}", image, _UNJUDGED, (remark,))
        for name, image, remark in zip(found.names, found.images, found.remarks, strict=True)
    ]
    there = {cell.digest for cell in cells_kept.kept().cells}
    cells_kept.add(judged([cell for cell in cells if cell.digest not in there], say), [], found.note)


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
