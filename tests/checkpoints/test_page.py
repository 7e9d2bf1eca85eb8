"""A page to take away: what it holds, and what an address lets it show first."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.__main__ import main
from explorer.checkpoints.model import Model, load
from explorer.checkpoints.page import page
from explorer.checkpoints.page_view import PageView
from explorer.checkpoints.plane import usual_plane
from explorer.datasets import own
from explorer.images import pictures
from explorer.latents import compact
from explorer.latents.items import Items
from explorer.latents.planes import quantiles


@pytest.fixture(scope="module")
def model() -> Model:
    return load("mnist-mlp-2d", device="cpu")


def about(text: str) -> dict:
    found = re.search(r'<script id="about" type="application/json">(.*?)</script>', text, re.S)
    return json.loads(found[1])


def decoded(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L"), np.float64)


def test_the_grid_is_the_decoders(model):
    text = page(model)
    sheet = decoded(re.search(r'<img id="grid"[^>]*src="([^"]*)"', text)[1])
    plane, _ = usual_plane(model, model.latents.mean)
    codes = plane.grid(quantiles(15, 0.05))
    exact = np.asarray(pictures.sheet(model.decode(codes), 15), np.float64)
    assert sheet.shape == exact.shape
    assert np.abs(sheet - exact).mean() < 12  # WebP's loss
    np.testing.assert_allclose(about(text)["grid"]["places"], codes, atol=1e-6)


def test_what_an_address_shows_first(model):
    ids = [3, 5, 8]
    outline = compact.outline_text([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    chosen = f"lasso~{compact.ids_text(ids, len(model.latents))}~{outline}"
    text = page(model, f"?color=error&zoom=-1,2,-3,4&select={chosen}&index=17&grid=20")
    found = about(text)
    assert found["map"]["view"] == {"x": [-1, 2], "y": [-3, 4]}
    assert found["map"]["restore"]["ids"] == ids
    assert found["map"]["legend"] is None
    row = model.latents.index.tolist().index(17)
    assert found["pick"]["id"] == row
    assert (found["pick"]["x"], found["pick"]["y"]) == pytest.approx(model.latents.mean[row].tolist())
    assert "3 selected images, reconstructed" in text
    figure = json.loads(base64.b64decode(found["map"]["figure_url"].partition(",")[2]))
    assert figure["data"][0]["marker"]["showscale"]


def test_it_is_coloured_by_a_column():
    described = load("mnist-mlp-2d", device="cpu")
    count = len(described.latents)
    columns = {"age": torch.arange(count, dtype=torch.float64), "slide": ["S2", "S10"] * (count // 2)}
    described.mapped = replace(described.latents, items=Items([f"{i}.png" for i in range(count)], columns))
    found = about(page(described, "?color=column%3Aslide"))["map"]
    assert [(entry["name"], entry["count"]) for entry in found["legend"]] == [("S2", count // 2), ("S10", count // 2)]
    assert found["legend_of"] == "slide"
    found = about(page(described, "?color=column%3Aage"))["map"]
    figure = json.loads(base64.b64decode(found["figure_url"].partition(",")[2]))
    assert figure["data"][0]["marker"]["colorbar"]["title"]["text"] == "age"


def test_it_is_coloured_by_tags(model, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))
    out = tmp_path / "out.html"
    assert main(["export", "mnist-mlp-2d", "--html", str(out), "--view", "?color=tag"]) == 1  # nothing is tagged
    index = model.latents.index.tolist()
    own.change_tags("", "mnist/test", dict.fromkeys(index[:3], "odd") | {index[3]: "even"})
    assert main(["export", "mnist-mlp-2d", "--html", str(out), "--view", "?color=tag"]) == 0
    legend = about(out.read_text("utf-8"))["map"]["legend"]
    assert [(entry["name"], entry["count"]) for entry in legend] == [
        ("even", 1),
        ("odd", 3),
        ("no tag", len(index) - 4),
    ]


def test_without_an_address_all_of_the_map_is_shown(model):
    found = PageView.read(model, "")
    assert (found.color, found.zoom, found.selected, found.pick) == ("class", None, None, None)
    assert PageView.read(model, "?z=0.5,-1.25").pick == {"x": 0.5, "y": -1.25, "id": None}


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("?zoom=1,2,3", "four numbers"),
        ("?zoom=1,1,3,4", "four numbers"),
        ("?select=lasso~AAAA~", "of another map"),
        ("?index=99999999", "is not on the map"),
        ("?index=-1", "is not on the map"),
        ("?color=tag", "coloured by 'tag', and this map can be by class, kl"),
        ("?projection=umap", "projection is 'umap', and the model has plane"),
        ("?data=mnist-5k", "the view is of mnist-5k"),
        ("?model=mnist-conv-100", "the view is of mnist-conv-100, not of mnist-mlp-2d"),
    ],
)
def test_addresses_that_do_not_fit(model, address, message):
    with pytest.raises(ValueError, match=message):
        page(model, address)


def test_a_view_needs_a_page(capsys, tmp_path):
    assert main(["export", "mnist-mlp-2d", "--view", "?color=kl", "--onnx", str(tmp_path)]) == 1
    assert "--view is what a page shows first" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
