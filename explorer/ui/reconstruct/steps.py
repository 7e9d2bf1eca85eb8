"""How a picture became what a model sees: each stage as a small picture, each step open to change."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import streamlit as st
from PIL import Image

from explorer.images.preparation import Steps
from explorer.ui import html
from explorer.ui.downloads import caption_of, download_menu, side_by_side
from explorer.ui.markdown import plain
from explorer.ui.reconstruct.analysis import Analysis, choose_steps
from explorer.ui.reconstruct.thumbnails import thumb

_CHOICES: tuple[tuple[str, str, dict[Any, str]], ...] = (
    ("turn", "Turn", {0: "Upright", 1: "Turned left", 2: "Upside down", 3: "Turned right"}),
    ("crop", "Crop", {"whole": "Not at all", "content": "To its content", "square": "To the central square"}),
    ("pad", "Pad", {"square": "To a square", "margin": "With a margin, like MNIST's digits"}),
    ("background", "Fill with", {"black": "Black", "white": "White", "rim": "The colour of its edges"}),
)
_TOGGLES = (
    ("invert", "Invert", "Dark becomes bright and bright becomes dark."),
    ("clean", "Clean the background", "Makes what surrounds the content one even colour: shadows and paper grain go."),
    ("thicken", "Thicken strokes", "Makes a thin pen's strokes as thick as MNIST's."),
)
_THUMB = 96


def steps_panel(analysis: Analysis, suffix: str = "") -> None:
    """Draws the stages, why they were taken, and the button to change them; `suffix` tells models apart."""
    with st.container(key=f"stages{suffix}", gap="xsmall"):
        st.html(_drawn(analysis))
        if said := (*analysis.subject.notes, *analysis.prepared.why):
            st.caption(plain(" ".join(said)))
        with st.container(horizontal=True, gap="small"):
            with st.popover("Steps", icon=":material/tune:", key=f"steps{suffix}", type="tertiary"):
                _choose(analysis, suffix)
            info = analysis.data.model.info
            download_menu(
                f"stages{suffix}",
                f"{info.name}-preparation",
                caption_of(info, "How a picture became what the model sees"),
                figure=lambda: side_by_side(_stages(analysis)),
                quiet=True,
            )


def _stages(analysis: Analysis) -> list[tuple[str, Image.Image]]:
    stages = analysis.prepared.stages
    return [("the picture" if stages else "the picture, used as it is", analysis.subject.picture), *stages]


def _drawn(analysis: Analysis) -> str:
    figures = [html.image(thumb(picture, _THUMB), words, alt=words) for words, picture in _stages(analysis)]
    return f'<div class="lx-stages">{"<span aria-hidden=true>→</span>".join(figures)}</div>'


def _choose(analysis: Analysis, suffix: str) -> None:
    """Draws widgets that show the steps in effect; a change of one makes all of them a person's own."""
    steps, subject, data = analysis.prepared.steps, analysis.subject, analysis.data
    keys = {field.name: f"steps_{field.name}{suffix}" for field in fields(Steps)}
    for name, key in keys.items():
        value = getattr(steps, name)
        st.session_state[key] = bool(value) if name == "gray" else value

    def changed() -> None:
        said: dict[str, Any] = {name: st.session_state[key] for name, key in keys.items() if key in st.session_state}
        said["gray"] = said.get("gray") or None
        choose_steps(subject, data, replace(steps, **said))

    left, right = st.columns(2, gap="small")
    with left:
        for name, label, words in _CHOICES:
            st.selectbox(label, list(words), format_func=words.__getitem__, key=keys[name], on_change=changed)
    with right:
        for name, label, what in _TOGGLES:
            st.toggle(label, key=keys[name], on_change=changed, help=what)
        if data.model.image_shape[0] == 3:
            st.toggle("Convert to gray", key=keys["gray"], on_change=changed)
        if analysis.changed:
            st.button(
                "As suggested",
                key=f"steps_suggested{suffix}",
                icon=":material/undo:",
                on_click=choose_steps,
                args=(subject, data, None),
            )
    if steps == Steps() and not analysis.changed:
        st.caption("Nothing had to be done.")
