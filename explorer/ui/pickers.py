"""The choices that screens share: which model, on which of its maps, with which data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import datasets
from explorer.errors import CheckpointError, DatasetError
from explorer.ui import access, address, cache, following, getting, selection
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.codes import saved_names
from explorer.ui.colouring import colors
from explorer.ui.encoding import encoded_dataset
from explorer.ui.markdown import plain, sentence

_Option = TypeVar("_Option", bound=str)

FIRST_MODEL = "mnist-mlp-2d"  # what a first visit shows
_FIRST = "the first visit"  # whose choice a pick was
_INSTEAD = "map_data_instead"  # what is mapped that nobody chose
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
    usable = access.usable()
    if following.moves(key, usable):
        cache.all_checkpoints.clear()
        usable = access.usable()
    return usable, {c.id: c.problem for c in access.checkpoints() if c.problem}


def pick_model() -> cache.Model:
    """The picker and its line; stops the page with a sentence when there is nothing to open."""
    usable, damaged = list_models("explore_model")
    if not usable:
        st.info("There is no model yet. Train one: press **Start** in the sidebar.")
        _show_damaged(damaged, len(usable))
        st.stop()

    order = in_order(usable)
    first = first_of(order)
    _follow_model(usable, first, damaged)
    address.restore_choice("model", "explore_model", order, "the model", usual=first)
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
        model = cache.open_model(chosen, usable[chosen].content)
        model.mapped  # noqa: B018 - read here, so that a damaged file is said in this sentence and not later
        return model
    except (CheckpointError, OSError) as error:
        _look_again_if_gone(usable[chosen])
        st.error(sentence(error))
        st.stop()


def first_of(order: Sequence[str]) -> str:
    """The model that a first visit shows."""
    return FIRST_MODEL if FIRST_MODEL in order else order[0]


def in_order(usable: Mapping[str, cache.CheckpointInfo]) -> list[str]:
    """Sorts models: a person's own, the newest first, then what ships by its data, then others' by theirs."""
    sources = [*datasets.SOURCES]
    if FIRST_MODEL in usable:
        sources.insert(0, usable[FIRST_MODEL].config["dataset"]["name"])

    def place(ident: str) -> tuple[bool, int, str, bool, int, str]:
        info = usable[ident]
        data = info.config["dataset"]["name"]
        rank = sources.index(data) if data in sources else len(sources)
        return not info.shipped, rank, data, ident != FIRST_MODEL, info.latent, ident

    mine = [ident for ident, info in usable.items() if not info.shipped and access.is_mine(info)]
    mine.sort(key=lambda ident: usable[ident].created, reverse=True)
    return [*mine, *sorted(usable.keys() - mine, key=place)]


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
        help="What the colours of the points stand for. KL, ELBO and error are those of each image; density is how "
        "crowded the map is there.",
    )


def chosen_color(data: EncodedDataset) -> str:
    """What was chosen to colour the map, here or on Explore, or what the address says."""
    address.restore_choice("color", "color_by", colors(data), "the colouring", usual="class")
    return str(st.session_state["color_by"])


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
            "distances but lay unlike images on each other.",
        )
    sources = access.choices_of_data("test set (stored)" if model.mapped is model.latents else "all images (stored)")
    if getting.missing(asked := st.query_params.get("data", "")):
        st.session_state[getting.WANTED] = asked
    if st.session_state.get(getting.WANTED) in sources:  # it has been got
        st.session_state["map_data"] = st.session_state.pop(getting.WANTED)
    begins = _begin_with_originals(model)
    address.restore_choice("data", "map_data", list(sources), "the data", sources, usual=next(iter(sources)))
    show_labels("map_data", sources)
    data = controls.selectbox(
        "Data",
        list(sources),
        format_func=sources.__getitem__,
        key="map_data",
        persist_state="session",
        width=widths[1],
        help="The images that came with the model, or any data set on this machine, encoded now.",
        on_change=partial(st.session_state.pop, _INSTEAD, None),
    )
    try:
        found = encoded_dataset(model.info.id, model.info.content, data, projection)
    except (DatasetError, CheckpointError, ValueError, OSError) as error:
        _look_again_if_gone(model.info)
        st.error(sentence(error))
        st.stop()
    if begins and not isinstance(found.originals(), str):
        pick = selection.applied(found)
        if pick is None or pick.origin == _FIRST:
            selection.choose_row(found, 0, _FIRST)
    return replace(found, drawn_as=_pick_class(model, controls)) if model.conditional else found


def _begin_with_originals(model: cache.Model) -> bool:
    """Lets a first visit map images that are here where the model's test set is not, until a person chooses data.

    Returns whether other images are mapped now because of it: then one of them is picked, too.
    """
    before = st.session_state.get("map_data")
    if before is None and not st.query_params:
        st.session_state[_INSTEAD] = STORED
    if st.session_state.get("map_data", STORED) == st.session_state.get(_INSTEAD):
        instead = getting.stand_in(model.info.config["dataset"]["name"]) or STORED
        st.session_state[_INSTEAD] = st.session_state["map_data"] = instead
        return instead != (before or STORED)
    return False


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
        "Images are drawn as their own class; spots, samples, means and sums as the one chosen here.",
    )
    return model.classes.index(chosen)
