"""Denoise: what a model makes of a picture with noise, blur, a missing patch or a rotation."""

from __future__ import annotations

import math

import streamlit as st
from PIL import Image
from torch import Tensor

from explorer.images import pictures
from explorer.images.corruptions import Corruption, corrupt
from explorer.scoring.scores import better_than, rescore, sentence
from explorer.ui import address, html
from explorer.ui.components.code_sliders.component import Knob, code_sliders
from explorer.ui.reconstruct.analysis import Looked
from explorer.ui.wording import nats

_VALUES, _SEED = "spoil_values", "spoil_seed"
_MOST_SEED = 9999
_HALF, _GAP = 212, 8  # pixels of the two pictures side by side, shown at half of that

LIMITS = {"noise": (0.0, 1.0), "blur": (0.0, 4.0), "patch": (0.0, 0.9), "turn": (-180.0, 180.0)}
_NAMES = {"noise": "Noise", "blur": "Blur", "patch": "Missing patch", "turn": "Rotation"}
_UNITS = {
    "noise": "of full brightness",
    "blur": "pixels",
    "patch": "of the side",
    "turn": "degrees",
}

_DIGITS = {"noise": 2, "blur": 1, "patch": 2, "turn": 0}


def current() -> Corruption:
    """What the sliders say, or the address on the session's first run."""
    if _VALUES not in st.session_state:
        st.session_state[_VALUES] = {name: _asked(name) for name in LIMITS}
    address.restore_number("spoil_seed", _SEED, 0, _MOST_SEED, default=0)
    values: dict[str, float] = st.session_state[_VALUES]
    return Corruption(**values, seed=st.session_state[_SEED])


def query() -> dict[str, str]:
    """What the URL says of it."""
    spoilt = current()
    found = {name: f"{getattr(spoilt, name):.4g}" for name in LIMITS if getattr(spoilt, name)}
    return {**found, **({"spoil_seed": str(spoilt.seed)} if spoilt.seed else {})}


def _asked(name: str) -> float:
    text = address.asked(name)
    if text is None:
        return 0.0
    low, high = LIMITS[name]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if low <= value <= high:
        return value
    address.notice(f"“{name}={text[:20]}” in the address was ignored: it is a number from {low:g} to {high:g}.")
    return 0.0


def spoil_panel(looked: Looked) -> None:
    """Draw the sliders and what follows them."""
    st.fragment(_live)(looked)


def _live(looked: Looked) -> None:
    """The part that runs for each move of a slider."""
    spoilt = current()
    after = corrupt(looked.prepared.image[None], spoilt)
    # As the clean image's class: the score is of the same thing.
    made = looked.data.model.reconstruct(after, looked.judged.told)[0]
    left, right = st.columns([3, 4], gap="large")
    with left:
        _sliders(spoilt, html.source(_beside(after[0], made)))
    with right:
        if spoilt.changes:
            _lost(looked, after, made)
        else:
            st.markdown(
                "Move a slider. A model that has learnt what its images are like takes noise away and fills what is "
                "missing; what it cannot explain costs it score."
            )


def _lost(looked: Looked, given: Tensor, made: Tensor) -> None:
    """What the model makes of the spoilt image [1, C, H, W], and how much less well it accounts for it."""
    model = looked.data.model
    found = rescore(model, looked.judged, given)
    now, clean = float(found[0]), float(looked.judged.elbo[0])
    st.html(
        html.row(
            html.difference(given[0], made, "what it takes away"),
            html.difference(looked.prepared.image, made, "what it gets wrong"),
        )
    )
    name = "ELBO" if model.has_prior else "Reconstruction"
    st.html(
        html.facts(
            [
                (f"{name}, spoilt", nats(now), f"{name} of the image with what was done to it"),
                (f"{name}, clean", nats(clean), f"{name} of the image before"),
            ]
        )
    )
    share = float(better_than(model, found)[0])
    change = f"{nats(abs(clean - now))} {'worse' if clean > now else 'better'} than the clean image"
    st.markdown(f"{change[:1].upper()}{change[1:]}. {sentence(share, looked.judged.test_items)}")


def _beside(given: Tensor, made: Tensor) -> Image.Image:
    """What the model is given and what it makes of it, as one picture that stays in view while a slider moves."""
    size = (_HALF, _HALF)
    halves = [pictures.single(image).convert("RGB").resize(size, Image.Resampling.NEAREST) for image in (given, made)]
    return pictures.mosaic([half.convert("RGBA") for half in halves], 2, gap=_GAP)


def _sliders(spoilt: Corruption, picture: str) -> None:
    def moved(values: dict[int, float]) -> None:
        names = list(LIMITS)
        kept: dict[str, float] = st.session_state[_VALUES]
        for i, value in values.items():
            low, high = LIMITS[names[i]]
            kept[names[i]] = max(low, min(high, value))

    code_sliders(
        key="spoil_sliders",
        knobs=[
            Knob(i, _NAMES[name], getattr(spoilt, name), *limits, home=0.0, hint=_UNITS[name], digits=_DIGITS[name])
            for i, (name, limits) in enumerate(LIMITS.items())
        ],
        picture=picture,
        picture_alt="the image with what was done to it, and its reconstruction",
        picture_data={name: f"{getattr(spoilt, name):.6g}" for name in LIMITS},
        caption="what the model is given · its reconstruction",
        revision="spoil",
        columns=1,
        label="What is done to the image",
        on_move=moved,
    )
    st.button(
        "Other noise, other patch", key="spoil_again", on_click=_again, disabled=not (spoilt.noise or spoilt.patch)
    )


def _again() -> None:
    st.session_state[_SEED] = (st.session_state[_SEED] + 1) % (_MOST_SEED + 1)
