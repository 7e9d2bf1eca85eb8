"""All uploaded cells at a glance: sorted by their probability, one click from a closer look; as a table, and as CSV."""

from __future__ import annotations

from functools import partial
from typing import Literal

import streamlit as st
import torch
from torch import Tensor

from explorer.cells.screening.groups import by_group, groups_csv
from explorer.cells.screening.verdicts import Verdict, scores_csv, summary
from explorer.images import pictures
from explorer.ui import html
from explorer.ui.cells.uploads import SHARE, UploadedCell, assumed, by_probability, intake, opened, verdict_of
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import download_menu, panel_of
from explorer.ui.markdown import sentence
from explorer.ui.uploads.store import Uploads
from explorer.ui.wording import counted

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
    heading, grid, buttons, table, groups = (st.container() for _ in range(5))
    with buttons, st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _share()
        download_menu(
            "cells_upload",
            "scores",
            f"{counted(len(cells), 'uploaded cell')} with figures and verdicts, the likeliest to be infected first; "
            f"probabilities assume that {assumption()} of the cells are infected. {DEVICE}.",
            figure=lambda: [panel_of(_images(cells), min(_COLUMNS, len(cells)))],
            table=partial(as_csv, state, assumed()),
        )
        st.button("Clear", key="cells_upload_clear", icon=":material/delete:", on_click=intake.store.clear)
    heading.markdown(f"**{summary([verdict_of(cell) for cell in cells])}** · {DEVICE}")
    if len(cells) > 1:
        height: int | Literal["content"] = _SCROLL_PX if len(cells) > _SCROLLED_FROM else "content"
        with grid, st.container(key="cells_upload_all", height=height):
            _tiles(cells, state.chosen)
    if len(cells) > 1:
        with table, st.expander("As a table"):
            _table(cells)
        with groups, st.expander("By patient, or by another part of the file names"):
            _groups(cells)


def as_csv(state: Uploads[UploadedCell], share: float | None) -> str:
    """Makes the table to download, for a share of infected cells that a person has entered."""
    rows = [(cell.title, cell.verdict if share is None else cell.verdict.assuming(share)) for cell in state.items]
    screener = opened()
    return scores_csv(rows, state.unreadable, share=share or screener.calibration.share, model=screener.version)


def assumption() -> str:
    """Says what share of infected cells the probabilities assume: "half", or as a percentage."""
    share = assumed()
    return "half" if share is None else f"{100 * share:g}%"


def _share() -> None:
    st.number_input(
        "Infected cells, %",
        min_value=0.001,
        max_value=99.999,
        value=None,
        step=1.0,
        format="%g",
        key=SHARE,
        persist_state="session",
        placeholder="half",
        width=150,
        help="The share of the cells that you take to be infected, such as 0.5. The probabilities follow by Bayes' "
        "rule. Left empty, they assume that half of the cells are infected, as where they were calibrated.",
    )


def _images(cells: list[UploadedCell]) -> Tensor:
    return torch.stack([cell.image for cell in cells])


def _tiles(cells: list[UploadedCell], chosen: int | None) -> None:
    images = _images(cells)
    sheet = html.source(pictures.sheet(images, _COLUMNS), "WEBP")
    idents = [cell.ident for cell in cells]
    tiles(
        key="cells_upload_tiles",
        sheet_url=sheet,
        count=len(cells),
        columns=_COLUMNS,
        tile=(images.shape[-1], images.shape[-2]),
        titles=[f"{cell.title}: {_said(verdict_of(cell))}" for cell in cells],
        captions=[_briefly(verdict_of(cell)) for cell in cells],
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
    st.caption(f"**{DEVICE}.** Probabilities assume that {assumption()} of the cells are infected.")
    found = [verdict_of(cell) for cell in cells]
    st.dataframe(
        {
            "file": [cell.title for cell in cells],
            "probability": ["" if verdict.unlike else chance(verdict.p_infected) for verdict in found],
            "evidence, nats": [round(verdict.log_ratio, 2) for verdict in found],
            "typicality": [rarer(verdict.typicality) for verdict in found],
            "verdict": [verdict.called for verdict in found],
        },
        key="cells_upload_table",
        column_config={
            "evidence, nats": st.column_config.NumberColumn(
                help="How much better the model of infected cells explains it than that of healthy ones: above 0 it "
                "speaks for an infection."
            ),
            "typicality": st.column_config.TextColumn(
                help="The share of the training cells in emptier regions: near 0 it is unlike them"
            ),
        },
        hide_index=True,
        height=min(420, 38 + 35 * len(cells)),
    )


def _groups(cells: list[UploadedCell]) -> None:
    pattern = st.text_input(
        "Pattern of the file names",
        key="cells_upload_pattern",
        max_chars=100,
        placeholder="C<number>, the patient",
        persist_state="session",
        help="One * stands for the group's name: slide-*_ finds B7 in slide-B7_cell 3.png, and */ the folder in a zip. "
        "Left empty, a patient's number such as C47 begins the name, as in NIH's malaria data.",
    )
    try:
        found = by_group([(cell.name, verdict_of(cell)) for cell in cells], pattern.strip())
    except ValueError as error:
        st.error(sentence(error))
        return
    if not any(group.name for group in found):
        st.caption("None of the file names tells a group by this pattern.")
        return
    intervals = [group.interval for group in found]
    st.dataframe(
        {
            "group": [group.name or "none" for group in found],
            "cells": [group.cells for group in found],
            "likely infected": [group.counts["infected"] for group in found],
            "uncertain": [group.counts["uncertain"] for group in found],
            "share infected": ["–" if group.share is None else html.percent(group.share) for group in found],
            "95% interval": ["–" if i is None else f"{html.percent(i[0])} to {html.percent(i[1])}" for i in intervals],
            "unlike any cell": [group.counts["unlike"] for group in found],
        },
        key="cells_upload_groups",
        hide_index=True,
        height=min(420, 38 + 35 * len(found)),
    )
    st.caption(
        "The share of the cells that is called likely infected, with Wilson's interval: how far so few cells can be "
        "off by chance. It does not cover that a cell may be called wrongly."
    )
    download_menu(
        "cells_upload_groups",
        "groups",
        f"Uploaded cells by group, with the share called likely infected and its 95% interval (Wilson). {DEVICE}.",
        table=partial(groups_csv, found),
    )
