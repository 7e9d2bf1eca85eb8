"""What the live view of a run is fed with, read once for all sessions that look at it.

A fragment asks every second for as long as a run is active, in every session that watches. So what is read stays here:
of the history only the lines that it grew by are read, of the frames only those that are new.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from explorer.runs import RunInfo
from explorer.ui import assets
from explorer.ui.train.frames import Frames, Reach, epoch_of
from explorer.ui.train.history import History, columns, thinned

_MOST = 16  # runs that stay in memory
_BLOCK = 100  # epochs: an update has at most so many, 10 kB


@dataclass(frozen=True)
class Feed:
    """A run as the browser draws it. What is big is behind a URL, or is text that is made once a change.

    Of a history of `epochs` epochs, the last of which is `last`, `recent` is JSON (see `columns`) of at most a hundred,
    and those before are the same behind `past_url`, which changes once in a hundred epochs. `frames` are names
    `EPOCH-VERSION`, in order; each fills `{frame}` in `sheet_url`, a picture of the reconstructions and below them the
    samples, 8 a row, and in `points_url`, JSON of `points` [x, y, x, y, …] and of `kl` by latent. `reaches`
    are what the axes of map and bars reach for each frame.
    """

    recent: str
    past_url: str
    epochs: int
    last: dict[str, Any]
    frames: tuple[str, ...]
    sheet_url: str
    points_url: str
    probe: dict[str, Any] | None
    classes: list[list[Any]] | None
    reaches: tuple[Reach, ...]


class _Watched:
    def __init__(self, path: Path, key: str) -> None:
        self.lock = threading.Lock()
        self.history = History(path / "history.jsonl")
        self.frames = Frames(path, key)
        self.key = key
        self.recent, self.past, self.past_name = "", b"", ""
        self.recent_of: tuple[int, int, tuple[str, ...]] = (-1, 0, ())  # what it was made of
        self.past_of: tuple[int, list[int]] = (-1, [])

    def feed(self) -> Feed:
        self.history.update()
        self.frames.update()
        rows, frames = self.history.rows, self.frames
        made_of = (self.history.writing, len(rows), frames.names)
        if made_of != self.recent_of:
            self._update_texts(rows)
            self.recent_of = made_of
        return Feed(
            recent=self.recent,
            past_url=self._past_url(),
            epochs=len(rows),
            last=rows[-1] if rows else {},
            frames=frames.names,
            sheet_url=frames.sheet_url,
            points_url=frames.points_url,
            probe=frames.probe,
            classes=frames.classes(),
            reaches=frames.reaches,
        )

    def _update_texts(self, rows: list[dict[str, Any]]) -> None:
        sent = thinned(rows, {epoch_of(name) for name in self.frames.names})
        split = max(0, len(sent) - 1) // _BLOCK * _BLOCK
        past_of = (self.history.writing, [row["epoch"] for row in sent[:split]])
        if past_of != self.past_of:
            self.past, self.past_of = columns(sent[:split]).encode() if split else b"", past_of
            self.past_name = f"{self.key}-past-{sha256(self.past).hexdigest()[:16]}.json"
        self.recent = columns(sent[split:])

    def _past_url(self) -> str:
        if not self.past:
            return ""
        past = self.past
        return assets.publish(self.past_name, lambda: past, "application/json")  # each time, or others push it out


_watched: OrderedDict[str, _Watched] = OrderedDict()
_lock = threading.Lock()


def feed(info: RunInfo) -> Feed:
    """The newest of a run. Costs a look at its folder when nothing has changed."""
    # Not by name alone: another run may have had it before.
    key = sha256(f"{info.path.absolute()}\n{info.created.isoformat()}".encode()).hexdigest()[:16]
    with _lock:
        if key not in _watched:
            _watched[key] = _Watched(info.path, key)
        _watched.move_to_end(key)
        while len(_watched) > _MOST:
            _watched.popitem(last=False)
        watched = _watched[key]
    with watched.lock:
        return watched.feed()
