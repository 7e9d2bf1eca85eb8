"""Sheets of pictures: which code a tile shows, where an overlay lies, what a figure holds."""

from __future__ import annotations

import io
import json
from concurrent.futures import Future

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.checkpoints.model import load
from explorer.ui import assets, cache, sheets
from explorer.ui.cache import EncodedDataset
from tests.app.tiny_runs import AUTOENCODER, CONV, PLANE

LOSSY = 6  # mean grey levels that WebP may cost a tile


@pytest.fixture(scope="module")
def mapped(runs):
    def of(ident: str) -> EncodedDataset:
        model = load(runs / ident.removeprefix("runs/"))
        kind = "plane" if model.latent == 2 else "umap"
        name = ident.replace("/", "-")
        return EncodedDataset(
            "", name, cache.STORED, "mnist-5k", model.latents, model.latents.maps[kind], model.classes, model
        )

    return of


def fetched(url: str) -> bytes:
    """What a published URL gives, uncompressed."""
    import gzip

    future = assets._store.get(url.removeprefix("assets/"))
    assert isinstance(future, Future)
    blob = future.result(60)
    return gzip.decompress(blob.body) if blob.gzipped else blob.body


def tiles_of(data: bytes, columns: int) -> np.ndarray:
    """[N, 28, 28] of a sheet."""
    gray = np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.float64)
    return gray.reshape(-1, 28, columns, 28).swapaxes(1, 2).reshape(-1, 28, 28)


def assert_shows(tile: np.ndarray, model, code) -> None:
    exact = model.decode(torch.tensor([code], dtype=torch.float32))[0, 0].numpy() * 255
    assert np.abs(tile - exact).mean() < LOSSY


@pytest.mark.parametrize("ident", [PLANE, AUTOENCODER])
def test_the_corners_of_the_atlas(mapped, ident):
    data = mapped(ident)
    atlas = sheets.atlas(data)
    points = data.map.points.numpy()
    # All points of a VAE; of an autoencoder, whose codes may lie anywhere, 99% along each axis.
    outer = 0.0 if data.model.has_prior else 0.5
    low, high = np.percentile(points, [outer, 100 - outer], axis=0)
    for axis, (first, last) in enumerate((atlas.x, atlas.y)):
        assert first < low[axis]
        assert last > high[axis]
        if data.model.has_prior:  # the prior's range is on it with data or without
            assert first <= -3
            assert last >= 3
    tiles = tiles_of(fetched(atlas.url), atlas.columns)
    assert len(tiles) == atlas.rows * atlas.columns
    (left, right), (bottom, top) = atlas.x, atlas.y
    n = atlas.columns
    assert_shows(tiles[0], data.model, (left, top))
    assert_shows(tiles[n - 1], data.model, (right, top))
    assert_shows(tiles[-n], data.model, (left, bottom))
    assert_shows(tiles[-1], data.model, (right, bottom))
    row, column = 7, 30
    x = left + (right - left) * column / (n - 1)
    y = top + (bottom - top) * row / (atlas.rows - 1)
    assert_shows(tiles[row * n + column], data.model, (x, y))


def test_a_projection_has_no_atlas(mapped):
    assert sheets.atlas(mapped(CONV)) is None


def test_sprites_are_the_reconstructions(mapped, monkeypatch):
    monkeypatch.setattr(sheets, "_PER_SHEET", 400)
    data = mapped(PLANE)
    found = sheets.sprites(data)
    assert found.per_sheet == 400
    for row in (0, 41, 399, 400, 999):
        sheet, place = divmod(row, found.per_sheet)
        tiles = tiles_of(fetched(found.url.replace("{sheet}", str(sheet))), found.columns)
        assert_shows(tiles[place], data.model, data.latents.mean[row].tolist())
    assert assets._store.get(found.url.removeprefix("assets/").replace("{sheet}", "3")) is None


