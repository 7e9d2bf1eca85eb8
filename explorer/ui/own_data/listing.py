"""The data sets of a person's own: what each holds, and taking one away, which can be undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from explorer.datasets import own
from explorer.datasets.base import bytes_text
from explorer.errors import DatasetError
from explorer.images.arrays import size_words
from explorer.ui import access, page_switch, people
from explorer.ui.markdown import plain
from explorer.ui.wording import ago

_REMOVED, _REFUSED = "own_removed", "own_refusal"


def own_list(on_choose: Callable[[str], None] | None) -> None:
    """Draws the list; `on_choose` is called with `own:NAME` by the button of a data set."""
    names = access.own_names()
    with st.container(key="own_sets", gap="xsmall"):
        if names:
            st.markdown("##### Your data sets")
        _undo()
        now = datetime.now(UTC)
        for name in names:
            _row(name, on_choose, now)


def _row(name: str, on_choose: Callable[[str], None] | None, now: datetime) -> None:
    problem, owner = "", own.owner(name)
    whose = access.caption(owner)
    try:
        found = own.details(name)
        classes = f"{len(found.classes):,} classes" if len(found.classes) != 1 else "1 class"
        colour = "gray" if found.channels == 1 else "RGB"
        facts = (
            f"{sum(found.counts.values()):,} images · {size_words(found.size)} {colour} · "
            f"{classes if found.classes else 'no classes'} · {bytes_text(found.nbytes)} · {ago(found.created, now)}"
            f"{f' · {plain(whose)}' if whose else ''}"
        )
    except DatasetError as error:
        facts, problem = "", str(error)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"own_row_{name}"):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**own:{plain(name)}**")
            if problem:
                st.error(plain(problem))
            else:
                st.caption(facts)
        if on_choose is not None and not problem:
            st.button("Use", key=f"own_use_{name}", on_click=_choose, args=(name, on_choose), help="Train on it")
        if not access.may_change_data(name):
            return
        if people.signs_in() and owner.ident:
            st.button(
                ":material/group_off:" if owner.shared else ":material/group:",
                key=f"own_share_{name}",
                type="tertiary",
                help="Stop sharing it" if owner.shared else "Share it: others can then see it and train on it",
                on_click=_share,
                args=(name, not owner.shared),
            )
        st.button(
            ":material/delete:",
            key=f"own_remove_{name}",
            type="tertiary",
            help=f"Remove own:{plain(name)}; you can undo this",
            on_click=_remove,
            args=(name,),
        )


def _undo() -> None:
    """Draws what was taken away last, with the way back, and what could not be done."""
    if refusal := st.session_state.pop(_REFUSED, ""):
        st.error(plain(refusal))
    if token := st.session_state.get(_REMOVED):
        with st.container(horizontal=True, vertical_alignment="center", key="own_removed_box"):
            st.markdown(
                f"Removed own:{plain(token.partition('~')[0])}. It stays in the trash for a week.", width="content"
            )
            st.button("Undo", key="own_undo", on_click=_restore, args=(token,))


def _choose(name: str, on_choose: Callable[[str], None]) -> None:
    on_choose(f"own:{name}")
    page_switch.refresh()


def _remove(name: str) -> None:
    try:
        st.session_state[_REMOVED] = access.remove_data(name)
    except DatasetError as error:
        st.session_state[_REFUSED] = str(error)
    page_switch.refresh()


def _share(name: str, shared: bool) -> None:
    try:
        access.share_data(name, shared)
    except DatasetError as error:
        st.session_state[_REFUSED] = str(error)
    page_switch.refresh()


def _restore(token: str) -> None:
    st.session_state.pop(_REMOVED, None)
    try:
        own.restore(token)
    except DatasetError as error:
        st.session_state[_REFUSED] = str(error)
    page_switch.refresh()
