"""The pictures that a person has brought in this session: uploaded, pasted or photographed; kept in memory alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import streamlit as st
from PIL import Image

_STATE = "reconstruct_kept"
MOST = 100  # pictures: more are for a zip
MOST_BYTES = 96 << 20  # of all of them together, decoded: some thirty large photos


@dataclass(frozen=True, eq=False)
class Brought:
    """A decoded picture.

    Attributes:
        ident: a number of its own in this session.
        name: its file's.
        digest: of the file's bytes and name, by which the same file is known again.
        picture: of mode L or RGB, shrunk where the file's is large.
        size: the file's width and height.
        small: a picture to choose it by.
        remarks: on how it was read, a sentence each.
    """

    ident: int
    name: str
    digest: str
    picture: Image.Image
    size: tuple[int, int]
    small: Image.Image
    remarks: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return self.picture.width * self.picture.height * len(self.picture.getbands())


@dataclass(frozen=True)
class Kept:
    """All pictures in the order in which they came, sentences on files that were none, and which is looked at."""

    pictures: tuple[Brought, ...] = ()
    problems: tuple[str, ...] = ()
    chosen: int | None = None
    last: int = 0  # the newest ident
    undo: tuple[str, Kept] | None = None  # what was taken away, and what there was before

    @property
    def looked_at(self) -> Brought | None:
        return next((found for found in self.pictures if found.ident == self.chosen), None)


def kept() -> Kept:
    return st.session_state.get(_STATE, Kept())


def keep(state: Kept) -> None:
    st.session_state[_STATE] = state


def add(pictures: Iterable[Brought], problems: Iterable[str]) -> None:
    """Add pictures, numbered anew, and look at the first of them; the problems take the place of former ones.

    A picture for which there is no room left becomes a problem itself.
    """
    before = kept()
    room = MOST_BYTES - sum(found.bytes for found in before.pictures)
    new: list[Brought] = []
    refused: list[str] = []
    for found in pictures:
        if found.bytes > room:
            refused.append(
                f"{found.name} was not taken in: the pictures here fill the {MOST_BYTES >> 20} MB that a visitor has. "
                "Remove some first, or rank a zip of them instead."
            )
            continue
        room -= found.bytes
        new.append(replace(found, ident=before.last + 1 + len(new)))
    chosen = new[0].ident if new else before.chosen
    keep(Kept((*before.pictures, *new), (*problems, *refused), chosen, before.last + len(new)))


def choose(ident: int) -> None:
    keep(replace(kept(), chosen=ident))


def remove() -> None:
    """As a callback: take the one that is looked at away; the next one is looked at."""
    before = kept()
    gone = before.looked_at
    if gone is None:
        return
    order = [found.ident for found in before.pictures]
    place = order.index(gone.ident)
    order.remove(gone.ident)
    chosen = order[min(place, len(order) - 1)] if order else None
    pictures = tuple(found for found in before.pictures if found is not gone)
    undo = (f"Removed {gone.name}.", replace(before, undo=None))
    keep(replace(before, pictures=pictures, chosen=chosen, undo=undo))


def clear() -> None:
    """As a callback: take all away."""
    before = kept()
    count = len(before.pictures)
    what = f"Cleared {count} picture{'' if count == 1 else 's'}."
    keep(Kept(last=before.last, undo=(what, replace(before, undo=None))))


def undo() -> None:
    """As a callback: bring back what was taken away last."""
    before = kept()
    if before.undo is not None:
        keep(replace(before.undo[1], last=before.last))


def dismiss() -> None:
    """As a callback: the problems have been read."""
    keep(replace(kept(), problems=()))
