"""Which models are compared, and their codes of the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from explorer.errors import CheckpointError, DatasetError
from explorer.ui import getting, pickers, selection
from explorer.ui.cache import CheckpointInfo, EncodedDataset
from explorer.ui.encoding import encoded_dataset
from explorer.ui.markdown import plain
from explorer.ui.several_models import open_several, pick_several

_KEY = "compare_models"
MOST = 6


def pick_compared() -> list[CheckpointInfo]:
    """Draws the choice: at first the model that other screens show, and the next of the same data."""
    usable, _ = pickers.list_models(_KEY)
    order = pickers.in_order(usable)
    first = str(st.session_state.get("explore_model", ""))
    if order and first not in usable:
        first = pickers.first_of(order)
    beside = [ident for ident in order if ident != first and usable[ident].trained_on == usable[first].trained_on]
    return pick_several(
        "Models",
        "models",
        _KEY,
        usable,
        most=MOST,
        placeholder="choose two or more",
        help=f"Two to {MOST} models: those that ship, yours, and runs that are still training.",
        default=[first, *beside[:1]] if order else [],
    )


def of_same_images(models: Sequence[CheckpointInfo]) -> list[EncodedDataset]:
    """Opens the codes of the first model's test images by all models; a sentence says which cannot have them.

    Where these images are not on this machine and some of them are, it is of those.
    """
    encoded = open_several(models)
    if not encoded:
        return []
    if (images := getting.stand_in(encoded[0].source)) is not None:
        encoded[0] = _encode(encoded[0], images)
    found = encoded[:1]
    for data in encoded[1:]:
        other = _of_images(data, encoded[0])
        if isinstance(other, str):
            st.info(other)
        else:
            found.append(other)
    return found


def _of_images(data: EncodedDataset, first: EncodedDataset) -> EncodedDataset | str:
    """A model's codes of the first one's test images, or why there are none."""
    if _images(data) == _images(first):
        return data
    name = plain(data.model.info.id)
    if data.model.image_shape != first.model.image_shape:
        return f"{name} was tested on {plain(data.source)}, whose images have another shape: it is left out here."
    if first.model.info.config["dataset"].get("only") or data.source == first.source:
        return f"{name} was tested on other images of {plain(data.source)}, so it is left out here."
    try:
        return _encode(data, first.source)
    except (CheckpointError, DatasetError, ValueError, OSError) as error:
        why = plain(str(error))
        return f"{name} was tested on {plain(data.source)}, and {plain(first.source)} cannot be shown to it: {why}"


def _encode(data: EncodedDataset, images: str) -> EncodedDataset:
    found = encoded_dataset(data.model.info.id, data.content, images, data.map.kind)
    return replace(found, drawn_as=data.drawn_as)


def _images(data: EncodedDataset) -> tuple[str, str, int]:
    dataset = data.model.info.config["dataset"]
    return selection.items_of(data), dataset.get("only") or "", dataset.get("test_images") or len(data.latents)


def legend_names(models: Sequence[CheckpointInfo]) -> dict[str, str]:
    """Names of models for a legend, by id: with beta and latents where these differ and a name does not say so."""
    facts = {info.id: {"beta": info.config.get("recipe", {}).get("beta"), "latents": info.latent} for info in models}
    differing = [name for name in ("beta", "latents") if len({of[name] for of in facts.values()}) > 1]
    found = {}
    for ident, of in facts.items():
        more = [f"{name} {of[name]:g}" for name in differing if isinstance(of[name], int | float)]
        unsaid = [text for text in more if text.replace("latents ", "latent").replace(" ", "") not in ident]
        found[ident] = f"{ident} ({', '.join(unsaid)})" if unsaid else ident
    return found


def model_line(info: CheckpointInfo) -> str:
    """A model's name and what it is, in a line of Markdown."""
    return f"**{plain(info.id)}** :small[:gray[{plain(info.traits)}]]"
