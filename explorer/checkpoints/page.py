"""A model as one page to take away: its map with pictures under the pointer, its class means and samples, in one file.

The page asks for nothing: plotly.js, the map's modules, the figure and sheets of decoded pictures are in it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from explorer import figures
from explorer.checkpoints.model import Model
from explorer.checkpoints.page_view import PageView
from explorer.checkpoints.plane import usual_plane
from explorer.figures import Groups
from explorer.images import pictures
from explorer.latents import class_means, colours
from explorer.latents.maps import KINDS
from explorer.latents.planes import ATLAS, Bounds, bounds_of, lattice, quantiles

MOST_BYTES = 15_000_000  # of a page
_MOST_SPRITES = 5_000_000  # bytes
_COMPONENTS = files("explorer").joinpath("ui", "components")
_ACROSS = 100  # reconstructions to a row of their sheet
_SAMPLES = (64, 16)  # how many, and how many to a row
_GRID = (15, 0.05)  # places a side, and from which quantile of the prior on
_GRID_HINT = "Point at an image to see it large; a click keeps it."
_MOST_SELECTED = 160  # that are shown below the map


def write_page(model: Model, out: Path, address: str = "", tags: Groups | None = None) -> Path:
    """Writes the page of a model, as `page` makes it; returns `out`. Raises ValueError or OSError."""
    text = page(model, address, tags)
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"{model.info.name} has too many or too large pictures for a page of {MOST_BYTES // 10**6} MB")
    out.write_text(text, encoding="utf-8")
    return out


def page(model: Model, address: str = "", tags: Groups | None = None) -> str:
    """Makes the page as HTML.

    Args:
        model: whose page it is.
        address: of Explore, or its query: what the page shows first, as the app shows it there.
        tags: of the images, which the address may ask for as the colour.

    Raises:
        ValueError: the address does not fit the model.
    """
    latents, info, view = model.mapped, model.info, PageView.read(model, address)
    points, exact, labels = view.map.points, view.map.exact, latents.labels
    offered = colours.colors_of(latents, has_prior=model.has_prior) | ({} if tags is None else {"tag": "tag"})
    if view.color not in offered:
        raise ValueError(f"the view is coloured by {view.color!r}, and this map can be by {', '.join(offered)}")
    groups = tags if view.color == "tag" else colours.categories(latents, view.color)
    values, value_name = colours.values(latents, points, view.color, has_likelihood=model.has_likelihood) or (None, "")
    bounds = bounds_of(points, model.network.prior_spread()) if exact else None
    figure = figures.map_figure(
        points.numpy(),
        classes=None if labels is None else labels.numpy(),
        groups=groups,
        files=None if latents.items is None else latents.items.files,
        values=values,
        value_name=value_name,
        axes=("latent 0", "latent 1") if exact else None,
        bounds=bounds,
        equal=model.has_prior or not exact,
        revision=info.id,
    )
    told = None if not model.conditional else 0 if labels is None else labels
    terms = {"reconstruction": _rounded(latents.reconstruction)}
    if model.has_prior:
        elbo, kl = latents.reconstruction - latents.kl, latents.kl
        terms = {"ELBO": _rounded(elbo), **terms, "KL": _rounded(kl)}
    grid, sheet = _grid(model, exact)
    data: dict[str, Any] = {
        "map": {
            "revision": info.id,
            "plotly_url": "data:text/javascript,",
            "figure_url": _url(str(figure.to_json()).encode(), "application/json"),
            "legend": _legend(model, labels, groups, view.color),
            "legend_of": "class" if groups is None else groups.what,
            "sprites": {
                "url": _sprites(model, told),
                "columns": _ACROSS,
                "tile": pictures.tile_size(model.image_shape),
                "per_sheet": len(latents),
            },
            "atlas": None if bounds is None else _atlas(model, bounds),
            "marks": [],
            "trails": [],
            "follows": "",
            "link": "",
            "overlay": None,
            "names": model.classes or None,
            "hint": "click to decode this spot" if exact else "",
            "height": 560,
            "restore": None if view.selected is None else {**view.selected, "revision": info.id, "t": 1},
            "view": view.zoom,
            "anew": 0,
            "tells_view": False,
        },
        "pick": view.pick,
        "grid": grid,
        "items": {
            "index": latents.index.tolist(),
            "classes": None if labels is None else labels.tolist(),
            "terms": terms if model.has_likelihood else {},
        },
    }
    images = "test images" if latents is model.latents else "images"
    about = f"{info.summary}. The map shows {len(latents):,} {images} ({KINDS[view.map.kind]})."
    parts = {
        "title": escape(info.name),
        "about": escape(about),
        "spot": ", or any spot to decode it" if exact else "",
        "style": _COMPONENTS.joinpath("latent_map", "style.css").read_text("utf-8"),
        "sheets": sheet + _selection(model, view, told) + _means(model) + _samples(model),
        "data": _json(data),
        "plotly": _script(files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")),
        "modules": _json({"imports": _modules()}),
    }
    template = files("explorer.checkpoints").joinpath("page.html").read_text("utf-8")
    return re.sub("%([a-z]+)%", lambda found: parts[found[1]], template)


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 1) for value in values.tolist()]


def _modules() -> dict[str, str]:
    """The map's modules and those that they import, by bare names, which work without a server."""
    found = {}
    for folder in ("latent_map", "shared"):
        for file in _COMPONENTS.joinpath(folder).iterdir():
            if file.name.endswith(".js"):
                above = {".": f"{folder}/", "..": ""}
                text = file.read_text("utf-8")
                for dots, start in above.items():
                    text = text.replace(f'from "{dots}/', f'from "{start}')
                found[f"{folder}/{file.name}"] = _url(text.encode(), "text/javascript")
    return found


