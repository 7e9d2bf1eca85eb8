"""What the live view of a run is fed with, read once for all sessions that look at it.

A fragment asks every second for as long as a run is active, in every session that watches. So what is read stays here:
of the history only the lines that it grew by are read, of the frames only their index.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from explorer.figures import palette
from explorer.runs import RunInfo
from explorer.training.frame_files import FrameIndex, StoredFrame, read_index
from explorer.ui import assets
from explorer.ui.components.training_view.component import RunData
from explorer.ui.train.history import History, columns, thinned

_MOST = 16  # runs that stay in memory
_BLOCK = 100  # epochs: an update has at most so many, 10 kB
_SHRINK = 0.15  # of what is too wide, a frame: the first ones often spread far, and axes must not jump


@dataclass(frozen=True)
class Feed:
    """What there is to see of a run: `data` for the browser; how many `epochs` its history has, and the `last` line.

    `older` says that the run has pictures which an older version stored, and which this one does not read.
    """

    data: RunData
    epochs: int
    last: dict[str, Any]
    older: bool


class _Watched:
    def __init__(self, path: Path, key: str) -> None:
        self.lock = threading.Lock()
        self.path, self.key = path, key
        self.history = History(path / "history.jsonl")
        self.recent, self.past, self.past_name = "", b"", ""
        self.past_of: tuple[int, list[int]] = (-1, [])  # what it was made of
        self.made_of: tuple[Any, ...] = ()
        self.data = RunData()

    def feed(self) -> Feed:
        self.history.update()
        rows, index = self.history.rows, read_index(self.path)
        made_of = (self.history.writing, len(rows), index)
        if made_of != self.made_of:
            frames = index.frames if index else ()
            self._update_texts(rows, frames)
            self.data = RunData(
                recent=self.recent,
                past_url=self._past_url(),
                frames=" ".join(frame.name for frame in frames),
                frames_url=assets.frames_url(self.path.name),
                reaches=" ".join(f"{value:.3g}" for reach in _slowly(frames) for value in reach),
                probe=_probe(index) if index else None,
                classes=_classes(index) if index else None,
            )
            self.made_of = made_of
        self._past_url()  # published each time, or other assets push it out
        older = index is None and (self.path / "frames" / "probe.safetensors").exists()
        return Feed(self.data, len(rows), rows[-1] if rows else {}, older)

    def _update_texts(self, rows: list[dict[str, Any]], frames: Iterable[StoredFrame]) -> None:
        sent = thinned(rows, {frame.epoch for frame in frames})
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
        return assets.publish(self.past_name, lambda: past, "application/json")


def _probe(index: FrameIndex) -> dict[str, Any]:
    return {
        "name": index.name,
        "shown": index.shown,
        "tile": list(index.tile),
        "groups": index.groups,
        "rings": index.rings,
    }


def _classes(index: FrameIndex) -> list[list[Any]] | None:
    """[number, name, colour] of each class of the probe set."""
    if not index.labels:
        return None
    names = index.classes
    colors = palette(max(len(names), index.labels[-1] + 1))
    return [[i, names[i] if i < len(names) else str(i), colors[i]] for i in index.labels]


def _slowly(frames: Iterable[StoredFrame]) -> Iterator[list[float]]:
    """What to show each frame in: grows at once, shrinks slowly."""
    before: list[float] | None = None
    for frame in frames:
        own = frame.reach
        slow = own if before is None else [b + _SHRINK * (o - b) for b, o in zip(before, own, strict=True)]
        widest = (min, max, min, max, max)
        before = [pick(o, s) for pick, o, s in zip(widest, own, slow, strict=True)]
        yield before


_watched: OrderedDict[str, _Watched] = OrderedDict()
_lock = threading.Lock()


def feed(info: RunInfo) -> Feed:
    """Gives the newest of a run. Costs a look at its folder when nothing has changed."""
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
