"""What one person may use of a server that several people share, and what a computer needs left for itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Limits:
    """What one person may use; None is as much as there is.

    Attributes:
        runs: that wait or run at once.
        images: in all epochs of a run: epochs times the images of an epoch.
        weights: of a model.
        minutes: of training, a run.
        disk_gb: of all runs and data sets, in 10^9 bytes.
        upload_mb: of uploads that the server's memory holds, in 10^6 bytes.
        jobs: rankings, previews and the like at once.
        memory_share: of the computer's memory, for the process of a run.
        free_gb: on the disk, in 10^9 bytes. With less, nobody starts anything, and what runs can still be saved.
    """

    runs: int | None = None
    images: int | None = None
    weights: int | None = None
    minutes: float | None = None
    disk_gb: float | None = None
    upload_mb: float | None = None
    jobs: int | None = None
    memory_share: float = 0.75
    free_gb: float = 1.0


CLASS = Limits(
    runs=2,
    images=3_000_000,
    weights=20_000_000,
    minutes=20,
    disk_gb=2,
    upload_mb=400,
    jobs=2,
    memory_share=0.4,
    free_gb=5,
)
"""For fifty people on one computer with one GPU."""


def limits_from(values: Mapping[str, Any], where: str) -> Limits:
    """The limits of a class, save for what the settings say; `false` lifts one.

    Raises ValueError, one sentence that begins with `where`.
    """
    names = [field.name for field in fields(Limits)]
    lifted: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            raise ValueError(f"{where} has no limit “{name}”: there are {', '.join(names)}")
        if value is False and getattr(Limits(), name) is None:
            lifted[name] = None
        elif isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ValueError(f"{where} must give “{name}” as a number above 0, or as false for no limit")
        elif name == "memory_share" and value > 1:
            raise ValueError(f"{where} must give “memory_share” as a share, such as 0.4")
        else:
            lifted[name] = value
    return replace(CLASS, **lifted)


def bytes_of(folders: Iterable[Path]) -> int:
    """Counts the bytes of all files in folders. Never raises."""
    total = 0
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def free_bytes(folder: Path) -> int:
    """Tells how much room the disk has that a folder is on, or will be. Raises OSError."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free
