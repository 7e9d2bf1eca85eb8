"""Where the picture comes from: a drawing, a person's own pictures, or the images that the map is of."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import streamlit as st
from PIL import Image

from explorer.images import pictures
from explorer.ui import pickers, selection
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.components.draw.component import draw
from explorer.ui.components.picture_drop.component import picture_drop
from explorer.ui.components.tiles.component import tiles
from explorer.ui.markdown import plain
from explorer.ui.reconstruct import intake, uploads
from explorer.ui.reconstruct.analysis import Subject
from explorer.ui.reconstruct.thumbnails import TILE, sheet_of
from explorer.ui.reconstruct.uploads import Brought
from explorer.ui.selection import Pick

SOURCES = {"draw": "Draw", "upload": "Upload", "test": "Test image"}
_SOURCE = "reconstruct_source"
_DRAWING = "reconstruct_drawing"
_NUMBER = "test_index"
_MOST_MEGABYTES = 20
_DIGITS = ("mnist", "mnist-5k")
_LISTED = 5  # problems; more are behind a click


def default_source(data: EncodedDataset) -> str:
    """What a newcomer is offered: to draw, for a model of handwritten digits."""
    return "draw" if data.model.info.config["dataset"]["name"] in _DIGITS else "upload"


def source_panel(data: EncodedDataset, pick: Pick | None) -> tuple[Subject | None, str]:
    """Draw the choice and what belongs to it; the picture, if there is one yet, and the source's name."""
    source = pickers.pick_one(
        "Where the picture comes from",
        "source",
        _SOURCE,
        SOURCES,
        "the source",
        default=default_source(data),
        label_visibility="collapsed",
    )
    panels: dict[str, Callable[[], Subject | None]] = {
        "draw": lambda: _draw(data),
        "upload": _upload,
        "test": lambda: _test_image(data, pick),
    }
    return panels[source](), source


def use_test_image() -> None:
    """As a callback: look at the picked item."""
    st.session_state[_SOURCE] = "test"


# --- drawing --------------------------------------------------------------------------------------------------------


def _draw(data: EncodedDataset) -> Subject | None:
    def drawn(png: bytes) -> None:
        st.session_state[_DRAWING] = png

    draw(
        key="draw",
        size=data.model.image_shape[1],
        revision="drawing",
        on_draw=drawn,
        label="Draw here",
        start=st.session_state.get(_DRAWING) or None,
    )
    png: bytes = st.session_state.get(_DRAWING, b"")
    if not png:
        return None
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("L")
    return Subject(sha256(png).hexdigest(), "drawing", "your drawing", picture)


# --- a person's own pictures ----------------------------------------------------------------------------------------


def _upload() -> Subject | None:
    files = st.file_uploader(
        "Pictures of any format, size and depth",
        accept_multiple_files=True,
        key="upload",
        max_upload_size=_MOST_MEGABYTES,
        help="They stay in the memory of this session: nothing is written to the disk or sent anywhere else.",
    )
    intake.take_uploads(files)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        picture_drop(key="paste", on_pictures=intake.take_pasted)
        camera = st.toggle("Camera", key="use_camera", help="Take a photo; your browser asks whether it may.")
    if camera:
        photo = st.camera_input("A photo", key="camera", label_visibility="collapsed")
        if photo is not None:
            intake.take_uploads([photo])
    state = uploads.kept()
    _problems(state.problems)
    if state.pictures:
        _choose(state)
    if state.undo is not None:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(plain(state.undo[0]), width="content")
            st.button("Undo", key="upload_undo", type="tertiary", on_click=uploads.undo)
    found = state.looked_at
    if found is None:
        return None
    return Subject(found.digest, f"upload {found.digest}", found.name, found.picture, found.remarks)


def _choose(state: uploads.Kept) -> None:
    found = state.pictures
    chosen = next((i for i, one in enumerate(found) if one.ident == state.chosen), None)
    if len(found) > 1:
        tiles(
            key="uploads",
            sheet_url=sheet_of(tuple(one.ident for one in found), [one.small for one in found]),
            count=len(found),
            columns=len(found),
            across=min(5, len(found)),
            tile=(TILE, TILE),
            titles=[one.name for one in found],
            ids=[one.ident for one in found],
            selected=chosen,
            max_tile_px=TILE,
            gap=4,
            label="Your pictures",
            on_pick=lambda i: uploads.choose(found[i].ident),
        )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if chosen is not None:
            st.markdown(_title(found[chosen]), width="stretch")
            st.button("Remove", key="upload_remove", type="tertiary", on_click=uploads.remove)
        if len(found) > 1:
            st.button("Clear all", key="upload_clear", type="tertiary", on_click=uploads.clear)


def _title(found: Brought) -> str:
    width, height = found.size
    return f"**{plain(found.name)}** · {width:,} × {height:,} px"


def _problems(problems: tuple[str, ...]) -> None:
    if not problems:
        return
    listed = [f"- {plain(problem)}" for problem in problems]
    with st.container(key="upload_problems"):
        if len(problems) == 1:
            st.error(plain(problems[0]))
        else:
            st.error(f"{len(problems)} files could not be used:\n" + "\n".join(listed[:_LISTED]))
        if len(listed) > _LISTED:
            with st.expander(f"{len(listed) - _LISTED} more"):
                st.markdown("\n".join(listed[_LISTED:]))
        st.button("Dismiss", key="upload_dismiss", type="tertiary", on_click=uploads.dismiss)


# --- test images ----------------------------------------------------------------------------------------------------


def _test_image(data: EncodedDataset, pick: Pick | None) -> Subject | None:
    """The picked item, or the first one while none is picked."""
    originals = data.originals()
    if isinstance(originals, str):
        _not_here(data, originals)
        return None
    row = None if pick is None else selection.row_of(data, pick)
    row = 0 if row is None else row
    index, last = int(data.latents.index[row]), int(data.latents.index.max())

    def chosen() -> None:
        found = data.row_of(int(st.session_state[_NUMBER]))
        if found is not None:
            selection.choose_row(data, found, "Reconstruct")

    def another() -> None:
        others = max(1, len(data.latents) - 1)
        selection.choose_row(data, (row + 1 + secrets.randbelow(others)) % len(data.latents), "Reconstruct")

    st.session_state[_NUMBER] = index
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input("Number", 0, last, key=_NUMBER, on_change=chosen, help=f"0 to {last:,}", width=140)
        st.button("Another one", key="test_another", icon=":material/casino:", on_click=another)
    image = data.original(row)
    if image is None:
        st.info("This image is not among those on this machine.")
        return None
    name = selection.row_name(data, row)
    st.markdown(f"**{plain(name)}** of {plain(data.source)}")
    if data.name != STORED:
        st.caption("The model may have been trained on images of this set.")
    label = None if data.latents.labels is None else data.classes[int(data.latents.labels[row])]
    ident, slot = f"{data.key}-{index}", f"test image {index}"
    return Subject(ident, slot, name, pictures.single(image), own=data.content, label=label, index=index)


def _not_here(data: EncodedDataset, why: str) -> None:
    st.info(plain(why))
    trained = data.model.info.config["dataset"]["name"]
    if trained not in _DIGITS or data.name == "mnist-5k":
        return
    st.markdown("Images of the same kind are here: the 5,000 digits of `mnist-5k`.")

    def use() -> None:
        changes: dict[str, Any] = {"map_data": "mnist-5k"}
        st.session_state.update(changes)

    st.button("Use mnist-5k", key="test_use_5k", on_click=use)
