"""Pictures pasted anywhere on the page, which Streamlit's file uploader does not take."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer.ui.components.payloads import PayloadError, content, moment, triggered
from explorer.ui.components.scripts import css, script

__all__ = ["Pasted", "pasted_of", "picture_drop"]

_MOST_BYTES = 20 << 20
_MOST_AT_ONCE = 50
_LONGEST_NAME = 120
_NAMELESS = "pasted picture"

_COMPONENT = st.components.v2.component(
    "picture_drop",
    html='<div class="lx-paste" data-state="loading"></div>',
    css=css("picture_drop"),
    js=script("picture_drop/main"),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Pasted:
    """A file as it came from the clipboard: nothing is known of it but its size."""

    name: str
    data: bytes


def picture_drop(*, key: str, on_pictures: Callable[[list[Pasted]], None], label: str = "Paste a picture") -> None:
    """Take what is pasted while this is on the page, and show a button that pastes where the browser allows it.

    A paste into a text field stays the field's own, unless the clipboard has a picture and no text. Files of more
    than 20 MB are refused with a sentence. Several at once may come in several calls, each of up to 20 MB.

    Parameters
    ----------
    on_pictures
        Called with the files in the order of the clipboard, before the run that the paste causes. They are not
        decoded: `explorer.images.reading.decode_image` says of each whether it is a picture.
    label
        On the button.
    """
    ack_key, problem_key = f"{key}-answered", f"{key}-problem"

    def heard() -> None:
        payload = triggered(key, "pasted")
        if payload is None:
            return
        st.session_state[ack_key] = moment(payload)
        try:
            pictures = pasted_of(payload)
        except PayloadError as error:
            st.session_state[problem_key] = str(error)
            return
        st.session_state.pop(problem_key, None)
        on_pictures(pictures)

    _COMPONENT(
        key=key,
        data={
            "key": key,
            "label": label,
            "most_bytes": _MOST_BYTES,
            "most_at_once": _MOST_AT_ONCE,
            "problem": st.session_state.get(problem_key, ""),
            # The newest message that Python has seen: the next may be sent.
            "ack": st.session_state.get(ack_key, 0),
        },
        on_pasted_change=heard,
    )


def pasted_of(payload: dict[str, Any]) -> list[Pasted]:
    """The files in what the browser sent.

    Raises PayloadError, with one sentence for the person, if one of them is damaged or they are too large or many.
    """
    files = payload.get("pictures")
    if not isinstance(files, list) or not files or not all(isinstance(file, dict) for file in files):
        raise PayloadError("The pasted pictures could not be read: they were damaged on their way.")
    if len(files) > _MOST_AT_ONCE:
        raise PayloadError(
            f"{len(files):,} pictures were pasted, more than the {_MOST_AT_ONCE} that are taken at once."
        )
    found, room = [], _MOST_BYTES
    for file in files:
        name = _name(file.get("name"))
        data = content(file.get("data"), name, _MOST_BYTES)
        room -= len(data)
        if room < 0:
            raise PayloadError(f"The pasted pictures have more than the {_MOST_BYTES >> 20} MB that are allowed.")
        found.append(Pasted(name, data))
    return found


def _name(said: object) -> str:
    """The last part of a path, of printable characters, short enough to be shown."""
    last = re.split(r"[\\/]", said)[-1] if isinstance(said, str) else ""
    return "".join(character for character in last if character.isprintable()).strip()[:_LONGEST_NAME] or _NAMELESS
