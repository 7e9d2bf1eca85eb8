"""All uploaded cells at a glance: sorted by their probability, one click from a closer look; as a table, and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import streamlit as st
import torch

from explorer.cells.screening.verdicts import Verdict, scores_csv, summary
from explorer.images import pictures
from explorer.ui import html
from explorer.ui.cells.uploads import UploadedCell, by_probability, intake
from explorer.ui.components.tiles.component import tiles
from explorer.ui.uploads.store import Uploads

DEVICE = "Not a medical device"
_COLUMNS = 20  # of the sheet; on the screen as many as fit
_SCROLLED_FROM = 60
_SCROLL_PX = 420
_TILE_PX = 72


def chance(p: float) -> str:
    """Formats a probability as a percentage that never claims to be certain."""
    if p < 0.001:
        return "< 0.1%"
    if p > 0.999:
        return "> 99.9%"
    return f"{p:.0%}" if 0.095 <= p <= 0.905 else f"{p:.1%}"


def rarer(share: float) -> str:
    """Formats a typicality as a percentage, with no more digits than it has meaning."""
    return "less than 0.1%" if share < 0.001 else f"{share:.1%}"


def overview(state: Uploads[UploadedCell]) -> None:
    """Draws all cells, the likeliest to be infected first."""
    cells = by_probability(state.items)
    st.markdown(f"**{summary([cell.verdict for cell in cells])}** · {DEVICE}")
    grid, buttons, table = (st.container() for _ in range(3))
    if len(cells) > 1:
        height: int | Literal["content"] = _SCROLL_PX if len(cells) > _SCROLLED_FROM else "content"
        with grid, st.container(key="cells_upload_all", height=height):
            _tiles(cells, state.chosen)
    with buttons, st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.download_button(
            "Download CSV",
            partial(as_csv, state.items),
            "scores.csv",
            "text/csv",
            key="cells_upload_csv",
            on_click="ignore",
            help="Columns file, p_infected, log_ratio and typicality, as `python -m explorer screen` writes them",
        )
        st.button("Clear", key="cells_upload_clear", icon=":material/delete:", on_click=intake.store.clear)
    if len(cells) > 1:
        with table, st.expander("As a table"):
            _table(cells)


def as_csv(cells: Sequence[UploadedCell]) -> str:
    """Makes the table to download."""
    return scores_csv((cell.title, cell.verdict) for cell in cells)


def _tiles(cells: list[UploadedCell], chosen: int | None) -> None:
    images = torch.stack([cell.image for cell in cells])
    sheet = html.source(pictures.sheet(images, _COLUMNS), "WEBP")
    idents = [cell.ident for cell in cells]
    tiles(
        key="cells_upload_tiles",
        sheet_url=sheet,
        count=len(cells),
        columns=_COLUMNS,
        tile=(images.shape[-1], images.shape[-2]),
        titles=[f"{cell.title}: {_said(cell.verdict)}" for cell in cells],
        captions=[_briefly(cell.verdict) for cell in cells],
        ids=idents,
        selected=idents.index(chosen) if chosen in idents else None,
        max_tile_px=_TILE_PX,
        min_tile_px=_TILE_PX,
        gap=8,
        label="Uploaded cells, the likeliest to be infected first",
        on_pick=lambda index: intake.store.choose(idents[index]),
    )


def _said(verdict: Verdict) -> str:
    return verdict.called if verdict.unlike else f"{verdict.called}, {chance(verdict.p_infected)}"


def _briefly(verdict: Verdict) -> str:
    return verdict.state if verdict.state in ("unlike", "uncertain") else chance(verdict.p_infected)


def _table(cells: list[UploadedCell]) -> None:
    st.caption(f"**{DEVICE}.** Probabilities assume that half of the cells are infected.")
    st.dataframe(
        {
            "file": [cell.title for cell in cells],
            "probability": ["" if cell.verdict.unlike else chance(cell.verdict.p_infected) for cell in cells],
            "evidence, nats": [round(cell.verdict.log_ratio, 2) for cell in cells],
            "typicality": [rarer(cell.verdict.typicality) for cell in cells],
            "verdict": [cell.verdict.called for cell in cells],
        },
        key="cells_upload_table",
        hide_index=True,
        height=min(420, 38 + 35 * len(cells)),
    )