@pytest.mark.parametrize("ident", [PLANE, AUTOENCODER])
def test_the_overlay_of_holes(mapped, ident):
    data = mapped(ident)
    overlay, mass = sheets.holes(data)
    picture = np.asarray(Image.open(io.BytesIO(fetched(overlay.url))))
    hole = picture[..., 3] > 0
    height, width = hole.shape
    assert 0 < mass < 1
    x = overlay.x[0] + (np.arange(width) + 0.5) / width * (overlay.x[1] - overlay.x[0])
    y = overlay.y[1] - (np.arange(height) + 0.5) / height * (overlay.y[1] - overlay.y[0])
    # Where the prior has its mass: within its 99% ellipse.
    codes = data.latents.mean.double().numpy()
    if data.model.has_prior:
        centre, covariance = np.zeros(2), np.eye(2)
    else:
        centre, covariance = codes.mean(0), np.cov(codes.T, bias=True)
    apart = np.stack(np.meshgrid(x - centre[0], y - centre[1]), -1)
    distance = np.sqrt(np.einsum("...i,ij,...j", apart, np.linalg.inv(covariance), apart))
    assert distance[hole].max() < 3.1  # sqrt(-2 ln 0.01) = 3.03, and half a cell
    # And hardly any code lies in one.
    column = ((codes[:, 0] - overlay.x[0]) / (overlay.x[1] - overlay.x[0]) * width).astype(int)
    row = ((overlay.y[1] - codes[:, 1]) / (overlay.y[1] - overlay.y[0]) * height).astype(int)
    on = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    assert hole[row[on], column[on]].mean() < 0.02


def test_figures_by_colour(mapped):
    data = mapped(PLANE)
    urls = {color: sheets.map_figure(data, color) for color in ("class", "kl", "error", "density")}
    assert len(set(urls.values())) == 4
    figures = {color: json.loads(fetched(url)) for color, url in urls.items()}
    labels = data.latents.labels.tolist()
    for color, figure in figures.items():
        (trace,) = figure["data"]
        assert trace["type"] == "scattergl"
        assert trace["meta"]["classes"] == labels
        assert ("values" in trace["meta"]) == (color != "class")
    np.testing.assert_allclose(figures["kl"]["data"][0]["meta"]["values"], data.latents.kl, atol=0.006)
    np.testing.assert_allclose(figures["error"]["data"][0]["meta"]["values"], -data.latents.reconstruction, atol=0.006)
    # The same revision for all: zoom and selection outlive a change of colour.
    assert len({figure["layout"]["meta"]["uirevision"] for figure in figures.values()}) == 1


@pytest.mark.unchecked
def test_a_large_image_is_shrunk_to_a_tile(mapped):
    model = mapped(PLANE).model
    assert sheets.tile_size(model) == (28, 28)

    class Large:
        image_shape = (3, 128, 64)

    assert sheets.tile_size(Large()) == (20, 40)
    data = sheets.image_sheet(torch.randint(0, 256, (5, 3, 128, 64), dtype=torch.uint8), 3)
    assert Image.open(io.BytesIO(data)).size == (60, 80)


def test_rows_show_originals_when_they_are_here(mapped, own_runs):
    data = mapped(PLANE)
    rows = torch.tensor([3, 1, 4])
    originals = data.originals()
    tiles = tiles_of(fetched(sheets.rows_sheet(data, rows, 3)), 3)
    for tile, row in zip(tiles, rows.tolist(), strict=True):
        assert np.abs(tile - originals.images[row, 0].numpy()).mean() < LOSSY


def test_rows_show_reconstructions_when_they_are_not(mapped, own_runs):
    stored = mapped(PLANE)
    elsewhere = EncodedDataset(
        "", "elsewhere", cache.STORED, "mnist", stored.latents, stored.map, stored.classes, stored.model
    )
    assert "mnist" in elsewhere.originals()
    assert elsewhere.original(0) is None
    tiles = tiles_of(fetched(sheets.rows_sheet(elsewhere, torch.tensor([3, 1, 4]), 3)), 3)
    assert_shows(tiles[1], stored.model, stored.latents.mean[1].tolist())
