"""The real images whose codes lie nearest to a code; a click chooses one."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from torch import Tensor

from explorer.figures.paper import Pictures
from explorer.latents import neighbours
from explorer.ui import selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import panel_of

_COUNT = 8


def neighbour_tiles(
    data: EncodedDataset,
    code: Tensor,
    *,
    key: str,
    on_pick: Callable[[int], None] | None,
    without: int | None = None,
    captioned: bool = True,
) -> None:
    """Draws them in a row, nearest first.

    Args:
        data: The images, by their codes.
        code: float32 [D].
        key: Of the component.
        on_pick: Called with the row of the one that is clicked; None lets nobody choose.
        without: A row that is left out: the code's own.
        captioned: Whether `neighbours_caption` stands above them.
    """
    near = neighbours(code, data.latents.mean, k=_COUNT, without=without)
    if len(near) == 0:
        return
    if captioned:
        st.caption(neighbours_caption(data))
    tiles(
        key=key,
        sheet_url=sheets.rows_sheet(data, near, _COUNT),
        count=len(near),
        columns=_COUNT,
        tile=sheets.tile_size(data.model),
        titles=[selection.row_name(data, int(r)) for r in near],
        ids=[int(data.latents.index[r]) for r in near],
        max_tile_px=56,
        gap=3,
        label="Images with the nearest codes",
        on_pick=None if on_pick is None else lambda i: on_pick(int(near[i])),
    )


def neighbours_strip(data: EncodedDataset, code: Tensor, without: int | None = None) -> Pictures:
    """The same row of images as a panel of a figure."""
    near = neighbours(code, data.latents.mean, k=_COUNT, without=without)
    return panel_of(sheets.row_images(data, near), len(near), axes=("nearest", ""))


def neighbours_caption(data: EncodedDataset) -> str:
    """What the tiles are: originals, or reconstructions where the images are not here."""
    if isinstance(data.originals(), str):
        return "The images with the nearest codes, reconstructed: the originals are not here"
    return "The images with the nearest codes"
