"""A clickable grid of pictures from one sheet: a latent plane decoded, a gallery, a row of reconstructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from explorer.ui.components.payloads import triggered
from explorer.ui.components.scripts import css, script

__all__ = ["tiles"]

_COMPONENT = st.components.v2.component(
    "tiles",
    html='<div class="lx-tiles" data-state="loading"></div>',
    css=css("tiles"),
    js=script("tiles/main"),
    isolate_styles=False,
)


def tiles(
    *,
    key: str,
    sheet_url: str,
    count: int,
    columns: int,
    tile: tuple[int, int] = (28, 28),
    titles: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    ids: Sequence[int] | None = None,
    selected: int | None = None,
    rings: Sequence[int] = (),
    row_labels: Sequence[str] | None = None,
    faded_rows: Sequence[int] = (),
    across: int | None = None,
    max_tile_px: int = 112,
    min_tile_px: int = 0,
    gap: int = 0,
    label: str = "Pictures",
    on_pick: Callable[[int], None] | None = None,
) -> None:
    """Show the first `count` tiles of a sheet.

    Parameters
    ----------
    sheet_url
        One picture of tiles in row-major order, from `assets.publish`.
    count
        Number of tiles shown; quick up to about 1,600.
    columns
        Tiles in a row of the sheet.
    tile
        Width and height of a tile in the sheet, in pixels.
    titles
        One a tile: shown on hover and read out.
    captions
        One a tile: shown under it.
    ids
        One a tile: put into the page as `data-id`.
    selected
        Index of the tile with the ring. A pick moves the ring before Python answers.
    rings
        Indices of tiles with a thin ring, such as the one in each row that is nearest to a code.
    row_labels
        One a row of the screen: left of it, or above it where there is little room. A line break in a label starts
        a quieter line. Rows keep their length then, whatever `min_tile_px` says.
    faded_rows
        Rows shown in grey, such as the latents that say nothing.
    across
        Tiles in a row on the screen; as in the sheet when None.
    max_tile_px, min_tile_px
        Bounds of a tile's width on the screen. Where `across` tiles of `min_tile_px` do not fit, rows are
        shorter; with 0, tiles shrink as far as it takes, so that a grid keeps its shape.
    gap
        Pixels between tiles.
    label
        What a screen reader calls the grid.
    on_pick
        Called with the index, before the run that the pick causes.
    """
    ack_key = f"{key}-answered"

    def heard() -> None:
        payload = triggered(key, "pick")
        if payload is None:
            return
        st.session_state[ack_key] = payload["t"]
        if on_pick is not None and payload.get("sheet") == sheet_url:  # else another sheet was picked from
            on_pick(int(payload["index"]))

    _COMPONENT(
        key=key,
        data={
            "sheet_url": sheet_url,
            "count": count,
            "columns": columns,
            "tile": list(tile),
            "titles": None if titles is None else list(titles),
            "captions": None if captions is None else list(captions),
            "ids": None if ids is None else [int(i) for i in ids],
            "selected": selected,
            "rings": [int(i) for i in rings],
            "row_labels": None if row_labels is None else list(row_labels),
            "faded_rows": [int(row) for row in faded_rows],
            "across": across or columns,
            "max_tile_px": max_tile_px,
            "min_tile_px": min_tile_px,
            "gap": gap,
            "label": label,
            # The newest pick that Python has seen: the browser's own ring gives way to `selected`.
            "ack": st.session_state.get(ack_key, 0),
        },
        on_pick_change=heard,
    )
