"""What to take of files that have several frames or channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from explorer.images.stacks import FIRST, Planes

_NAMES = {"first": "First", "mean": "Mean", "max": "Maximum", "all": "Each is an image"}
_WIDTH = 180  # pixels


def chosen_planes(prefix: str) -> Planes:
    """Reads what a person chose; `prefix` begins the keys of the two fields."""
    channel = st.session_state.get(f"{prefix}_channel", 1)
    return Planes(st.session_state.get(f"{prefix}_frames", "first"), channel if channel > 1 else 0)


def forget_planes(prefix: str) -> None:
    """Forgets what was chosen: other files were handed in."""
    for key in (f"{prefix}_frames", f"{prefix}_channel"):
        st.session_state.pop(key, None)


def choose_planes(
    prefix: str,
    most: tuple[int, int],
    frames: Sequence[str],
    *,
    disabled: bool,
    now: Planes | None = None,
    on_change: Callable[[], None] | None = None,
) -> None:
    """Draws the choice; nothing where no file has several.

    Args:
        prefix: of the keys.
        most: frames, and channels, of a file.
        frames: what may become of frames, some of `explorer.images.stacks.FRAMES`.
        disabled: whether nothing can be chosen.
        now: what is taken; None for what was chosen here.
        on_change: the callback for another choice.
    """
    if now is not None:
        st.session_state.update({f"{prefix}_frames": now.frames, f"{prefix}_channel": max(now.channel, 1)})
    planes = chosen_planes(prefix)
    if most == (1, 1) and planes == FIRST:
        return
    with st.container(horizontal=True, gap="small"):
        if most[0] > 1 or planes.frames != "first":
            each = " Where each is an image, all of a file are either for training or for testing."
            st.selectbox(
                "Frames",
                frames,
                key=f"{prefix}_frames",
                format_func=lambda name: _NAMES[name],
                disabled=disabled,
                on_change=on_change,
                width=_WIDTH,
                help=f"Files here have several: a stack, or a series over time.{each if 'all' in frames else ''}",
            )
        if most[1] > 1 or planes.channel:
            st.selectbox(
                "Channel",
                range(1, max(most[1], planes.channel) + 1),
                key=f"{prefix}_channel",
                disabled=disabled,
                on_change=on_change,
                width=_WIDTH,
                help="Files here have several, of which a model sees one.",
            )
