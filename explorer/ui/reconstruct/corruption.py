"""A picture with noise, blur, a missing patch or a rotation, and what a model makes of it."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st
from PIL import Image
from torch import Tensor

from explorer.evaluation.scores import better_than, rescore, sentence
from explorer.images import pictures
from explorer.images.corruptions import Corruption, corrupt
from explorer.latents import compact
from explorer.ui import address, draws, html
from explorer.ui.components.code_sliders.component import Knob, code_sliders
from explorer.ui.downloads import caption_of, strip_menu
from explorer.ui.reconstruct.analysis import Analysis
from explorer.ui.wording import fit, fit_name


class Slider(NamedTuple):
    """A figure of a corruption, its range, unit, and digits after the point."""

    name: str
    low: float
    high: float
    unit: str
    digits: int


_SEED = "spoil_seed"
_HALF, _GAP = 212, 8  # pixels of the two pictures side by side, shown at half of that

SLIDERS = {
    "noise": Slider("Noise", 0.0, 1.0, "of full brightness", 2),
    "blur": Slider("Blur", 0.0, 4.0, "pixels", 1),
    "patch": Slider("Missing patch", 0.0, 0.9, "of the side", 2),
    "turn": Slider("Rotation", -180.0, 180.0, "degrees", 0),
}


def current() -> Corruption:
    """Reads the sliders, or the address on the session's first run."""
    for name, slider in SLIDERS.items():
        address.restore_number(name, _key(name), slider.low, slider.high, default=0.0)
    draws.restore(_SEED, param=_SEED)
    return Corruption(**{name: st.session_state[_key(name)] for name in SLIDERS}, seed=st.session_state[_SEED])


def _key(name: str) -> str:
    return f"spoil_{name}"


def query() -> dict[str, str]:
    """Gives what the URL says of it, empty where it says nothing."""
    corruption = current()
    values = {name: getattr(corruption, name) for name in SLIDERS}
    found = {name: compact.number_text(value) if value else "" for name, value in values.items()}
    return {**found, "spoil_seed": str(corruption.seed) if corruption.seed else ""}


def corruption_panel(analysis: Analysis) -> None:
    """Draws the sliders and what follows them."""
    shown: dict[str, Tensor] = {}
    st.fragment(_live)(analysis, shown)
    info = analysis.data.model.info
    strip_menu(  # out of what runs for each move
        "spoil",
        f"{info.name}-corrupted",
        caption_of(info, "A picture, corrupted, and what the model makes of it"),
        lambda: [(name, pictures.single(image)) for name, image in shown.items()],
        quiet=True,
    )


def _live(analysis: Analysis, shown: dict[str, Tensor]) -> None:
    """Draws the part that runs for each move of a slider, and puts what it shows into `shown`."""
    corruption = current()
    address.follow_slider("spoil_address", query())
    after = corrupt(analysis.prepared.image[None], corruption)
    # As the clean image's class: the score is of the same thing.
    made = analysis.data.model.reconstruct(after, analysis.judgement.condition)[0]
    shown |= {"original": analysis.prepared.image, "corrupted": after[0], "reconstruction": made}
    left, right = st.columns([3, 4], gap="large")
    with left:
        _sliders(corruption, html.source(_beside(after[0], made)))
    with right:
        if corruption.changes:
            _lost(analysis, after, made)
        else:
            st.markdown(
                "Move a slider. A model that has learnt what its images look like removes noise and fills gaps; what "
                "it cannot explain lowers the score."
            )


def _lost(analysis: Analysis, given: Tensor, made: Tensor) -> None:
    """Draws what the model makes of the corrupted image [1, C, H, W], and how much less well it explains it."""
    model = analysis.data.model
    judgement = analysis.judgement
    found = rescore(model, judgement, given, analysis.drawn)
    now, clean = float(found[0]), float(judgement.elbo[0])
    st.html(
        html.row(
            html.difference(given[0], made, "what it removes"),
            html.difference(analysis.prepared.image, made, "what it gets wrong"),
        )
    )
    name = fit_name(model)
    st.html(
        html.facts(
            [
                (f"{name}, corrupted", fit(model, now), f"{name} of the corrupted image"),
                (f"{name}, clean", fit(model, clean), f"{name} of the image as it was"),
            ]
        )
    )
    share = float(better_than(model, found, judgement.own)[0])
    place = sentence(share, judgement.test_items, own=bool(judgement.own[0] >= 0))
    change = f"{fit(model, abs(clean - now))} {'worse' if clean > now else 'better'} than the clean image"
    st.markdown(f"{change[:1].upper()}{change[1:]}. {place}")


def _beside(given: Tensor, made: Tensor) -> Image.Image:
    """Joins what the model is given and what it makes of it: one picture that stays in view while a slider moves."""
    size = (_HALF, _HALF)
    halves = [pictures.single(image).convert("RGB").resize(size, Image.Resampling.NEAREST) for image in (given, made)]
    return pictures.mosaic([half.convert("RGBA") for half in halves], 2, gap=_GAP)


def _sliders(corruption: Corruption, picture: str) -> None:
    def moved(values: dict[int, float]) -> None:
        for i, value in values.items():
            name, slider = list(SLIDERS.items())[i]
            st.session_state[_key(name)] = max(slider.low, min(slider.high, value))

    code_sliders(
        key="spoil_sliders",
        knobs=[
            Knob(i, s.name, getattr(corruption, field), s.low, s.high, home=0.0, hint=s.unit, digits=s.digits)
            for i, (field, s) in enumerate(SLIDERS.items())
        ],
        picture=picture,
        picture_alt="the corrupted image, and its reconstruction",
        picture_data={name: f"{getattr(corruption, name):.6g}" for name in SLIDERS},
        caption="what the model sees · its reconstruction",
        revision="spoil",
        columns=1,
        label="Corruption of the image",
        on_move=moved,
    )
    unspoilt = not (corruption.noise or corruption.patch)
    draws.seed_button("spoil_again", _SEED, "New noise, new patch", disabled=unspoilt)
