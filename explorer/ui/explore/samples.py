"""Draws from the prior, decoded."""

from __future__ import annotations

import streamlit as st

from explorer.checkpoints.model import Model
from explorer.ui import address, cache, draws, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import abilities
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import caption_of, sheet_menu
from explorer.ui.panels import follow

_COUNT, _ACROSS = 64, 8
_SEED, _TEMPERATURE, _CLASS = "samples_seed", "samples_temperature", "samples_class"
IN_TURN = "all, in turn"

_HELP = "Codes drawn from the prior, {}, and decoded: what the model dreams up, not what it has seen."
_HELP_AE = (
    "A plain autoencoder has no prior to draw from: these codes come from the Gaussian fitted to its codes, "
    "and many of them fall into its holes."
)
_CLASS_HELP = "The prior is told the class of what it draws."


def restore(model: Model) -> None:
    """Before anything of the screen is drawn: starts the controls from the address."""
    if model.class_prior:
        address.restore_choice("of", _CLASS, [IN_TURN, *model.classes], "samples of", usual=IN_TURN)
    draws.restore(_SEED, _TEMPERATURE)


def query(model: Model) -> dict[str, str]:
    """Gives what the address says of it, empty where it says nothing."""
    drawn = st.session_state.get(_CLASS, IN_TURN) if model.class_prior else IN_TURN
    return {**draws.query(_SEED, _TEMPERATURE), "of": "" if drawn == IN_TURN else drawn}


def samples_panel(data: EncodedDataset) -> None:
    """Draws a grid of samples with its controls."""
    model, label = data.model, None
    st.markdown("##### Samples", help=_HELP.format(model.network.prior_name) if model.has_prior else _HELP_AE)
    if reason := abilities.why_no_draws(model):
        st.info(reason)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        temperature = draws.temperature_slider(_TEMPERATURE, abilities.temperature_help(model))
        if model.class_prior:
            drawn = st.selectbox(
                "Class", [IN_TURN, *model.classes], key=_CLASS, persist_state="session", width=135, help=_CLASS_HELP
            )
            label = None if drawn == IN_TURN else model.classes.index(drawn)
        draws.seed_button("samples_new", _SEED, help="Draw other codes (the next seed)")
    seed = st.session_state[_SEED]
    codes = cache.draws(model.info.id, data.content, _COUNT, temperature, seed, label)
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
    drawn = "the prior" if model.has_prior else "the Gaussian fitted to the codes"
    with footer:
        sheet_menu(
            "samples",
            f"{model.info.name}-samples-{seed}",
            caption_of(
                model.info,
                f"{_COUNT} samples from {drawn} at temperature {temperature:g}, seed {seed}",
                "" if label is None else f"of class {model.classes[label]}",
            ),
            lambda: data.decode(codes),
            _ACROSS,
        )
