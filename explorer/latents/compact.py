"""Codes, places, selections and values as short text for the address, and back.

Numbers come back to the bit, so that a link decodes to the pixels of whoever sent it. What is read came from an
address: anybody may have written it, and what is not right is None.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from torch import Tensor

MAX_MAGNITUDE = 1e6  # what lies further out than this is a typing error
_AS_NUMBERS = 4  # values of a code that a person can read and write
_CORNERS = 64  # of an outline that is drawn again: more are not seen
_STEPS = 255  # of an outline's corners over its own width and height


def code_text(code: Tensor) -> str:
    """A code [D] as numbers where it has few, else its float32 values in base64: 534 characters for a hundred."""
    values = code.numpy().astype("<f4")
    return ",".join(map(str, values)) if len(values) <= _AS_NUMBERS else _text(values.tobytes())


def read_code(text: str, length: int) -> list[float] | None:
    """A code of that length, written as above, or as numbers separated by commas."""
    if length <= _AS_NUMBERS or "," in text:
        return read_numbers(text, length)
    data = _bytes(text)
    if data is None or len(data) != 4 * length:
        return None
    return _sound(np.frombuffer(data, "<f4").tolist())


def numbers_text(values: Sequence[float]) -> str:
    """Places and ranges, in as many digits as a float32 has."""
    return ",".join(str(np.float32(value)) for value in values)


def read_numbers(text: str, length: int) -> list[float] | None:
    """So many numbers, separated by commas."""
    parts = text.split(",")
    if len(parts) != length:
        return None
    try:
        return _sound([float(part) for part in parts])
    except ValueError:
        return None


def _sound(values: list[float]) -> list[float] | None:
    return values if all(math.isfinite(v) and abs(v) <= MAX_MAGNITUDE for v in values) else None


def number_text(value: float) -> str:
    """A number in as many digits as it needs to come back as it is."""
    return repr(float(value)).removesuffix(".0")


def moves_text(moves: Mapping[int, float]) -> str:
    """What sliders say that were moved, by their numbers: `3:1.25,7:-0.5`."""
    return ",".join(f"{number}:{number_text(value)}" for number, value in sorted(moves.items()))


def read_moves(text: str) -> dict[int, float]:
    """The same, without what is no number of a slider with a value."""
    moves: dict[int, float] = {}
    for part in text.split(","):
        name, _, number = part.partition(":")
        value = read_numbers(number, 1)
        if name.isascii() and name.isdigit() and len(name) < 10 and value is not None:
            moves[int(name)] = value[0]
    return moves


def ids_text(ids: Collection[int], count: int) -> str:
    """Which of `count` items are meant, a bit each."""
    chosen = np.zeros(count, bool)
    chosen[list(ids)] = True
    return _text(zlib.compress(np.packbits(chosen).tobytes(), 9))


def read_ids(text: str, count: int) -> list[int] | None:
    """The ids, of items 0 to `count` - 1."""
    data, most = _bytes(text), -(-count // 8)
    if data is None:
        return None
    try:
        unpacker = zlib.decompressobj()
        bits = unpacker.decompress(data, most + 1)
    except zlib.error:
        return None
    if len(bits) != most or not unpacker.eof:
        return None
    return np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8))[:count]).tolist()


def outline_text(outline: Sequence[Sequence[float]]) -> str:
    """Corners [x, y] for the eye: at most 64, each on a grid over what the outline spans."""
    corners = np.asarray(outline, np.float64)
    corners = corners[np.unique(np.linspace(0, len(corners) - 1, min(len(corners), _CORNERS)).round().astype(int))]
    low, span = corners.min(0), np.ptp(corners, 0)
    steps = (_STEPS * (corners - low) / np.where(span > 0, span, 1)).round().astype(np.uint8)
    return _text(np.concatenate([low, span]).astype("<f4").tobytes() + steps.tobytes())


def read_outline(text: str) -> list[list[float]] | None:
    """The corners."""
    data = _bytes(text)
    if data is None or not 18 <= len(data) <= 16 + 2 * _CORNERS or len(data) % 2:
        return None
    frame = np.frombuffer(data[:16], "<f4").astype(np.float64)
    if not np.isfinite(frame).all() or np.abs(frame).max() > 2 * MAX_MAGNITUDE:
        return None
    steps = np.frombuffer(data[16:], np.uint8).reshape(-1, 2)
    return (frame[:2] + frame[2:] * steps / _STEPS).tolist()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
