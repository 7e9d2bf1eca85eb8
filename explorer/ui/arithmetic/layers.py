"""The cut: what each layer of latents says, as pictures of a code whose lower layers are drawn anew."""

from __future__ import annotations

import streamlit as st
import torch
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.latents import Scope
from explorer.ui import draws, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import code_picker, computed
from explorer.ui.codes.map_marks import MapMarks, rings
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import caption_of, sheet_menu

FROM, TEMPERATURE, SEED = "cut_from", "cut_temperature", "cut_seed"
_DRAWS = 8


def layers_panel(data: EncodedDataset, scope: Scope) -> MapMarks:
    """Draws the panel; returns the code that is cut, for the map."""
    model = data.model
    with st.container(key="layers"):
        start = code_picker.choose_code("Cut", FROM, "start", scope, default=code_picker.first(scope))
        draws.restore(SEED, TEMPERATURE)
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        with left:
            temperature = draws.temperature_slider(
                TEMPERATURE, "Scale of the draws: 0 takes the mean of every lower layer."
            )
        with right:
            draws.seed_button("cut_new", SEED, help="Draw other lower layers (the next seed)")
        query = {"start": str(st.session_state[FROM]), **draws.query(SEED, TEMPERATURE)}
        if start is None:
            return MapMarks(address=query)
        columns = 1 + _DRAWS
        codes = cuts(model, start.code, temperature, st.session_state[SEED])
        tiles(
            key="cut_tiles",
            sheet_url=sheets.decoded_sheet(
                f"{data.key}-cut", model, codes, columns, data.drawn_as, own=computed.is_own(data, start)
            ),
            count=len(codes),
            columns=columns,
            tile=sheets.tile_size(model),
            row_labels=_rows(model),
            rings=range(0, len(codes), columns),
            max_tile_px=56,
            gap=2,
            label="A row a cut: the code, then draws of the layers below",
            on_pick=lambda i: selection.choose_code(data, codes[i], "the cut"),
        )
        st.caption(
            "Each row keeps the layers above its cut and draws the others from the prior, eight times. What the eight "
            "share, the kept layers have said; where they differ, the others decide. The ring marks the code itself. "
            "Click an image to choose its code."
        )
        sheet_menu(
            "cut",
            f"{model.info.name}-layers",
            caption_of(
                model.info,
                "A code, and draws of the layers below each cut, a row a cut",
                f"temperature {temperature:g}, seed {st.session_state[SEED]}",
            ),
            lambda: data.decode(codes),
            columns,
            down=_rows(model),
            quiet=True,
        )
        return MapMarks(rings(data, start, "cut"), address=query)


def cuts(model: Model, code: Tensor, temperature: float, seed: int) -> Tensor:
    """Makes a row of codes for each number of layers that stay, from none on: the code itself, then the draws."""
    repeated = code.repeat(_DRAWS, 1)
    rows = [
        torch.cat([code[None], model.redraw_below(repeated, kept, temperature=temperature, seed=seed)])
        for kept in range(len(model.layers))
    ]
    return torch.cat(rows)


def _rows(model: Model) -> list[str]:
    """Words what each row keeps, with the nats that this says of an image."""
    count = len(model.layers)
    kept = ["nothing kept", "layer 1 kept", *(f"layers 1 to {number} kept" for number in range(2, count))]
    if (kl := model.latents.kl_by_latent) is None:
        return kept
    told = model.network.by_layer(kl)
    return [f"{text}\n{float(told[:row].sum()):.1f} of {float(told.sum()):.1f} nats" for row, text in enumerate(kept)]
