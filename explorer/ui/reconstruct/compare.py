"""Which other models see the same picture beside the chosen one."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from explorer.errors import CheckpointError, DatasetError
from explorer.ui import address, cache, following, pickers
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.markdown import sentence

_COMPARED = "compare_with"
_MOST = 3  # beside the chosen one: four columns are as many as can be read


def pick_others(model: cache.Model) -> list[EncodedDataset]:
    """Draws the control; returns the codes of the models chosen. Those that cannot be opened get a sentence."""
    usable, _ = pickers.list_models(_COMPARED)
    usable.pop(model.info.id, None)
    _restore(usable, model.info.id)
    chosen = st.multiselect(
        "Compare with",
        pickers.in_order(usable),
        key=_COMPARED,
        max_selections=_MOST,
        persist_state="session",
        placeholder="other models",
        help="Up to three other models see the same picture, each at its own size.",
        width=420,
    )
    following.remember(_COMPARED, usable)
    found = []
    for ident in chosen:
        try:
            found.append(_opened(usable[ident]))
        except (CheckpointError, DatasetError, OSError, ValueError) as error:
            st.error(sentence(error))
    return found


def query(others: list[EncodedDataset]) -> dict[str, str]:
    """Gives what the URL says of it."""
    return {"compare": ",".join(one.model.info.id for one in others)} if others else {}


def _restore(usable: dict[str, cache.CheckpointInfo], itself: str) -> None:
    """Starts from the address, follows new names, and drops what is no choice any more."""

    def read(text: str) -> list[str]:
        wanted = list(dict.fromkeys(text.split(",")))
        unknown = [ident for ident in wanted if ident not in usable and ident != itself]
        if unknown:
            address.notice(f"The address asks to compare with “{unknown[0][:60]}”, which is not here.")
        return [ident for ident in wanted if ident in usable][:_MOST]

    address.restore_value("compare", _COMPARED, read, default=[])
    for old, new in following.moves(_COMPARED, usable).items():
        chosen = st.session_state[_COMPARED]
        st.session_state[_COMPARED] = [new if ident == old else ident for ident in chosen if new or ident != old]
        if new is None and old != itself:
            address.notice(f"{old} is no longer here to compare with.")
    st.session_state[_COMPARED] = [ident for ident in st.session_state[_COMPARED] if ident in usable]


def _opened(info: cache.CheckpointInfo) -> EncodedDataset:
    """Opens the model's stored codes on its first map."""
    content = cache.digest(info)
    model = cache.open_model(info.id, content)
    kinds = cache.projections(model)
    if not kinds:
        raise CheckpointError(f"{info.id} has no map of its codes: train it again")
    found = cache.encoded_dataset(info.id, content, STORED, kinds[0])
    return replace(found, drawn_as=0) if model.conditional else found