def _legend(model: Model, labels: Tensor | None, groups: Groups | None, color: str) -> list[dict[str, Any]] | None:
    """The classes, or the groups that colour the points, that have members; None for a colour of numbers."""
    if groups is not None:
        names, ids = list(groups.names), torch.from_numpy(groups.ids)
    elif labels is not None and color == "class":
        names, ids = model.classes, labels
    else:
        return None
    counts = ids.bincount(minlength=len(names)).tolist()
    shades = figures.palette(len(names)) if color != "tag" else [*figures.palette(len(names) - 1), figures.FAINT]
    return [
        {"id": i, "name": name, "color": shades[i], "count": counts[i]} for i, name in enumerate(names) if counts[i]
    ]


# --- pictures ------------------------------------------------------------------------------------------------------


def _decoded(model: Model, codes: Tensor, told: Tensor | int | None) -> Tensor:
    parts = []
    for start in range(0, len(codes), 500):
        labels = told[start : start + 500] if isinstance(told, Tensor) else told
        images = pictures.tiles(model.decode(codes[start : start + 500], labels))
        parts.append(images.clamp(0, 1).mul(255).round().to(torch.uint8))
    return torch.cat(parts)


def _sprites(model: Model, told: Tensor | int | None) -> str:
    """The reconstructions in one sheet, as good as a page has room for."""
    sheet = pictures.sheet(_decoded(model, model.mapped.mean, told), _ACROSS)
    data = b""
    for quality in (82, 60, 40, 20, 5):
        data = pictures.encode(sheet, "WEBP", quality=quality)
        if len(data) <= _MOST_SPRITES:
            break
    return _url(data, "image/webp")


def _atlas(model: Model, bounds: Bounds) -> dict[str, Any]:
    """The plane decoded, for the pointer to run over."""
    images = _decoded(model, lattice(bounds, ATLAS), 0 if model.conditional else None)
    url = _url(pictures.encode(pictures.sheet(images, ATLAS), "WEBP"), "image/webp")
    tile = pictures.tile_size(model.image_shape)
    return {"url": url, "columns": ATLAS, "rows": ATLAS, "tile": tile, "x": bounds[0], "y": bounds[1]}


def _grid(model: Model, exact: bool) -> tuple[dict[str, Any] | None, str]:
    """The grid over the plane as the page's script has it, and as HTML; None and nothing where there is no plane."""
    if not model.continuous or model.latent < 2:
        return None, ""
    found = usual_plane(model, model.mapped.mean)
    if isinstance(found, str):
        return None, ""
    plane, axes = found
    axis = quantiles(*_GRID)
    codes = plane.grid(axis)
    images = _decoded(model, codes, 0 if model.conditional else None)
    url = _url(pictures.encode(pictures.sheet(images, _GRID[0]), "WEBP"), "image/webp")
    grid = {
        "side": _GRID[0],
        "axes": axes,
        "ticks": [round(value, 2) + 0.0 for value in axis.tolist()],
        "places": codes.tolist() if exact else None,
        "tile": pictures.tile_size(model.image_shape),
    }
    title = "The latent plane, decoded"
    return grid, (
        f'<h2>{title}</h2><div class="plane"><img id="grid" class="sheet" alt="{title}" src="{url}" tabindex="0">'
        f'<div class="large"><canvas width="1" height="1"></canvas><p>{_GRID_HINT}</p></div></div>'
    )


def _selection(model: Model, view: PageView, told: Tensor | int | None) -> str:
    if view.selected is None:
        return ""
    ids = view.selected["ids"]
    rows = torch.tensor(ids[:_MOST_SELECTED])
    labels = told[rows] if isinstance(told, Tensor) else told
    more = "" if len(ids) == len(rows) else f", the first {len(rows)}"
    images = model.decode(model.mapped.mean[rows], labels)
    return _sheet(f"{len(ids):,} selected images, reconstructed{more}", images, _SAMPLES[1])


def _means(model: Model) -> str:
    labels = model.latents.labels
    if labels is None or not model.continuous:
        return ""
    means = class_means(model.latents.mean, labels, len(model.classes))
    have = means.counts.nonzero().flatten()
    images = model.decode(means.codes[have], have if model.conditional else None)
    return _sheet("Class means, decoded", images, len(have), [model.classes[i] for i in have.tolist()])


def _samples(model: Model) -> str:
    if not (model.has_prior or model.continuous):
        return ""
    count, across = _SAMPLES
    source = "the prior" if model.has_prior else "the Gaussian fitted to its codes"
    return _sheet(f"{count} samples from {source}, seed 0", model.sample(count, seed=0), across)


def _sheet(title: str, images: Tensor, across: int, names: Sequence[str] = ()) -> str:
    url = _url(pictures.encode(pictures.sheet(images, across), "PNG"), "image/png")
    below = "".join(f"<span>{escape(name)}</span>" for name in names)
    columns = f'<div class="names" style="grid-template-columns:repeat({across},1fr)">{below}</div>' if names else ""
    return f'<h2>{escape(title)}</h2><img class="sheet" alt="{escape(title)}" src="{url}">{columns}'


def _url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _json(value: object) -> str:
    """Writes JSON that no name in it can end the script of."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _script(text: str) -> str:
    return text.replace("</script", "<\\/script")
