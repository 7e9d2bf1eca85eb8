"""The Explore page under Streamlit's own test runner: every view runs, bad addresses are said, nothing is fatal."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from explorer.checkpoints.folder import find, save_measures
from explorer.checkpoints.model import load
from explorer.latents.colours import COLORS
from explorer.latents.holes import find_holes
from explorer.ui import assets, cache
from explorer.ui.explore import grid
from explorer.ui.pickers import FIRST_MODEL
from explorer.ui.selection import Pick
from explorer.ui.shell import NAVIGATION as APP
from explorer.ui.wording import nats
from tests.app.screens import PAGES, TIMEOUT
from tests.app.test_arithmetic_page import resign
from tests.app.tiny_runs import AUTOENCODER, CONV, DAMAGED, PLANE, edit_config

pytestmark = pytest.mark.usefixtures("own_runs")


def page(**query: str) -> AppTest:
    """The page after its first run under an address."""
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def damaged(at: AppTest) -> Any:
    """The list of what cannot be opened."""
    (found,) = [box for box in at.expander if "cannot be opened" in box.label]
    return found


def texts(elements: object) -> str:
    return " ".join(element.value for element in elements)  # type: ignore[attr-defined]


def sound(at: AppTest) -> AppTest:
    """The page without an exception or a complaint."""
    assert not at.exception
    assert not at.error
    assert not at.warning
    return at


@pytest.mark.parametrize(
    ("ident", "color"),
    [
        (ident, color)
        for ident in (PLANE, AUTOENCODER, CONV)
        for color in COLORS
        if (ident, color) != (AUTOENCODER, "kl")
    ],
)
def test_every_model_in_every_colour(ident, color):
    at = sound(page(model=ident, color=color))
    assert at.selectbox(key="explore_model").value == ident
    assert at.selectbox(key="color_by").value == color
    assert at.query_params["model"] == ident
    assert at.query_params.get("color") == (None if color == "class" else color)
    if ident == CONV:
        assert at.selectbox(key="projection").value == "umap"
        assert "trustworthiness" in texts(at.caption)
    else:  # two latents are shown as they are
        assert "projection" not in [box.key for box in at.selectbox]
    assert "projection" not in at.query_params
    at.selectbox(key="color_by").select("error" if color != "error" else "class").run()
    assert sound(at).query_params.get("color") == ("error" if color != "error" else None)


def test_a_plain_autoencoder_has_no_kl_to_colour_by():
    at = page(model=AUTOENCODER, color="kl")
    assert at.selectbox(key="color_by").value == "class"
    assert "KL" not in at.selectbox(key="color_by").options
    assert "the colouring “kl”, which is not here" in texts(at.warning)


def test_the_line_says_what_a_model_is():
    at = sound(page(model=PLANE))
    lines = at.selectbox(key="explore_model").options
    (line,) = [line for line in lines if PLANE in line]
    assert line.startswith(f"mnist-5k · {PLANE} — dense VAE · 2 latents · squared error 0.")
    assert not [line for line in lines if "ELBO" in line]  # they could not be compared


def test_ones_own_models_are_listed_first_and_newest_then_those_that_ship_by_their_data():
    picker = sound(page()).selectbox(key="explore_model")
    options = picker.options
    shipped = [option for option in options if " · runs/" not in option]
    assert picker.value == FIRST_MODEL
    assert f" {FIRST_MODEL} — " in shipped[0]
    own = [info.id for info in cache.all_checkpoints() if not (info.shipped or info.problem)]  # newest first
    assert [ident for option in options for ident in own if f" {ident} — " in option] == own
    assert options[len(own) :] == shipped
    data = [re.split(", | · ", option)[0] for option in shipped]
    assert list(dict.fromkeys(data)) == [name for name, _ in itertools.groupby(data)]


def test_a_card_has_what_was_measured_and_explains_it():
    figures = {figure.label: figure for figure in sound(page(model=PLANE)).metric}
    metrics = find(PLANE).metrics
    assert list(figures) == ["Family", "Latents", "ELBO"]
    assert figures["Family"].value == "dense VAE"
    assert figures["Latents"].value == "2, 2 active"
    assert figures["ELBO"].value == nats(metrics["elbo"])
    assert f"a mean of {metrics['n']:,} test images of mnist-5k" in figures["ELBO"].help
    figures = {figure.label: figure.value for figure in sound(page(model=AUTOENCODER)).metric}
    assert figures["Reconstruction"] == nats(find(AUTOENCODER).metrics["reconstruction"])
    assert "ELBO" not in figures


def test_a_card_has_what_was_measured_later(nothing_ships, runs):
    shutil.copytree(runs / "tiny-2d", nothing_ships / "tiny-2d")
    measures = {"frechet_distance": 3.14159, "log_likelihood": -101.25, "k": 500, "absent": {}}
    save_measures(nothing_ships / "tiny-2d", measures)
    figures = {figure.label: figure for figure in sound(page(model=PLANE)).metric}
    assert list(figures)[-2:] == ["Log-likelihood", "Fréchet distance"]
    assert figures["Log-likelihood"].value == "−101.2 nats"
    assert "k = 500. Higher is better" in figures["Log-likelihood"].help
    assert figures["Fréchet distance"].value == "3.14"


def test_an_item_in_the_address():
    at = sound(page(model=PLANE, index="17"))
    assert "#17" in texts(at.html)
    assert any('data-index="17"' in element.value for element in at.html)
    assert at.query_params["index"] == "17"
    at.button(key="clear_pick").click().run()
    assert "index" not in sound(at).query_params
    assert "centre of the prior" in texts(at.html)


def test_a_code_in_the_address():
    at = sound(page(model=PLANE, z="0.25,-1.5"))
    assert any('data-code="0.25,-1.5"' in element.value for element in at.html)
    assert at.query_params["z"] == "0.25,-1.5"


def test_projection_and_data_in_the_address():
    at = sound(page(model=CONV, projection="pca", data="mnist-5k", index="4321"))
    assert at.selectbox(key="projection").value == "pca"
    assert at.selectbox(key="map_data").value == "mnist-5k"
    assert "5,000 images of mnist-5k" in texts(at.caption)
    assert any('data-index="4321"' in element.value for element in at.html)
    assert {"projection": "pca", "data": "mnist-5k", "index": "4321"}.items() <= at.query_params.items()


@pytest.mark.parametrize(
    ("query", "sentences"),
    [
        ({"z": "1,2,3"}, ["this model's codes are 2 numbers"]),
        ({"z": ""}, ["this model's codes are 2 numbers"]),
        ({"index": "1000"}, ["items 0 to 999"]),
        ({"index": "٣"}, ["items 0 to 999"]),
        ({"index": "9" * 40}, ["items 0 to 999"]),
        (
            {"index": "-1", "color": "mauve", "projection": "umap", "data": "folder:/etc"},
            ["folder", "umap", "mauve", "0 to 999"],
        ),
    ],
    ids=str,
)
def test_a_bad_address_gets_a_sentence(query, sentences):
    at = page(model=PLANE, **query)
    assert not at.exception
    assert len(at.warning) == len(sentences)
    for sentence in sentences:
        assert sentence in texts(at.warning)
    assert "centre of the prior" in texts(at.html)
    assert at.query_params == {"model": PLANE}  # what is not followed does not stay


@pytest.mark.parametrize(
    "asked", ["no-such-model", "runs/flipped-byte", "runs/../../etc", "runs/../../etc/passwd", "/etc"]
)
def test_an_unknown_model_in_the_address(asked):
    at = page(model=asked)
    assert not at.exception
    assert len(at.warning) == 1
    assert asked in at.warning[0].value
    shown = at.selectbox(key="explore_model").value
    assert shown in at.warning[0].value
    assert at.query_params["model"] == shown
    at.selectbox(key="explore_model").select(PLANE).run()
    sound(at)  # the notice went with the model that it spoke of
    assert at.query_params["model"] == PLANE


def test_damaged_checkpoints_are_listed():
    at = sound(page(model=PLANE))
    listed = damaged(at)
    said = {line.value.split("**")[1]: line.value for line in listed.markdown}
    assert set(said) == set(DAMAGED)
    for ident, reason in DAMAGED.items():
        assert reason in said[ident]
    options = " ".join(at.selectbox(key="explore_model").options)
    assert not any(f" {ident} — " in options for ident in DAMAGED)


def test_an_item_stays_when_the_model_changes():
    at = sound(page(model=PLANE, index="5"))
    for ident in (CONV, AUTOENCODER):
        at.selectbox(key="explore_model").select(ident).run()
        assert sound(at).query_params["index"] == "5"
        assert any('data-index="5"' in element.value for element in at.html)


def test_a_bare_code_does_not():
    at = sound(page(model=PLANE, z="1,1"))
    at.selectbox(key="explore_model").select(CONV).run()
    assert "z" not in sound(at).query_params


def test_holes():
    at = sound(page(model=AUTOENCODER))
    at.toggle(key="holes").set_value(True).run()
    assert "falls into holes" in texts(sound(at).markdown)
    at.run()  # the page as a whole: the toggle reran its panels only
    at.selectbox(key="explore_model").select(CONV).run()
    assert "falls into holes" not in texts(sound(at).markdown)


def test_the_grid_explains_what_it_lacks():
    at = sound(page(model=CONV))
    plane = at.get_by_key("grid_plane")
    plane.set_value("points").run()
    assert "Still open: A, B, C" in texts(sound(at).info)
    plane.set_value("latents").run()
    at.selectbox(key="grid_b").select(at.selectbox(key="grid_a").value).run()
    assert "Choose two different latents" in texts(sound(at).info)


def test_the_latents_of_the_grid_stay_through_a_visit_to_another_screen():
    at = page(model=CONV, plane="latents")
    up = at.selectbox(key="grid_b")
    chosen = up.select(up.options[3]).run().selectbox(key="grid_b").value
    at.switch_page(str(PAGES / "arithmetic.py")).run()
    sound(at.switch_page(str(PAGES / "explore.py")).run())
    assert at.selectbox(key="grid_b").value == chosen


def corners(**picked: object) -> dict[str, Pick]:
    """Three corners of a plane, clicked on the map unless it says otherwise."""
    picked = {"xy": (0.0, 0.0), **picked}
    return {name: Pick(CONV, tuple(torch.eye(8)[i].tolist()), **picked) for i, name in enumerate("ABC")}


def test_a_plane_through_the_code_of_an_own_picture_stays_in_the_session(monkeypatch):
    """Reconstruct hands such a code over; of an item, and of a spot of the map, the grid is the server's."""
    drawn, tiles = [], grid.tiles

    def noted(*, sheet_url, **shown):
        drawn.append(sheet_url)
        tiles(sheet_url=sheet_url, **shown)

    monkeypatch.setattr(grid, "tiles", noted)
    at = sound(page(model=CONV))
    assert drawn.pop().startswith("assets/")
    code = tuple(torch.eye(8)[0].tolist())
    for kind in ("latents", "points"):
        at.session_state["grid_plane"] = kind
        for picked, start in (({}, "data:image/"), ({"xy": (0.0, 0.0)}, "assets/")):
            at.session_state["explore_pick"] = Pick(CONV, code, **picked)
            at.session_state[f"grid_corners_{find(CONV).content}"] = corners(**{"xy": None, **picked})
            before = set(assets._store._recipes)
            assert not sound(at.run()).error
            assert drawn.pop().startswith(start), (kind, picked)
            new = set(assets._store._recipes) - before
            assert start == "assets/" or not [name for name in new if "-grid-" in name]


