"""Gems: what the generators of cells make of codes far from every real cell's. For play, and said to be."""

from __future__ import annotations

from functools import partial

import streamlit as st
from PIL import Image
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.errors import CheckpointError
from explorer.figures.paper import Pictures
from explorer.files.shipped import command
from explorer.images import pictures
from explorer.latents import OriginDistances
from explorer.ui import address, assets, draws, html, pickers
from explorer.ui.cells.generators import STATES, Pair, kinds, open_pair
from explorer.ui.downloads import caption_of, download_menu, pixels_of
from explorer.ui.markdown import plain

STONES = {"linear": "Pebbles", "conv": "Rough stones", "both": "Streaked stones"}
SOURCES = {"mixed": "Both in turn", "healthy": "Healthy", "infected": "Infected"}
_STONES, _SOURCE, _TEMPERATURE = "gems_stones", "gems_source", "gems_temperature"
_ACROSS, _SEED = "gems_across", "gems_seed"
_USUAL = {_TEMPERATURE: 10, _ACROSS: 10, _SEED: 0}  # at 10 colours are full, and few have burnt out to white
_HOTTEST, _MOST_ACROSS = 20, 14


def gems_panel() -> dict[str, str]:
    """Draws the panel; returns what the URL says of it: nothing where the models are missing."""
    here = kinds()
    found = {kind: label for kind, label in STONES.items() if kind in here}
    if not found:
        return {}
    with st.container(key="cells_gems"):
        st.markdown("##### Gems", help=_HELP)
        st.caption("A game: push the models of cells far beyond what they know, and they draw coloured stones.")
        stones, source, temperature, across = _controls(found)
        seed = int(st.session_state[_SEED])
        states = [state for state, name in enumerate(STATES) if source in ("mixed", name)]
        try:
            pair = open_pair(stones)
            models = list({m.info.id: m for m in (pair.models[state] for state in states)}.values())
            codes = pair.healthy.draw(across * _rows(across), temperature=temperature, seed=seed)
            distances = OriginDistances.of(codes, *(model.latents.posterior for model in models))
        except (CheckpointError, OSError) as error:
            st.error(plain(str(error)))
            return {}
        _picture(pair, states, codes, across, f"{source}-{across}-{temperature}-{seed}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            draws.seed_button("gems_new", _SEED, "New gems", icon=":material/diamond:")
            picture = partial(_sheet, pair, states, codes, across)
            download_menu(
                "gems",
                f"gems-{stones}-{source}-temperature-{temperature}-seed-{seed}",
                caption_of(
                    models[0].info, f"Gems: {len(codes)} codes at temperature {temperature}, seed {seed}, decoded"
                ),
                figure=lambda: [Pictures(picture(), across, _rows(across))],
                more=[pixels_of("The picture above, without loss", picture)],
            )
        st.caption(_how(models, len(codes), temperature, seed, conditional=pair.healthy.conditional))
        st.caption(_far(distances))
        _another_beta()
    query = {"gems": stones, "gems_source": source, _TEMPERATURE: temperature, _ACROSS: across, _SEED: seed}
    usual = {"gems": next(iter(found)), "gems_source": "mixed", **_USUAL}
    return {name: str(value) for name, value in query.items() if value != usual[name]}


def _controls(found: dict[str, str]) -> tuple[str, str, int, int]:
    draws.restore(_SEED, param=_SEED)
    for key, low, high in ((_TEMPERATURE, 1, _HOTTEST), (_ACROSS, 4, _MOST_ACROSS)):
        address.restore_number(key, key, low, high, default=_USUAL[key])
    with st.container(horizontal=True, gap="medium"):
        stones = pickers.pick_one(
            "Stones",
            "gems",
            _STONES,
            found,
            "the stones",
            help="Which models draw: linear layers make pebbles, convolutions make ragged stones, and the one model "
            "of both states makes streaked ones.",
        )
        source = pickers.pick_one(
            "Drawn as",
            "gems_source",
            _SOURCE,
            SOURCES,
            "gems from",
            default="mixed",
            help="Infected cells give redder stones, healthy ones paler and bluer ones.",
        )
    left, right = st.columns([2, 1], gap="medium")
    temperature = left.slider(
        "Temperature of the gems",
        1,
        _HOTTEST,
        key=_TEMPERATURE,
        persist_state="session",
        help="How far out the codes are drawn. At 1 the pictures are cells, as in training; the higher, the further "
        "from any cell, and the stronger the colours, until they burn out to white.",
    )
    across = right.slider("Gems across", 4, _MOST_ACROSS, key=_ACROSS, persist_state="session")
    return stones, source, temperature, across


def _rows(across: int) -> int:
    return round(0.6 * across)


def _picture(pair: Pair, states: list[int], codes: Tensor, across: int, name: str) -> None:
    url = assets.publish(
        f"{pair.key}-gems-{name}.webp",
        lambda: pictures.encode(_sheet(pair, states, codes, across), "WEBP"),
        "image/webp",
    )
    label = f"{len(codes)} generated gems on black"
    st.html(f'<img class="lx-gems" src="{url}" alt="{label}" style="aspect-ratio:{across}/{_rows(across)}">')


def _sheet(pair: Pair, states: list[int], codes: Tensor, across: int) -> Image.Image:
    """Gem after gem, each by the next of the states."""
    made = [pair.decode(codes, state) for state in states]
    return pictures.showcase([made[i % len(made)][i] for i in range(len(codes))], across)


def _how(models: list[Model], count: int, temperature: int, seed: int, *, conditional: bool) -> str:
    """Says how the picture was made, so that it can be made again."""
    names = " and ".join(f"`{model.info.id}`" for model in models)
    turns = ", told the state" if conditional else " in turn" if len(models) > 1 else ""
    beta = models[0].info.config["recipe"]["beta"]
    nats = " and ".join(f"{float(model.latents.kl.mean()):.0f}" for model in models)
    return (
        f"How they were made: {count} codes from the prior, {models[0].network.prior_name}, at temperature "
        f"{temperature}, seed {seed}, decoded by {names}{turns}. Trained with beta {beta:g}; the code of a real cell "
        f"tells {nats} nats about it. The pictures are the mean of each pixel, twice enlarged; nothing else was done "
        "to them."
    )


def _far(found: OriginDistances) -> str:
    """Says how far outside what the models know this is."""
    where = (
        f"The nearest of these codes lies {found.nearest:.1f} from the origin and half of them beyond "
        f"{found.middle:.1f}; the furthest of {found.count:,} real cells, of patients that no model was trained on, "
        f"lies at {found.furthest:.1f}. As far out as the nearest gem: "
    )
    if found.share > 0:
        some = f"{html.percent(found.share)} of the real cells."
        return f"Still within reach of real cells: turn up the temperature for gems. {where}{some}"
    return f"**These are no cells.** {where}0% of the real cells. None has taught the models what to draw there."


def _another_beta() -> None:
    with st.expander("Gems with another beta"):
        st.markdown(_BETA)
        st.code(_COMMANDS, language="bash")


_HELP = (
    "The write-up on initialisation says: “If you set the parameters right the samples look like gems or pebbles”. Two "
    "of them matter. The temperature is how far out codes are drawn: it is yours to choose here. Beta is what a code "
    "cost in training: each model has its own for good."
)
_BETA = (
    "Beta is the weight of the KL in training: what a code costs. It cannot be changed afterwards. A smaller beta lets "
    "a code tell more and real cells spread further out, so that the same temperature is less far from them. Tried on "
    "infected cells with linear layers, 4 of the 10 epochs: at beta 0.1 a code tells 83 nats instead of 42 and half of "
    "the real cells lie beyond 9.6 instead of 7.9; the stones are much alike. It is the temperature "
    "that makes them. Betas of two likelihoods cannot be compared: the pebbles' 1 leaves a code fewer nats than the "
    "rough stones' 15. To see for yourself:"
)
_COMMANDS = f"""{command("train --preset cells-linear --only infected --beta 0.1 --out runs/gems")}
{command("sample runs/gems --temperature 10 --out gems.png")}"""
