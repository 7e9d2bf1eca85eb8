"""What browsers send, read with mistrust: it need not have been our JavaScript."""

from __future__ import annotations

import base64
import binascii
from math import isfinite
from typing import Any

__all__ = ["PayloadError", "content", "index", "moment", "number"]


class PayloadError(ValueError):
    """Something that a browser sent and that cannot be used; its message is shown as it is."""


def moment(payload: dict[str, Any]) -> int:
    """Reads when it was sent, in milliseconds of the browser's clock; 0 where it does not say."""
    t = payload.get("t")
    return t if type(t) is int and 0 <= t < 2**53 else 0


def index(payload: dict[str, Any], name: str) -> int:
    """Reads a whole number from 0 on.

    Raises:
        PayloadError: it is none.
    """
    value = payload.get(name)
    if type(value) is not int or not 0 <= value < 2**53:
        raise PayloadError("The choice was damaged on its way: try again.")
    return value


def number(payload: dict[str, Any], name: str) -> float:
    """Reads a finite number.

    Raises:
        PayloadError: it is none.
    """
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise PayloadError("The choice was damaged on its way: try again.")
    return float(value)


def content(text: object, what: str, most: int) -> bytes:
    """Reads base64.

    Args:
        text: what should be base64.
        what: the subject of the error's sentence, such as `The drawing`.
        most: the number of bytes allowed.

    Raises:
        PayloadError: it is no base64, or longer than that.
    """
    if not isinstance(text, str) or not text.isascii():
        raise PayloadError(f"{what} could not be read: it was damaged on its way.")
    if len(text) > -(-most // 3) * 4:
        raise PayloadError(f"{what} has more than the {most >> 20} MB that are allowed.")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise PayloadError(f"{what} could not be read: it was damaged on its way.") from error
