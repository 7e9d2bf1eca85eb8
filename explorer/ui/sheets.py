"""Pictures that the map and the grids show, published as assets: nothing is decoded until a browser asks."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from explorer import figures
from explorer.checkpoints.model import Model
from explorer.figures.crowded import MOST_PLOTTED, crowded_map
from explorer.images import pictures
from explorer.latents.holes import Holes, find_holes
from explorer.latents.planes import ATLAS, Bounds, bounds_of, lattice
from explorer.ui import assets, colouring
from explorer.ui.cache import EncodedDataset
from explorer.ui.components.latent_map.component import Atlas, Overlay, Sprites

_PER_SHEET = 1000  # tiles: a sheet of digits is 0.3 MB and takes 50 ms to decode
_FEW = 64  # of a crowded map, where neighbours are hardly ever on one sheet
_ACROSS = 40
_ASPECT = 1.5  # the widest or tallest plot that the atlas fills: equal scales make plotly show more of one axis
_OWN, _MOST_OWN = "own_sheets", 4  # sheets of a person's own codes that a session keeps


def tile_size(model: Model) -> tuple[int, int]:
    """Width and height of a model's images as tiles of a sheet, in pixels."""
    return pictures.tile_size(model.image_shape)


def image_sheet(images: Tensor, columns: int) -> bytes:
    """Images [N, C, H, W] as one picture of tiles."""
    return pictures.encode(pictures.sheet(pictures.tiles(images), columns), "WEBP")


def decoded_sheet(
    key: str, model: Model, codes: Tensor, columns: int, labels: Tensor | int | None = None, *, own: bool = False
) -> str:
    """URL of the decoder's images of codes [N, D]. `key` names model and purpose; the codes are hashed here.

    `labels` are what a conditional decoder is told, a class each or one for all. `own` says that the codes may come
    from somebody's own picture: see `_url`.
    """
    return made_sheet(f"{key}-{hashed(codes)}", model, lambda: codes, columns, labels, own=own)


def made_sheet(
    key: str,
    model: Model,
    make: Callable[[], Tensor],
    columns: int,
    labels: Tensor | int | None = None,
    *,
    own: bool = False,
) -> str:
    """URL of the decoder's images of the codes [N, D] that `make` gives; `key` names model and codes."""
    return _url(
        f"{key}{_as(labels)}-{columns}.webp",
        lambda: image_sheet(model.decode(make(), labels), columns),
        "image/webp",
        own,
    )


def exact_sheet(key: str, model: Model, codes: Tensor, labels: Tensor | int | None = None, *, own: bool = False) -> str:
    """URL of the decoder's images of codes [N, D] in one row, lossless and in their own size."""
    return _url(
        f"{key}-{hashed(codes)}{_as(labels)}.png",
        lambda: pictures.encode(pictures.sheet(model.decode(codes, labels), len(codes)), "PNG"),
        "image/png",
        own,
    )


def _url(name: str, make: Callable[[], bytes], media_type: str, own: bool) -> str:
    """An asset of the server, which outlives the session and which anybody could ask for.

    What is made of somebody's `own` picture is the address itself, a data: URL. The last ones stay in the session,
    so that a rerun that shows the same decodes nothing.
    """
    if not own:
        return assets.publish(name, make, media_type)
    kept: dict[str, str] = st.session_state.setdefault(_OWN, {})
    kept[name] = kept.pop(name, "") or f"data:{media_type};base64,{base64.b64encode(make()).decode()}"
    while len(kept) > _MOST_OWN:
        del kept[next(iter(kept))]
    return kept[name]


def hashed(values: Tensor) -> str:
    """A short name of a tensor's values."""
    return sha256(values.contiguous().numpy().tobytes()).hexdigest()[:20]


def _as(labels: Tensor | int | None) -> str:
    """The part of a name that says which classes a decoder was told."""
    return "" if labels is None else f"-as-{hashed(torch.as_tensor(labels))}"


