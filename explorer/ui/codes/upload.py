"""The last picture that a person has uploaded, for every model to see in its own size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import streamlit as st
from PIL import Image
from torch import Tensor

from explorer.errors import DatasetError
from explorer.images import pictures
from explorer.images.decoding import read_picture
from explorer.images.preparation import Prepared, Steps
from explorer.ui import html
from explorer.ui.cache import EncodedDataset
from explorer.ui.markdown import plain

_UPLOAD, _FILE, _PROBLEM = "upload_kept", "upload_file", "upload_problem"  # `upload` is a widget of Reconstruct
_MOST_MEGABYTES = 20
_MOST_MODELS = 20
_KEPT_SIDE = 1024  # pixels: no model sees more, and a session keeps its picture


@dataclass(frozen=True)
class Seen:
    """A picture as a model sees it, its posterior's mean [D], and its reconstruction [C, H, W].

    `condition` is the class that a conditional decoder draws it as: the one that suits the picture best.
    """

    prepared: Prepared
    code: Tensor
    reconstruction: Tensor
    condition: int | None


@dataclass(frozen=True, eq=False)
class Upload:
    """A decoded picture with the name of its file, and what the models that it was shown to saw.

    `chosen` are the steps that a person has chosen, by the `content` of the model that they looked at; any other model
    gets those that suit it. `notes` are sentences on what was made of the file, such as that it has more frames than
    one.
    """

    name: str
    picture: Image.Image
    chosen: Mapping[str, Steps] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    _seen: dict[str, Seen] = field(default_factory=dict)

    def turned(self, data: EncodedDataset) -> Upload:
        """Inverts it the other way for the model of the mapped data."""
        steps = self.seen_by(data).prepared.steps
        chosen = {**self.chosen, data.content: replace(steps, invert=not steps.invert)}
        return Upload(self.name, self.picture, chosen, self.notes)

    def seen_by(self, data: EncodedDataset) -> Seen:
        """Shows it to the model of the mapped data: prepares, encodes and decodes it, once for each model."""
        if data.content not in self._seen:
            if len(self._seen) >= _MOST_MODELS:
                self._seen.clear()
            self._seen[data.content] = self._see(data)
        return self._seen[data.content]

    def _see(self, data: EncodedDataset) -> Seen:
        model = data.model
        prepared = model.prepare(self.picture, self.chosen.get(data.content))
        image = prepared.image[None]
        code = model.encode(image).mean
        condition = model.likeliest(image, code)
        reconstruction = model.decode(code, condition)[0]
        return Seen(prepared, code[0], reconstruction, None if condition is None else int(condition))


def current() -> Upload | None:
    return st.session_state.get(_UPLOAD)


def use(name: str, picture: Image.Image, data: EncodedDataset, steps: Steps) -> None:
    """Lets another picture be `upload`, taken through these steps for the model of the mapped data."""
    st.session_state[_UPLOAD] = Upload(name, picture, {data.content: steps})


def upload_popover(data: EncodedDataset) -> None:
    """Draws the button that opens the upload; what was uploaded is `upload` in expressions."""
    last = current()
    with st.popover("Upload a picture", icon=":material/upload:", type="tertiary", key="upload_box"):
        file = st.file_uploader(
            "A picture of any common format, size and depth",
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
                found = read_picture(file.getvalue(), file.name, at_most=_KEPT_SIDE)
                last = st.session_state[_UPLOAD] = Upload(file.name, found.image, notes=found.notes)
            except DatasetError as error:
                st.session_state[_PROBLEM] = str(error)
        if problem := st.session_state.get(_PROBLEM):
            st.error(plain(problem))
        if last is None:
            st.caption("Its code can then be added, subtracted and walked to like any other, as `upload`.")
            return
        seen = last.seen_by(data)
        as_class = "" if seen.condition is None else f" as {data.model.classes[seen.condition]}"
        st.html(
            html.row(
                html.image(
                    pictures.single(seen.prepared.image), "as the model sees it", alt="the upload as the model sees it"
                ),
                html.image(pictures.single(seen.reconstruction), f"reconstruction{as_class}", alt="its reconstruction"),
            )
        )
        st.button(
            "Invert back" if seen.prepared.steps.invert else "Invert",
            key="upload_invert",
            type="tertiary",
            help="Dark on white for white on black",
            on_click=lambda: st.session_state.update({_UPLOAD: last.turned(data)}),
        )
        done = seen.prepared.words
        st.caption(f"`upload` is {plain(last.name)}{f': {plain(done)}' if done else ''}. {plain(' '.join(last.notes))}")
