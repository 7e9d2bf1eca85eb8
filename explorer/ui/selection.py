"""What a person has chosen on the map, in the session: the pick, which is one code, and what a lasso or box holds.

A pick is an item of the encoded data or any spot of the code space. It belongs to a model: when the model changes, an
item stays picked, as the other model encodes it, and a bare code is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st
import torch
from torch import Tensor

from explorer.datasets import own
from explorer.latents.compact import MAX_MAGNITUDE
from explorer.ui.cache import EncodedDataset
from explorer.ui.components.latent_map.component import Click, Selected, View

_PICK, _SELECTED, _VIEW, _ANEW = "explore_pick", "explore_selection", "explore_view", "explore_anew"
_SAME = 1e-4  # as far as codes from older addresses have digits


@dataclass(frozen=True)
class Pick:
    """A chosen code of `model`. `index` is the image's in its data set `items`, None for a bare code.

    `xy` is the spot where it was picked, if it was, on a map of the kind `map_kind`; `approximate` says that the code
    was estimated from that spot; `origin` says in words where it came from.
    """

    model: str
    code: tuple[float, ...]
    items: str = ""
    index: int | None = None
    xy: tuple[float, float] | None = None
    map_kind: str = ""
    approximate: bool = False
    origin: str = ""

    @property
    def may_be_own(self) -> bool:
        """Whether the code may come from a person's own picture: it is no item's and was not clicked on the map."""
        return self.index is None and self.xy is None

    def tensor(self) -> Tensor:
        """The code as float32 [D]."""
        return torch.tensor(self.code, dtype=torch.float32)

    def place(self, data: EncodedDataset) -> tuple[float, float]:
        """Where it lies on the map of the data: the very spot where it was picked there, or else its code's place."""
        if self.xy is not None and self.map_kind == data.map.kind:
            return self.xy
        x, y = data.map.place(self.tensor()[None])[0].tolist()
        return x, y


def items_of(data: EncodedDataset) -> str:
    """Names the images that an index counts: the same for a stored test set and the same set encoded now."""
    return own.items_name(data.source, data.images_digest, with_training=data.before_test > 0)


def choose_row(data: EncodedDataset, row: int, origin: str = "the map") -> None:
    """Pick an item by its row."""
    st.session_state[_PICK] = _item(data, row, origin)


def _item(data: EncodedDataset, row: int, origin: str) -> Pick:
    code, index = _bounded(data.latents.mean[row]), int(data.latents.index[row])
    return Pick(data.model.info.id, code, items_of(data), index, origin=origin)


def choose_code(
    data: EncodedDataset, code: Tensor, origin: str, *, xy: tuple[float, float] | None = None, approximate: bool = False
) -> None:
    """Pick a bare code."""
    st.session_state[_PICK] = Pick(
        data.model.info.id, _bounded(code), xy=xy, map_kind=data.map.kind, approximate=approximate, origin=origin
    )


def choose_spot(data: EncodedDataset, x: float, y: float) -> None:
    """Pick the code under a spot of the map; the nearest item where there is no code between items."""
    if not data.model.continuous:
        choose_row(data, int((data.map.points - torch.tensor([x, y])).square().sum(1).argmin()))
        return
    code = data.map.code_at(torch.tensor([[x, y]], dtype=torch.float32))[0]
    choose_code(data, code, "the map", xy=(x, y), approximate=not data.map.exact)


def choose_click(data: EncodedDataset, click: Click) -> None:
    """Pick what a click on the map has hit: an item, or the empty plane."""
    if click.id is not None and click.id < len(data.latents):
        choose_row(data, click.id)
    else:
        choose_spot(data, click.x, click.y)


def clear() -> None:
    """Forget the pick."""
    st.session_state.pop(_PICK, None)


def current(data: EncodedDataset) -> Pick | None:
    """The pick as it applies to the mapped data: kept, encoded anew for another model, or None and forgotten."""
    found = applied(data)
    if found is None:
        clear()
    elif found.index is not None:
        st.session_state[_PICK] = found
    return found


def applied(data: EncodedDataset) -> Pick | None:
    """The same, and nothing is forgotten: for a screen of several models."""
    pick: Pick | None = st.session_state.get(_PICK)
    if pick is None or (pick.model == data.model.info.id and pick.index is None):
        return pick
    if (row := row_of(data, pick)) is not None:
        return pick if pick.model == data.model.info.id else _item(data, row, pick.origin)
    if pick.model == data.model.info.id:  # its data set is not on the map any more; the code still is one
        return Pick(pick.model, pick.code, origin=pick.origin)
    return None


def rename_model(old: str, new: str) -> None:
    """Lets the pick belong to a model under its new name."""
    pick: Pick | None = st.session_state.get(_PICK)
    if pick is not None and pick.model == old:
        st.session_state[_PICK] = replace(pick, model=new)


def row_of(data: EncodedDataset, pick: Pick) -> int | None:
    """The row of a picked item among the mapped data."""
    return data.row_of(pick.index) if pick.index is not None and pick.items == items_of(data) else None


def among(codes: Tensor, pick: Pick | None) -> int | None:
    """Finds which of some codes [N, D] the pick is."""
    if pick is None or len(pick.code) != codes.shape[1]:
        return None
    apart = (codes - pick.tensor()).abs().amax(1)
    nearest = int(apart.argmin())
    return nearest if float(apart[nearest]) < _SAME else None


def among_shown(panel: str, data: EncodedDataset) -> int | None:
    """The same of the codes that a panel has shown last: what `show_codes` keeps."""
    codes: Tensor | None = st.session_state.get(f"{panel}_codes")
    return None if codes is None else among(codes, current(data))


def show_codes(panel: str, codes: Tensor | None) -> None:
    """Keep the codes that a panel shows; None where it shows none."""
    st.session_state[f"{panel}_codes"] = codes


def row_name(data: EncodedDataset, row: int) -> str:
    """What an item is called: its class, its group and its file, where there are any, its index, its split."""
    latents = data.latents
    index = int(latents.index[row])
    parts = (
        "" if latents.labels is None else data.classes[int(latents.labels[row])],
        "" if latents.group is None else f"{data.group_name} {latents.group[row]}",
        "" if latents.items is None else latents.items.names[row].rpartition("/")[2],
        f"#{index}",
        "training image" if index < data.before_test else "",
    )
    return " · ".join(part for part in parts if part)


def selected(data: EncodedDataset) -> Selected | None:
    """What is selected on this map in Explore, also after a visit to another screen; None on another map's turn."""
    found: Selected | None = st.session_state.get(_SELECTED)
    return found if found is not None and found.revision == data.map_key else None


def select(found: Selected | None) -> None:
    """As the map's callback: keep what is selected, or forget it."""
    st.session_state[_SELECTED] = found


def view(data: EncodedDataset) -> View | None:
    """What is shown of this map; None: all of it."""
    of, found = st.session_state.get(_VIEW, ("", None))
    return found if of == data.map_key else None


def look_at(data: EncodedDataset, found: View | None) -> None:
    """As the map's callback: keep what is shown of it."""
    st.session_state[_VIEW] = (data.map_key, found)


def anew() -> int:
    """Counts how often the selection and the view have come from an address: what a map has by then holds no more."""
    return int(st.session_state.get(_ANEW, 0))


def show_anew() -> None:
    """Lets maps show the selection and the view that the session has now."""
    st.session_state[_ANEW] = anew() + 1


def _bounded(code: Tensor) -> tuple[float, ...]:
    return tuple(code.nan_to_num(0.0).clamp(-MAX_MAGNITUDE, MAX_MAGNITUDE).tolist())
