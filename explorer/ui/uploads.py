"""The last picture that a person has uploaded, for every model to see in its own size."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from explorer import pictures
from explorer.datasets import DatasetError
from explorer.datasets.images import decode_image, to_array
from explorer.loaded import Model
from explorer.ui import html
from explorer.ui.markdown import plain

_UPLOAD = "last_upload"
_MOST_MEGABYTES = 20
_KEPT_SIDE = 1024  # pixels: no model sees more, and a session keeps its picture


@dataclass(frozen=True)
class Upload:
    """A decoded picture with the name of its file."""

    name: str
    picture: Image.Image

    def image(self, model: Model) -> Tensor:
        """As a model sees it: uint8 [C, H, W], on a black square and resized."""
        channels, size, _ = model.image_shape
        return torch.from_numpy(to_array(self.picture, size, channels))

    def code(self, model: Model) -> Tensor:
        """Its posterior's mean, float32 [D]."""
        return model.encode(self.image(model)[None]).mean[0]


def current() -> Upload | None:
    return st.session_state.get(_UPLOAD)


def upload_popover(model: Model) -> None:
    """The button that opens the upload; what was uploaded is `upload` in expressions."""
    last = current()
    with st.popover("Upload a picture", icon=":material/upload:", type="tertiary", key="upload_box"):
        file = st.file_uploader(
            "A picture of any format, size and depth",
            key="arithmetic_upload",
            max_upload_size=_MOST_MEGABYTES,
            help="It stays in this session. In expressions it is called `upload`.",
        )
        if file is not None and st.session_state.get("last_upload_id") != file.file_id:
            st.session_state["last_upload_id"] = file.file_id
            st.session_state["last_upload_problem"] = None
            try:
                picture = decode_image(file.getvalue(), name=file.name, at_least=_KEPT_SIDE)
                picture.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
                last = st.session_state[_UPLOAD] = Upload(file.name, picture)
            except DatasetError as error:
                st.session_state["last_upload_problem"] = str(error)
        if problem := st.session_state.get("last_upload_problem"):
            st.error(plain(problem))
        if last is None:
            st.caption("Its code can then be added, subtracted and walked to like any other, as `upload`.")
            return
        seen = last.image(model)
        st.html(
            html.row(
                html.image(pictures.single(seen), "as the model sees it", alt="the upload, resized"),
                html.image(
                    pictures.single(model.reconstruct(seen[None])[0]), "reconstruction", alt="its reconstruction"
                ),
            )
        )
        st.caption(f"`upload` is {plain(last.name)}.")
