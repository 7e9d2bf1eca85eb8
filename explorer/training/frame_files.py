"""The frames of a run as files that a browser shows as they are: a sheet of pictures and the points of a map for each.

| file in `frames/` | what |
|---|---|
| `index.json` | which frames there are, and what all of them share; see `FrameIndex` |
| `EPOCH-DIGEST.webp` | a sheet, 8 tiles a row: the reconstructions are its first row, the samples those below |
| `EPOCH-DIGEST.json` | `points` [x, y, x, y, …] of the map, and `kl` of each latent in nats |
| `probe-DIGEST.webp` | a row of the test images that are reconstructed |
| `probe-DIGEST.json` | `labels` of the map's points or null, and `index`, their positions in the test split |

A name has the digest of what is in its files, so a browser may keep them for ever. The index is replaced as a whole
once they are written, and what it does not name is deleted: a process that dies in between leaves no half of a frame.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from explorer.files import json_schema as must_be
from explorer.files.journal import replace_file
from explorer.files.regular import read_json
from explorer.images import pictures

ACROSS = 8  # tiles in a row of a sheet
STANDARD = (0.0, 0.0, 1.0, 1.0)  # mean and standard deviation of the prior along both axes: N(0, I)
MOST = 240  # frames that are kept
MOST_BYTES = 64 << 20  # of a run's frames: where pictures are large, frames are fewer
_FEWEST = 24  # frames that are kept however large they are
_LOSSLESS = 40  # pixels a side: up to here a sheet is 25 kB, and 190 in colour; at 64 pixels it would be 300
_FENCE = 0.5  # how far beyond the middle 98% of the points the map's view reaches, in their width
_INDEX = "index.json"
_NAME = re.compile(r"(probe|\d{1,9})-[0-9a-f]{16}\.(webp|json)")


@dataclass(frozen=True)
class Probe:
    """What the frames of a run have in common: the test images shown and the points of the map.

    `originals` uint8 [R, C, h, w]; `labels` int64 [P] or None; `index` int64 [P], positions in the test split, of
    which the first R are the images shown; `classes` the names of the labels. `groups` are the names of the groups of
    latents, None where each latent is one by itself; `rings` mean and standard deviation of the prior along the map's
    axes (x, y, x, y), None where nothing is known of a prior.
    """

    originals: UInt8[Tensor, "r c h w"]
    labels: Int[Tensor, " p"] | None
    index: Int[Tensor, " p"]
    classes: list[str]
    groups: list[str] | None = None
    rings: Sequence[float] | None = STANDARD


@dataclass(frozen=True)
class Frame:
    """One epoch: `reconstructions` uint8 [R, C, h, w], `samples` uint8 [64, C, h, w] of fixed noise, `points` [P, 2]
    and the average `kl` of each latent in nats [D]."""

    reconstructions: UInt8[Tensor, "r c h w"]
    samples: UInt8[Tensor, "s c h w"]
    points: Float[Tensor, "p 2"]
    kl: Float[Tensor, " d"]


@dataclass(frozen=True)
class StoredFrame:
    """A frame that is on the disk: the `name` of its files, their `bytes`, and its `reach`.

    The reach is five numbers: x from, to and y from, to of the map, and the largest KL of a latent.
    """

    epoch: int
    name: str
    bytes: int
    reach: tuple[float, ...]


@dataclass(frozen=True)
class FrameIndex:
    """What `index.json` says: the frames in order of epoch, and of the probe set the `name` of its files, how many
    images are `shown`, the `tile` they take in pixels (width, height), the `labels` that occur among the map's points
    or None, and the `classes` that the labels name; `groups` and `rings` as `Probe` has them."""

    name: str
    shown: int
    tile: tuple[int, int]
    labels: list[int] | None
    classes: list[str]
    frames: tuple[StoredFrame, ...] = ()
    groups: list[str] | None = None
    rings: Sequence[float] | None = STANDARD


def read_index(path: Path) -> FrameIndex | None:
    """Reads which frames the run in a folder has; None where there are none, or the index is damaged."""
    try:
        found = read_json(path / "frames" / _INDEX)
        _CHECK_INDEX("index", found)
        frames = tuple(
            StoredFrame(**{**frame, "reach": tuple(map(float, frame["reach"]))}) for frame in found["frames"]
        )
        return FrameIndex(**{**found, "tile": tuple(found["tile"]), "frames": frames})
    except (OSError, ValueError, TypeError):  # the last for names that it does not know
        return None


def _file_name(name: str, value: Any) -> None:
    """The name of a frame's files."""
    if not isinstance(value, str) or not _NAME.fullmatch(f"{value}.json"):
        raise must_be.refusal(name, "the name of a frame", value)


_FRAME = {
    "epoch": must_be.whole(0, 10**9),
    "name": _file_name,
    "bytes": must_be.whole(0, 1 << 40),
    "reach": must_be.listed(must_be.number(), 5, least=5),
}
_CLASSES = must_be.listed(must_be.text(), 65_536)
_SHARED = {
    "name": _file_name,
    "shown": must_be.whole(0, 1000),
    "tile": must_be.listed(must_be.whole(1, 4096), 2, least=2),
    "labels": must_be.nothing_or(must_be.listed(must_be.whole(0, 65_535), 65_536)),
    "classes": _CLASSES,
    "frames": must_be.listed(must_be.table(_FRAME, needed=tuple(_FRAME)), 10_000),
}
_CHECK_INDEX = must_be.table(
    {
        **_SHARED,
        "groups": must_be.nothing_or(_CLASSES),
        "rings": must_be.nothing_or(must_be.listed(must_be.number(), 4, least=4)),
    },
    needed=tuple(_SHARED),
)


