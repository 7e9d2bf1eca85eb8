"""Tags: a selection gets one by a word and Enter; they colour the map, go to CSV, and make a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st
import torch

from explorer import runs
from explorer.datasets import own
from explorer.errors import DatasetError, RunError
from explorer.latents import Selection
from explorer.ui import access, getting, page_switch, people
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import tags
from explorer.ui.markdown import plain
from explorer.ui.panels import follow
from explorer.ui.train import run_form

_TEXT, _PROBLEM, _HOW, _WHICH, _NAME, _MADE, _CHANGED, _NEW = (
    f"tag_{part}" for part in ("text", "problem", "how", "which", "name", "made", "changed", "new")
)
How = Literal["keep", "leave out", "relabel"]
_HOWS: dict[How, str] = {
    "keep": "Keep only these",
    "leave out": "Leave these out",
    "relabel": "Make the tags classes",
}


def tag_field(data: EncodedDataset, members: Selection) -> None:
    """Draws the field by which the selection gets a tag."""

    def tag() -> None:
        if _try(lambda: tags.put(data, data.latents.index[members.rows].tolist(), st.session_state.get(_TEXT) or "")):
            st.session_state["color_by"] = "tag" if tags.of(data) else "class"
        follow("group")

    st.text_input(
        "Tag",
        key=_TEXT,
        max_chars=tags.MOST,
        placeholder="Tag, then Enter",
        label_visibility="collapsed",
        width=150,
        persist_state="session",
        on_change=tag,
    )
    st.button(
        "Tag",
        key="tag_put",
        icon=":material/sell:",
        shortcut="T",
        on_click=tag,
        help="Gives these images the tag beside; an empty one takes their tags off",
    )


def _try(change: Callable[[], None]) -> bool:
    """Changes tags; where that cannot be, the panel says why."""
    try:
        runs.check_room(people.here().owner)
        change()
    except (ValueError, DatasetError, RunError) as error:
        st.session_state[_PROBLEM] = str(error)
        return False
    return True


def tags_panel(data: EncodedDataset) -> None:
    """Draws what is tagged, the way back, and the form of a data set; nothing where nothing was tagged."""
    page_switch.hand_over()
    found = tags.counts(data)
    if problem := st.session_state.pop(_PROBLEM, "") or tags.problem(data):
        st.error(plain(problem))
    if not found and not tags.can_undo(data):
        return
    with st.container(key="tags", border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown("##### Tags", width="content", help=_HELP)
            with st.container(horizontal=True, width="content"):
                st.button(
                    "Undo",
                    key="tag_undo",
                    icon=":material/undo:",
                    shortcut="U",
                    disabled=not tags.can_undo(data),
                    on_click=_undo,
                    args=(data,),
                )
                if found:
                    with st.popover("Change a tag", icon=":material/edit:", key="tag_change_box"):
                        _change(data, found)
                    with st.popover("Make a data set", icon=":material/dataset:", key="tag_make_box"):
                        _form(data, found)
        st.markdown(" · ".join(f"**{plain(name)}** {count:,}" for name, count in found.items()) or "Nothing is tagged.")
        st.caption("Tags stay here, for you, until you delete them.")
        if (made := st.session_state.get(_MADE)) and access.data_set(f"own:{made}"):  # not removed since
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f":green[**own:{plain(made)}** is here.]", width="content")
                st.button("Train on it", key="tag_train", on_click=_train, args=(made,))


_HELP = (
    "What you call selected images. Draw a lasso, type a tag and press Enter; the key T gives the same tag to the next "
    "selection, and U takes the last one back. Tags belong to images: other models' maps of them show them, too."
)


def _change(data: EncodedDataset, found: dict[str, int]) -> None:
    """Draws what gives a tag another name, or takes it off all of its images."""

    def rename(new: str) -> None:
        _try(lambda: tags.rename(data, st.session_state[_CHANGED], new))
        _without_tags(data)
        follow("tags")

    st.selectbox("Tag", list(found), key=_CHANGED)
    new = st.text_input("New name", key=_NEW, max_chars=tags.MOST)
    with st.container(horizontal=True):
        st.button("Rename", key="tag_rename", disabled=not new.strip(), on_click=rename, args=(new,))
        st.button("Delete", key="tag_delete", icon=":material/delete:", on_click=rename, args=("",))


def _without_tags(data: EncodedDataset) -> None:
    """Colours the map by class where there is no tag any more."""
    if not tags.of(data) and st.session_state.get("color_by") == "tag":
        st.session_state["color_by"] = "class"


def _undo(data: EncodedDataset) -> None:
    _try(lambda: tags.undo(data))
    _without_tags(data)
    follow("tags")


def _form(data: EncodedDataset, found: dict[str, int]) -> None:
    if isinstance(originals := data.originals(), str):
        st.info(plain(originals))
        getting.offer(data.source, "tagging")
        return
    st.segmented_control(
        "What to do", list(_HOWS), key=_HOW, default="keep", required=True, format_func=_HOWS.__getitem__
    )
    st.multiselect("Of the tags", list(found), key=_WHICH, placeholder="all of them")
    st.text_input("Name", key=_NAME, placeholder=own.propose_name(f"{data.source.split(':')[-1]} tagged"))
    st.button("Make it", key="tag_make", type="primary", on_click=_make, args=(data,))
    st.caption(f"Made of the {len(data.latents):,} images on this map, in {_size(data)}.")


def _size(data: EncodedDataset) -> str:
    _, height, width = data.model.image_shape
    return f"the model's {width} × {height} pixels"


def _make(data: EncodedDataset) -> None:
    """As a callback: makes the data set."""
    state = st.session_state
    which = set(state.get(_WHICH) or tags.counts(data))
    how: How = state.get(_HOW) or "keep"
    name = (state.get(_NAME) or "").strip() or own.propose_name(f"{data.source.split(':')[-1]} tagged")
    state.pop(_MADE, None)
    try:
        runs.check_room(people.here().owner)
        make(data, how, which, name)
    except (DatasetError, RunError) as error:
        state[_PROBLEM] = str(error)
    else:
        state[_MADE] = name
    follow("tags")


def make(data: EncodedDataset, how: How, which: set[str], name: str) -> None:
    """Makes `own:NAME` of the images on the map by their tags. Raises DatasetError."""
    originals = data.originals()
    if isinstance(originals, str):
        raise DatasetError(originals)
    chosen = {index: tag for index, tag in tags.of(data).items() if tag in which}
    tagged, mapped = torch.zeros(len(originals), dtype=torch.bool), torch.zeros(len(originals), dtype=torch.bool)
    tagged[list(chosen)] = True
    mapped[data.latents.index] = True
    keep = tagged if how == "keep" else mapped & ~tagged if how == "leave out" else mapped
    training = torch.arange(len(originals)) < data.before_test if data.before_test else None
    classes = chosen if how == "relabel" else {}
    own.derive(name, originals, keep=keep, classes=classes, training=training, owner=people.here().owner)


def _train(name: str) -> None:
    """As a callback: takes the data set into the form of the Train screen, and shows that."""
    run_form.choose_dataset(f"own:{name}")
    page_switch.go(page_switch.TRAIN)
