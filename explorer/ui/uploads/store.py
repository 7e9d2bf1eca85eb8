"""What a person has uploaded in this session: kept in memory alone, with a way back from what is taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, TypeVar

import streamlit as st

from explorer.images.stacks import FIRST, Planes

if TYPE_CHECKING:
    from explorer.ui.uploads.intake import UploadJob


@dataclass(frozen=True, eq=False)
class Item:
    """An uploaded picture.

    Attributes:
        ident: a number of its own in this session.
        name: its file's.
        digest: of the file's bytes and name, by which the same file is known again.
        size: width and height of the file's picture, upright, in pixels.
        notes: on how it was read, a sentence each.
        frames, channels: how many the file has.
        data: the file's bytes where it has several, if there is room for them, to take others.
        planes: which of them were taken.
    """

    ident: int
    name: str
    digest: str
    size: tuple[int, int] = field(default=(0, 0), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    frames: int = field(default=1, kw_only=True)
    channels: int = field(default=1, kw_only=True)
    data: bytes = field(default=b"", kw_only=True, repr=False)
    planes: Planes = field(default=FIRST, kw_only=True)

    @property
    def title(self) -> str:
        """What the screen calls it."""
        return self.name


AnItem = TypeVar("AnItem", bound=Item)


@dataclass(frozen=True)
class Uploads(Generic[AnItem]):
    """All items in the order in which they came.

    Attributes:
        items: the items.
        problems: sentences on files of the last upload that became none.
        unreadable: the names of all such files, each with the reason, a clause.
        chosen: the ident of the one that is looked at.
        note: a sentence on where all of them come from.
        job: files on their way, until they have become items.
        uploaders: how often files were handed over; it names the next uploader, which is empty.
        last: the newest ident.
        undo: what was taken away last, in a sentence, and what there was before.
    """

    items: tuple[AnItem, ...] = ()
    problems: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
    chosen: int | None = None
    note: str = ""
    job: UploadJob[AnItem] | None = None
    uploaders: int = 0
    last: int = 0
    undo: tuple[str, Uploads[AnItem]] | None = None

    @property
    def looked_at(self) -> AnItem | None:
        return next((item for item in self.items if item.ident == self.chosen), None)


class Store(Generic[AnItem]):
    """The uploads of one screen in the session's state.

    A run of the script may end at any access to that state, and the next one begins with what was kept: so each change
    is one assignment.
    """

    def __init__(
        self, key: str, noun: str, order: Callable[[Sequence[AnItem]], list[AnItem]] = lambda items: list(items)
    ) -> None:
        """Names a store.

        Args:
            key: of the session's state.
            noun: what an item is called, in the singular.
            order: in which the screen shows items.
        """
        self.key, self.noun, self.order = key, noun, order

    @property
    def state(self) -> Uploads[AnItem]:
        return st.session_state.get(self.key, Uploads())

    def keep(self, state: Uploads[AnItem]) -> None:
        st.session_state[self.key] = state

    def add(
        self,
        items: Iterable[AnItem],
        problems: Iterable[str] = (),
        *,
        unreadable: Iterable[tuple[str, str]] = (),
        note: str = "",
        job: UploadJob[AnItem] | None = None,
    ) -> None:
        """Adds items, numbered anew, and looks at the first of them.

        Args:
            items: the items.
            problems: sentences on files that became none.
            unreadable: the names of these files, each with the reason.
            note: where the items come from.
            job: by which they came, and which has ended.
        """
        before = self.state
        there = {item.digest for item in before.items}
        items = [item for item in items if item.digest not in there]  # a second click, before the first was drawn
        new = [replace(item, ident=before.last + 1 + i) for i, item in enumerate(items)]
        self.keep(
            replace(
                before,
                items=(*before.items, *new),
                problems=tuple(problems),
                unreadable=tuple(dict.fromkeys((*before.unreadable, *unreadable))),
                chosen=self.order(new)[0].ident if new else before.chosen,
                note=note or before.note,
                job=None if job is before.job else before.job,
                last=before.last + len(new),
                undo=None if new else before.undo,
            )
        )

    def exchange(self, item: AnItem, new: AnItem) -> None:
        """Puts another item in the place of one, and looks at it."""
        before = self.state
        if item not in before.items:
            return  # it was removed in the meantime
        new = replace(new, ident=before.last + 1)
        items = tuple(new if other is item else other for other in before.items)
        self.keep(replace(before, items=items, chosen=new.ident, last=new.ident, undo=None))

    def choose(self, ident: int) -> None:
        """As a callback: looks at another one."""
        self.keep(replace(self.state, chosen=ident))

    def remove(self, item: AnItem) -> None:
        """As a callback: takes one away; the next one is looked at."""
        before = self.state
        if item not in before.items:
            return  # a second click, before the first was drawn
        place = self.order(before.items).index(item)
        items = tuple(other for other in before.items if other is not item)
        chosen = self.order(items)[min(place, len(items) - 1)].ident if items else None
        self._take_away(f"Removed {item.title}.", replace(before, items=items, chosen=chosen))

    def clear(self) -> None:
        """As a callback: takes all away."""
        before = self.state
        count = len(before.items)
        cleared = replace(before, items=(), problems=(), unreadable=(), chosen=None, note="")
        self._take_away(f"Cleared {count} {self.noun}{'' if count == 1 else 's'}.", cleared)

    def _take_away(self, what: str, after: Uploads[AnItem]) -> None:
        self.keep(replace(after, undo=(what, replace(self.state, undo=None, job=None))))

    def undo(self) -> None:
        """As a callback: brings back what was taken away last, unless files are on their way to the room it left.

        Problems stay as they are: those of then were dismissed or followed by others.
        """
        now = self.state
        if now.undo is not None and now.job is None:
            then = now.undo[1]
            unreadable = tuple(dict.fromkeys((*then.unreadable, *now.unreadable)))
            after = replace(then, problems=now.problems, unreadable=unreadable)
            self.keep(replace(after, uploaders=now.uploaders, last=now.last))

    def dismiss(self) -> None:
        """As a callback: the problems have been read."""
        self.keep(replace(self.state, problems=()))
