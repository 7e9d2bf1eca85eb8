"""The panel of a lasso or box: how many, of which classes, their mean, their most typical members, downloads."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from explorer import figures
from explorer.files.tables import table_text
from explorer.images import pictures
from explorer.latents import Selection, Spread, select, spread
from explorer.ui import html, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import abilities
from explorer.ui.codes.naming import name_to_save
from explorer.ui.codes.saved_names import SavedGroup
from explorer.ui.components.latent_map.component import Selected
from explorer.ui.components.tiles.component import tiles
from explorer.ui.markdown import plain
from explorer.ui.panels import follow
from explorer.ui.wording import GROUP, GROUPS

_TYPICAL = 24
_ACROSS = 8


def group_panel(data: EncodedDataset) -> None:
    """Draws the panel; without a selection, nothing but how to make one."""
    selected = selection.selected(data)

    def choose(i: int) -> None:
        selection.choose_row(data, int(members.typical[i]), "the selection")
        follow("group", shown=True)

    rows = [] if selected is None else [i for i in selected.ids if 0 <= i < len(data.latents)]
    with st.container(key="group", border=bool(rows)):
        if selected is None or not rows:
            selection.show_codes("typical", None)
            st.caption("Draw a lasso or a box on the map (its toolbar has both) to look at many items together.")
            return
        members = select(data.latents.mean, torch.tensor(rows), typical=_TYPICAL)
        codes = data.latents.mean[members.typical]
        selection.show_codes("typical", codes)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"##### {len(rows):,} items selected", width="content")
            with st.container(horizontal=True, width="content"):
                _keep(data, members)
                _downloads(data, members, selected)
        classes, means, typical = st.columns([4, 3, 5], gap="medium")
        with classes:
            _classes(data, members)
            _groups(data, members)
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
                selected=selection.among(codes, selection.current(data)),
                max_tile_px=56,
                gap=3,
                label="Most typical members of the selection",
                on_pick=choose,
            )


def _classes(data: EncodedDataset, members: Selection) -> None:
    if data.latents.labels is None:
        st.caption("These items have no classes.")
        return
    counts = torch.bincount(data.latents.labels[members.rows], minlength=len(data.classes))
    chart = figures.class_histogram(data.classes, counts.tolist())
    st.plotly_chart(chart, key="group_classes", config={"displayModeBar": False})


def _groups(data: EncodedDataset, members: Selection) -> None:
    """How many patients, or other groups, the selection is of, and whether that is a finding."""
    if data.latents.group is None:
        return
    names, ids = data.latents.groups
    found = spread(ids, members.rows)
    st.caption(spread_text(names, found), help=_SPREAD_HELP)
    chart = figures.class_histogram(names, found.counts.tolist(), ticks=False)
    st.plotly_chart(chart, key="group_groups", config={"displayModeBar": False})


_SPREAD_HELP = (
    f"Images of one {GROUP} share a slide, its staining and its light. Where a selection holds far fewer {GROUPS} than "
    "the whole set, what its images have in common may be that, and not their class."
)
_MOST_NAMED = 3
_MOSTLY = 0.5  # of a selection that is one group's
_UNUSUAL = 2.0  # times as often as in the whole set two members are of one group


def spread_text(names: list[str], found: Spread) -> str:
    """In words: of how many groups some items are, which ones most, and what to think of it."""
    counts, total = found.counts, int(found.counts.sum())
    order = counts.argsort(descending=True, stable=True).tolist()[: min(_MOST_NAMED, found.present)]
    if found.present == 1:
        text = f"All of {GROUP} {plain(names[order[0]])}"
        if len(names) == 1:
            return f"{text}, as all images here."
        return f"{text}. What they share may be the slide and not the class." if total > 1 else f"{text}."
    most = ", ".join(f"{plain(names[i])} {html.percent(int(counts[i]) / total)}" for i in order)
    text = f"{found.present:,} of {len(names):,} {GROUPS}, most of {most}."
    if int(counts[order[0]]) > _MOSTLY * total:
        return f"{text} More than half are one {GROUP}'s: what they share may be the slide and not the class."
    if found.together > _UNUSUAL * found.usual:
        return (
            f"{text} Two of these are of one {GROUP} {found.together / found.usual:.1f} times as often as two of all "
            "images: the selection follows the slide in part."
        )
    return f"{text} About as mixed as all images."


def _means(data: EncodedDataset, members: Selection) -> None:
    average, what = _mean_image(data, members.rows)
    mean = html.image(pictures.single(average), what, alt="the average of the images")
    if reason := abilities.why_no_blends(data.model, "mean codes"):
        st.html(mean)
        st.caption(reason)
        return
    decoded = html.image(
        pictures.single(data.decode(members.mean[None])[0]),
        "decoded mean code",
        alt="the decoder's image of the mean code",
        mean=html.code_text(members.mean),
    )
    st.html(html.row(mean, decoded))


def _mean_image(data: EncodedDataset, rows: Tensor) -> tuple[Tensor, str]:
    originals = data.originals()
    index = data.latents.index[rows]
    if not isinstance(originals, str) and int(index.max()) < len(originals):
        return originals.images[index].float().mean(0) / 255, "mean image"
    some = rows[torch.linspace(0, len(rows) - 1, min(len(rows), 512)).long()]
    return data.decode_rows(some).mean(0), "mean reconstruction"


def _keep(data: EncodedDataset, members: Selection) -> None:
    """Name the selection, for directions and expressions on the Arithmetic screen."""
    with st.popover("Keep selection", key="group_keep_box", help="Name it, to use it in Arithmetic"):
        name_to_save(
            "group", "group", lambda name: SavedGroup(name, selection.items_of(data), data.latents.index[members.rows])
        )


def _downloads(data: EncodedDataset, members: Selection, selected: Selected) -> None:
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
        help="index, class, group if there is one, and code of each item; the first line says how they were selected",
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


def to_csv(data: EncodedDataset, rows: Tensor, recipe: dict[str, Any]) -> bytes:
    """Rows as CSV: index, class, the group's name where there are groups, z0, z1 …

    A line before them has one cell, "# " and the recipe as JSON.
    """
    labels, groups = data.latents.labels, data.latents.group
    group_head = [] if groups is None else [GROUP]
    head = ["index", "class", *group_head, *(f"z{i}" for i in range(data.model.latent))]
    lines: list[list[object]] = []
    for r in rows.tolist():
        name = "" if labels is None else data.classes[int(labels[r])]
        of = [] if groups is None else [groups[r]]
        code = (float(f"{v:.7g}") for v in data.latents.mean[r].tolist())
        lines.append([int(data.latents.index[r]), name, *of, *code])
    said = json.dumps(recipe).replace(";", r"\u003b")  # which is left alone as no separator of cells
    return (table_text([f"# {said}"], []) + table_text(head, lines)).encode()


def to_npz(data: EncodedDataset, rows: Tensor, recipe: dict[str, Any]) -> bytes:
    """Rows as NPZ: `codes` float32 [M, D], `index` int64 [M], `labels` int64 [M] and `group` text [M] when
    there are any, `recipe` JSON."""
    arrays = {"codes": data.latents.mean[rows].numpy(), "index": data.latents.index[rows].numpy()}
    if data.latents.labels is not None:
        arrays["labels"] = data.latents.labels[rows].numpy()
    if data.latents.group is not None:
        arrays["group"] = np.array([data.latents.group[r] for r in rows.tolist()])
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays, recipe=np.array(json.dumps(recipe)))
    return file.getvalue()
