"""The last picture that a person has uploaded, for every model to see in its own size."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import streamlit as st
import torch
from PIL import Image, ImageOps
from torch import Tensor

from explorer import pictures
from explorer.datasets import DatasetError
from explorer.datasets.images import decode_image, to_array
from explorer.ui import html
from explorer.ui.library import Mapped
from explorer.ui.markdown import plain

_UPLOAD, _FILE, _PROBLEM = "upload", "upload_file", "upload_problem"
_MOST_MEGABYTES = 20
_MOST_MODELS = 20
_KEPT_SIDE = 1024  # pixels: no model sees more, and a session keeps its picture


@dataclass(frozen=True)
class Seen:
    """A picture as a model sees it: uint8 [C, H, W], its posterior's mean [D], and its reconstruction [C, H, W]."""

    image: Tensor
    code: Tensor
    reconstruction: Tensor


@dataclass(frozen=True, eq=False)
class Upload:
    """A decoded picture with the name of its file, and what the models that it was shown to saw."""

    name: str
    picture: Image.Image
    inverted: bool
    _seen: dict[str, Seen] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, picture: Image.Image, data: Mapped) -> Upload:
        """A picture, inverted where its rim is bright and that of the model's own images is dark.

        Ink on white paper, for a model of white digits on black, would be a white square with a hole to it.
        """
        gray = torch.from_numpy(np.asarray(picture.convert("L"), np.float32) / 255)
        own = data.model.decode(data.model.latents.mean.mean(0)[None])[0].mean(0)
        return cls(name, picture, _rim(gray) > 0.6 and _rim(own) < 0.2)

    def turned(self) -> Upload:
        """The same, inverted the other way."""
        return Upload(self.name, self.picture, not self.inverted)

    def seen_by(self, data: Mapped) -> Seen:
        """On a black square, resized, encoded and decoded by the model of the mapped data; once for each."""
        if data.content not in self._seen:
            channels, size, _ = data.model.image_shape
            picture = ImageOps.invert(self.picture) if self.inverted else self.picture
            image = torch.from_numpy(to_array(picture, size, channels))
            code = data.model.encode(image[None]).mean
            if len(self._seen) >= _MOST_MODELS:
                self._seen.clear()
            self._seen[data.content] = Seen(image, code[0], data.model.decode(code)[0])
        return self._seen[data.content]


def _rim(gray: Tensor) -> float:
    """The median brightness of a picture's [H, W] outermost pixels, in [0, 1]."""
    return float(torch.cat([gray[0], gray[-1], gray[:, 0], gray[:, -1]]).median())


def current() -> Upload | None:
    return st.session_state.get(_UPLOAD)


def upload_popover(data: Mapped) -> None:
    """The button that opens the upload; what was uploaded is `upload` in expressions."""
    last = current()
    with st.popover("Upload a picture", icon=":material/upload:", type="tertiary", key="upload_box"):
        file = st.file_uploader(
            "A picture of any format, size and depth",
            key="arithmetic_upload",
            max_upload_size=_MOST_MEGABYTES,
            help="It stays in this session. In expressions it is called `upload`.",
        )
        if file is None:
            st.session_state.pop(_PROBLEM, None)
            st.session_state.pop(_FILE, None)
        elif st.session_state.get(_FILE) != file.file_id:
            st.session_state[_FILE] = file.file_id
            st.session_state.pop(_PROBLEM, None)
            try:
                picture = decode_image(file.getvalue(), name=file.name, at_least=_KEPT_SIDE)
                picture.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
                last = st.session_state[_UPLOAD] = Upload.of(file.name, picture, data)
            except DatasetError as error:
                st.session_state[_PROBLEM] = str(error)
        if problem := st.session_state.get(_PROBLEM):
            st.error(plain(problem))
        if last is None:
            st.caption("Its code can then be added, subtracted and walked to like any other, as `upload`.")
            return
        seen = last.seen_by(data)
        st.html(
            html.row(
                html.image(pictures.single(seen.image), "as the model sees it", alt="the upload, resized"),
                html.image(pictures.single(seen.reconstruction), "reconstruction", alt="its reconstruction"),
            )
        )
        st.button(
            "Invert back" if last.inverted else "Invert",
            key="upload_invert",
            type="tertiary",
            help="Dark on white for white on black",
            on_click=lambda: st.session_state.update({_UPLOAD: last.turned()}),
        )
        inverted = ", inverted, since its rim is bright and the rims of this model's images are dark"
        st.caption(f"`upload` is {plain(last.name)}{inverted if last.inverted else ''}.")
