"""A clickable grid of pictures from one sheet: a latent plane decoded, a gallery, a row of reconstructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from explorer.ui.components.mounting import Component
from explorer.ui.components.payloads import index

__all__ = ["tiles"]

_COMPONENT = Component("tiles", "lx-tiles")


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
    label: str = "Images",
    on_pick: Callable[[int], None] | None = None,
) -> None:
    """Shows the first `count` tiles of a sheet.

    Args:
        key: of its own on the page.
        sheet_url: one picture of tiles in row-major order, from `assets.publish`.
        count: number of tiles shown; quick up to about 1,600.
        columns: tiles in a row of the sheet.
        tile: width and height of a tile in the sheet, in pixels.
        titles: one a tile: shown on hover and read out.
        captions: one a tile: shown under it.
        ids: one a tile: put into the page as `data-id`.
        selected: index of the tile with the ring. A pick moves the ring before Python answers.
        rings: indices of tiles with a thin ring, such as the one in each row that is nearest to a code.
        row_labels: one a row of the screen: left of it, or above it where there is little room. A line break in a label
            starts a quieter line. Rows keep their length then, whatever `min_tile_px` says.
        faded_rows: rows shown in grey, such as the latents that say nothing.
        across: tiles in a row on the screen; as in the sheet when None.
        max_tile_px: widest that a tile gets on the screen.
        min_tile_px: narrowest: where `across` such tiles do not fit, rows are shorter. With 0, tiles shrink as far as
            it takes, so that a grid keeps its shape.
        gap: pixels between tiles.
        label: what a screen reader calls the grid.
        on_pick: called with the index, before the run that the pick causes.
    """

    def picked(answer: dict[str, Any]) -> None:
        if on_pick is not None and (place := index(answer, "index")) < count:
            on_pick(place)

    _COMPONENT.show(
        key,
        {
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
        },
        revision=sheet_url,
        answers={"pick": picked},
    )
