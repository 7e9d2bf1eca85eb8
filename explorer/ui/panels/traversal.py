"""Traversals: one row a latent, the strongest first, from one end of the prior to the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256

import streamlit as st
import torch
from torch import Tensor

from explorer.latents import Scope, Traversal, collapsed, traversal
from explorer.ui import sheets, view
from explorer.ui.components.tiles import tiles
from explorer.ui.library import Mapped
from explorer.ui.panels import ends
from explorer.ui.panels.shown import Shown, rings

AROUND, STEPS = "traversal_around", "traversal_steps"
_USUAL, _FIRST_ROWS = 11, 12


def traversal_panel(data: Mapped, scope: Scope) -> Shown:
    """Draw the panel; the code that is varied, for the map."""
    with st.container(key="traversal"):
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        with left:
            default = "origin" if data.model.has_prior else ends.first(scope)
            origin = ends.choose_code("Around", AROUND, "around", scope, default=default)
        view.restore_number("columns", STEPS, 5, 15, default=_USUAL)
        steps = right.slider("Images a row", 5, 15, step=2, key=STEPS, persist_state="session")
        latent = data.model.latent
        everything = ends.all_latents("traversal_all", latent, _FIRST_ROWS)
        address = {"around": str(st.session_state[AROUND])}
        if steps != _USUAL:
            address["columns"] = str(steps)
        if everything and latent > _FIRST_ROWS:
            address["all"] = "1"
        if origin is None:
            return Shown(address=address)
        kl = data.model.latents.kl_by_latent
        dead = collapsed(kl) if data.model.has_prior else torch.zeros(latent, dtype=torch.bool)
        varied = partial(
            traversal,
            origin.code,
            kl,
            steps=steps,
            rows=None if everything else _FIRST_ROWS,
            spread=None if data.model.has_prior else _spread(data.model.latents.mean),
        )
        _tiles(data, varied, origin.code, dead)
        st.caption(_summary(data, int(dead.sum())))
        return Shown(rings(data, origin, "around"), address=address)


def _spread(mean: Tensor) -> tuple[Tensor, Tensor]:
    return mean.mean(0), mean.std(0)


def _tiles(data: Mapped, varied: Callable[[], Traversal], origin: Tensor, dead: Tensor) -> None:
    found = varied()
    rows, steps, _ = found.codes.shape
    flat = found.codes.flatten(0, 1)
    name = sha256(origin.numpy().tobytes()).hexdigest()[:20]
    latents = found.latents.tolist()
    nearest = (found.values - origin[found.latents, None]).abs().argmin(1)
    prior = data.model.has_prior
    tiles(
        key="traversal_tiles",
        # Made anew when it is asked for: codes of a hundred latents would stay in memory as long as the address.
        sheet_url=sheets.made_sheet(
            f"{data.key}-traversal-{name}-{rows}",
            data.model,
            lambda: varied().codes.flatten(0, 1),
            steps,
            data.drawn_as,
        ),
        count=rows * steps,
        columns=steps,
        tile=sheets.tile_size(data.model),
        titles=[
            f"latent {latent} = {value:.2f}".replace("-", "−")
            for latent, values in zip(latents, found.values.tolist(), strict=True)
            for value in values
        ],
        row_labels=[
            f"latent {latent} · {float(nats):.2f} nats" if prior else f"latent {latent}"
            for latent, nats in zip(latents, found.kl, strict=True)
        ],
        faded_rows=[row for row, latent in enumerate(latents) if dead[latent]],
        rings=[row * steps + int(column) for row, column in enumerate(nearest)],
        max_tile_px=48,
        gap=1,
        label="Traversals, a row a latent",
        on_pick=lambda i: view.choose_code(data, flat[i], f"a traversal of latent {latents[i // steps]}"),
    )


def _summary(data: Mapped, dead: int) -> str:
    if not data.model.has_prior:
        return (
            "Each latent runs over its mean ± 3 standard deviations of the codes: a plain autoencoder has no prior. "
            "The ring is at the code itself; click an image to choose its code."
        )
    latent = data.model.latent
    if dead:
        count = (
            f"{dead} of {latent} latents have collapsed (grey: less than 0.01 nats of KL): the decoder ignores them. "
        )
    else:
        count = f"None of the {latent} latents has collapsed. "
    return (
        f"Each latent runs from −3 to 3 standard deviations of the prior. {count}"
        "The ring is nearest to the code itself; click an image to choose its code."
    )
