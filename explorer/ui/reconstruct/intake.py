"""Files on their way to the Reconstruct screen: uploaded, pasted or photographed; each read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.errors import ImageError
from explorer.images.reading import read_picture
from explorer.ui.components.picture_drop.component import Pasted
from explorer.ui.reconstruct import uploads
from explorer.ui.reconstruct.thumbnails import tile
from explorer.ui.reconstruct.uploads import MOST, Brought

_TAKEN = "reconstruct_taken"
_KEPT_SIDE = 1024  # pixels: no model sees more, and a session keeps its pictures


def take_uploads(files: Sequence[UploadedFile]) -> None:
    """Take in what an uploader holds, but for what was taken in before, and let the server forget it."""
    taken: set[str] = st.session_state.setdefault(_TAKEN, set())
    new = [file for file in files if file.file_id not in taken]
    if not new:
        return
    taken.update(file.file_id for file in new)
    take([(file.name, file.getvalue()) for file in new])
    _release(new)


def take_pasted(files: Sequence[Pasted]) -> None:
    take([(file.name, file.data) for file in files])


def take(files: Sequence[tuple[str, bytes]]) -> None:
    """Decode files by name and bytes and keep what can be read; the others become sentences."""
    state = uploads.kept()
    if len(state.pictures) + len(files) > MOST:
        there = f" and {len(state.pictures)} are here" if state.pictures else ""
        problem = (
            f"These are {len(files):,} files{there}: this screen takes {MOST} at most. Rank a zip of them instead."
        )
        uploads.add([], [problem])
        return
    known = {found.digest: found.ident for found in state.pictures}
    problems: list[str] = []
    again = 0  # the ident of one that is here already

    def decoded() -> Iterator[Brought]:  # one at a time: all of them may be more than what is kept
        nonlocal again
        for name, data in files:
            digest = sha256(name.encode("utf-8", "replace") + b"\0" + data).hexdigest()
            if digest in known:
                again = known[digest] or again
                continue
            try:
                found = read(name, data, digest)
            except ImageError as error:
                problems.append(str(error))
                continue
            known[digest] = 0
            yield found

    uploads.add(decoded(), problems)
    if again and uploads.kept().last == state.last:
        uploads.choose(again)


def read(name: str, data: bytes, digest: str) -> Brought:
    """A file's picture. Raises ImageError."""
    found = read_picture(data, name, at_most=_KEPT_SIDE)
    return Brought(0, name, digest, found.image, found.size, tile(found.image), found.notes)


def _release(files: Sequence[UploadedFile]) -> None:
    """Streamlit would hold the bytes until the session ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
