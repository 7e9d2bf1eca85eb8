"""The panel of a lasso or box: how many, of which classes, their mean, their most typical members, downloads."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from explorer import figures, pictures
from explorer.latents import Group, group
from explorer.ui import html, sheets, view
from explorer.ui.components.latent_map import Selected
from explorer.ui.components.tiles import tiles
from explorer.ui.kept import KeptGroup
from explorer.ui.library import Mapped
from explorer.ui.panels.naming import name_to_keep

_TYPICAL = 24
_ACROSS = 8


def group_panel(data: Mapped, selected: Selected | None) -> None:
    """Draw the panel; without a selection, nothing but how to make one."""
    rows = [] if selected is None else [i for i in selected.ids if 0 <= i < len(data.latents)]
    with st.container(key="group", border=bool(rows)):
        if selected is None or not rows:
            st.caption("Draw a lasso or a box on the map (its toolbar has both) to look at many items together.")
            return
        members = group(data.latents.mean, torch.tensor(rows), typical=_TYPICAL)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"##### {len(rows):,} items selected", width="content")
            with st.container(horizontal=True, width="content"):
                _keep(data, members)
                _downloads(data, members, selected)
        classes, means, typical = st.columns([4, 3, 5], gap="medium")
        with classes:
            _classes(data, members)
        with means:
            _means(data, members)
        with typical:
            st.caption("Most typical: nearest to the mean code")
            tiles(
                key="typical",
                sheet_url=sheets.rows_sheet(data, members.typical, _ACROSS),
                count=len(members.typical),
                columns=_ACROSS,
                tile=sheets.tile_size(data.model),
                ids=[int(data.latents.index[r]) for r in members.typical],
                max_tile_px=56,
                gap=3,
                label="Most typical members of the selection",
                on_pick=lambda i: view.choose_row(data, int(members.typical[i]), "the selection"),
            )


def _classes(data: Mapped, members: Group) -> None:
    if data.latents.labels is None:
        st.caption("These items have no classes.")
        return
    counts = torch.bincount(data.latents.labels[members.rows], minlength=len(data.classes))
    chart = figures.class_histogram(data.classes, counts.tolist())
    st.plotly_chart(chart, key="group_classes", config={"displayModeBar": False})


def _means(data: Mapped, members: Group) -> None:
    average, what = _mean_image(data, members.rows)
    decoded = html.image(
        pictures.single(data.model.decode(members.mean[None])[0]),
        "decoded mean code",
        alt="the decoder's image of the mean code",
        mean=html.code_text(members.mean),
    )
    st.html(html.row(html.image(pictures.single(average), what, alt="the average of the images"), decoded))


def _mean_image(data: Mapped, rows: Tensor) -> tuple[Tensor, str]:
    originals = data.originals()
    index = data.latents.index[rows]
    if not isinstance(originals, str) and int(index.max()) < len(originals):
        return originals.images[index].float().mean(0) / 255, "mean image"
    some = rows[torch.linspace(0, len(rows) - 1, min(len(rows), 512)).long()]
    return data.model.decode(data.latents.mean[some]).mean(0), "mean reconstruction"


def _keep(data: Mapped, members: Group) -> None:
    """Name the selection, for directions and expressions on the Arithmetic screen."""
    with st.popover("Keep selection", key="group_keep_box", help="Name it, to use it in Arithmetic"):
        name_to_keep(
            "group", "group", lambda name: KeptGroup(name, view.items_of(data), data.latents.index[members.rows])
        )


def _downloads(data: Mapped, members: Group, selected: Selected) -> None:
    recipe: dict[str, Any] = {
        "model": data.model.info.id,
        "data": data.source,
        "projection": data.map.kind,
        "tool": selected.kind,
        "outline": selected.outline,
    }
    st.download_button(
        "Download CSV",
        lambda: to_csv(data, members.rows, recipe),
        "selection.csv",
        "text/csv",
        key="group_csv",
        on_click="ignore",
        help="index, class and code of each item; the first line says how they were selected",
    )
    st.download_button(
        "Download NPZ",
        lambda: to_npz(data, members.rows, recipe),
        "selection.npz",
        "application/octet-stream",
        key="group_npz",
        on_click="ignore",
        help="for numpy.load: codes, indices, labels, recipe",
    )


def to_csv(data: Mapped, rows: Tensor, recipe: dict[str, Any]) -> bytes:
    """Rows as CSV: index, class, z0, z1 …; the recipe as JSON in a comment line."""
    text = io.StringIO()
    text.write(f"# {json.dumps(recipe)}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "class", *(f"z{i}" for i in range(data.model.latent))])
    labels = data.latents.labels
    for r in rows.tolist():
        name = "" if labels is None else data.classes[int(labels[r])]
        writer.writerow([int(data.latents.index[r]), name, *(f"{v:.7g}" for v in data.latents.mean[r].tolist())])
    return text.getvalue().encode()


def to_npz(data: Mapped, rows: Tensor, recipe: dict[str, Any]) -> bytes:
    """Rows as NPZ: `codes` float32 [M, D], `index` int64 [M], `labels` int64 [M] when there are any, `recipe` JSON."""
    arrays = {"codes": data.latents.mean[rows].numpy(), "index": data.latents.index[rows].numpy()}
    if data.latents.labels is not None:
        arrays["labels"] = data.latents.labels[rows].numpy()
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays, recipe=np.array(json.dumps(recipe)))
    return file.getvalue()
