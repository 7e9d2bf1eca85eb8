"""A model's layers of latents: their names with what each says, and a box that chooses one."""

from __future__ import annotations

import streamlit as st

from explorer.checkpoints.model import Model
from explorer.ui import address

_ALL = "all layers"


def has_layers(model: Model) -> bool:
    """Whether a model has layers that can be told apart."""
    return len(model.layers) > 1


def _texts(model: Model) -> list[str]:
    """Names the layers, the top one first, with the KL of each where it is known."""
    kl = model.latents.kl_by_latent
    names = [layer.name for layer in model.layers]
    if kl is None:
        return names
    told = model.network.by_layer(kl).tolist()
    return [f"{name} · {nats:.1f} nats" for name, nats in zip(names, told, strict=True)]


def pick_layer(model: Model, key: str) -> tuple[range, dict[str, str]]:
    """Draws the box, where there is a choice; gives the latents that are shown, and what the address says of it."""
    if not has_layers(model):
        return range(model.latent), {}
    texts = {str(number): text for number, text in enumerate(_texts(model), 1)}
    options = {"": _ALL, **texts}
    address.restore_choice("layer", key, options, "the layer", usual="")
    chosen = st.selectbox(
        "Layer",
        list(options),
        format_func=options.__getitem__,
        key=key,
        persist_state="session",
        help="The top layer comes first. A lower one adds what those above it leave open, and moves along with them.",
    )
    if not chosen:
        return range(model.latent), {}
    sizes = [layer.size for layer in model.layers]
    first = sum(sizes[: int(chosen) - 1])
    return range(first, first + sizes[int(chosen) - 1]), {"layer": chosen}
