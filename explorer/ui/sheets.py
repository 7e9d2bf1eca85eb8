"""Pictures that the map and the grids show, published as assets: nothing is decoded until a browser asks."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from hashlib import sha256

import numpy as np
import streamlit as st
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from explorer import figures
from explorer.checkpoints.model import Model
from explorer.images import pictures
from explorer.latents import location_and_scale
from explorer.latents.holes import find_holes
from explorer.ui import assets
from explorer.ui.cache import EncodedDataset
from explorer.ui.components.latent_map.component import Atlas, Overlay, Sprites
from explorer.ui.wording import GROUP

_PER_SHEET = 1000  # tiles: a sheet of digits is 0.3 MB and takes 50 ms to decode
_ACROSS = 40
_ATLAS = 48  # tiles a side: blended, a step of 1/48 of the plane cannot be told from the decoder
_ASPECT = 1.5  # the widest or tallest plot that the atlas fills: equal scales make plotly show more of one axis
_OWN, _MOST_OWN = "own_sheets", 4  # sheets of a person's own codes that a session keeps
_TILE = 40  # pixels a side at most: sheets are for looking, the panel shows the exact image


def tile_size(model: Model) -> tuple[int, int]:
    """Width and height of a model's images as tiles of a sheet, in pixels."""
    _, h, w = model.image_shape
    shrink = min(1.0, _TILE / max(h, w))
    return max(1, round(w * shrink)), max(1, round(h * shrink))


def _tiles(model: Model, images: Tensor) -> Tensor:
    width, height = tile_size(model)
    if images.dtype == torch.uint8:
        images = images.float() / 255
    if images.shape[-2:] == (height, width):
        return images
    return F.interpolate(images, (height, width), mode="bilinear", antialias=True)


def image_sheet(model: Model, images: Tensor, columns: int, format: str = "WEBP") -> bytes:
    """Images [N, C, H, W] as one picture of tiles."""
    return pictures.encode(pictures.sheet(_tiles(model, images), columns), format)


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
        lambda: image_sheet(model, model.decode(make(), labels), columns),
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
    originals = data.originals()
    index = data.latents.index[rows]
    here = not isinstance(originals, str) and int(index.max()) < len(originals)

    def make() -> bytes:
        if here and not isinstance(originals, str):
            return image_sheet(data.model, originals.images[index], columns)
        return image_sheet(data.model, data.decode_rows(rows), columns)

    name = f"{data.key}-rows-{hashed(rows)}{_as(data.drawn_as)}"
    return assets.publish(f"{name}-{columns}-{int(here)}.webp", make, "image/webp")


def sprites(data: EncodedDataset) -> Sprites:
    """The reconstruction of every point, for the hover card."""

    def make(sheet: int) -> bytes:
        rows = slice(sheet * _PER_SHEET, (sheet + 1) * _PER_SHEET)
        return image_sheet(data.model, data.decode_rows(rows), _ACROSS)

    url = assets.publish_sheets(
        f"{data.key}-sprites{_as(data.drawn_as)}-{{sheet}}.webp", make, count=math.ceil(len(data.latents) / _PER_SHEET)
    )
    return Sprites(url, _ACROSS, tile_size(data.model), _PER_SHEET)


def atlas(data: EncodedDataset) -> Atlas | None:
    """The decoded plane, for the pointer to run over; None where a place on the map is not a code."""
    if not data.map.exact:
        return None
    (x0, x1), (y0, y1) = plane_bounds(data)
    if data.model.has_prior:
        x_more = max(0.0, _ASPECT * (y1 - y0) - (x1 - x0)) / 2
        y_more = max(0.0, _ASPECT * (x1 - x0) - (y1 - y0)) / 2
        x0, x1, y0, y1 = x0 - x_more, x1 + x_more, y0 - y_more, y1 + y_more
    x = torch.linspace(x0, x1, _ATLAS)
    y = torch.linspace(y1, y0, _ATLAS)  # the first row of the picture is the highest y
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    codes = torch.stack([columns.flatten(), rows.flatten()], dim=1)
    url = decoded_sheet(f"{data.key}-atlas", data.model, codes, _ATLAS, data.drawn_as)
    return Atlas(url, _ATLAS, _ATLAS, tile_size(data.model), (x0, x1), (y0, y1))


_TAIL = (
    0.005  # of the codes of a model without a prior at either end of an axis: some lie ten times as far out as the rest
)
_REACH = 3.0  # standard deviations of the prior: its own range belongs to the plane, with data or without


def plane_bounds(data: EncodedDataset) -> tuple[tuple[float, float], tuple[float, float]]:
    """What of a plane of two latents is shown at first, and decoded for the pointer: x and y from, to."""
    points = data.map.points
    prior = data.model.network.prior_spread()
    if prior is not None:
        centre, spread = prior
        low = torch.minimum(points.min(0).values, centre - _REACH * spread)
        high = torch.maximum(points.max(0).values, centre + _REACH * spread)
    else:
        ends = torch.quantile(points, torch.tensor([_TAIL, 1 - _TAIL]), dim=0)
        centre, spread = location_and_scale(points)
        low = torch.minimum(ends[0], centre - _REACH * spread)
        high = torch.maximum(ends[1], centre + _REACH * spread)
    pad = 0.05 * (high - low).clamp_min(1e-6)
    low, high = low - pad, high + pad
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs={EncodedDataset: lambda data: data.key})
def holes(data: EncodedDataset) -> tuple[Overlay, float]:
    """The holes of the aggregate posterior as a layer under the map's points, and the prior's mass in them."""
    found = find_holes(data.latents.posterior, data.model.network if data.model.has_prior else None)

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


def map_figure(data: EncodedDataset, color_by: str) -> str:
    """URL of the map's figure, coloured by a key of `pickers.colors`."""
    axes = ("latent 0", "latent 1") if data.map.exact else None

    def make() -> bytes:
        labels = None if data.latents.labels is None else data.latents.labels.numpy()
        points = data.map.points.numpy()
        values, name = None, ""
        if color_by == "kl":
            values, name = data.latents.kl.numpy(), "KL, nats"
        elif color_by == "error":
            values, name = -data.latents.reconstruction.numpy(), "reconstruction error, nats"
        elif color_by == "density":
            values, name = figures.density(points), "density, times the average"
        groups = None
        if data.latents.group is not None:
            names, ids = data.latents.groups
            groups = figures.Groups(names, ids.numpy(), GROUP, colored=color_by == "group")
        figure = figures.map_figure(
            points,
            classes=labels,
            groups=groups,
            values=values,
            value_name=name,
            axes=axes,
            bounds=plane_bounds(data) if data.map.exact else None,
            # Without a prior the two latents have no common scale, and one may spread ten times as far.
            equal=data.model.has_prior or not data.map.exact,
            revision=data.map_key,
        )
        return str(figure.to_json()).encode()

    return assets.publish(f"{data.map_key}-{color_by}.json", make, "application/json")
