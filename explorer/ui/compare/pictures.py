"""The same test images, class means, walks, samples and planes as each of the models draws them, in aligned rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st
import torch
from torch import Tensor

from explorer.checkpoints.plane import usual_plane
from explorer.figures.paper import Panel
from explorer.latents import planes
from explorer.latents.interpolation import lerp
from explorer.ui import address, cache, draws, getting, pickers, selection, sheets
from explorer.ui.cache import CheckpointInfo, EncodedDataset
from explorer.ui.codes import abilities, computed
from explorer.ui.compare.models import model_line, of_same_images
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import download_menu, panel_of
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain
from explorer.ui.several_models import open_several

_SHOW, _SET, _ERRORS = "compare_show", "compare_set", "compare_errors"
_ACROSS = 10
_SIDE = 12  # of a plane, in images


@dataclass(frozen=True)
class _Row:
    """What a model draws: codes [N, D], the classes that a decoder is told, a title each."""

    codes: Tensor
    labels: Tensor | int | None
    titles: list[str]
    columns: int = _ACROSS
    rows: Tensor | None = None  # of the encoded data, where the codes are those of images


def pictures_panel(models: Sequence[CheckpointInfo]) -> dict[str, str]:
    """Draws the rows with their choices; returns what the URL says of them."""
    draws.restore(_SET, param="set")
    address.restore_value("errors", _ERRORS, lambda text: text == "1", default=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = {name: text for name, (text, _) in KINDS.items()}
        kind = pickers.pick_one("Show", "show", _SHOW, names, "what to show", help=_SHOW_HELP)
        if kind in ("images", "walk", "samples"):
            draws.seed_button("compare_next", _SET, "Others", icon=":material/casino:", help=_OTHERS[kind])
        if kind == "images":
            st.toggle("Errors", key=_ERRORS, persist_state="session", help="Where the reconstruction is off, in grey.")
    encoded = of_same_images(models) if kind in ("images", "walk") else open_several(models)
    if not encoded:
        return {}
    number, errors = st.session_state[_SET], kind == "images" and st.session_state[_ERRORS]
    indices = _indices(encoded[0], number)
    if kind == "images":
        _originals(encoded, indices)
    boxes = [st.container() for _ in encoded] if kind != "plane" else [*st.columns(max(2, len(encoded)), gap="medium")]
    drawn = []
    for data, box in zip(encoded, boxes, strict=False):
        row = KINDS[kind][1](data, indices, number)
        with box:
            _model(data, row, kind, errors=errors)
        if not isinstance(row, str):
            drawn.append((data, row))
    if drawn:
        _download(drawn, kind)
    return {"show": "" if kind == "images" else kind, "set": str(number or ""), "errors": "1" if errors else ""}


_SHOW_HELP = f"A row a model, a column an item.\n\n{meaning('Class mean', 'Walk', 'Prior')}"
_OTHERS = {"images": "Other test images", "walk": "Between other test images", "samples": "Other draws"}


def _indices(data: EncodedDataset, number: int) -> Tensor:
    """Which test images are shown: one of each of ten classes where there are classes; an item picked comes first."""
    labels, index = data.latents.labels, data.latents.index
    if labels is None:
        found = index.roll(-number * _ACROSS)[:_ACROSS]
    else:
        members = [index[labels == label] for label in labels.unique().tolist()]
        rounds = -(-_ACROSS // len(members))  # two classes have five each
        of_each = [own[(number * rounds + k) % len(own)] for k in range(rounds) for own in members]
        found = torch.stack(of_each[:_ACROSS])
    pick = selection.applied(data)
    if pick is None or pick.index is None or selection.row_of(data, pick) is None or pick.index in found.tolist():
        return found
    return torch.cat([torch.tensor([pick.index]), found[:-1]])


def _images(data: EncodedDataset, indices: Tensor, number: int) -> _Row:
    rows = data.rows_of(indices)
    labels = data.latents.labels
    told = data.conditions(None if labels is None else labels[rows])
    return _Row(data.latents.mean[rows], told, [selection.row_name(data, row) for row in rows.tolist()], rows=rows)


def _means(data: EncodedDataset, indices: Tensor, number: int) -> _Row | str:
    if reason := abilities.why_no_blends(data.model, "class means"):
        return reason
    found = computed.class_means(data)
    if found is None:
        return f"{plain(data.source)} has no classes, so there are no class means."
    have = found.counts.nonzero().flatten()
    return _Row(found.codes[have], data.conditions(have), [data.classes[label] for label in have.tolist()])


def _walk(data: EncodedDataset, indices: Tensor, number: int) -> _Row | str:
    if reason := abilities.why_no_blends(data.model, "walks"):
        return reason
    rows = data.rows_of(indices[[0, -1]])
    start, end = (selection.row_name(data, row) for row in rows.tolist())
    steps = [f"{step / (_ACROSS - 1):.0%} of the way from {start} to {end}" for step in range(_ACROSS)]
    return _Row(lerp(data.latents.mean[rows[0]], data.latents.mean[rows[1]], _ACROSS), data.drawn_as, steps)


def _samples(data: EncodedDataset, indices: Tensor, number: int) -> _Row | str:
    if reason := abilities.why_no_draws(data.model):
        return reason
    codes = cache.draws(data.model.info.id, data.content, 3 * _ACROSS, 1.0, number, None)
    return _Row(codes, data.drawn_as, [f"draw {i + 1}" for i in range(len(codes))])


def _plane(data: EncodedDataset, indices: Tensor, number: int) -> _Row | str:
    if reason := abilities.why_no_plane(data.model):
        return reason
    found = usual_plane(data.model, data.latents.mean)
    if isinstance(found, str):
        return found
    plane, (across, up) = found
    axis = planes.quantiles(_SIDE, 0.05)
    ticks = axis.tolist()
    titles = [f"{across} {a:.2f}, {up} {b:.2f}" for b in reversed(ticks) for a in ticks]
    return _Row(plane.grid(axis), data.drawn_as, titles, columns=_SIDE)


KINDS: dict[str, tuple[str, Callable[[EncodedDataset, Tensor, int], _Row | str]]] = {
    "images": ("Test images", _images),
    "means": ("Class means", _means),
    "walk": ("Walk", _walk),
    "samples": ("Samples", _samples),
    "plane": ("Plane", _plane),
}


def _originals(encoded: Sequence[EncodedDataset], indices: Tensor) -> None:
    """Draws the images themselves, as the first model sees them."""
    first = encoded[0]
    originals = first.originals()
    if isinstance(originals, str):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(plain(originals), width="content")
            getting.offer(first.source, "compare")
        return
    rows = first.rows_of(indices)
    st.markdown(f"**Originals** :small[:gray[test images of {plain(first.source)}]]")
    _tiles(first, "Originals", sheets.rows_sheet(first, rows, _ACROSS), _images(first, indices, 0))


def _model(data: EncodedDataset, row: _Row | str, kind: str, *, errors: bool) -> None:
    info = data.model.info
    st.markdown(model_line(info))
    if isinstance(row, str):
        st.info(row)
        return
    url = sheets.decoded_sheet(f"{data.key}-compare-{kind}", data.model, row.codes, row.columns, row.labels)
    _tiles(data, f"{KINDS[kind][0]} by {info.id}", url, row)
    if errors and row.rows is not None:
        if (off := sheets.error_sheet(data, row.rows, _ACROSS)) is None:
            st.caption("Errors need the originals, and they are not here.")
        else:
            _tiles(data, f"Errors of {info.id}", off, row)


def _download(drawn: Sequence[tuple[EncodedDataset, _Row]], kind: str) -> None:
    """Draws the menu of what all models have drawn: a row or a grid each."""

    def panels() -> list[Panel]:
        found: list[Panel] = []
        for data, row in drawn:
            images = data.model.decode(row.codes, row.labels)
            found.append(panel_of(images, row.columns, axes=(data.model.info.id, "")))
        return found

    names = ", ".join(data.model.info.id for data, _ in drawn)
    caption = f"{KINDS[kind][0]} by {names}."
    download_menu("compare_pictures", f"comparison-{kind}", caption, figure=panels)


def _tiles(data: EncodedDataset, label: str, url: str, row: _Row) -> None:
    rows = row.rows

    def choose(i: int) -> None:
        if rows is not None:
            selection.choose_row(data, int(rows[i]), "the comparison")
        else:
            selection.choose_code(data, row.codes[i], "the comparison")

    tiles(
        key=f"compare_{label}",
        sheet_url=url,
        count=len(row.codes),
        columns=row.columns,
        tile=sheets.tile_size(data.model),
        titles=row.titles,
        ids=None if rows is None else data.latents.index[rows].tolist(),
        selected=selection.among(row.codes, selection.applied(data)),
        max_tile_px=84 if row.columns == _ACROSS else 44,
        gap=4 if row.columns == _ACROSS else 0,
        label=label,
        on_pick=choose,
    )