def test_a_tile_of_the_grid_is_a_pick_for_its_own_controls(monkeypatch):
    def tile(*, key, on_pick, **shown):
        st.button("A tile", key=f"{key}_3", on_click=on_pick, args=(3,))

    monkeypatch.setattr(grid, "tiles", tile)
    at = sound(page(model=CONV))
    at.get_by_key("grid_plane").set_value("latents").run()
    assert "Through the prior mean" in texts(sound(at).caption)
    at.button(key="grid_tiles_3").click().run()
    assert "Through the picked code" in texts(sound(at).caption)
    at.run()  # the page as a whole, of which only some panels were drawn
    at.button(key="clear_pick").click().run()
    at.run()
    at.session_state[f"grid_corners_{find(CONV).content}"] = corners()
    at.get_by_key("grid_plane").set_value("points").run()
    assert sound(at).button(key="grid_corner_A").disabled
    at.button(key="grid_tiles_3").click().run()
    assert not sound(at).button(key="grid_corner_A").disabled


@pytest.fixture
def nothing_ships(monkeypatch, tmp_path):
    """No shipped model and an empty folder of runs; the folder."""
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(import_module("explorer.checkpoints.folder"), "SHIPPED", tmp_path / "nothing")
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_without_any_model(nothing_ships):
    at = page()
    assert not at.exception
    assert "There is no model yet" in at.info[0].value
    assert "Start" in at.info[0].value
    assert not at.main.selectbox


