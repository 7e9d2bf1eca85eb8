"""Where the picture comes from: a drawing, a person's own pictures, or the images that the map is of."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import streamlit as st

from explorer import datasets
from explorer.images import pictures
from explorer.images.decoding import decode_image
from explorer.images.stacks import FIRST
from explorer.ui import getting, pickers, selection
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.components.draw.component import draw
from explorer.ui.components.picture_drop.component import picture_drop
from explorer.ui.components.tiles.component import tiles
from explorer.ui.markdown import plain
from explorer.ui.reconstruct.analysis import Subject
from explorer.ui.reconstruct.thumbnails import TILE, sheet_of
from explorer.ui.reconstruct.uploads import UploadedPicture, intake
from explorer.ui.selection import Pick
from explorer.ui.uploads.intake import release
from explorer.ui.uploads.store import Uploads

SOURCES = {"draw": "Draw", "upload": "Upload", "test": "Test image"}
_SOURCE = "reconstruct_source"
_DRAWING, _PHOTO = "reconstruct_drawing", "reconstruct_photo"
_NUMBER = "test_index"


def default_source(data: EncodedDataset) -> str:
    """Chooses what a newcomer is offered: to draw, for a model of handwritten digits."""
    return "draw" if datasets.is_drawable(data.model.info.config["dataset"]["name"]) else "upload"


def source_panel(data: EncodedDataset, pick: Pick | None) -> tuple[Subject | None, str]:
    """Draws the choice and what belongs to it; returns the picture, if there is one yet, and the source's name."""
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
    """As a callback: looks at the picked item."""
    st.session_state[_SOURCE] = "test"


# --- drawing --------------------------------------------------------------------------------------------------------


def _draw(data: EncodedDataset) -> Subject | None:
    def drawn(png: bytes) -> None:
        st.session_state[_DRAWING] = png

    draw(
        key="draw",
        size=max(data.model.image_shape[1:]),
        revision="drawing",
        on_draw=drawn,
        label="Draw here",
        start=st.session_state.get(_DRAWING) or None,
    )
    png: bytes = st.session_state.get(_DRAWING, b"")
    if not png:
        return None
    return Subject(sha256(png).hexdigest(), "drawing", "your drawing", decode_image(png).convert("L"))


# --- a person's own pictures ----------------------------------------------------------------------------------------


def _upload() -> Subject | None:
    with st.container(key="upload", gap=None):
        intake.uploader()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        picture_drop(key="paste", on_pictures=lambda files: intake.take([(file.name, file.data) for file in files]))
        camera = st.toggle("Camera", key="use_camera", help="Takes a photo; your browser asks for permission.")
    if camera:
        photo = st.camera_input("A photo", key="camera", label_visibility="collapsed")
        if photo is not None and st.session_state.get(_PHOTO) != photo.file_id:
            st.session_state[_PHOTO] = photo.file_id
            intake.take([(photo.name, photo.getvalue())])
            release([photo])
    intake.problems()
    state = intake.store.state
    if state.items:
        _choose(state)
    intake.undo()
    found = state.looked_at
    if found is None:
        return None
    ident = f"{found.digest}{'' if found.planes == FIRST else found.planes}"
    return Subject(ident, f"upload {ident}", found.name, found.picture, found.notes)


def _choose(state: Uploads[UploadedPicture]) -> None:
    found, chosen = state.items, state.looked_at
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
            selected=None if chosen is None else found.index(chosen),
            max_tile_px=TILE,
            gap=4,
            label="Your pictures",
            on_pick=lambda i: intake.store.choose(found[i].ident),
        )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if chosen is not None:
            width, height = chosen.size
            st.markdown(f"**{plain(chosen.name)}** · {width:,} × {height:,} px", width="stretch")
            remove, gone = intake.store.remove, (chosen,)
            st.button("Remove", key="upload_remove", type="tertiary", on_click=remove, args=gone)
        if len(found) > 1:
            st.button("Clear all", key="upload_clear", type="tertiary", on_click=intake.store.clear)
    if chosen is not None:
        intake.planes(chosen)


# --- test images ----------------------------------------------------------------------------------------------------


def _test_image(data: EncodedDataset, pick: Pick | None) -> Subject | None:
    """Draws the choice of a test image: the picked item, or the first of the test set while none is picked."""
    originals = data.originals()
    if isinstance(originals, str):
        _not_here(data, originals)
        return None
    tests = (data.latents.index >= data.before_test).nonzero().flatten().tolist() or [0]
    row = None if pick is None else selection.row_of(data, pick)
    row = tests[0] if row is None else row
    index, last = int(data.latents.index[row]), int(data.latents.index.max())

    def chosen() -> None:
        found = data.row_of(int(st.session_state[_NUMBER]))
        if found is not None:
            selection.choose_row(data, found, "Reconstruct")

    def another() -> None:
        selection.choose_row(data, secrets.choice([other for other in tests if other != row] or tests), "Reconstruct")

    st.session_state[_NUMBER] = index
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input("Number", 0, last, key=_NUMBER, on_change=chosen, help=f"0 to {last:,}", width=140)
        st.button("Random image", key="test_another", icon=":material/casino:", on_click=another)
    image = data.original(row)
    if image is None:
        st.info("This image is not in the data set on this machine.")
        return None
    name = selection.row_name(data, row)
    st.markdown(f"**{plain(name)}** of {plain(data.source)}")
    if index < data.before_test and data.source == data.model.info.config["dataset"]["name"]:
        st.caption("The model was trained on this image.")
    elif data.name != STORED:
        st.caption("The model may have been trained on some of these images.")
    label = None if data.latents.labels is None else data.classes[int(data.latents.labels[row])]
    ident, slot = f"{data.key}-{index}", f"test image {index}"
    test_index = index - data.before_test if index >= data.before_test else None
    picture = pictures.single(image)
    found = Subject(ident, slot, name, picture, own=data.content, label=label, source=data.source, index=index)
    return replace(found, test_index=test_index)


def _not_here(data: EncodedDataset, why: str) -> None:
    st.info(f"{plain(data.source)} is not on this machine." if getting.missing(data.source) else plain(why))
    getting.offer(data.source, "reconstruct")
    if (instead := getting.stand_in(data.source)) is None:
        return
    st.markdown(f"Similar images are here: those of {plain(instead)}.")
    chosen = {"map_data": instead}
    st.button(f"Use {plain(instead)}", key="test_instead", on_click=st.session_state.update, args=(chosen,))
