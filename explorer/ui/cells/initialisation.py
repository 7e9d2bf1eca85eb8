"""Xavier against Kaiming: what the first weights of the linear layers do to cells, curves and layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st
from torch import Tensor

from explorer.cells import figures, initialisation
from explorer.cells.initialisation import Comparison
from explorer.errors import CheckpointError
from explorer.figures import learning_curves
from explorer.figures.paper import Panel
from explorer.files.shipped import command
from explorer.files.tables import table_text
from explorer.images import pictures
from explorer.models import LatentModel
from explorer.ui import assets, cache, draws, html, pickers
from explorer.ui.cells.initialisation_wording import NAMES, OUTCOMES, REASONS
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import download_menu, sheet_menu
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain
from explorer.ui.train.curves import history_csv
from explorer.ui.wording import epochs_text, number

_AT, _SEED = "cells_init_at", "cells_init_seed"
_SIDE = 5
_PLAIN = {"displayModeBar": False}


def init_panel() -> dict[str, str]:
    """Draws the panel; returns what the URL says of it."""
    found = initialisation.comparison()
    epochs = len(next(iter(found.courses.values())).history)
    moments = {"end": f"After {epochs} epochs", "start": "At the start"}
    with st.container(key="cells_init"):
        st.markdown(_INTRODUCTION.format(only=found.only, epochs=epochs))
        moment, seed = _controls(moments)
        _samples(found, moment, seed)
        st.markdown("##### In numbers", help=_NUMBERS_HELP.format(drawn=f"{found.drawn:,}"))
        st.html(html.table(["", *(NAMES[init] for init in found.courses), "real cells"], _rows(found)))
        download_menu("cells_init", "first-weights", _said(found), table=lambda: _csv(found))
        st.markdown(OUTCOMES)
        st.markdown("##### How they learnt", help=meaning("ELBO", "Epoch"))
        histories = {NAMES[init]: course.history for init, course in found.courses.items()}
        curves = learning_curves(histories, "elbo", ("test", "train"))
        st.plotly_chart(curves, key="cells_init_curves", config=_PLAIN)
        download_menu(
            "cells_init_curves",
            "first-weights-curves",
            _said(found),
            figure=lambda: [curves],
            table=lambda: history_csv(histories),
        )
        st.caption(_CURVES)
        _layers(found, (moments["start"].lower(), moments["end"].lower()))
        st.markdown(REASONS)
        _again(found)
    return {
        name: value
        for name, value, usual in (("init_at", moment, "end"), ("init_seed", str(seed), "0"))
        if value != usual
    }


def _controls(moments: dict[str, str]) -> tuple[str, int]:
    draws.restore(_SEED, param="init_seed")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        moment = pickers.pick_one(
            "Samples",
            "init_at",
            _AT,
            moments,
            "the moment",
            help="Cells that the networks draw before the first step of training, or after the last",
        )
        draws.seed_button("cells_init_new", _SEED, icon=":material/casino:")
    return moment, int(st.session_state[_SEED])


@st.cache_resource(max_entries=4, show_spinner=False)
def _network(init: str, moment: str) -> LatentModel:
    """Opens a network whose weights come with the package, or draws them from the seed."""
    found = initialisation.comparison()
    return found.first(init) if moment == "start" else initialisation.stored_decoder(found.model)


def _decoder(found: Comparison, init: str, moment: str) -> tuple[str, Callable[[Tensor], Tensor]]:
    """Finds what decodes, with a name of its weights. Raises CheckpointError or OSError."""
    if moment == "end" and init != initialisation.STORED:
        infos = {info.id: info for info in cache.all_checkpoints() if not info.problem}
        if found.checkpoint not in infos:
            raise CheckpointError(
                f"The model checkpoints/{found.checkpoint}, which comes with the program, is missing or damaged, so "
                f"that there is nothing to draw the cells of {NAMES[init]} with."
            )
        content = infos[found.checkpoint].content
        return content, cache.open_model(found.checkpoint, content).decode
    name = f"{found.decoder_sha256[:20]}-{moment}-{init}"
    return name, partial(initialisation.decode, _network(init, moment))


def _samples(found: Comparison, moment: str, seed: int) -> None:
    """Draws a grid of cells for each initialisation, from the same codes."""
    codes = initialisation.draw(_SIDE**2, found.model.latent, seed=seed)
    for column, init in zip(st.columns(len(found.courses), gap="medium"), found.courses, strict=True):
        with column:
            st.markdown(f"##### {NAMES[init]}")
            try:
                name, decode = _decoder(found, init, moment)
            except (CheckpointError, OSError) as error:
                st.info(plain(str(error)))
                continue
            _, height, width = found.model.image_shape
            tiles(
                key=f"cells_init_{init}",
                sheet_url=assets.publish(f"{name}-{_SIDE}-{seed}.webp", partial(_sheet, decode, codes), "image/webp"),
                count=_SIDE**2,
                columns=_SIDE,
                tile=(width, height),
                max_tile_px=112,
                gap=2,
                label=f"Cells from {NAMES[init]} weights",
            )
            sheet_menu(
                f"cells_init_{init}",
                f"first-weights-{init}-{seed}",
                f"{_SIDE**2} cells from {NAMES[init]} weights, seed {seed}. {_said(found)}",
                partial(decode, codes),
                _SIDE,
            )
    st.caption(_SAMPLES[moment])


def _sheet(decode: Callable[[Tensor], Tensor], codes: Tensor) -> bytes:
    return pictures.encode(pictures.sheet(decode(codes), _SIDE), "WEBP")


def _said(found: Comparison) -> str:
    epochs = len(next(iter(found.courses.values())).history)
    names = " and ".join(NAMES[init] for init in found.courses)
    return (
        f"{names} weights compared: preset {found.preset}, {found.only} cells of malaria, {epochs_text(epochs)}, "
        f"seed {found.seed}."
    )


def _csv(found: Comparison) -> str:
    return table_text(["measure", *(NAMES[init] for init in found.courses), "real cells"], _rows(found))


def _rows(found: Comparison) -> list[list[str]]:
    results = [found.result(init) for init in found.courses]
    rows = [
        ["ELBO, nats", *(number(result.elbo) for result in results), ""],
        ["squared error", *(f"{result.mse:.4f}" for result in results), ""],
    ]
    for field, label, digits in _MEASURES:
        for kind in ("generated", "reconstructed"):
            values = [getattr(cells, field) for cells in (*(getattr(r, kind) for r in results), found.real)]
            rows.append([f"{label}, {kind}", *(f"{value:.{digits}f}" for value in values)])
    return rows


_MEASURES = (("edge", "outline", 3), ("spots", "dark spots", 2), ("spectrum", "spectrum off, dB", 1))


def _layers(found: Comparison, moments: tuple[str, str]) -> None:
    """Spread of activations and size of gradients by layer, at the start and at the end."""
    layers = [layer.name for layer in next(iter(found.courses.values())).start]
    help_ = _LAYERS_HELP.format(images=found.scale_images)
    columns = st.columns(2, gap="medium")
    drawn: list[Panel] = []
    for column, (field, (title, what)) in zip(columns, _SCALES.items(), strict=True):
        values = {
            NAMES[init]: [(getattr(a, field), getattr(b, field)) for a, b in zip(course.start, course.end, strict=True)]
            for init, course in found.courses.items()
        }
        with column:
            st.markdown(f"##### {title}", help=help_)
            figure = figures.layer_scales(layers, values, moments=moments, what=what)
            st.plotly_chart(figure, key=f"cells_init_{field}", config=_PLAIN)
            drawn.append(figure)
    download_menu("cells_init_layers", "first-weights-layers", _said(found), figure=lambda: drawn)


_SCALES = {
    "activation": ("Signals, layer by layer", "spread of the layer's values"),
    "gradient": ("Gradients, layer by layer", "gradient, nats a unit of weight"),
}


def _again(found: Comparison) -> None:
    st.caption(
        "Train them yourself: on the Train screen the choice is called “Initialisation”, among the settings of the "
        f"preset {found.preset}; in a terminal it is"
    )
    st.code(
        "\n".join(
            command(
                f"train --preset {found.preset} --only {found.only} --init {init} --seed {found.seed} "
                f"--out runs/cells-{init}"
            )
            for init in found.courses
        ),
        language="sh",
        wrap_lines=True,
    )


_INTRODUCTION = (
    "A network begins with random weights, and an *initialisation* says how large. The write-up trains its linear "
    "layers from two of them, **Xavier** (Glorot & Bengio 2010) and **Kaiming** (He et al. 2015). Here are both, "
    "trained on {only} cells for {epochs} epochs from the same seed, on the same cells in the same order: all that "
    "differs is the size of the initial weights."
)
_SAMPLES = {
    "start": "What the two networks make of the same codes before they have learnt anything.",
    "end": "The same codes, decoded by both trained networks. A code means something else to each: tile by tile the "
    "cells need not be alike.",
}
_NUMBERS_HELP = (
    "On the cells of patients whom no model was trained on. *Outline*: how steep a cell's edge is, as a share of its "
    "brightness a pixel; blur makes it less. *Dark spots*: what there is of small dark things inside, granules or "
    "grain, in gray levels. *Spectrum off*: how far the detail at all sizes is from that of real cells; the lower the "
    "better. Generated: {drawn} cells. Reconstructed: the patients' own cells."
)
_CURVES = (
    "Test: cells of patients whom no model was trained on, after each epoch. Train: the average while the epoch ran, "
    "which lags behind as long as a network learns fast."
)
_LAYERS_HELP = (
    "Over {images} training cells. Values: the standard deviation of what a layer adds up, before batch norm and "
    "nonlinearity. Gradient: the root mean square of the training loss' gradient by the layer's weights. Rings are "
    "the start, dots the end."
)
