"""Screening thousands of picture files, of which memory holds a few."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from explorer.cells.screening.groups import Group, by_group
from explorer.cells.screening.screener import Screening, log_odds_of, screener
from explorer.cells.screening.verdicts import COLUMNS, score_rows, summary, verdicts
from explorer.files.pictures import Progress, open_pictures
from explorer.files.tables import check_place, write_table
from explorer.images.tasks import ReadArray

_MOST_BYTES = 64 << 20  # of a file: a single cell takes some kilobytes, and a slide can only be screened cell by cell


@dataclass(frozen=True)
class FileScreening:
    """The screening of the pictures in a folder or a zip.

    Attributes:
        files: of the N readable pictures, below the source, with `/`, in order.
        screening: of these, row by row.
        unreadable: the others, in order, each with why it could not be read, a clause.
        notes: sentences on files that were left out.
        share: of infected cells that the probabilities assume.
        model: the content of the models, by `Screener.version`.
    """

    files: list[str]
    screening: Screening
    unreadable: list[tuple[str, str]]
    notes: list[str]
    share: float
    model: str

    @property
    def summary(self) -> str:
        """The number of pictures, how many of them are cells, and what these are called."""
        return summary(verdicts(self.screening))

    def groups(self, pattern: str = "") -> list[Group]:
        """Counts the pictures by patient, or by another part of their paths: see `by_group`. Raises ValueError."""
        return by_group(zip(self.files, verdicts(self.screening), strict=True), pattern)

    def write_csv(self, path: Path) -> None:
        """Writes a row a picture, unreadable ones last: see `score_rows`. An old file is replaced, at once.

        Raises:
            DatasetError: it cannot be written; nothing is left behind then.
        """
        check_place(path)
        rows = zip(self.files, verdicts(self.screening), strict=True)
        write_table(path, COLUMNS, score_rows(rows, self.unreadable, share=self.share, model=self.model))


def screen_files(
    source: Path, *, share: float | None = None, device: str = "auto", progress: Progress | None = None
) -> FileScreening:
    """Screens the pictures in a folder, at any depth, or in a .zip; or a single picture. Not a medical device.

    Pictures are shrunk to what the models see as soon as they are decoded, so that memory holds a few at full size.

    Args:
        source: the folder, the zip or the picture.
        share: of infected cells, in (0, 1); None for that among the cells of the calibration, one half.
        device: auto, cpu, cuda or mps.
        progress: called with the number of pictures done and of all, readable or not.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, holds no pictures, or none can be read.
        CheckpointError: as of `explorer.screen`.
        ValueError: as of `explorer.screen`, or for what is no share.
    """
    if share is not None:
        log_odds_of(share)
    opened = screener(device)
    parts: list[Screening] = []
    readable: list[str] = []
    with open_pictures(source, ReadArray(opened.image_shape[1], 3), most_bytes=_MOST_BYTES) as found:
        for names, images in found.blocks(lambda pixels: torch.tensor(pixels), progress):
            readable += names
            parts.append(opened.screen(images))
    columns = zip(*((p.p_infected, p.log_ratio, p.typicality, p.residual_score) for p in parts), strict=True)
    screening = Screening(*map(torch.cat, columns))
    if share is None:
        share = opened.calibration.share
    else:
        screening = screening.assuming(share)
    return FileScreening(readable, screening, found.unreadable, found.notes, share, opened.version)
