"""Blood cells on Explore and Arithmetic: the map by patient, what it follows, a decoder that is told the class."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import explorer
from explorer.latents import spread
from explorer.ui import cache
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes.item_files import items_csv, items_npz
from explorer.ui.components.latent_map.component import Selected
from explorer.ui.explore.group import spread_text
from tests.app.screens import APP, PAGES, TIMEOUT, sound, texts
from tests.app.tiny_runs import PLANE

pytestmark = pytest.mark.usefixtures("own_runs")
BOTH, HEALTHY = "cells-both", "cells-healthy-linear"


def page(model: str, screen: str = "explore", **query: str) -> AppTest:
    """A screen after its first run under an address."""
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    if screen != "explore":
        at.switch_page(str(PAGES / f"{screen}.py"))
    for name, value in {"model": model, **query}.items():
        at.query_params[name] = value
    return sound(at.run())


@pytest.fixture(scope="module")
def stored() -> EncodedDataset:
    """The stored test set of the model of healthy cells, on its map."""
    model = explorer.load(HEALTHY)
    return EncodedDataset("", "", "test", "malaria", model.latents, model.latents.maps["umap"], model.classes, model)


def test_the_map_by_patient_and_what_it_follows(stored):
    at = page(HEALTHY, color="patient")
    assert not at.warning
    assert at.selectbox(key="color_by").value == "group"
    assert "patient" in at.selectbox(key="color_by").options
    assert at.query_params["color"] == "group"
    line = next(c.value for c in at.caption if "neighbours" in c.value)
    assert line.startswith("1,921 healthy images of malaria")
    assert "class" not in line  # there is one
    votes = cache.Votes(*(float(share) / 100 for share in re.findall(r"([0-9]+)%", line)))
    names, ids = stored.latents.groups
    assert len(names) == 28
    assert votes.guess == pytest.approx(float(ids.bincount().max()) / len(ids), abs=0.006)
    assert 2 * votes.guess < votes.map < votes.codes < 0.5
    at.selectbox(key="color_by").select("kl").run()
    assert "patient" not in texts(at.caption)
    at = page(HEALTHY, index="5")
    title = f"healthy · patient {stored.latents.group[stored.row_of(5)]} · #5"
    assert title in texts(at.html)


def test_the_address_asks_for_patients_where_there_are_none():
    for asked in ("patient", "group"):
        at = page(PLANE, color=asked)
        assert len(at.warning) == 1
        assert asked in at.warning[0].value
        assert at.selectbox(key="color_by").value == "class"
        assert "patient" not in at.selectbox(key="color_by").options
        assert "color" not in at.query_params


def test_the_colour_goes_with_the_data_and_to_arithmetic():
    at = page(BOTH, "arithmetic", color="group")
    assert not at.warning
    assert at.query_params["color"] == "group"
    at = page(BOTH, color="group")
    at.selectbox(key="explore_model").select(PLANE).run()
    assert sound(at).selectbox(key="color_by").value == "class"
    assert not at.warning


def test_a_selection_says_how_many_patients_it_spans():
    at = page(BOTH)
    found = explorer.load(BOTH)
    _, ids = found.latents.groups
    revision = f"{found.info.content}-test-umap"
    one = torch.nonzero(ids == 3).flatten().tolist()
    at.session_state["explore_selection"] = Selected(one, "lasso", [[0.0, 0.0]], revision, 1)
    at.run()
    assert f"{len(one)} images selected" in texts(sound(at).markdown)
    assert f"All of patient {found.latents.groups[0][3]}." in texts(at.caption)
    at.session_state["explore_selection"] = Selected(list(range(0, 3959, 7)), "lasso", [[0.0, 0.0]], revision, 2)
    at.run()
    assert "28 of 28 patients" in texts(sound(at).caption)
    assert "About as mixed as all images" in texts(at.caption)


@pytest.mark.parametrize(
    ("patients", "rows", "said"),
    [
        (2, range(4), "All of patient C0. What they share may be the slide"),
        (2, range(1), "All of patient C0."),
        (1, range(4), "as all images here"),
        (2, range(4, 14), "2 of 2 patients, most of C0 60%, C1 40%. More than half are one patient's"),
        (10, range(20), "Two of these are of one patient 5.2 times as often as two of all images"),
        (10, range(0, 100, 3), "10 of 10 patients, most of C0 12%, C3 12%, C6 12%. About as mixed as all images"),
    ],
)
def test_the_words_for_a_spread(patients, rows, said):
    """Ten images of each patient, in their order."""
    names = [f"C{i}" for i in range(patients)]
    ids = torch.arange(10 * patients) // 10
    assert said in spread_text(names, spread(ids, torch.tensor(list(rows))))


def test_the_patient_is_in_the_downloads(stored):
    rows = torch.tensor([4, 900])
    lines = list(csv.DictReader(io.StringIO(items_csv(stored, rows))))
    assert [line["patient"] for line in lines] == [stored.latents.group[4], stored.latents.group[900]]
    with np.load(io.BytesIO(items_npz(stored, rows, {"model": HEALTHY}))) as found:
        assert found["group"].tolist() == [line["patient"] for line in lines]
        assert json.loads(str(found["recipe"])) == {"model": HEALTHY}


def test_items_come_with_their_terms_of_the_elbo_and_their_places(stored):
    rows = torch.tensor([4, 900])
    for line, row in zip(csv.DictReader(io.StringIO(items_csv(stored, rows))), rows.tolist(), strict=True):
        elbo, reconstruction, kl = (float(line[name]) for name in ("elbo", "reconstruction", "kl"))
        assert reconstruction == pytest.approx(float(stored.latents.reconstruction[row]), rel=1e-6)
        assert elbo == pytest.approx(reconstruction - kl, rel=1e-5)
        assert [float(line["umap_x"]), float(line["umap_y"])] == pytest.approx(
            stored.map.points[row].tolist(), rel=1e-5
        )
        assert float(line["z3"]) == pytest.approx(float(stored.latents.mean[row, 3]), rel=1e-5)


def test_a_decoder_that_is_told_the_class_says_which():
    at = page(BOTH, z=",".join(["0.5"] * 64))
    assert at.selectbox(key="decode_as").value == "healthy"
    assert "as" not in at.query_params
    first = pictures(at)
    assert set(first) == {"decoded as healthy", "the same code as infected"}
    at.selectbox(key="decode_as").select("infected").run()
    assert sound(at).query_params["as"] == "infected"
    second = pictures(at)
    assert second["decoded as infected"] == first["the same code as infected"]
    assert second["the same code as healthy"] == first["decoded as healthy"] != second["decoded as infected"]
    assert "any other code as **infected**" in texts(at.caption)
    # An item is decoded as its own class, whatever is chosen.
    row = int(torch.nonzero(explorer.load(BOTH).latents.labels == 0)[0])
    at = page(BOTH, index=str(row), **{"as": "infected"})
    assert "reconstruction as healthy" in pictures(at)
    assert len(page(BOTH, **{"as": "purple"}).warning) == 1


def pictures(at: AppTest) -> dict[str, str]:
    """By caption, the pictures of the decoded panel."""
    return {
        caption: source
        for source, caption in re.findall(r'<img src="([^"]+)"[^>]*><figcaption>([^<]+)<', texts(at.html))
    }


def test_other_images_under_such_a_decoder(monkeypatch):
    """Digits have no class that a decoder of cells knows: they are drawn as the chosen one."""
    monkeypatch.setattr(cache, "_MOST_ITEMS", 40)
    digits = explorer.dataset("mnist-5k", split="test", size=64, channels=3).subset(slice(0, 40))
    monkeypatch.setattr(cache, "encodable", lambda *_: digits)
    cache.encoded_dataset.clear()
    at = page(BOTH, data="mnist-5k", index="7", **{"as": "infected"})
    assert not at.error
    assert "reconstruction as infected" in pictures(at)
    cache.encoded_dataset.clear()
    cache._encode.clear()


@pytest.mark.parametrize("model", [BOTH, HEALTHY])
def test_every_tool_of_arithmetic_works_on_cells(model):
    at = page(model, "arithmetic")
    for tool in ("walk", "traversal", "sliders", "directions", "expression"):
        at.segmented_control(key="arithmetic_tool").set_value(tool).run()
        assert not sound(at).error, tool
        assert not at.warning, tool
        if tool == "directions" and model == HEALTHY:
            assert "Only healthy images came with this model" in texts(at.info)
    expression = "mean(infected) - mean(healthy)"
    at.text_input(key="expression_text").set_value(expression).run()
    if model == HEALTHY:
        assert "infected" in sound(at).error[0].value
        assert "There are no images of infected here: this model was trained on healthy alone." in texts(at.caption)
    else:
        codes = explorer.load(BOTH).latents
        apart = codes.mean[codes.labels == 1].mean(0) - codes.mean[codes.labels == 0].mean(0)
        shown = re.findall(r'data-code="([^"]*)"', texts(sound(at).html))[-1]
        np.testing.assert_allclose([float(v) for v in shown.split(",")], apart, atol=1e-4)
