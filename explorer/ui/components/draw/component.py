"""A square to draw on with mouse, pen, finger or keys: white on black, as handwritten digits are stored."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

from explorer.errors import ImageError
from explorer.images.decoding import decode_image
from explorer.ui.components.mounting import Component
from explorer.ui.components.payloads import PayloadError, content

__all__ = ["SIDE", "draw", "drawing_of"]

SIDE = 280  # pixels: ten a pixel of a handwritten digit's image
_MOST_BYTES = 1 << 20  # noise in 8-bit RGBA has 0.3 MB
_PNG = b"\x89PNG\r\n\x1a\n"

_COMPONENT = Component("draw", "lx-draw")


def draw(
    *,
    key: str,
    size: int = 28,
    revision: str,
    on_draw: Callable[[bytes], None],
    label: str = "Draw here",
    start: bytes | None = None,
) -> None:
    """Shows the square and calls `on_draw` while a person draws on it.

    The browser sends the drawing when a stroke ends and, at most every 150 ms, while it lasts, once what it sent
    before is answered. A stroke in progress and what can be undone stay through every rerun. In a fragment only the
    fragment runs for a drawing.

    The call is the answer: a page that shows what follows from the drawing does so before it (in another container,
    if that stands below), or the next drawing breaks off the run that is still at it.

    Args:
        key: of its own on the page.
        size: side of the model's images in pixels: an arrow key moves the brush by one of them.
        revision: names what is drawn on. While it stays, so does the drawing; another one starts anew from `start`.
        on_draw: called with the drawing as a PNG of SIDE x SIDE pixels, white on black, before the run that it causes;
            with `b""` when nothing is left on it.
        label: shown on the empty square, and what a screen reader calls it.
        start: what `on_draw` got last, to be on the square when it is built anew, such as after a visit to another
            page. Without effect while the square is on the page.
    """
    _COMPONENT.show(
        key,
        {
            "side": SIDE,
            "size": size,
            "label": label,
            "start": base64.b64encode(start).decode() if start else "",
        },
        revision=revision,
        answers={"drawn": lambda answer: on_draw(drawing_of(answer))},
    )


def drawing_of(payload: dict[str, Any]) -> bytes:
    """Reads the PNG that the browser sent, and decodes it once to be sure of it; `b""` for an empty square.

    Raises:
        PayloadError: it is anything but a PNG of SIDE x SIDE pixels. The message is one sentence for the person.
    """
    png = content(payload.get("png"), "The drawing", _MOST_BYTES)
    if not png:
        return png
    # The size is looked at before anything is decoded: a megabyte of PNG can hold a gigabyte of pixels.
    if png[:8] != _PNG or png[16:24] != struct.pack(">II", SIDE, SIDE):
        raise PayloadError(f"The drawing could not be read: it is not a PNG image of {SIDE} x {SIDE} pixels.")
    try:
        decode_image(png, name="The drawing")
    except ImageError as error:
        raise PayloadError(str(error)) from error
    return png
