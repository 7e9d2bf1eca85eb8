"""Pictures pasted anywhere on the page, which Streamlit's file uploader does not take."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from explorer.ui.components.mounting import Component
from explorer.ui.components.payloads import PayloadError, content

__all__ = ["Pasted", "pasted_of", "picture_drop"]

_MOST_BYTES = 20 << 20
_MOST_AT_ONCE = 50
_LONGEST_NAME = 120
_NAMELESS = "pasted picture"

_COMPONENT = Component("picture_drop", "lx-paste")


@dataclass(frozen=True)
class Pasted:
    """A file as it came from the clipboard: nothing is known of it but its size."""

    name: str
    data: bytes


def picture_drop(*, key: str, on_pictures: Callable[[list[Pasted]], None]) -> None:
    """Takes what is pasted while this is on the page, and shows a button that pastes where the browser allows it.

    A paste into a text field stays the field's own, unless the clipboard has a picture and no text. Files of more
    than 20 MB are refused with a sentence. Several at once may come in several calls, each of up to 20 MB.

    Args:
        key: of its own on the page.
        on_pictures: called with the files in the order of the clipboard, before the run that the paste causes. They are
            not decoded: whether each is a picture is for `explorer.images.reading` to say.
    """
    _COMPONENT.show(
        key,
        {"most_bytes": _MOST_BYTES, "most_at_once": _MOST_AT_ONCE},
        answers={"pasted": lambda answer: on_pictures(pasted_of(answer))},
    )


def pasted_of(payload: dict[str, Any]) -> list[Pasted]:
    """Reads the files in what the browser sent.

    Raises:
        PayloadError: one of them is damaged, or they are too large or too many. The message is one sentence for the
            person.
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
    """Returns the last part of a path, of printable characters, short enough to be shown."""
    last = re.split(r"[\\/]", said)[-1] if isinstance(said, str) else ""
    return "".join(character for character in last if character.isprintable()).strip()[:_LONGEST_NAME] or _NAMELESS
