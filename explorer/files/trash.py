"""Folders that a person deleted: they can be had back for a while, and the last ones whatever the clock says."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from pathlib import Path

from explorer.files.locks import is_locked

_KEPT = 10  # folders that are kept however old they seem: a clock may have been set forward
_TOKEN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})~[0-9a-f]{8}")


class Trash:
    """The trash in a folder; all but its newest 10 are gone for good after so many seconds."""

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
        sweep(self.folder, "", self.seconds, keep=_KEPT)


def sweep(folder: Path, prefix: str, seconds: float, *, keep: int = 0) -> None:
    """Deletes what lies in `folder` under a name with `prefix` and was last changed that long ago. Never raises.

    The `keep` that were changed last stay, and so does what a process holds.
    """
    changed: dict[Path, float] = {}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if path.name.startswith(prefix):
                    changed[path] = path.stat().st_mtime
    for path in sorted(changed, key=changed.__getitem__, reverse=True)[keep:]:
        if time.time() - changed[path] > seconds and not is_locked(path):
            shutil.rmtree(path, ignore_errors=True)
