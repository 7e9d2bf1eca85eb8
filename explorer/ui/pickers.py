"""The choices that screens share: which model, on which of its maps, with which data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import CheckpointError, DatasetError
from explorer.ui import access, address, cache
from explorer.ui.cache import EncodedDataset
from explorer.ui.markdown import plain, sentence
from explorer.ui.wording import GROUP

_Option = TypeVar("_Option", bound=str)

COLORS = {"class": "class", "kl": "KL", "error": "reconstruction error", "density": "density"}  # of any map
PROJECTIONS = {"umap": "UMAP", "pca": "principal components"}
_LABELS = "explore_model_labels"


def pick_one(
    label: str,
    param: str,
    key: str,
    names: Mapping[_Option, str],
    what: str,
    *,
    default: _Option | None = None,
    help: str | None = None,
    label_visibility: Literal["visible", "collapsed"] = "visible",
) -> _Option:
    """Draws a row of options, of which one is always chosen; the address may ask for it.

    Args:
        label: what the choice is called on the screen.
        param: the address' parameter.
        key: the widget's key.
        names: by option, what it is called on the screen.
        what: what the choice is called in a sentence.
        default: the option to begin with, if not the first.
        help: shown beside the label.
        label_visibility: whether the label is shown.
    """
    address.restore_choice(param, key, names, what)
    default = default or next(iter(names))
    st.session_state.setdefault(key, default)
    chosen = st.segmented_control(
        label,
        list(names),
        format_func=names.__getitem__,
        key=key,
        required=True,
        persist_state="session",
        help=help,
        label_visibility=label_visibility,
    )
    return chosen or default


def pick_model() -> cache.Model:
    """The picker and its line; stops the page with a sentence when there is nothing to open."""
    found = access.checkpoints()
    usable = {c.id: c for c in found if not c.problem}
    if not usable:
        st.info("There is no model yet. Train one: press **Start** in the sidebar.")
        _show_damaged(found)
        st.stop()
    # What ships comes first, in the order of a tour: two latents before many.
    order = sorted(
        usable, key=lambda i: (not usable[i].shipped, i != "mnist-mlp-2d", usable[i].config["model"]["latent"], i)
    )
    address.restore_choice("model", "explore_model", order, "the model", usual=order[0])
    labels = {i: f"{i} — {usable[i].summary}" for i in order}
    if "explore_model" in st.session_state and st.session_state.get(_LABELS) != labels:
        # The browser keeps the label that it has shown, with the ELBO of before a run went on, unless it is set.
        st.session_state["explore_model"] = st.session_state["explore_model"]
    st.session_state[_LABELS] = labels
    chosen = st.selectbox(
        "Model",
        order,
        format_func=labels.__getitem__,
        key="explore_model",
        persist_state="session",
        on_change=address.forget_notices,
        label_visibility="collapsed",
    )
    _show_damaged(found)
    try:
        model = cache.open_model(chosen, cache.digest(usable[chosen]))
        model.latents  # noqa: B018 - read here, so that a damaged file is said in this sentence and not later
        return model
    except (CheckpointError, OSError) as error:
        st.error(sentence(error))
        st.stop()


def _show_damaged(found: list[cache.CheckpointInfo]) -> None:
    damaged = [c for c in found if c.problem]
    if damaged:
        with st.expander(f"{len(damaged)} of {len(found)} checkpoints cannot be opened", icon=":material/warning:"):
            for c in damaged:
                st.markdown(f"**{plain(c.id)}**: {plain(str(c.problem))}")


def colors(data: EncodedDataset) -> dict[str, str]:
    """What can colour the map of these data, with its name on the screen."""
    group = {} if data.latents.group is None else {"group": GROUP}
    found = {"class": COLORS["class"], **group, **COLORS}
    if not data.model.has_prior:
        del found["kl"]  # there is none
    return found


def pick_color(data: EncodedDataset, on_change: Callable[[], None]) -> None:
    """Draws the choice of what colours the map's points: a key of `colors`."""
    offered = colors(data)
    address.restore_choice("color", "color_by", offered, "the colouring", usual="class")
    st.selectbox(
        "Colour by",
        list(offered),
        format_func=offered.__getitem__,
        key="color_by",
        persist_state="session",
        on_change=on_change,
        width=180,
    )


def chosen_color(data: EncodedDataset) -> str:
    """What was chosen to colour the map, here or on Explore, or what the address says."""
    address.restore_choice("color", "color_by", colors(data), "the colouring", usual="class")
    return str(st.session_state.get("color_by", "class"))


def pick_data(model: cache.Model, controls: DeltaGenerator, *, widths: tuple[int, int] = (185, 215)) -> EncodedDataset:
    """The projection and the data set; stops the page with a sentence when they cannot be had."""
    kinds = cache.projections(model)
    if not kinds:
        st.error("This checkpoint has no map of its codes: train it again.")
        st.stop()
    address.restore_choice("projection", "projection", kinds, "the projection", PROJECTIONS, usual=kinds[0])
    if len(kinds) == 1:  # two latents: nothing to choose
        projection = kinds[0]
    else:
        projection = controls.selectbox(
            "Projection",
            kinds,
            format_func=PROJECTIONS.__getitem__,
            key="projection",
            persist_state="session",
            width=widths[0],
            help="UMAP keeps neighbours together but not distances; the two principal components keep the largest "
            "distances but lay unlike items on each other.",
        )
    sources = access.choices_of_data()
    address.restore_choice("data", "map_data", list(sources), "the data", sources, usual=next(iter(sources)))
    data = controls.selectbox(
        "Data",
        list(sources),
        format_func=sources.__getitem__,
        key="map_data",
        persist_state="session",
        width=widths[1],
        help="The test set that came with the model, or any data set on this machine, encoded now.",
    )
    try:
        found = cache.encoded_dataset(model.info.id, cache.digest(model.info), data, projection)
    except (DatasetError, CheckpointError, ValueError) as error:
        st.error(sentence(error))
        st.stop()
    return replace(found, drawn_as=_pick_class(model, controls)) if model.conditional else found


def _pick_class(model: cache.Model, controls: DeltaGenerator) -> int:
    """The class that a conditional decoder is told of codes that are no items'."""
    address.restore_choice("as", "decode_as", model.classes, "the class", usual=model.classes[0])
    chosen = controls.selectbox(
        "Decode as",
        model.classes,
        key="decode_as",
        persist_state="session",
        width=135,
        help="This decoder is told the class, so a code holds everything else and can be drawn as any class. "
        "Items are drawn as their own class; spots, samples, means and sums as the one chosen here.",
    )
    return model.classes.index(chosen)
