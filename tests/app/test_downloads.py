"""The Download menus: every panel of every screen has one, and each file in it is sound."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
import streamlit as st
from PIL import Image

from explorer.ui import cache
from explorer.ui.codes import tags
from explorer.ui.components.latent_map.component import Selected
from tests.app.screens import explore, page, sound, train
from tests.app.tiny_runs import AUTOENCODER, PLANE

pytestmark = [pytest.mark.usefixtures("own_runs"), pytest.mark.slow]

Files = dict[str, Callable[[], bytes]]


@pytest.fixture
def files(monkeypatch) -> Files:
    """What each button would send, by its key, of the screens that are drawn from now on."""
    found: Files = {}
    shown = st.download_button

    def button(label, data, file_name, mime, *, key, **options):
        found[key] = data
        return shown(label, data, file_name, mime, key=key, **options)

    monkeypatch.setattr(st, "download_button", button)
    return found


def lines(files: Files, key: str) -> list[list[str]]:
    """The lines of a menu's table."""
    return list(csv.reader(io.StringIO(files[f"{key}_csv"]().decode("utf-8-sig"))))


def check(files: Files, key: str) -> list[list[str]]:
    """Makes all files of a menu; returns the lines of its table, if it has one."""
    drawn = ET.fromstring(files[f"{key}_svg"]())
    assert "Latent Explorer" in "".join(drawn.itertext())  # the caption
    assert files[f"{key}_pdf"]().startswith(b"%PDF")
    with Image.open(io.BytesIO(files[f"{key}_png"]())) as picture:
        assert round(picture.info["dpi"][0]) == 300
    if f"{key}_pixels_png" in files:
        Image.open(io.BytesIO(files[f"{key}_pixels_png"]())).load()
    return lines(files, key) if f"{key}_csv" in files else []


def test_explore(files):
    at = explore()
    at.selectbox(key="explore_model").select(PLANE).run()
    info = next(info for info in cache.all_checkpoints() if info.id == PLANE)
    data = cache.encoded_dataset(PLANE, info.content, cache.STORED, "plane")
    at.session_state["explore_selection"] = Selected(list(range(30)), "lasso", [[0.0, 0.0]], data.map_key, 1)
    at.session_state["used_latents"] = True
    sound(at.run())
    for key in ("map", "group", "grid", "samples"):
        check(files, key)
    header, *rows = check(files, "typical")
    assert len(rows) == 24
    assert header[0] == "index"
    header, *rows = check(files, "used_latents")
    assert header == ["latent", "kl"]
    kl = data.latents.kl_by_latent.tolist()
    assert [(name, float(value)) for name, value in rows] == [
        (f"latent {i}", pytest.approx(v, rel=1e-4)) for i, v in enumerate(kl)
    ]
    assert not tags.of(data)


def test_explore_picks(files):
    at = page("explore", model=PLANE, index="3")
    assert "pick_svg" not in files  # a click on the map does not wait for it
    at.session_state["pick_quiet_download"] = True
    sound(at.run())
    header, row = check(files, "pick")
    assert dict(zip(header, row, strict=True))["index"] == "3"
    at = page("explore", model=PLANE, z="0.5,-0.25")
    at.session_state["pick_quiet_download"] = True
    sound(at.run())
    assert check(files, "pick") == [["latent", "value"], ["latent 0", "0.5"], ["latent 1", "-0.25"]]


@pytest.mark.parametrize(
    ("tool", "keys"),
    [
        ("expression", ["means", "expression"]),
        ("walk", ["walk"]),
        ("traversal", ["traversal"]),
        ("sliders", ["steer"]),
        ("directions", ["direction", "direction_knob"]),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_arithmetic(files, tool, keys):
    page("arithmetic", model=PLANE, tool=tool)
    for key in keys:
        check(files, key)
    if tool == "directions":
        header, *figures = lines(files, "trust")
        assert header == ["figure", "value"]
        assert 0.5 < float(dict(figures)["AUC"]) <= 1


def test_cells(files):
    at = page("cells", part="upload")
    at.button(key="cells_upload_examples").click()
    sound(at.run())
    header, *evidence = check(files, "cells_upload_pictures")
    assert 0 <= float(dict(evidence)["probability of an infection"]) <= 1
    drawn = files["cells_upload_pictures_svg"]().decode()
    assert "where it looks infected" in drawn
    for state in ("healthy", "infected"):
        header, *near = check(files, f"cells_upload_near_{state}")
        assert header == ["patient", "distance"]
        assert [float(far) for _, far in near] == sorted(float(far) for _, far in near)


def test_layers(files):
    page("arithmetic", model="mnist-ladder", tool="layers")
    check(files, "cut")


def test_reconstruct(files):
    page("reconstruct", model=AUTOENCODER, source="test")
    assert check(files, "result")[0] == ["latent", "value"]
    check(files, "spoil")
    check(files, "stages")


def test_compare(files):
    page("compare", models=f"{PLANE},{AUTOENCODER}", part="maps")
    assert check(files, "compare_map_1")[0][0] == "index"
    page("compare", models=f"{PLANE},{AUTOENCODER}", part="settings")
    assert ["Family", "vae", "ae"] in lines(files, "compare_settings")


def test_a_run(files):
    at = train(run=PLANE.removeprefix("runs/"))
    at.session_state["frames"] = True
    sound(at.run())
    assert check(files, "frame_bars")[1][0] == "latent 0"
    header, *points = check(files, "frame_map")
    assert header == ["index", "class", "x", "y"]
    assert len(points) > 100
    check(files, "frame_pictures")
    check(files, "watch")
