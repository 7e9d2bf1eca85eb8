"""Folders that a person deleted: they can be had back for a while."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from pathlib import Path

_TOKEN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})~[0-9a-f]{8}")


class Trash:
    """The trash in a folder; what has been in it for so many seconds is gone for good."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds

    def put(self, path: Path) -> str:
        """Moves a folder into the trash; returns the token to `find` it by. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        token = f"{path.name}~{secrets.token_hex(4)}"
        os.utime(path)  # from now on it is kept
        path.rename(self.folder / token)
        self.empty()
        return token

    def find(self, token: str) -> tuple[str, Path] | None:
        """The name that a folder had, and where it is now; None if it is gone, or the token is none."""
        known = _TOKEN.fullmatch(token)
        return (known[1], self.folder / token) if known and (self.folder / token).is_dir() else None

    def empty(self) -> None:
        """Deletes what has been there for too long. Never raises."""
        sweep(self.folder, "", self.seconds)


def sweep(folder: Path, prefix: str, seconds: float) -> None:
    """Deletes what lies in `folder` under a name with `prefix` and was last changed that long ago. Never raises."""
    try:
        found = list(folder.iterdir())
    except OSError:
        return
    for path in found:
        try:
            if path.name.startswith(prefix) and time.time() - path.stat().st_mtime > seconds:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue
