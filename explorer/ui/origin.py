"""A zip or a folder that a person hands in: an upload, or a path where the app runs on their own computer."""

from __future__ import annotations

import atexit
import contextlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.ui import people
from explorer.ui.components.folder_drop.component import folder_drop
from explorer.ui.people import LOCAL

DIRECTORY, PATH = "Upload a folder", "By its path"  # ways to hand something in, beside an upload of files


@dataclass(frozen=True)
class Origin:
    """What a person handed in: an uploaded file's bytes, the files of an uploaded folder, or a path on the server."""

    ident: str
    """Differs between any two of them."""
    label: str
    """What sentences call it."""
    data: bytes | Path | Sequence[UploadedFile]

    @contextlib.contextmanager
    def path(self) -> Iterator[Path]:
        """Puts an upload into a temporary file under a name of ours, which goes afterwards, a folder into a zip there.

        So what holds of the names in a zip holds of those that a browser says. Raises OSError.
        """
        if isinstance(self.data, Path):
            yield self.data
            return
        remove_leftovers()
        handle, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", suffix=".zip")
        _unlink_at_exit.add(name)
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(self.data, bytes):
                    file.write(self.data)
                else:
                    with zipfile.ZipFile(file, "w") as archive:
                        for one in sorted(self.data, key=lambda one: one.name):
                            archive.writestr(zipfile.ZipInfo(one.name), one.getbuffer())
            yield Path(name)
        finally:
            _unlink(name)
            _unlink_at_exit.discard(name)


def uploaded(file: UploadedFile | None) -> Origin | None:
    """What an uploader for one file has, once there is one."""
    return None if file is None else Origin(f"upload {file.file_id}", file.name, file.getvalue())


_PREFIX = "latent-explorer-upload-"
_unlink_at_exit: set[str] = set()


def remove_leftovers() -> None:
    """Removes the uploads of servers that were killed: what a person handed in must not stay on the disk."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*.zip"):
        pid = path.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdecimal() and not _is_alive(int(pid)):
            _unlink(path)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where the signal 0 is a Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _unlink(path: str | Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


@atexit.register
def _unlink_all() -> None:
    """Removes uploads where the server ends: a job's thread is broken off, and cannot clean up."""
    for name in list(_unlink_at_exit):
        _unlink(name)


def choose_way(upload: str, key: str, *, disabled: bool, on_change: Callable[[], None]) -> str:
    """Draws the choice of how to hand something in; returns `upload`, DIRECTORY, or PATH where that may be named."""
    way: str = st.segmented_control(
        "From",
        [upload, DIRECTORY, *([PATH] if may_name_folders() else [])],
        key=key,
        default=upload,
        required=True,
        on_change=on_change,
        label_visibility="collapsed",
        disabled=disabled,
    )
    return way


def upload_folder(
    label: str, key: str, *, disabled: bool, on_change: Callable[[], None] | None = None
) -> Origin | None:
    """Draws an uploader for a folder, dropped or chosen; returns what it holds, once it holds something."""
    folder_drop(f"{key}_paths")
    files = st.file_uploader(
        label,
        accept_multiple_files="directory",
        key=key,
        disabled=disabled,
        on_change=on_change,
        help="With all that is below it. Many thousand pictures come faster as a zip.",
    )
    if not files:
        return None
    tops = {file.name.split("/")[0] for file in files if "/" in file.name}
    ident = sha256("".join(sorted(file.file_id for file in files)).encode()).hexdigest()
    return Origin(f"upload {ident}", tops.pop() if len(tops) == 1 else "folder", tuple(files))


def name_folder(
    label: str, key: str, *, disabled: bool, help: str, on_change: Callable[[], None] | None = None
) -> Origin | None:
    """Draws a field for the path of a folder or zip on this computer; returns what it names, once it names something.

    Where `may_name_folders` is not so, nobody may be asked.
    """
    text = st.text_input(
        label, key=key, placeholder="/home/me/pictures", disabled=disabled, help=help, on_change=on_change
    )
    text = (text or "").strip().strip("\"'")
    if not text:
        return None
    path = Path(os.path.expanduser(text))  # which, unlike Path.expanduser, takes an unknown ~name as it is
    return Origin(f"folder {path}", path.name or str(path), path)


def may_name_folders() -> bool:
    """Tells whether whoever uses the app sits at this computer, and may look into its folders anyway."""
    if people.is_shared():
        return False
    # A proxy would let others in to a server that listens here only. It shows by its headers, by the name that it asks
    # for, or by the page that the browser has open, which a proxy passes on as it is. All browsers name that page.
    headers = {name.lower(): value for name, value in st.context.headers.items()}
    if any(name.startswith(("x-forwarded", "forwarded", "x-real-ip")) for name in headers):
        return False
    asked = [f"//{headers.get('host', '')}", headers.get("origin", "")]
    return all((urlsplit(address).hostname or "") in LOCAL for address in asked)
