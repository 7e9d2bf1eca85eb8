"""The frames of a run as assets: a sheet of pictures and the points of a map for each, made when a browser asks."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.errors import CheckpointError
from explorer.figures import palette
from explorer.images import pictures
from explorer.training.frames import Frame, read_frame, read_probe
from explorer.ui import assets

ACROSS = 8  # tiles in a row of a sheet: the reconstructions are its first row, the samples those below
_LOSSLESS = 40  # pixels a side: up to here a PNG is 25 kB, and 190 in colour; at 64 px it would be 600
_AGAIN_SECONDS = 60.0  # by then other assets may have pushed a run's out of the store
_GRAIN_NS = 2_000_000_000  # of file times, on the coarsest file systems
_FENCE = 0.5  # how far beyond the middle 98% of the points the view reaches, in their width
_SHRINK = 0.15  # of what is too wide, an epoch: the first ones often spread far, and axes must not jump


Reach = tuple[float, float, float, float, float]
"""What axes have to reach: the map's x from, to, y from, to; and the KL of the strongest latent in nats."""


class Frames:
    """The frames that a run has now. `key` begins the keys of its assets, and names the run."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self.sheet_url = self.points_url = ""  # with {frame} for a name
        self.probe: dict[str, Any] | None = None
        self._own: dict[str, Reach] = {}  # what the frame itself takes, by name, in order
        self.reaches: tuple[Reach, ...] = ()  # of the axes to show each frame in: they follow slowly
        self._probe_version = ""
        self._published = -math.inf
        self._looked_at: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """`EPOCH-VERSION` of each, in order."""
        return tuple(self._own)

    def update(self) -> None:
        """Frames come, are thinned out, and are written again when a run is resumed: a file's time tells which."""
        self._update_probe()
        if self.probe is None:
            return
        again = time.monotonic() - self._published > _AGAIN_SECONDS
        folder = self._folder_time()
        if folder is not None and folder == self._looked_at and not again:
            return
        self._looked_at = folder
        found: dict[str, int] = {}
        with contextlib.suppress(OSError), os.scandir(self.path / "frames") as entries:
            for entry in entries:
                number = entry.name.removesuffix(".safetensors")
                if number.isdigit() and number != entry.name:
                    with contextlib.suppress(OSError):  # thinned out just now
                        found[_name(int(number), entry.stat().st_mtime_ns)] = int(number)
        names = sorted(found, key=found.__getitem__)
        for name in names:
            if again or name not in self._own:
                self._publish(name)
        if again:
            self._published = time.monotonic()
        if names != list(self._own):
            own = {name: self._own.get(name) or self._read(name) for name in names}
            self._own = {name: reach for name, reach in own.items() if reach is not None}
            self.reaches = tuple(_followed(self._own.values()))

    def _folder_time(self) -> int | None:
        """When a file last came into the folder or left it; None if that is so short ago that another may follow
        within the clock's grain."""
        with contextlib.suppress(OSError):
            changed = (self.path / "frames").stat().st_mtime_ns
            if time.time_ns() - changed > _GRAIN_NS:
                return changed
        return None

    def _publish(self, name: str) -> None:
        kind = self._format()
        sheet = f"{self.key}-sheet-{name}.{kind.lower()}"
        url = assets.publish(sheet, partial(_sheet, self.path, name, kind), f"image/{kind.lower()}")
        self.sheet_url = url.replace(name, "{frame}")
        url = assets.publish(f"{self.key}-points-{name}.json", partial(_points, self.path, name), "application/json")
        self.points_url = url.replace(name, "{frame}")

    def _format(self) -> str:
        return "PNG" if self.probe and max(self.probe["tile"]) <= _LOSSLESS else "WEBP"

    def _read(self, name: str) -> Reach | None:
        try:
            frame = read_frame(self.path, epoch_of(name))
        except CheckpointError:  # thinned out just now, or damaged
            return None
        return (*_box(frame.points), float(frame.kl.nan_to_num(0, 0, 0).max()))

    def _update_probe(self) -> None:
        file = self.path / "frames" / "probe.safetensors"
        try:
            version = _name(0, file.stat().st_mtime_ns)
            if version != self._probe_version or time.monotonic() - self._published > _AGAIN_SECONDS:
                self.probe = self._publish_probe(version)
                self._probe_version = version
        except (OSError, CheckpointError):  # not there yet
            self.probe, self._probe_version = None, ""

    def _publish_probe(self, version: str) -> dict[str, Any]:
        probe = read_probe(self.path)
        shown, _, height, width = probe.originals.shape
        originals = assets.publish(f"{self.key}-originals-{version}.png", partial(_originals, self.path), "image/png")
        points = assets.publish(f"{self.key}-probe-{version}.json", partial(_probe, self.path), "application/json")
        return {
            "originals_url": originals,
            "points_url": points,
            "shown": shown,
            "tile": [width, height],
            "points": len(probe.index),
            "labels": None if probe.labels is None else sorted(set(probe.labels.tolist())),
            "classes": probe.classes,
        }

    def classes(self) -> list[list[Any]] | None:
        """[number, name, colour] of each class of the probe set."""
        if self.probe is None or not self.probe["labels"]:
            return None
        labels, names = self.probe["labels"], self.probe["classes"]
        colors = palette(max(len(names), labels[-1] + 1))
        return [[i, names[i] if i < len(names) else str(i), colors[i]] for i in labels]


