"""Draws from the prior, decoded."""

from __future__ import annotations

import streamlit as st

from explorer.images import pictures
from explorer.ui import address, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import abilities
from explorer.ui.components.tiles.component import tiles
from explorer.ui.panels import follow

_COUNT, _ACROSS = 64, 8
_SEED, _TEMPERATURE = "samples_seed", "samples_temperature"
_LAST_SEED = 10**6

_HELP = "Codes drawn from the prior, {}, and decoded: what the model dreams up, not what it has seen."
_HELP_AE = (
    "A plain autoencoder has no prior to draw from: these codes come from the Gaussian fitted to its codes, "
    "and many of them fall into its holes."
)
_AROUND_CENTRE = "Scale of the draws: below 1 they stay near the centre, typical and alike; above 1 they stray."
_AROUND_COMPONENTS = (
    "Scale of the prior's components: at 0 a draw is the centre of one of them, above 1 it strays from it."
)


def restore() -> None:
    """Before anything of the screen is drawn: starts the controls from the address."""
    address.restore_number("seed", _SEED, 0, _LAST_SEED, default=0)
    address.restore_number("temperature", _TEMPERATURE, 0.0, 2.0, default=1.0, step=0.05)


def query() -> dict[str, str]:
    """Gives what the address says of it, empty where it says nothing."""
    seed, temperature = st.session_state[_SEED], st.session_state[_TEMPERATURE]
    return {"seed": str(seed) if seed else "", "temperature": "" if temperature == 1 else f"{temperature:g}"}


def samples_panel(data: EncodedDataset) -> None:
    """Draws a grid of samples with its controls."""
    network = data.model.network
    st.markdown("##### Samples", help=_HELP.format(network.prior_name) if network.has_prior else _HELP_AE)
    if reason := abilities.why_no_draws(data.model):
        st.info(reason)
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    temperature = left.slider(
        "Temperature",
        0.0,
        2.0,
        step=0.05,
        key=_TEMPERATURE,
        persist_state="session",
        help=_AROUND_COMPONENTS if network.learns_prior else _AROUND_CENTRE,
    )
    seed = st.session_state[_SEED]
    right.button("New draws", key="samples_new", on_click=_next_seed, help="Draw other codes (the next seed)")
    codes = data.model.draw(_COUNT, temperature=temperature, seed=seed)
    selection.show_codes("samples", codes)

    def choose(i: int) -> None:
        selection.choose_code(data, codes[i], "the samples")
        follow("samples", shown=True)

    tiles(
        key="samples_tiles",
        sheet_url=sheets.decoded_sheet(f"{data.key}-samples", data.model, codes, _ACROSS, data.drawn_as),
        count=_COUNT,
        columns=_ACROSS,
        tile=sheets.tile_size(data.model),
        selected=selection.among(codes, selection.current(data)),
        max_tile_px=64,
        gap=2,
        label="Samples",
        on_pick=choose,
    )
    footer = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    footer.caption(f"Seed {seed}. Click an image to pick its code.", width="content")
    footer.download_button(
        "Download PNG",
        lambda: pictures.encode(pictures.sheet(data.decode(codes), _ACROSS), "PNG"),
        f"{data.model.info.name}-samples-{seed}.png",
        "image/png",
        key="samples_png",
        on_click="ignore",
    )


def _next_seed() -> None:
    st.session_state[_SEED] = (st.session_state[_SEED] + 1) % (_LAST_SEED + 1)