def test_with_damaged_ones_only(nothing_ships, runs):
    shutil.copytree(runs / "newer-schema", nothing_ships / "newer-schema")
    at = page()
    assert not at.exception
    assert "There is no model yet" in at.info[0].value
    assert "newer version" in texts(damaged(at).markdown)


def test_a_model_that_was_trained_further_has_its_new_error_in_the_picker(nothing_ships, runs):
    shutil.copytree(runs / "tiny-2d", nothing_ships / "tiny-2d")
    at = sound(page(model=PLANE))
    before = at.selectbox(key="explore_model").options
    trained_further(nothing_ships / "tiny-2d", mse=0.0125)
    cache.all_checkpoints.clear()
    picker = sound(at.run()).selectbox(key="explore_model")
    (label,) = picker.options
    assert label not in before
    assert "squared error 0.0125" in label
    assert (picker.value, picker.proto.raw_value) == (PLANE, label)  # the browser is told, which has the old one
    assert not sound(at.run()).selectbox(key="explore_model").proto.set_value


def trained_further(place: Path, mse: float) -> None:
    """Leaves what a resumed run leaves: other figures, and the sums of the files."""
    metrics = json.loads((place / "metrics.json").read_text())
    (place / "metrics.json").write_text(json.dumps({**metrics, "mse": mse}))
    resign(place)