def epoch_of(name: str) -> int:
    """The epoch of a frame's name."""
    return int(name.partition("-")[0])


def _name(epoch: int, mtime_ns: int) -> str:
    return f"{epoch}-{mtime_ns // 1_000_000 & 0xFFFFFFF:x}"


def _box(points: Tensor) -> tuple[float, float, float, float]:
    """What of the map to show for points [P, 2]: all of them, unless a few lie far outside."""
    xy = points.numpy().astype(np.float64)
    xy = xy[np.isfinite(xy).all(1)]
    if not len(xy):
        return -1.0, 1.0, -1.0, 1.0
    first = np.quantile(xy, 0.01, axis=0, method="higher")
    last = np.quantile(xy, 0.99, axis=0, method="lower")
    low = np.maximum(xy.min(0), first - _FENCE * (last - first))
    high = np.minimum(xy.max(0), last + _FENCE * (last - first))
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def _followed(reaches: Iterable[Reach]) -> Iterator[Reach]:
    """What to show each frame in: grows at once, shrinks slowly. Three digits are more than a pixel."""
    before: Reach | None = None
    for own in reaches:
        slow = own if before is None else tuple(b + _SHRINK * (o - b) for b, o in zip(before, own, strict=True))
        x0, x1, y0, y1, kl = zip(own, slow, strict=True)
        before = (min(x0), max(x1), min(y0), max(y1), max(kl))
        yield tuple(float(f"{value:.3g}") for value in before)  # type: ignore[misc]


def _frame_of(path: Path, name: str) -> Frame:
    """The frame of that name. Raises CheckpointError when another one has taken its place."""
    epoch = epoch_of(name)
    frame = read_frame(path, epoch)
    try:
        now = _name(epoch, (path / "frames" / f"{epoch:05d}.safetensors").stat().st_mtime_ns)
    except OSError:
        now = ""
    if now != name:  # the browser would keep the wrong one for ever
        raise CheckpointError(f"the frame {name} is gone")
    return frame


def _sheet(path: Path, name: str, kind: str) -> bytes:
    frame = _frame_of(path, name)
    shown = frame.reconstructions
    blank = torch.zeros(-len(shown) % ACROSS, *shown.shape[1:], dtype=torch.uint8)
    return pictures.encode(pictures.sheet(torch.cat([shown, blank, frame.samples]), ACROSS), kind)


def _points(path: Path, name: str) -> bytes:
    frame = _frame_of(path, name)
    found = {"points": _numbers(frame.points), "kl": _numbers(frame.kl)}
    return json.dumps(found, separators=(",", ":")).encode()


def _numbers(tensor: Tensor) -> list[float | None]:
    """Flat, five digits, null for what is not finite."""
    return [float(f"{v:.5g}") if math.isfinite(v) else None for v in tensor.flatten().tolist()]


def _originals(path: Path) -> bytes:
    return pictures.encode(pictures.sheet(read_probe(path).originals, ACROSS), "PNG")


def _probe(path: Path) -> bytes:
    probe = read_probe(path)
    labels = None if probe.labels is None else probe.labels.tolist()
    return json.dumps({"labels": labels, "index": probe.index.tolist()}, separators=(",", ":")).encode()
