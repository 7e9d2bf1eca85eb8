"""The panel of a lasso or box: how many, of which classes, their mean, their most typical members, downloads."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st
import torch
from torch import Tensor

from explorer import figures
from explorer.images import pictures
from explorer.latents import Selection, Spread, select, spread
from explorer.latents.colours import GROUP
from explorer.ui import html, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import abilities, tags
from explorer.ui.codes.item_files import items_csv, items_npz
from explorer.ui.codes.naming import name_to_save
from explorer.ui.codes.saved_names import SavedGroup
from explorer.ui.components.latent_map.component import Selected
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import File, caption_of, download_menu, sheet_menu
from explorer.ui.explore.tagging import tag_field
from explorer.ui.markdown import plain
from explorer.ui.panels import follow
from explorer.ui.wording import GROUPS, counted

_TYPICAL = 24
_ACROSS = 8
_AT_ONCE = 10_000


_HELP = (
    "What the lasso or box holds: how many images of each class beside that class's share of all, their average as an "
    "image and as a code, and the images whose codes lie nearest to that average."
)


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
            st.caption("Draw a lasso or a box on the map (its toolbar has both) to look at many images together.")
            return
        members = select(data.latents.mean, torch.tensor(rows), typical=_TYPICAL)
        codes = data.latents.mean[members.typical]
        selection.show_codes("typical", codes)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"##### {counted(len(rows), 'image')} selected", width="content", help=_HELP)
            with st.container(horizontal=True, width="content"):
                tag_field(data, members)
                _keep(data, members)
                _downloads(data, members, selected)
        classes, means, typical = st.columns([4, 3, 5], gap="medium")
        with classes:
            _classes(data, members)
            _groups(data, members)
        with means:
            _means(data, members)
        found = tags.of(data)
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
            sheet_menu(
                "typical",
                f"{data.model.info.name}-typical",
                caption_of(
                    data.model.info,
                    f"The {len(members.typical)} of {len(rows):,} selected images of {data.source} that are nearest to "
                    "their mean code",
                ),
                lambda: sheets.row_images(data, members.typical),
                min(_ACROSS, len(members.typical)),
                table=lambda: items_csv(data, members.typical, found),
                quiet=True,
            )


def _classes(data: EncodedDataset, members: Selection) -> None:
    if data.latents.labels is None:
        st.caption("These images have no classes.")
        return
    st.caption("How many are of each class")
    st.plotly_chart(_class_chart(data, members), key="group_classes", config={"displayModeBar": False})


def _class_chart(data: EncodedDataset, members: Selection) -> go.Figure:
    labels = data.latents.labels
    assert labels is not None
    counts = torch.bincount(labels[members.rows], minlength=len(data.classes))
    return figures.class_histogram(data.classes, counts.tolist())


def _groups(data: EncodedDataset, members: Selection) -> None:
    """How many patients, or other groups, the selection is of, and whether that is a finding."""
    if data.latents.group is None:
        return
    names, ids = data.latents.groups
    found = spread(ids, members.rows)
    st.caption(spread_text(names, found, plain(data.group_name)), help=_SPREAD_HELP)
    st.plotly_chart(_group_chart(data, members), key="group_groups", config={"displayModeBar": False})


def _group_chart(data: EncodedDataset, members: Selection) -> go.Figure:
    names, ids = data.latents.groups
    return figures.class_histogram(names, spread(ids, members.rows).counts.tolist(), ticks=False)


_SPREAD_HELP = (
    f"Images of one {GROUP} share a slide, its staining and its light. Where a selection holds far fewer {GROUPS} than "
    "the whole set, what its images have in common may be that, and not their class."
)
_MOST_NAMED = 3
_MOSTLY = 0.5  # of a selection that is one group's
_UNUSUAL = 2.0  # times as often as in the whole set two members are of one group


def spread_text(names: list[str], found: Spread, what: str = GROUP) -> str:
    """In words: of how many groups some items are, which ones most, and what to think of it."""
    counts, total = found.counts, int(found.counts.sum())
    order = counts.argsort(descending=True, stable=True).tolist()[: min(_MOST_NAMED, found.present)]
    if found.present == 1:
        text = f"All of {what} {plain(names[order[0]])}"
        if len(names) == 1:
            return f"{text}, as all images here."
        return f"{text}. What they share may be the slide and not the class." if total > 1 else f"{text}."
    most = ", ".join(f"{plain(names[i])} {html.percent(int(counts[i]) / total)}" for i in order)
    text = f"{found.present:,} of {len(names):,} {what}s, most of {most}."
    if int(counts[order[0]]) > _MOSTLY * total:
        return f"{text} More than half are one {what}'s: what they share may be the slide and not the class."
    if found.together > _UNUSUAL * found.usual:
        return (
            f"{text} Two of these are of one {what} {found.together / found.usual:.1f} times as often as two of all "
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
        # A part at a time: the pixels of a million selected images would be 3 GB of float32.
        sums = [originals.images[part].float().sum(0) for part in index.split(_AT_ONCE)]
        return torch.stack(sums).double().sum(0).float() / len(index) / 255, "mean image"
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
    archive = File(
        "NPZ",
        ".npz",
        "application/octet-stream",
        lambda: items_npz(data, members.rows, recipe),
        "For numpy.load: codes, indices, labels, and how they were selected",
    )
    caption = caption_of(
        data.model.info,
        f"{len(members.rows):,} of {len(data.latents):,} images of {data.source}, "
        f"selected with a {selected.kind} on the map ({data.map.kind})",
    )
    tagged = tags.of(data)
    charts = [] if data.latents.labels is None else [_class_chart]
    charts += [] if data.latents.group is None else [_group_chart]
    download_menu(
        "group",
        "selection",
        caption,
        figure=(lambda: [chart(data, members) for chart in charts]) if charts else None,
        table=lambda: items_csv(data, members.rows, tagged),
        more=[archive],
    )
