"""The choices that screens share: which model, on which of its maps, with which data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import datasets
from explorer.errors import CheckpointError, DatasetError
from explorer.ui import access, address, cache, following, selection
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import saved_names
from explorer.ui.markdown import plain, sentence
from explorer.ui.wording import GROUP

_Option = TypeVar("_Option", bound=str)

COLORS = {"class": "class", "kl": "KL", "error": "reconstruction error", "density": "density"}  # of any map
FIRST_MODEL = "mnist-mlp-2d"  # what a first visit shows
PROJECTIONS = {"umap": "UMAP", "pca": "principal components"}


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
    default = default or next(iter(names))
    address.restore_choice(param, key, names, what, usual=default)
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


def list_models(key: str) -> tuple[dict[str, cache.CheckpointInfo], dict[str, str]]:
    """Lists the models that can be opened, and what is wrong with the others, by id.

    They are looked up again where one that is chosen in the widget of that key has moved.
    """
    usable = {c.id: c for c in access.checkpoints() if not c.problem}
    if following.moves(key, usable):
        cache.all_checkpoints.clear()
        usable = {c.id: c for c in access.checkpoints() if not c.problem}
    return usable, {c.id: c.problem for c in access.checkpoints() if c.problem}


def pick_model() -> cache.Model:
    """The picker and its line; stops the page with a sentence when there is nothing to open."""
    usable, damaged = list_models("explore_model")
    if not usable:
        st.info("There is no model yet. Train one: press **Start** in the sidebar.")
        _show_damaged(damaged, len(usable))
        st.stop()

    order = in_order(usable)
    _follow_model(usable, order[0], damaged)
    address.restore_choice("model", "explore_model", order, "the model", usual=order[0])
    whose = {i: "" if usable[i].shipped else access.caption(usable[i].owner) for i in order}
    names = {i: f"{usable[i].trained_on} · {i} — {usable[i].traits}" for i in order}
    labels = {i: " · ".join(filter(None, (names[i], whose[i]))) for i in order}
    show_labels("explore_model", labels)
    chosen = st.selectbox(
        "Model",
        order,
        format_func=labels.__getitem__,
        key="explore_model",
        persist_state="session",
        on_change=address.forget_notices,
        label_visibility="collapsed",
    )
    following.remember("explore_model", usable)
    _show_damaged(damaged, len(usable))
    try:
        model = cache.open_model(chosen, cache.digest(usable[chosen]))
        model.latents  # noqa: B018 - read here, so that a damaged file is said in this sentence and not later
        return model
    except (CheckpointError, OSError) as error:
        _look_again_if_gone(usable[chosen])
        st.error(sentence(error))
        st.stop()


def in_order(usable: Mapping[str, cache.CheckpointInfo]) -> list[str]:
    """Sorts models by their data, those of the first model's first: what ships, a person's own, others'."""
    sources = [*datasets.SOURCES]
    if FIRST_MODEL in usable:
        sources.insert(0, usable[FIRST_MODEL].config["dataset"]["name"])

    def place(ident: str) -> tuple[bool, bool, int, str, bool, int, str]:
        info = usable[ident]
        data, others = info.config["dataset"]["name"], not info.shipped and not access.is_mine(info)
        rank = sources.index(data) if data in sources else len(sources)
        return not info.shipped, others, rank, data, ident != FIRST_MODEL, info.latent, ident

    return sorted(usable, key=place)


def _follow_model(usable: dict[str, cache.CheckpointInfo], instead: str, damaged: dict[str, str]) -> None:
    """Lets the session follow a model to its new name, and says what is shown in place of one that is gone."""
    for old, new in following.moves("explore_model", usable).items():
        if new is not None:
            selection.rename_model(old, new)
            saved_names.rename_model(old, new)
        elif old in damaged:
            address.notice(f"{old} can no longer be opened: {damaged[old]} Showing {instead}.")
        elif old in usable:
            address.notice(f"{old} was deleted, and another run has its name now: showing that one.")
        else:
            address.notice(f"{old} is no longer here: showing {instead}.")
        st.session_state["explore_model"] = new or (old if old in usable else instead)


def show_labels(key: str, labels: Mapping[str, str]) -> None:
    """Before a box whose options have labels that may change: the browser keeps what it has shown, unless it is set."""
    if key in st.session_state and st.session_state.get(f"{key}_labels") != labels:
        st.session_state[key] = st.session_state[key]
    st.session_state[f"{key}_labels"] = labels


def _look_again_if_gone(info: cache.CheckpointInfo) -> None:
    """Reruns the page where a model's folder has gone since the models were listed."""
    if not info.path.is_dir():
        cache.all_checkpoints.clear()
        if info.id not in {c.id for c in access.checkpoints()}:
            st.rerun()


def _show_damaged(damaged: dict[str, str], usable: int) -> None:
    if damaged:
        total = len(damaged) + usable
        with st.expander(f"{len(damaged)} of {total} checkpoints cannot be opened", icon=":material/warning:"):
            for ident, problem in damaged.items():
                st.markdown(f"**{plain(ident)}**: {plain(problem)}")


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
    except (DatasetError, CheckpointError, ValueError, OSError) as error:
        _look_again_if_gone(model.info)
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
