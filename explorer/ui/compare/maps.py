"""The models' maps side by side: what is picked, outlined or pointed at on one is shown on all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan

import streamlit as st
import torch

from explorer.latents.agreement import linear_cka, neighbour_overlap
from explorer.latents.maps import NEIGHBOURS
from explorer.ui import colouring, pickers, selection, sheets
from explorer.ui.cache import CheckpointInfo, EncodedDataset
from explorer.ui.codes.map_view import map_menu, map_view
from explorer.ui.compare.epochs import EpochInfo, codes_of
from explorer.ui.compare.models import model_line
from explorer.ui.components.latent_map.component import Click, Selected
from explorer.ui.markdown import plain
from explorer.ui.panels import follow, panel
from explorer.ui.wording import counted

LINKED = "compare_linked"
_JUDGED = 2000  # items that agreement is measured on: a second


@dataclass(frozen=True)
class _Linked:
    """What was outlined on one of the maps: images by their index, and how often that has changed.

    The browser shows it by itself on all maps with the same `link`.
    """

    items: str = ""
    indices: tuple[int, ...] = ()
    on: str = ""
    link: str = ""
    made: Selected | None = None
    changes: int = 0


_Mapped = tuple[CheckpointInfo, EncodedDataset]


def maps_panel(encoded: Sequence[_Mapped]) -> dict[str, str]:
    """Draws the maps; returns what the URL says of them."""
    each = [{"class": "class"} if isinstance(info, EpochInfo) else colouring.colors(data) for info, data in encoded]
    offered = {name: plain(text) for name, text in each[0].items() if all(name in other for other in each)}
    color = pickers.pick_one("Colour by", "color", "compare_color", offered, "the colouring")
    panel("compare_selected", _say_selected, _linked)
    for first in range(0, len(encoded), 2):
        for number, column in enumerate(st.columns(2, gap="medium"), first):
            if number < len(encoded):
                with column:
                    _map(number, *encoded[number], color)
    if any(isinstance(info, EpochInfo) for info, _ in encoded):
        st.caption("Pictures on an earlier epoch's map are by the model as it is now: its weights were not kept.")
    _agreement(encoded)
    return {"color": "" if color == "class" else color}


def _map(number: int, info: CheckpointInfo, data: EncodedDataset, color: str) -> None:
    """Draws a map as a panel of its own: the others need not run for what is done on it."""
    key, link = f"compare_map_{number}", f"{selection.items_of(data)}-{sheets.hashed(data.latents.index)}"

    def clicked(click: Click) -> None:
        selection.choose_click(data, click)
        follow(key)

    def outlined(found: Selected | None) -> None:
        indices = () if found is None else tuple(data.latents.index[torch.tensor(found.ids, dtype=torch.long)].tolist())
        st.session_state[LINKED] = _Linked(
            selection.items_of(data), indices, data.map_key, link, found, _linked().changes + 1
        )
        follow(key)

    def told() -> int:
        return 0 if _linked().link == link else _linked().changes

    def state() -> tuple[object, ...]:
        return selection.applied(data), told(), _linked() if _linked().on == data.map_key else None

    def draw() -> None:
        map_view(
            data,
            selection.applied(data),
            key=key,
            color=color,
            link=link,
            selected=_selected(data),
            anew=told(),
            on_click=clicked,
            on_select=outlined,
            height=380,
        )

    st.markdown(model_line(info))
    panel(key, draw, state)
    if not isinstance(info, EpochInfo):
        map_menu(data, color, key=key, quiet=True)


def _say_selected() -> None:
    if count := len(_linked().indices):
        st.caption(f"**{counted(count, 'image')} selected**, shown on every map of the same images.")
    else:
        st.caption("Draw a lasso or a box on one map: the same images light up on the others. Hover and click follow.")


def _linked() -> _Linked:
    found: _Linked | None = st.session_state.get(LINKED)
    return found or _Linked()


def _selected(data: EncodedDataset) -> Selected | None:
    """What is outlined on any map, as this map has it."""
    linked = _linked()
    if linked.made is None or linked.items != selection.items_of(data):
        return None
    here = linked.on == data.map_key
    rows = data.rows_of(torch.tensor(linked.indices, dtype=torch.long)).tolist()
    return Selected(rows, linked.made.kind, linked.made.outline if here else [], data.map_key, linked.made.t)


def _agreement(encoded: Sequence[_Mapped]) -> None:
    """Says of each pair of models how far they find the same images alike."""
    lines = []
    for (first, one), (second, other) in combinations(encoded, 2):
        if selection.items_of(one) != selection.items_of(other):
            continue
        if (found := _agree(one, other)) is None:
            continue
        overlap, alignment = found
        aligned = "" if isnan(alignment) else f" Their codes are {alignment:.0%} alike up to rotation and scale."
        lines.append(
            f"**{plain(first.id)}** and **{plain(second.id)}** share {overlap:.0%} of an image's "
            f"{NEIGHBOURS} nearest neighbours.{aligned}"
        )
    if lines:
        st.markdown("##### How far they agree", help=_HELP)
        st.markdown("\n".join(f"- {line}" for line in lines))


_HELP = (
    f"Of each image the {NEIGHBOURS} nearest others are found among the codes of both models, and counted where they "
    "are the same; codes without any sense would share hardly one. Alike up to rotation and scale: linear centred "
    "kernel alignment, Kornblith et al. 2019, arXiv:1905.00414. Both are taken of codes and not of maps, of up to "
    f"{_JUDGED:,} images."
)


@st.cache_resource(max_entries=60, show_spinner=False, hash_funcs={EncodedDataset: lambda data: data.key})
def _agree(one: EncodedDataset, other: EncodedDataset) -> tuple[float, float] | None:
    """Neighbour overlap and alignment of the codes of the images that both have; None for too few, or without codes."""
    of_one, of_other = codes_of(one), codes_of(other)
    if of_one is None or of_other is None:
        return None
    indices = one.latents.index
    indices = indices[torch.isin(indices, other.latents.index)]
    if len(indices) <= NEIGHBOURS:
        return None
    indices = indices[torch.randperm(len(indices), generator=torch.Generator().manual_seed(0))[:_JUDGED]]
    codes = of_one[one.rows_of(indices)], of_other[other.rows_of(indices)]
    return neighbour_overlap(*codes), linear_cka(*codes)
