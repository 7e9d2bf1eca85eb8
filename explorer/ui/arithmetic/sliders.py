"""Sliders: a code as values to move, the image following."""

from __future__ import annotations

from hashlib import sha256

import streamlit as st
import torch
from torch import Tensor

from explorer.images import pictures
from explorer.latents import Scope, collapsed, strongest
from explorer.ui import html, page_switch, selection
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import code_picker, computed
from explorer.ui.codes.map_marks import MapMarks, place_of, rings
from explorer.ui.components.code_sliders.component import Knob, code_sliders

KEY, FROM = "steer", "steer_from"
_MOVED = "steer_moved"  # by revision: the values that differ from the code that was started from
_FIRST = 12
_REACH = 4.0  # standard deviations of the prior, or of the codes where there is none


def steering_panel(data: EncodedDataset, scope: Scope) -> MapMarks:
    """Draw the panel; where the code started, for the map."""
    with st.container(key="sliders"):
        start = code_picker.choose_code("Start from", FROM, "start", scope, default=code_picker.first(scope))
        everything = code_picker.all_latents("steer_all", data.model.latent, _FIRST)
        query = {"start": str(st.session_state[FROM])}
        if everything and data.model.latent > _FIRST:
            query["all"] = "1"
        if start is None:
            return MapMarks(address=query)
        st.fragment(_live)(data, start.code, everything)
        return MapMarks(rings(data, start, "start"), follows=KEY, address=query)


def _live(data: EncodedDataset, start: Tensor, everything: bool) -> None:
    """The part that runs for each move of a slider."""
    page_switch.follow()
    revision = f"{data.key}-{sha256(start.numpy().tobytes()).hexdigest()[:20]}"
    moved = _values(revision)
    code = start.clone()
    for latent, value in moved.items():
        code[latent] = value
    strength, low, high = _ranges(data)
    order = strongest(strength, None if everything else _FIRST).tolist()
    kl = data.model.latents.kl_by_latent
    dead = torch.zeros(len(strength), dtype=torch.bool) if kl is None else collapsed(kl)
    code_sliders(
        key=KEY,
        knobs=[
            Knob(
                i,
                f"latent {i}",
                float(code[i]),
                min(float(low[i]), float(start[i])),
                max(float(high[i]), float(start[i])),
                float(start[i]),
                hint="" if kl is None else f"{float(kl[i]):.2f} nats",
                faded=bool(dead[i]),
            )
            for i in order
        ],
        picture=html.source(pictures.single(data.decode(code[None])[0])),
        picture_alt="the decoded code",
        picture_data={"code": html.code_text(code)},
        caption=computed.share_text(data, code, start),
        revision=revision,
        place=place_of(data, code),
        on_move=lambda values: moved.update(values),
    )

    def use() -> None:
        selection.choose_code(data, code, "the sliders")
        page_switch.refresh()

    st.button("Use this code", key="steer_use", on_click=use, help="It becomes `here`, also in Explore")


def _values(revision: str) -> dict[int, float]:
    """What was moved of the code of that revision; another code starts afresh."""
    kept: tuple[str, dict[int, float]] | None = st.session_state.get(_MOVED)
    if kept is None or kept[0] != revision:
        kept = st.session_state[_MOVED] = (revision, {})
    return kept[1]


def _ranges(data: EncodedDataset) -> tuple[Tensor, Tensor, Tensor]:
    """What orders the latents, and the ends of each one's slider."""
    kl, (mean, std) = data.model.latents.kl_by_latent, data.model.spread
    return std if kl is None else kl, mean - _REACH * std, mean + _REACH * std