def frame_file(path: Path, name: str) -> Path | None:
    """The file of that name among the frames of the run in a folder; None for what cannot be one's name."""
    return path / "frames" / name if _NAME.fullmatch(name) else None


class FrameFolder:
    """The frames of the run that this process trains.

    Args:
        path: the run's folder.
        probe: what the frames have in common.
        epoch: how many epochs the run has done: frames of later ones, from before it was killed, are removed.
    """

    def __init__(self, path: Path, probe: Probe, *, epoch: int = 0) -> None:
        self.folder = path / "frames"
        self.folder.mkdir(exist_ok=True)
        shown, _, height, width = probe.originals.shape
        labels = None if probe.labels is None else probe.labels.tolist()
        points = {"labels": labels, "index": probe.index.tolist()}
        self._probe = {
            "name": self._store("probe", pictures.sheet(probe.originals, ACROSS), points, lossless=True)[0],
            "shown": shown,
            "tile": (width, height),
            "labels": None if labels is None else sorted(set(labels)),
            "classes": probe.classes,
            "groups": probe.groups,
            "rings": probe.rings,
        }
        before = read_index(path)
        self.frames = [frame for frame in before.frames if frame.epoch <= epoch] if before else []
        self.stride = 1  # frames of epochs that are no multiple of it are dropped, save for the newest
        self._write_index()

    def add(self, epoch: int, frame: Frame) -> None:
        """Writes the frame of an epoch, and drops every other one when there are too many.

        Raises:
            OSError: the disk is full or the folder is gone.
        """
        shown = frame.reconstructions
        blank = torch.zeros(-len(shown) % ACROSS, *shown.shape[1:], dtype=torch.uint8)
        sheet = pictures.sheet(torch.cat([shown, blank, frame.samples]), ACROSS)
        numbers = {"points": _numbers(frame.points), "kl": _numbers(frame.kl)}
        name, size = self._store(str(epoch), sheet, numbers, lossless=max(shown.shape[-2:]) <= _LOSSLESS)
        reach = (*_box(frame.points), float(frame.kl.nan_to_num(0, 0, 0).max()))
        self.frames = [other for other in self.frames if other.epoch != epoch]
        self.frames.append(StoredFrame(epoch, name, size, reach))
        while len(self.frames) > MOST or (len(self.frames) > _FEWEST and self._bytes() > MOST_BYTES):
            self.stride *= 2
            self.frames = [f for f in self.frames[:-1] if f.epoch % self.stride == 0] + self.frames[-1:]
        self._write_index()

    def last_points(self) -> Float[Tensor, "p 2"] | None:
        """The points of the newest frame; None where there is none, or it is damaged."""
        with contextlib.suppress(IndexError, OSError, ValueError, KeyError, TypeError, RuntimeError):
            found = read_json(self.folder / f"{self.frames[-1].name}.json")["points"]
            return torch.tensor([math.nan if v is None else v for v in found]).reshape(-1, 2)
        return None

    def _bytes(self) -> int:
        return sum(frame.bytes for frame in self.frames)

    def _store(self, stem: str, sheet: Image.Image, numbers: dict[str, Any], *, lossless: bool) -> tuple[str, int]:
        """Writes a sheet and its numbers; the name that both files got, and their bytes."""
        files = {
            "webp": pictures.encode(sheet, "WEBP", lossless=lossless),
            "json": json.dumps(numbers, separators=(",", ":")).encode(),
        }
        name = f"{stem}-{sha256(b''.join(files.values())).hexdigest()[:16]}"
        for kind, data in files.items():
            replace_file(self.folder / f"{name}.{kind}", data)
        return name, sum(map(len, files.values()))

    def _write_index(self) -> None:
        index = {**self._probe, "frames": [asdict(frame) for frame in self.frames]}
        replace_file(self.folder / _INDEX, json.dumps(index, separators=(",", ":")).encode())
        named = {self._probe["name"], *(frame.name for frame in self.frames)}
        for file in self.folder.iterdir():
            if file.name != _INDEX and file.stem not in named:
                with contextlib.suppress(OSError):
                    file.unlink()


def _numbers(tensor: Tensor) -> list[float | None]:
    """Flat, five digits, null for what is not finite."""
    return [float(f"{v:.5g}") if math.isfinite(v) else None for v in tensor.flatten().tolist()]


def _box(points: Float[Tensor, "p 2"]) -> Sequence[float]:
    """What of the map to show: x from, to, y from, to of all points, unless a few lie far outside."""
    xy = points.numpy().astype(np.float64)
    xy = xy[np.isfinite(xy).all(1)]
    if not len(xy):
        return -1.0, 1.0, -1.0, 1.0
    first = np.quantile(xy, 0.01, axis=0, method="higher")
    last = np.quantile(xy, 0.99, axis=0, method="lower")
    low = np.maximum(xy.min(0), first - _FENCE * (last - first))
    high = np.minimum(xy.max(0), last + _FENCE * (last - first))
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])
