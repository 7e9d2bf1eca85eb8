"""Healthy next to infected: cells generated from the same codes, and what can be measured of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st
from torch import Tensor

from explorer.cells import figures, measures
from explorer.cells.measures import Summary
from explorer.checkpoints.model import Model
from explorer.errors import CheckpointError
from explorer.images import pictures
from explorer.ui import address, assets, cache, html, pickers
from explorer.ui.components.tiles.component import tiles
from explorer.ui.markdown import plain

STATES = ("healthy", "infected")
KINDS = {"conv": "Convolutions", "linear": "Linear layers", "both": "One model of both"}
PIXELS = {"mean": "Sharp: the mean", "sampled": "As sampled, with noise"}
_SEED, _KIND, _SIDE, _TEMPERATURE = "cells_seed", "cells_kind", "cells_side", "cells_temperature"
_PIXELS = "cells_pixels"
_GAIN = 10  # of the difference: the states differ by a hundredth of full brightness here and there
_MEASURED = 200  # generated cells that are measured: a third of a second, once for each setting


@dataclass(frozen=True)
class Pair:
    """What draws cells of both states from one code: two models, or one that is told the state."""

    kind: str
    key: str  # names the models' content
    healthy: Model
    infected: Model

    @property
    def models(self) -> tuple[Model, Model]:
        """By state: 0 is healthy, 1 is infected."""
        return self.healthy, self.infected

    def decode(self, codes: Tensor, state: int) -> Tensor:
        """Cells [N, 3, H, W] in [0, 1] of codes [N, D] in a state."""
        model = self.models[state]
        return model.decode(codes, state) if model.conditional else model.decode(codes)

    def draw_pixels(self, codes: Tensor, state: int, seed: int) -> Tensor:
        """Draws the same with the noise that the model claims: other noise in the other state."""
        model, seed = self.models[state], 2 * seed + state
        return model.draw_pixels(codes, state if model.conditional else None, seed=seed)


def _names(kind: str) -> list[str]:
    return ["cells-both"] * 2 if kind == "both" else [f"cells-{state}-{kind}" for state in STATES]


def kinds() -> dict[str, str]:
    """Lists the kinds of pairs that are here, with their names on the screen."""
    usable = {c.id for c in cache.all_checkpoints() if not c.problem}
    return {kind: label for kind, label in KINDS.items() if usable.issuperset(_names(kind))}


def open_pair(kind: str) -> Pair:
    """Opens the models of a kind. Raises CheckpointError or OSError."""
    infos = {c.id: c for c in cache.all_checkpoints()}
    content = [cache.digest(infos[name]) for name in _names(kind)]
    models = [cache.open_model(name, digest) for name, digest in zip(_names(kind), content, strict=True)]
    return Pair(kind, "-".join(dict.fromkeys(content)), *models)


def pair_panel() -> dict[str, str]:
    """Draws the panel; returns what the URL says of it."""
    found = kinds()
    if not found:
        st.info("The models of blood cells that come with the program, in checkpoints/cells-…, are missing or damaged.")
        return {}
    with st.container(key="cells_pair"):
        kind, side, temperature, sampled = _controls(found)
        seed = int(st.session_state[_SEED])
        try:
            pair = open_pair(kind)
        except (CheckpointError, OSError) as error:
            st.error(plain(str(error)))
            return {}
        codes = pair.healthy.draw(side * side, temperature=temperature, seed=seed)
        means = partial(pair.decode, codes)
        shown = partial(pair.draw_pixels, codes, seed=seed) if sampled else means
        names = ["healthy", "difference", "infected"] if pair.kind == "both" else list(STATES)
        key = f"{pair.key}-{side}-{temperature:g}-{seed}"
        for column, name in zip(st.columns(len(names), gap="medium"), names, strict=True):
            make: Callable[[], bytes]
            if name == "difference":
                file, make = "difference.png", partial(_differences, means, side)
            else:
                # Without loss where there is noise: WebP would smooth it, and give neighbours one colour.
                file = f"{name}-sampled.png" if sampled else f"{name}.webp"
                make = partial(_state, shown, STATES.index(name), side, "PNG" if sampled else "WEBP")
            with column:
                _grid(pair, f"{key}-{file}", name, side, make)
        st.caption(_HOW[pair.kind])
        parasites = st.empty()  # filled once they are counted: the pictures come first
        if sampled:
            st.caption(_noise(pair))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button("New draws", key="cells_new", icon=":material/casino:", on_click=_next_seed)
            st.download_button(
                "Download PNG",
                lambda: _both(shown, side),
                f"cells-{pair.kind}-{seed}{'-sampled' if sampled else ''}.png",
                "image/png",
                key="cells_png",
                on_click="ignore",
                help="Healthy on the left, infected on the right, in their own size",
            )
        generated = _generated(pair.key, pair, temperature, seed)
        parasites.caption(_parasites(generated))
        _measures(generated)
    query = {"kind": pair.kind, "side": str(side), "temperature": f"{temperature:g}", "seed": str(seed)}
    query["pixels"] = "sampled" if sampled else "mean"
    usual = {"kind": next(iter(found)), "side": "6", "temperature": "1", "seed": "0", "pixels": "mean"}
    return {name: value for name, value in query.items() if value != usual[name]}


_HOW = {
    "conv": "Two models, each of which has seen the cells of one state only, decode the same codes. A code means "
    "something else to each: tile by tile the pictures need not be alike.",
    "linear": "The write-up's networks of linear layers, one for each state, decode the same codes: colours come out, "
    "granules do not. A code means something else to each.",
    "both": "One model that is told the state decodes every code twice: the same cell, healthy and infected. Between "
    "them stands what changes, times ten: orange is brighter in the infected one, blue darker.",
}


def _noise(pair: Pair) -> str:
    """Says what a draw of the pixels is."""
    if pair.healthy.config.likelihood == "bernoulli":
        return _SPECKLE
    sizes = [f"{model.network.noise_variance_value**0.5:.3f}" for model in dict.fromkeys(pair.models)]
    size = sizes[0] if len(sizes) == 1 else f"{sizes[0]} (healthy) and {sizes[1]} (infected)"
    end = " The difference stays that of the means: between two draws there would be hardly more than noise."
    return f"{_GRAIN.format(size=size)}{end if pair.kind == 'both' else ''}"


_SPECKLE = (
    "As sampled: these models take the brightness of a colour for the chance that it is switched on, so that a draw "
    "turns red, green and blue of each pixel fully on or off. That speckle is no picture of a cell: it shows what "
    "the models claim about pixels, and why a Bernoulli likelihood is none of colours."
)
_GRAIN = (
    "As sampled: on the mean of every pixel lies noise with a standard deviation of {size} of full brightness. That "
    "is what training left unexplained, granules and parasites among it, as one number for all of the picture, its "
    "black included; no pixel knows of its neighbour's noise. What leaves the range of a screen is cut off."
)


def _controls(found: dict[str, str]) -> tuple[str, int, float, bool]:
    with st.container(horizontal=True, gap="medium"):
        kind = pickers.pick_one("Models", "kind", _KIND, found, "the models")
        pixels = pickers.pick_one("Pixels", "pixels", _PIXELS, PIXELS, "pixels as", help=_PIXELS_HELP)
    address.restore_number("side", _SIDE, 2, 10, default=6)
    address.restore_number("temperature", _TEMPERATURE, 0.0, 2.0, default=1.0, step=0.05)
    address.restore_number("seed", _SEED, 0, 10**6, default=0)
    left, right = st.columns(2, gap="medium")
    side = left.slider("Cells a side", 2, 10, key=_SIDE, persist_state="session")
    temperature = right.slider(
        "Temperature",
        0.0,
        2.0,
        step=0.05,
        key=_TEMPERATURE,
        persist_state="session",
        help="Scale of the draws: at 0 every cell is the average one, at 1 they vary as the prior does, above 1 they "
        "stray.",
    )
    return kind, side, temperature, pixels == "sampled"


_PIXELS_HELP = (
    "For each pixel a model claims not one value but how likely each value is. Sharp shows the mean of that claim; as "
    "sampled shows one draw from it, with all the noise the model expects in pictures of cells."
)


def _next_seed() -> None:
    st.session_state[_SEED] = int(st.session_state.get(_SEED, 0)) + 1


def _grid(pair: Pair, file: str, name: str, side: int, make: Callable[[], bytes]) -> None:
    st.markdown(f"##### {name.capitalize()}{f' × {_GAIN}' if name == 'difference' else ''}")
    _, height, width = pair.healthy.image_shape
    tiles(
        key=f"cells_{name}",
        sheet_url=assets.publish(file, make, f"image/{file.rsplit('.', 1)[1]}"),
        count=side * side,
        columns=side,
        tile=(width, height),
        max_tile_px=112,
        gap=2,
        label=f"Generated cells: {name}",
    )


def _state(decode: Callable[[int], Tensor], state: int, side: int, format: str) -> bytes:
    return pictures.encode(pictures.sheet(decode(state), side), format)


def _differences(decode: Callable[[int], Tensor], side: int) -> bytes:
    apart = [pictures.difference(a, b, gain=_GAIN) for a, b in zip(decode(0), decode(1), strict=True)]
    return pictures.encode(pictures.mosaic(apart, side), "PNG")


def _both(decode: Callable[[int], Tensor], side: int) -> bytes:
    sheets_ = [pictures.sheet(decode(state), side) for state in range(2)]
    return pictures.encode(pictures.mosaic(sheets_, 2, gap=8), "PNG")


@st.cache_data(max_entries=64, show_spinner="Measuring the cells …")
def _generated(key: str, _pair: Pair, temperature: float, seed: int) -> tuple[Summary, Summary]:
    codes = _pair.healthy.draw(_MEASURED, temperature=temperature, seed=seed)
    healthy, infected = (Summary.of(measures.measure(_pair.decode(codes, state))) for state in range(2))
    return healthy, infected


def _parasites(generated: tuple[Summary, Summary]) -> str:
    """That there are hardly any in the pictures, with the figures that show it."""
    healthy, infected = (html.percent(made.spotted) for made in generated)
    return (
        "These models draw no parasites: what differs between healthy and infected is colour and outline. "
        f"{html.percent(measures.real()['infected'].spotted)} of real infected cells have a dark spot; of those "
        f"generated with these settings {infected} have one, and {healthy} of the healthy ones."
    )


def _measures(generated: tuple[Summary, Summary]) -> None:
    """Generated cells next to real ones, of each state."""
    real = measures.real()
    st.markdown("##### What the write-up saw, measured", help=_MEASURES_HELP)
    for column, state, made in zip(st.columns(2, gap="medium"), STATES, generated, strict=True):
        with column:
            st.markdown(f"###### {state.capitalize()}")
            st.html(html.table(["", "real", "generated"], _rows(real[state], made)))
            st.plotly_chart(
                figures.hues({"real": real[state].hue, "generated": made.hue}),
                key=f"cells_hue_{state}",
                config={"displayModeBar": False},
            )


def _rows(real: Summary, made: Summary) -> list[list[str]]:
    return [
        ["mean colour", html.swatch(real.colour), html.swatch(made.colour)],
        ["roundness, median", f"{real.roundness[1]:.2f}", f"{made.roundness[1]:.2f}"],
        ["with a dark spot", html.percent(real.spotted), html.percent(made.spotted)],
    ]


_MEASURES_HELP = (
    f"Of {_MEASURED} generated cells, and of the real cells of patients that no model was trained on; of "
    "the mean of each pixel, whatever is shown above. Roundness is "
    "4π · area / perimeter², 1 for a disc. A dark spot is a part inside the cell that is clearly darker than what "
    "surrounds it: a parasite, in most infected cells. Below: hues, weighted by how saturated they are."
)
