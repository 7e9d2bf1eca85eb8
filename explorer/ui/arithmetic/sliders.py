"""Sliders: a code as values to move, the image following."""

from __future__ import annotations

import streamlit as st
import torch
from torch import Tensor

from explorer.latents import Scope
from explorer.ui.arithmetic.live_code import live_code
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import code_picker, computed
from explorer.ui.codes.layers import pick_layer
from explorer.ui.codes.map_marks import MapMarks, rings
from explorer.ui.components.code_sliders.component import Knob

KEY, FROM = "steer", "steer_from"
_FIRST = 12
_REACH = 4.0  # standard deviations of the prior, or of the codes where there is none


def steering_panel(data: EncodedDataset, scope: Scope) -> MapMarks:
    """Draws the panel; returns where the code started, for the map."""
    with st.container(key="sliders"):
        start = code_picker.choose_code("Start from", FROM, "start", scope, default=code_picker.first(scope))
        among, query = pick_layer(data.model, "steer_layer")
        everything = code_picker.all_latents("steer_all", len(among), _FIRST)
        query |= {"start": str(st.session_state[FROM])}
        if everything and len(among) > _FIRST:
            query["all"] = "1"
        if start is None:
            return MapMarks(address=query)
        query |= _sliders(data, start.code, among, None if everything else _FIRST)
        return MapMarks(rings(data, start, "start"), follows=KEY, address=query)


def _sliders(data: EncodedDataset, start: Tensor, among: range, count: int | None) -> dict[str, str]:
    ranges = computed.latent_ranges(data)
    low = torch.minimum(ranges.centre - _REACH * ranges.scale, start).tolist()
    high = torch.maximum(ranges.centre + _REACH * ranges.scale, start).tolist()
    order = ranges.strongest(count, among).tolist()

    def make(moved: dict[int, float]) -> tuple[Tensor, list[Knob]]:
        code = start.clone()
        for latent, value in moved.items():
            code[latent] = value
        knobs = [
            Knob(
                i,
                data.model.network.latent_name(i),
                float(code[i]),
                low[i],
                high[i],
                float(start[i]),
                hint="" if ranges.kl is None else f"{float(ranges.kl[i]):.2f} nats",
                faded=bool(ranges.collapsed[i]),
            )
            for i in order
        ]
        return code, knobs

    return live_code(data, start, make, key=KEY, edited=start, label="Latents", origin="the sliders")
