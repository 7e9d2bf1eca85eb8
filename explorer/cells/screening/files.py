"""Screening thousands of picture files, of which memory holds a few."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from explorer.cells.screening.groups import COLUMNS as GROUP_COLUMNS
from explorer.cells.screening.groups import Group, by_group, group_rows
from explorer.cells.screening.screener import UNLIKE, Screener, Screening, log_odds_of, screener
from explorer.cells.screening.verdicts import COLUMNS, Verdict, score_rows, summary, verdicts
from explorer.files.pictures import Figures, Progress, Work, open_pictures
from explorer.files.results import Results, own_files, part_of
from explorer.files.tables import check_place, write_table
from explorer.images.stacks import FIRST, Planes
from explorer.images.tasks import Arrays, ReadArray

_TYPES = ("string", "float", "float", "float", "string", "bool", "double", "string", "string")  # of COLUMNS
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

    def assuming(self, share: float) -> FileScreening:
        """Gives what screening says where that share of the cells is infected. Raises ValueError for what is none."""
        return replace(self, screening=self.screening.assuming(share), share=share)

    def likeliest(self, count: int) -> list[str]:
        """Lists the cells that are likeliest to be infected, at most so many; pictures unlike any cell are none."""
        chances = self.screening.p_infected.masked_fill(self.screening.typicality < UNLIKE, -1.0)
        best = chances.topk(min(count, len(chances)))
        return [self.files[row] for row, p in zip(best.indices.tolist(), best.values.tolist(), strict=True) if p >= 0]

    def rows(self) -> Iterator[list[object]]:
        """Yields a row a picture, unreadable ones last: see `score_rows`."""
        found = zip(self.files, verdicts(self.screening), strict=True)
        return score_rows(found, self.unreadable, share=self.share, model=self.model)

    def write_csv(self, path: Path) -> None:
        """Writes `rows` as a CSV file. An old file is replaced, at once.

        Raises:
            DatasetError: it cannot be written; nothing is left behind then.
        """
        check_place(path)
        write_table(path, COLUMNS, self.rows())


def screen_files(
    source: Path,
    *,
    share: float | None = None,
    planes: Planes = FIRST,
    device: str = "auto",
    progress: Progress | None = None,
    results: Results | None = None,
    label: str | None = None,
) -> FileScreening:
    """Screens the pictures in a folder, at any depth, or in a .zip; or a single picture. Not a medical device.

    Pictures are shrunk to what the models see as soon as they are decoded, so that memory holds a few at full size.

    Args:
        source: the folder, the zip or the picture.
        share: of infected cells, in (0, 1); None for that among the cells of the calibration, one half.
        planes: which frames and channels of files are screened; not `all` frames.
        device: auto, cpu, cuda or mps.
        progress: called with the number of pictures done and of all, readable or not.
        results: keeps what becomes of each, with what an earlier process has left; by default memory.
        label: what sentences call the source, by default its path.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, holds no pictures, or none can be read.
        CheckpointError: as of `explorer.screen`.
        ValueError: as of `explorer.screen`, or for what is no share.
    """
    opened, share = _asked(share, device)
    with Results() if results is None else results as results:
        notes = _screen(source, opened, results, planes, progress, label=label)
        blocks = list(results.figures())
        figures = np.concatenate([block[2] for block in blocks])
        names = [name for _, found, _ in blocks for name in found]
        screening = _screening(figures, opened, share)
        return FileScreening(names, screening, list(results.unreadable()), notes, share, opened.version)


@dataclass(frozen=True)
class ScreenedFiles:
    """What `screen_into` has written; see `FileScreening`."""

    summary: str
    unreadable: list[tuple[str, str]]
    notes: list[str]


def screen_into(
    out: Path,
    source: Path,
    *,
    groups: Path | None = None,
    pattern: str = "",
    share: float | None = None,
    planes: Planes = FIRST,
    device: str = "auto",
    progress: Progress | None = None,
) -> ScreenedFiles:
    """Screens pictures as `screen_files` does, into a table; memory does not hold what is said of them.

    What has been screened is kept beside, in `OUT.part`: after a process has died, the next one goes on from there.

    Args:
        out: the table, as `FileScreening.write_csv` writes it.
        source: the folder, the zip or the picture.
        groups: a table of groups as well, by `pattern`; see `by_group`.
        share, planes, device, progress: as of `screen_files`.

    Raises:
        DatasetError, CheckpointError: as of `screen_files`, or a file cannot be written.
        ValueError: as of `screen_files`, or the pattern is none.
    """
    opened, share = _asked(share, device)
    about = f"screen {source.absolute()} {opened.version} {planes}"  # the share is a matter of what is told of it
    with Results(part_of(out), about) as results:
        notes = _screen(source, opened, results, planes, progress, own_files(out, groups))
        found = partial(_found, results, opened, share)
        write_table(out, COLUMNS, score_rows(found(), results.unreadable(), share=share, model=opened.version))
        if groups is not None:
            write_table(groups, GROUP_COLUMNS, group_rows(by_group(found(), pattern)))
        screened = ScreenedFiles(summary(verdict for _, verdict in found()), list(results.unreadable()), notes)
        results.discard()
    return screened


def screening(share: float | None, planes: Planes, device: str) -> Work[Arrays]:
    """Says how the pictures of many are screened; `screen_files` has the arguments, and what it raises."""
    opened, share = _asked(share, device)
    return Work(
        f"screen {opened.version} {planes} {share}",
        _task(opened, planes),
        _prepared,
        partial(_figures, opened),
        dict(zip(COLUMNS, _TYPES, strict=True)),
        lambda results: score_rows(
            _found(results, opened, share), results.unreadable(), share=share, model=opened.version
        ),
        planes,
        _MOST_BYTES,
    )


def _found(results: Results, opened: Screener, share: float) -> Iterator[tuple[str, Verdict]]:
    for _, names, figures in results.figures():
        yield from zip(names, verdicts(_screening(figures, opened, share)), strict=True)


def _task(opened: Screener, planes: Planes) -> ReadArray:
    return ReadArray(opened.image_shape[1], 3, **vars(planes))


def _prepared(read: Arrays) -> Tensor:
    return torch.tensor(read.pixels[0])


def _figures(opened: Screener, images: Tensor, _: list[int]) -> Figures:
    said = opened.screen(images)
    return torch.stack([said.p_infected, said.log_ratio, said.typicality, said.residual_score], 1), None


def _asked(share: float | None, device: str) -> tuple[Screener, float]:
    """Opens the screener, and gives the share that is assumed. Raises ValueError for what is no share."""
    if share is not None:
        log_odds_of(share)
    opened = screener(device)
    return opened, opened.calibration.share if share is None else share


def _screen(
    source: Path,
    opened: Screener,
    results: Results,
    planes: Planes,
    progress: Progress | None,
    but: Iterable[Path] = (),
    label: str | None = None,
) -> list[str]:
    """Screens what there is no result of yet, but for some files; gives sentences on files that were left out."""
    task = _task(opened, planes)
    with open_pictures(source, task, results, planes=planes, most_bytes=_MOST_BYTES, label=label, but=but) as found:
        found.work(_prepared, partial(_figures, opened), progress)
    return found.notes


def _screening(figures: np.ndarray, opened: Screener, share: float) -> Screening:
    screening = Screening(*torch.tensor(figures).unbind(1))
    return screening if share == opened.calibration.share else screening.assuming(share)
