"""Screening thousands of picture files: the next ones are decoded while some are screened, none is kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from explorer.cells.screening.screener import Progress, Screener, Screening, screener
from explorer.cells.screening.verdicts import COLUMNS, score_rows, summary, verdicts
from explorer.datasets.folder import THREADS
from explorer.errors import DatasetError, ImageError
from explorer.files.entries import Entry, Files, open_files
from explorer.files.tables import check_place, write_table
from explorer.files.zips import printable
from explorer.images.reading import image_suffixes

BLOCK = 128  # pictures between two reports of progress, and how many are decoded ahead
_MOST_BYTES = 64 << 20  # of a file: a single cell takes some kilobytes, and a slide can only be screened cell by cell
_LARGE_BYTES = 8 << 20
_one_large = threading.Lock()  # held while a file of more than that is in memory: a zip of zeros unpacks to gigabytes

_Decoded = UInt8[Tensor, "3 h w"] | str
"""A picture as the models see it, or why it cannot be read."""


@dataclass(frozen=True)
class FileScreening:
    """What screening says of the pictures in a folder or a zip.

    Attributes:
        files: of the N readable pictures, below the source, with `/`, in order.
        screening: of these, row by row.
        unreadable: the others, in order, each with why it could not be read, a clause.
        notes: sentences on files that were left out.
    """

    files: list[str]
    screening: Screening
    unreadable: list[tuple[str, str]]
    notes: list[str]

    @property
    def summary(self) -> str:
        """How many pictures, how many of them are cells, and what these are called."""
        return summary(verdicts(self.screening))

    def write_csv(self, path: Path) -> None:
        """A row a readable picture: `file,p_infected,log_ratio,typicality`. A file that is there is replaced, at once.

        Figures have as many digits as tell any two float32 apart: probabilities near 1 must not become ties.

        Raises:
            DatasetError: it cannot be written; nothing is left behind then.
        """
        check_place(path)
        write_table(path, COLUMNS, score_rows(zip(self.files, verdicts(self.screening), strict=True)))


def screen_files(source: Path, *, device: str = "auto", progress: Progress | None = None) -> FileScreening:
    """Screen the pictures in a folder, at any depth, or in a .zip; or a single picture. Not a medical device.

    Pictures are shrunk to what the models see as soon as they are decoded, so that memory holds a few at full size.

    Args:
        source: the folder, the zip or the picture.
        device: auto, cpu, cuda or mps.
        progress: called with the number of pictures done and of all, readable or not.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, holds no pictures, or none can be read.
        CheckpointError, ValueError: as of `explorer.screen`.
    """
    with _opened(source) as files:
        entries, notes = _pictures(files, str(source))
        if progress:
            progress(0, len(entries))
        screen = screener(device)
        parts: list[Screening] = []
        readable: list[str] = []
        unreadable: list[tuple[str, str]] = []
        for start, decoded in _decoded(files, entries, screen):
            block = entries[start : start + len(decoded)]
            images = [image for image in decoded if isinstance(image, Tensor)]
            readable += [e.path for e, image in zip(block, decoded, strict=True) if isinstance(image, Tensor)]
            unreadable += [(e.path, image) for e, image in zip(block, decoded, strict=True) if isinstance(image, str)]
            if images:
                parts.append(screen.screen(torch.stack(images)))
            if progress:
                progress(start + len(decoded), len(entries))
    if not parts:
        path, reason = unreadable[0]
        if len(entries) == 1:
            raise ImageError(path, reason)
        raise DatasetError(f"None of the {len(entries):,} pictures in {source} could be read: {path}, {reason}.")
    columns = zip(*((p.p_infected, p.log_ratio, p.typicality, p.residual_score) for p in parts), strict=True)
    return FileScreening(readable, Screening(*map(torch.cat, columns)), unreadable, notes)


@contextmanager
def _opened(source: Path) -> Iterator[Files]:
    """A folder or a zip, or a picture as a folder of one."""
    if source.suffix.lower() in image_suffixes() and os.path.isfile(source):
        yield Files([Entry((printable(source.name),), source.stat().st_size, str(source))])
        return
    with open_files(source) as files:
        yield files


def _pictures(files: Files, label: str) -> tuple[list[Entry], list[str]]:
    """The files that are pictures by their ending, and notes on the others."""
    pictures = [entry for entry in files.entries if entry.suffix in image_suffixes()]
    others = [entry for entry in files.entries if entry.suffix not in image_suffixes()]
    if not pictures:
        zips = sum(entry.suffix == ".zip" for entry in others)
        inside = (
            "" if not zips else " but 1 zip file: unpack it" if zips == 1 else f" but {zips:,} zip files: unpack them"
        )
        raise DatasetError(f"{label} holds no images{inside and inside + ' first'}.")
    notes = list(files.notes)
    if others:
        which = "1 file that is no picture" if len(others) == 1 else f"{len(others):,} files that are no pictures"
        notes.append(f"Left out: {which}, such as {others[0].path}.")
    return pictures, notes


def _decoded(files: Files, entries: list[Entry], screen: Screener) -> Iterator[tuple[int, list[_Decoded]]]:
    """Blocks of pictures in order, with the position of each block's first; the next is decoded meanwhile."""

    def decode(entry: Entry) -> _Decoded:
        if entry.size > _MOST_BYTES:
            return f"it has {entry.size >> 20:,} MB, more than the limit of {_MOST_BYTES >> 20} for a picture of a cell"
        try:
            with _one_large if entry.size > _LARGE_BYTES else nullcontext():
                return screen.prepare([files.read(entry)])[0]
        except ImageError as error:
            return error.reason

    pool = ThreadPoolExecutor(THREADS)
    try:
        starts = range(0, len(entries), BLOCK)
        ahead: list[Future[_Decoded]] = []
        for start in (*starts, len(entries)):
            block, ahead = ahead, [pool.submit(decode, entry) for entry in entries[start : start + BLOCK]]
            if block:
                yield start - len(block), [future.result() for future in block]
    finally:
        pool.shutdown(cancel_futures=True)
