"""A square to draw on with mouse, pen, finger or keys: white on black, as handwritten digits are stored.

The browser's part is in this folder, one subject a file; only `main.js` exports anything.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

import streamlit as st

from explorer.errors import ImageError
from explorer.images.reading import decode_image
from explorer.ui.components.payloads import PayloadError, content, moment, triggered
from explorer.ui.components.scripts import css, script

__all__ = ["SIDE", "draw", "drawing_of"]

SIDE = 280  # pixels: ten a pixel of a handwritten digit's image
_MOST_BYTES = 1 << 20  # noise in 8-bit RGBA has 0.3 MB
_PNG = b"\x89PNG\r\n\x1a\n"

_COMPONENT = st.components.v2.component(
    "draw",
    html='<div class="lx-draw" data-state="loading"></div>',
    css=css("draw"),
    js=script("draw/brush", "draw/controls", "draw/hand", "draw/main"),
    isolate_styles=False,
)


def draw(
    *,
    key: str,
    size: int = 28,
    revision: str,
    on_draw: Callable[[bytes], None],
    label: str = "Draw here",
    start: bytes | None = None,
) -> None:
    """Show the square and call `on_draw` while a person draws on it.

    The browser sends the drawing when a stroke ends and, at most every 150 ms, while it lasts, once what it sent
    before is answered. A stroke in progress and what can be undone stay through every rerun. In a fragment only the
    fragment runs for a drawing.

    The call is the answer: a page that shows what follows from the drawing does so before it (in another container,
    if that stands below), or the next drawing breaks off the run that is still at it.

    Parameters
    ----------
    size
        Side of the model's images in pixels: an arrow key moves the brush by one of them.
    revision
        Names what is drawn on. While it stays, so does the drawing; another one starts anew from `start`.
    on_draw
        Called with the drawing as a PNG of SIDE x SIDE pixels, white on black, before the run that it causes; with
        `b""` when nothing is left on it.
    label
        Shown on the empty square, and what a screen reader calls it.
    start
        What `on_draw` got last, to be on the square when it is built anew, such as after a visit to another page.
        Without effect while the square is on the page.
    """
    ack_key, problem_key = f"{key}-answered", f"{key}-problem"

    def heard() -> None:
        payload = triggered(key, "drawn")
        if payload is None:
            return
        st.session_state[ack_key] = moment(payload)
        if payload.get("revision") != revision:  # of an older square
            return
        try:
            drawing = drawing_of(payload)
        except PayloadError as error:
            st.session_state[problem_key] = (revision, str(error))
            return
        st.session_state.pop(problem_key, None)
        on_draw(drawing)

    of, problem = st.session_state.get(problem_key, ("", ""))
    _COMPONENT(
        key=key,
        data={
            "key": key,
            "side": SIDE,
            "size": size,
            "revision": revision,
            "label": label,
            "start": base64.b64encode(start).decode() if start else "",
            "problem": problem if of == revision else "",
            # The newest drawing that Python has seen: the next may be sent.
            "ack": st.session_state.get(ack_key, 0),
        },
        on_drawn_change=heard,
    )


def drawing_of(payload: dict[str, Any]) -> bytes:
    """The PNG that the browser sent, decoded once to be sure of it; `b""` for an empty square.

    Raises PayloadError, with one sentence for the person, if it is anything but a PNG of SIDE x SIDE pixels.
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
