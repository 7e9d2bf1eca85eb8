"""The cells that a person has uploaded for the Cells screen: read, cropped, screened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from explorer.cells.screening import Screener, screener
from explorer.cells.screening.verdicts import Verdict, verdicts
from explorer.errors import CheckpointError
from explorer.files.pictures import Progress
from explorer.files.shipped import command
from explorer.images.arrays import to_array
from explorer.images.decoding import read_one
from explorer.images.large import Large, large_of
from explorer.images.processes import Effort
from explorer.images.slides import LARGE_SIDE
from explorer.images.stacks import FIRST, Planes
from explorer.images.tasks import ReadSlide
from explorer.ui.uploads.intake import Intake, Read, UploadJob
from explorer.ui.uploads.store import Item, Store, Uploads

_MOST_LARGE = 20  # pictures of which more is kept than the models see: five megabytes each, and their files
MOST_LARGE_BYTES = 200 << 20  # of these files together
UNJUDGED = Verdict(0.0, 0.0, 0.0, 0.0)
SHARE = "cells_share"  # percent of the cells that a person takes to be infected
_GRAY = "It is gray. The models know stained cells in colour, so the figures mean less."


@dataclass(frozen=True)
class Square:
    """What is cut out of a large picture: its side and where its middle is, in pixels of the picture."""

    side: int
    place: tuple[int, int]


@dataclass(frozen=True, eq=False)
class UploadedCell(Item):
    """A screened picture.

    Attributes:
        image: what the models see, uint8 [3, H, W].
        verdict: of the screening.
        large: more of a picture that is much larger than a cell; None of others, and where there was no room.
        crop: the square that was cut out of it; None for all of it.
    """

    image: Tensor
    verdict: Verdict
    large: Large | None = None
    crop: Square | None = None

    @property
    def title(self) -> str:
        """The file's name, and the square that was cut out of its picture."""
        if self.crop is None:
            return self.name
        x, y = self.crop.place
        return f"{self.name}, {self.crop.side} px at ({x}, {y})"

    @property
    def is_large(self) -> bool:
        """Whether the picture that was uploaded is clearly more than a cell."""
        return max(self.size) > LARGE_SIDE


@st.cache_resource(show_spinner="Opening the models …")
def opened() -> Screener:
    """Opens the screener, once for all sessions. Raises CheckpointError."""
    return screener()


def assumed() -> float | None:
    """Gives the share of infected cells that a person has entered, in (0, 1)."""
    percent: float | None = st.session_state.get(SHARE)
    return None if percent is None else percent / 100


def verdict_of(cell: UploadedCell) -> Verdict:
    """Gives a cell's verdict where the share of infected cells is as entered."""
    share = assumed()
    return cell.verdict if share is None else cell.verdict.assuming(share)


def by_probability(cells: Sequence[UploadedCell]) -> list[UploadedCell]:
    """Sorts cells, the likeliest to be infected first, what is no cell last."""
    return sorted(cells, key=lambda cell: (cell.verdict.unlike, -cell.verdict.p_infected))


class CellIntake(Intake[UploadedCell]):
    """How files become screened cells."""

    store = Store[UploadedCell]("cells_uploads", "cell", by_probability)
    key = "cells_upload"
    label = "Pictures of single cells, of any common format, size and shape, zips of them, or a folder dropped here"
    most = 500
    most_megabytes = 200  # a slide scanner's picture has 30 to 150
    instead = f"For more, run `{command('screen FOLDER --out scores.csv')}`, which takes a folder or a zip of any size."
    steps = 2

    def reader(self, before: Uploads[UploadedCell], planes: Planes = FIRST) -> Read[UploadedCell]:
        """Makes what reads files, and keeps more of large pictures, and files, as long as there is room for it."""
        size = opened().image_shape[1]
        effort = Effort("This upload")
        room = _MOST_LARGE - sum(cell.large is not None for cell in before.items)
        space = MOST_LARGE_BYTES - sum(len(cell.large.data if cell.large else cell.data) for cell in before.items)

        def read(name: str, data: bytes, digest: str) -> UploadedCell:
            nonlocal room, space
            found = read_one(data, name, ReadSlide(size, **vars(planes)), effort)
            fits = len(data) <= space
            kept = large_of(found, data, name, planes) if room > 0 and fits else None
            file = data if (found.frames, found.channels) != (1, 1) and fits else b""
            if kept is not None:
                room -= 1
            if kept is not None or file:
                space -= len(data)
            notes = (*found.notes, _GRAY) if found.gray else found.notes
            image = torch.tensor(found.seen)
            several: dict[str, Any] = {"frames": found.frames, "channels": found.channels, "planes": planes}
            return UploadedCell(
                0, name, digest, image, UNJUDGED, kept, data=file, size=found.size, notes=notes, **several
            )

        return read

    def finished(self, items: list[UploadedCell], job: UploadJob[UploadedCell] | None) -> list[UploadedCell]:
        """Screens all of them."""
        if job is None:
            return screened(items)
        job.doing = job.doing.replace("Reading", "Screening")
        return screened(items, lambda done, of: job.report(of + done, 2 * of))


intake = CellIntake()


def screened(cells: Sequence[UploadedCell], progress: Progress | None = None) -> list[UploadedCell]:
    """Gives cells their verdicts. Raises CheckpointError."""
    found = verdicts(screener().screen(torch.stack([cell.image for cell in cells]), progress=progress))
    return [replace(cell, verdict=verdict) for cell, verdict in zip(cells, found, strict=True)]


def recrop(cell: UploadedCell, large: Large, side: int | None) -> None:
    """As a callback: screens the square of that side at a large picture's place, or with None all of it again."""
    picture = large.overview if side is None else large.crop(side)
    crop = None if side is None else Square(side, large.place)
    try:
        (new,) = screened([replace(cell, image=_seen(picture, cell.image.shape[-1]), crop=crop)])
    except CheckpointError as error:
        intake.store.add([], [f"{cell.name} could not be screened: {str(error).rstrip('.')}."])
        return
    intake.store.exchange(cell, new)


def _seen(picture: Image.Image, size: int) -> UInt8[Tensor, "3 h w"]:
    return torch.from_numpy(to_array(picture, size, 3))
