"""The cells that a person has uploaded in this session: kept in memory alone, each with what screening said of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st
from torch import Tensor

from explorer.cells.screening.verdicts import Verdict
from explorer.images.slides import Large

if TYPE_CHECKING:
    from explorer.ui.cells.upload_job import Taking

_STATE = "cells_upload_kept"
MOST = 500  # cells: more are for the command line


@dataclass(frozen=True)
class Square:
    """What is cut out of a large picture: its side and where its middle is, in pixels of the picture."""

    side: int
    place: tuple[int, int]


@dataclass(frozen=True, eq=False)
class UploadedCell:
    """A screened picture.

    Attributes:
        ident: a number of its own in this session; another one once it is cropped.
        name: its file's, or what an example is called.
        digest: of the file's bytes and name, by which the same file is known again.
        image: what the models see, uint8 [3, H, W].
        remarks: on how it was read, a sentence each.
        large: more of a picture that is much larger than a cell; None of others, and where there was no room.
        size: width and height of the picture, in pixels.
        crop: the square that was cut out of it; None for all of it.
    """

    ident: int
    name: str
    digest: str
    image: Tensor
    verdict: Verdict
    remarks: tuple[str, ...] = ()
    size: tuple[int, int] = (64, 64)
    large: Large | None = None
    crop: Square | None = None

    @property
    def title(self) -> str:
        if self.crop is None:
            return self.name
        x, y = self.crop.place
        return f"{self.name}, {self.crop.side} px at ({x}, {y})"


@dataclass(frozen=True)
class Kept:
    """All cells in the order in which they came, sentences on files that were none, and which cell is looked at."""

    cells: tuple[UploadedCell, ...] = ()
    problems: tuple[str, ...] = ()
    chosen: int | None = None
    note: str = ""  # where examples come from
    taken: int = 0  # how often files were handed over: names the next uploader
    taking: Taking | None = None  # the files that were handed over last, until they have become cells
    last: int = 0  # the newest ident
    undo: tuple[str, Kept] | None = None  # what was taken away, and what there was before

    def sorted(self) -> list[UploadedCell]:
        """The likeliest to be infected first, what is no cell last."""
        return sorted(self.cells, key=lambda cell: (cell.verdict.unlike, -cell.verdict.p_infected))

    @property
    def looked_at(self) -> UploadedCell | None:
        return next((cell for cell in self.cells if cell.ident == self.chosen), None)


def kept() -> Kept:
    return st.session_state.get(_STATE, Kept())


def keep(state: Kept) -> None:
    st.session_state[_STATE] = state


def add(
    cells: Iterable[UploadedCell], problems: Iterable[str] = (), *, note: str = "", taken: Taking | None = None
) -> None:
    """Add cells that are not there, numbered anew, and look at the first of them in the order of the overview.

    Args:
        note: where they come from.
        taken: the files that they were, which are on their way no longer.
    """
    before = kept()
    there = {cell.digest for cell in before.cells}
    cells = [cell for cell in cells if cell.digest not in there]
    numbered = [replace(cell, ident=before.last + 1 + i) for i, cell in enumerate(cells)]
    chosen = Kept(tuple(numbered)).sorted()[0].ident if numbered else before.chosen
    # All at once: a run of the script may end at any word with the session, and the next begins with what was kept.
    keep(
        replace(
            before,
            cells=(*before.cells, *numbered),
            problems=(*before.problems, *problems),
            chosen=chosen,
            note=note or before.note,
            last=before.last + len(numbered),
            taking=None if taken is before.taking else before.taking,
            undo=None,
        )
    )


def exchange(cell: UploadedCell, new: UploadedCell) -> None:
    """Put another crop of a picture in its place, and look at it."""
    before = kept()
    if all(other is not cell for other in before.cells):
        return  # somebody has removed it in the meantime
    new = replace(new, ident=before.last + 1)
    cells = tuple(new if other is cell else other for other in before.cells)
    keep(replace(before, cells=cells, chosen=new.ident, last=new.ident, undo=None))


def choose(ident: int) -> None:
    keep(replace(kept(), chosen=ident))


def remove(cell: UploadedCell) -> None:
    """As a callback: take one away; the next in the overview is looked at."""
    before = kept()
    order = [other.ident for other in before.sorted()]
    if cell.ident not in order:
        return  # a second click, before the first was drawn
    place = order.index(cell.ident)
    order.remove(cell.ident)
    chosen = order[min(place, len(order) - 1)] if order else None
    cells = tuple(other for other in before.cells if other is not cell)
    undo = (f"Removed {cell.title}.", replace(before, undo=None, taking=None))
    keep(replace(before, cells=cells, chosen=chosen, undo=undo))


def clear() -> None:
    """As a callback: take all away."""
    before = kept()
    count = len(before.cells)
    what = f"Cleared {count} cell{'' if count == 1 else 's'}." if count else "Cleared."
    undo = (what, replace(before, undo=None, taking=None))
    keep(Kept(taken=before.taken, taking=before.taking, last=before.last, undo=undo))


def undo() -> None:
    """As a callback: bring back what was taken away last."""
    before = kept()
    if before.undo is not None:
        last = max(before.last, before.undo[1].last)
        keep(replace(before.undo[1], taken=before.taken, taking=before.taking, last=last))