def test_a_model_that_vanishes(nothing_ships, runs):
    for name in ("tiny-2d", "tiny-conv"):
        shutil.copytree(runs / name, nothing_ships / name)
    at = sound(page(model=PLANE))
    shutil.rmtree(nothing_ships / "tiny-2d")
    cache.all_checkpoints.clear()
    at.run()
    assert not at.exception
    assert at.selectbox(key="explore_model").value == CONV


def test_a_model_that_is_spoiled_while_it_is_open(nothing_ships, runs):
    for name in ("tiny-2d", "tiny-conv"):
        shutil.copytree(runs / name, nothing_ships / name)
    at = sound(page(model=PLANE))
    edit_config(nothing_ships / "tiny-2d", model={"family": "gan"})
    cache.all_checkpoints.clear()
    at.run()
    assert not at.exception
    assert at.selectbox(key="explore_model").value == CONV
    assert "'gan' is unknown" in texts(damaged(at).markdown)


def test_a_pick_in_a_hole_says_so():
    codes = load(AUTOENCODER).latents
    found = find_holes(codes.posterior, None)
    row, column = (found.hole.nonzero()[0]).tolist()
    at = sound(page(model=AUTOENCODER, z=f"{found.x[column]:.5g},{found.y[row]:.5g}"))
    assert "This spot is in a hole" in "".join(element.proto.body for element in at.get("html"))
    centre = codes.mean[0].tolist()
    at = sound(page(model=AUTOENCODER, z=f"{centre[0]:.5g},{centre[1]:.5g}"))
    assert "This spot is in a hole" not in "".join(element.proto.body for element in at.get("html"))


@pytest.mark.parametrize(
    ("model", "why"), [(AUTOENCODER, "no prior"), ("textures-vq", "rows of them")], ids=["autoencoder", "vq"]
)
def test_a_model_without_a_kl_of_each_latent_says_why(model, why):
    at = page(model=model)
    at.session_state["used_latents"] = True
    sound(at.run())
    (box,) = [box for box in at.expander if box.label == "No KL of each latent: why?"]
    assert why in texts(box.caption)