def rows_sheet(data: EncodedDataset, rows: Tensor, columns: int) -> str:
    """URL of pictures of some rows: originals when they are here, else reconstructions."""
    here = data.images_of(rows) is not None
    name = f"{data.key}-rows-{hashed(rows)}{_as(data.drawn_as)}"
    return assets.publish(
        f"{name}-{columns}-{int(here)}.webp", lambda: image_sheet(row_images(data, rows), columns), "image/webp"
    )


def row_images(data: EncodedDataset, rows: Tensor) -> Tensor:
    """The images [M, C, H, W] of some rows, uint8, or else their reconstructions, float in [0, 1]."""
    found = data.images_of(rows)
    return data.decode_rows(rows) if found is None else found


def error_sheet(data: EncodedDataset, rows: Tensor, columns: int) -> str | None:
    """URL of how far some rows' reconstructions are off, from black to white; None where the originals are not here."""
    if (images := data.images_of(rows)) is None:
        return None

    def make() -> bytes:
        errors = (images.float() / 255 - data.decode_rows(rows)).abs().amax(1, keepdim=True)
        return image_sheet(errors, columns)

    name = f"{data.key}-errors-{hashed(rows)}{_as(data.drawn_as)}"
    return assets.publish(f"{name}-{columns}.webp", make, "image/webp")


def sprites(data: EncodedDataset) -> Sprites:
    """The reconstruction of every point, for the hover card."""

    each = _FEW if crowded(data) else _PER_SHEET

    def make(sheet: int) -> bytes:
        return image_sheet(data.decode_rows(slice(sheet * each, (sheet + 1) * each)), _ACROSS)

    url = assets.publish_sheets(
        f"{data.key}-sprites{_as(data.drawn_as)}-{{sheet}}.webp", make, count=math.ceil(len(data.latents) / each)
    )
    return Sprites(url, _ACROSS, tile_size(data.model), each)


def crowded(data: EncodedDataset) -> bool:
    """Whether the map has more points than plotly moves smoothly."""
    return len(data.latents) > MOST_PLOTTED


def atlas(data: EncodedDataset) -> Atlas | None:
    """The decoded plane, for the pointer to run over; None where a place on the map is not a code."""
    if not data.map.exact:
        return None
    (x0, x1), (y0, y1) = plane_bounds(data)
    if data.model.has_prior:
        x_more = max(0.0, _ASPECT * (y1 - y0) - (x1 - x0)) / 2
        y_more = max(0.0, _ASPECT * (x1 - x0) - (y1 - y0)) / 2
        x0, x1, y0, y1 = x0 - x_more, x1 + x_more, y0 - y_more, y1 + y_more
    bounds = (x0, x1), (y0, y1)
    url = decoded_sheet(f"{data.key}-atlas", data.model, lattice(bounds, ATLAS), ATLAS, data.drawn_as)
    return Atlas(url, ATLAS, ATLAS, tile_size(data.model), *bounds)


def plane_bounds(data: EncodedDataset) -> Bounds:
    """What of a plane of two latents is shown at first, and decoded for the pointer."""
    return bounds_of(data.map.points, data.model.network.prior_spread())


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs={EncodedDataset: lambda data: data.key})
def _found_holes(data: EncodedDataset) -> Holes:
    return find_holes(data.latents.posterior, data.model.network if data.model.has_prior else None)


