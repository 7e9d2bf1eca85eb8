"""The real images whose codes lie nearest to a code; a click chooses one."""

from __future__ import annotations

import streamlit as st
from torch import Tensor

from explorer.latents import neighbours
from explorer.ui import selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.components.tiles.component import tiles

_COUNT = 8


def neighbour_tiles(
    data: EncodedDataset, code: Tensor, *, key: str, origin: str | None, without: int | None = None
) -> None:
    """Draw them in a row, nearest first, without one row (the item itself).

    A click chooses one, unless there is no `origin` to say where it was chosen.
    """
    near = neighbours(code, data.latents.mean, k=_COUNT, without=without)
    if len(near) == 0:
        return
    here = not isinstance(data.originals(), str)
    st.caption("Nearest in latent space" if here else "Nearest in latent space, reconstructed: the images are not here")
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
        label="Nearest items in latent space",
        on_pick=None if origin is None else lambda i: selection.choose_row(data, int(near[i]), origin),
    )
