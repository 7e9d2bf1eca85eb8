"""The frames of a run read back: tensors from the files that a browser shows."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from explorer.training.frame_files import ACROSS, Frame, FrameIndex, Probe, read_index


def frame_index(path: Path) -> FrameIndex:
    found = read_index(path)
    assert found is not None
    return found


def frame_epochs(path: Path) -> list[int]:
    """The epochs that a run's folder has frames of, in order."""
    found = read_index(path)  # none before the first frame
    return [frame.epoch for frame in found.frames] if found else []


def read_frame(path: Path, epoch: int, channels: int = 1) -> Frame:
    """The frame of an epoch."""
    index = frame_index(path)
    name = next(frame.name for frame in index.frames if frame.epoch == epoch)
    shown = tiles(path / "frames" / f"{name}.webp", index.tile, channels)
    numbers = json.loads((path / "frames" / f"{name}.json").read_text())
    points, kl = (torch.tensor([math.nan if v is None else v for v in numbers[key]]) for key in ("points", "kl"))
    return Frame(shown[: index.shown], shown[ACROSS:], points.reshape(-1, 2), kl)


def read_probe(path: Path, channels: int = 1) -> Probe:
    """What a run's frames have in common."""
    index = frame_index(path)
    shown = tiles(path / "frames" / f"{index.name}.webp", index.tile, channels)
    numbers = json.loads((path / "frames" / f"{index.name}.json").read_text())
    labels = None if numbers["labels"] is None else torch.tensor(numbers["labels"])
    return Probe(shown[: index.shown], labels, torch.tensor(numbers["index"]), index.classes)


def tiles(file: Path, tile: tuple[int, int], channels: int) -> Tensor:
    """The tiles of a sheet, uint8 [N, C, h, w]."""
    width, height = tile
    pixels = np.asarray(Image.open(file).convert("RGB"))[..., :channels]
    rows, columns = pixels.shape[0] // height, pixels.shape[1] // width
    cut = pixels.reshape(rows, height, columns, width, channels).transpose(0, 2, 4, 1, 3)
    return torch.from_numpy(cut.reshape(-1, channels, height, width).copy())