def in_hole(data: EncodedDataset, x: float, y: float) -> bool:
    """Says whether a spot of a map that is the plane of codes lies in a hole."""
    return data.map.exact and _found_holes(data).has(x, y)


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs={EncodedDataset: lambda data: data.key})
def holes(data: EncodedDataset) -> tuple[Overlay, float]:
    """The holes of the aggregate posterior as a layer under the map's points, and the prior's mass in them."""
    found = _found_holes(data)

    def make() -> bytes:
        mask = found.hole.flip(0).numpy()  # pictures have their first row on top
        mask = np.kron(mask, np.ones((4, 4), bool))
        stripes = (np.add.outer(np.arange(mask.shape[0]), np.arange(mask.shape[1])) // 6) % 2 == 0
        rgba = np.zeros((*mask.shape, 4), np.uint8)
        rgba[mask] = (225, 87, 89, 46)
        rgba[mask & stripes] = (225, 87, 89, 120)
        return pictures.encode(Image.fromarray(rgba), "PNG")

    half_x = float(found.x[1] - found.x[0]) / 2
    half_y = float(found.y[1] - found.y[0]) / 2
    url = assets.publish(f"{data.key}-holes.png", make, "image/png")
    x = (float(found.x[0]) - half_x, float(found.x[-1]) + half_x)
    y = (float(found.y[0]) - half_y, float(found.y[-1]) + half_y)
    return Overlay(url, x, y), found.mass


def map_figure(data: EncodedDataset, color_by: str, tags: figures.Groups | None = None) -> str:
    """URL of the map's figure, coloured by a key of `colouring.colors`, or by `tags`."""
    said = color_by.encode()  # a column may be called anything
    if tags is not None:
        said += repr(tags.names).encode() + tags.ids.tobytes()
    ident = color_by if said.isalpha() else sha256(said).hexdigest()[:20]
    name = f"{data.map_key}-{ident}"
    if not crowded(data):
        make = partial(map_plot, data, color_by, tags)
    else:
        facts = assets.publish_sheets(
            f"{name}-facts-{{sheet}}.json",
            partial(_facts, data, color_by, tags),
            count=math.ceil(len(data.latents) / _FEW),
            media_type="application/json",
        )
        make = partial(_crowded_plot, data, color_by, tags, facts)
    return assets.publish(f"{name}.json", lambda: str(make().to_json()).encode(), "application/json")


def _crowded_plot(data: EncodedDataset, color_by: str, tags: figures.Groups | None, facts: str) -> go.Figure:
    labels, (values, name) = data.latents.labels, colouring.values(data, color_by) or (None, "")
    groups = tags or colouring.categories(data, color_by)
    return crowded_map(
        data.map.points.numpy(),
        classes=None if labels is None or groups or values is not None else labels.numpy(),
        groups=None if groups is None else groups.ids,
        values=values,
        value_name=name,
        facts={"url": facts, "per_sheet": _FEW},
        **_axes_of(data),
    )


def _facts(data: EncodedDataset, color_by: str, tags: figures.Groups | None, sheet: int) -> bytes:
    """What the card says of some points of a crowded map: JSON, a point each."""
    rows = range(sheet * _FEW, min((sheet + 1) * _FEW, len(data.latents)))
    labels, (values, _) = data.latents.labels, colouring.values(data, color_by) or (None, "")
    groups, items = tags or colouring.categories(data, color_by), data.latents.items
    found = []
    for row in rows:
        group = f"{groups.what} {groups.names[groups.ids[row]]}" if groups else ""
        if groups is None and data.latents.group is not None:
            group = f"{data.group_name} {data.latents.group[row]}"
        known = values is not None and values[row] == values[row]
        found.append(
            {
                "label": None if labels is None else int(labels[row]),
                "group": group,
                "file": "" if items is None else items.names[row].rpartition("/")[2],
                "number": float(f"{values[row]:.6g}") if values is not None and known else None,
            }
        )
    return json.dumps(found).encode()


def map_plot(data: EncodedDataset, color_by: str, tags: figures.Groups | None = None) -> go.Figure:
    """Makes the map's figure, coloured by a key of `colouring.colors`, or by `tags`."""
    labels = None if data.latents.labels is None else data.latents.labels.numpy()
    values, name = colouring.values(data, color_by) or (None, "")
    groups = tags or colouring.categories(data, color_by)
    if groups is None and data.latents.group is not None:
        names, ids = data.latents.groups
        groups = figures.Groups(names, ids.numpy(), data.group_name)
    return figures.map_figure(
        data.map.points.numpy(),
        classes=labels,
        groups=groups,
        files=None if data.latents.items is None else data.latents.items.files,
        values=values,
        value_name=name,
        **_axes_of(data),
    )


def _axes_of(data: EncodedDataset) -> dict[str, Any]:
    return {
        "axes": ("latent 0", "latent 1") if data.map.exact else None,
        "bounds": plane_bounds(data) if data.map.exact else None,
        # Without a prior the two latents have no common scale, and one may spread ten times as far.
        "equal": data.model.has_prior or not data.map.exact,
        "revision": data.map_key,
    }
