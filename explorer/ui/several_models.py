"""Several models at once: their choice, which the address keeps, and their codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from explorer.errors import CheckpointError, DatasetError
from explorer.ui import access, address, cache, following, pickers
from explorer.ui.cache import STORED, CheckpointInfo, EncodedDataset
from explorer.ui.markdown import sentence


def pick_several(
    label: str,
    param: str,
    key: str,
    usable: Mapping[str, CheckpointInfo],
    *,
    most: int,
    placeholder: str,
    help: str,
    default: Sequence[str] = (),
    itself: str = "",
    width: int | None = None,
) -> list[CheckpointInfo]:
    """Draws the control; returns the models chosen, which it follows to new names.

    Args:
        label: what the choice is called.
        param: the address' parameter.
        key: the widget's key.
        usable: the models that can be opened, by id.
        most: how many may be chosen.
        placeholder: shown where none is chosen.
        help: shown beside the label.
        default: those chosen at first.
        itself: a model that the screen shows anyway, and that is no choice.
        width: in pixels; as wide as there is room when None.
    """

    damaged = {info.id: info.problem for info in access.checkpoints() if info.problem}

    def read(text: str) -> list[str]:
        wanted = list(dict.fromkeys(text.split(",")))
        unknown = [ident for ident in wanted if ident not in usable and ident != itself]
        for ident in unknown:
            if ident in damaged:
                address.notice(_damaged(ident, damaged[ident]))
        if unknown := [ident for ident in unknown if ident not in damaged]:
            address.notice(f"The address asks to compare with “{unknown[0][:60]}”, which is not here.")
        known = [ident for ident in wanted if ident in usable]
        if len(known) > most:
            address.notice(f"The address names {len(known)} models, and {most} can be compared: the first are shown.")
        return known[:most]

    address.restore_value(param, key, read, default=[*default])
    for old, new in following.moves(key, usable).items():
        chosen = st.session_state[key]
        st.session_state[key] = [new if ident == old else ident for ident in chosen if new or ident != old]
        if new is None and old != itself:
            gone = f"{old} is no longer here to compare with."
            address.notice(_damaged(old, damaged[old]) if old in damaged else gone)
    st.session_state[key] = [ident for ident in st.session_state[key] if ident in usable]
    chosen = st.multiselect(
        label,
        pickers.in_order(usable),
        key=key,
        max_selections=most,
        persist_state="session",
        placeholder=placeholder,
        help=help,
        width=width or "stretch",
    )
    following.remember(key, usable)
    before: dict[str, str] = st.session_state.get(f"{key}_unfinished", {})
    for ident in chosen:
        if before.get(ident) and not usable[ident].unfinished:
            address.notice(f"{ident} has finished training: it is shown as it is now.")
    st.session_state[f"{key}_unfinished"] = {ident: usable[ident].unfinished for ident in chosen}
    return [usable[ident] for ident in chosen]


def _damaged(ident: str, problem: str | None) -> str:
    return f"{ident} cannot be opened and is left out: {problem} Copy it here again, or train it again."


def open_several(chosen: Sequence[CheckpointInfo]) -> list[EncodedDataset]:
    """Opens the stored codes of models, each on its first map; one that cannot be opened gets a sentence."""
    found = []
    for info in chosen:
        try:
            found.append(_opened(info))
        except (CheckpointError, DatasetError, OSError, ValueError) as error:
            st.error(sentence(error))
    return found


def _opened(info: CheckpointInfo) -> EncodedDataset:
    model = cache.open_model(info.id, info.content)
    kinds = cache.projections(model)
    if not kinds:
        raise CheckpointError(f"{info.id} has no map of its codes: train it again")
    found = cache.encoded_dataset(info.id, info.content, STORED, kinds[0])
    return replace(found, drawn_as=0) if model.conditional else found
