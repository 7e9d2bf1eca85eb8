"""What the browser's side of a component sends, read with mistrust: it need not have been our JavaScript."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import streamlit as st

__all__ = ["PayloadError", "content", "moment", "triggered"]


class PayloadError(ValueError):
    """Something that the browser sent and that cannot be used; its message is shown as it is."""


def triggered(key: str, name: str) -> dict[str, Any] | None:
    """The payload of the trigger `name` of the component `key`, or None where it sent none."""
    state = st.session_state.get(key)
    value = None if state is None else state.get(name)
    return value if isinstance(value, dict) else None


def moment(payload: dict[str, Any]) -> int:
    """When it was sent, in milliseconds of the browser's clock, to be sent back as heard; 0 where it does not say."""
    t = payload.get("t")
    return t if type(t) is int and 0 <= t < 2**53 else 0


def content(text: object, what: str, most: int) -> bytes:
    """The bytes of a text in base64.

    `what` is the subject of the error's sentence, such as `The drawing`, and `most` the number of bytes allowed.

    Raises PayloadError if it is no base64 or longer than that.
    """
    if not isinstance(text, str) or not text.isascii():
        raise PayloadError(f"{what} could not be read: it was damaged on its way.")
    if len(text) > -(-most // 3) * 4:
        raise PayloadError(f"{what} has more than the {most >> 20} MB that are allowed.")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise PayloadError(f"{what} could not be read: it was damaged on its way.") from error
