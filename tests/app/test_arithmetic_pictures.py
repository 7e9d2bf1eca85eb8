"""What Arithmetic's sheets of pictures show, and where they are: in pages, finite, and in the session where they are
somebody's own."""

from __future__ import annotations

import base64
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

import explorer
from explorer.ui import assets, cache
from explorer.ui.arithmetic import traversal
from explorer.ui.codes import computed
from tests.app.screens import press, sound, texts
from tests.app.test_arithmetic_page import page, resign
from tests.app.tiny_runs import AUTOENCODER, CONV, PLANE

pytestmark = pytest.mark.usefixtures("own_runs")


def sent(at: AppTest, key: str) -> dict:
    """What a component on the page was given."""
    (found,) = [e.proto for e in at.get("bidi_component") if e.proto.id.endswith(f"-{key}")]
    return json.loads(found.json)


def upload(at: AppTest) -> AppTest:
    data = io.BytesIO()
    Image.fromarray(np.tile(np.arange(56, dtype=np.uint8) * 4, (56, 1))).save(data, "PNG")
    return sound(at.file_uploader(key="arithmetic_upload").upload("ramp.png", data.getvalue(), "image/png").run())


TOOLS = {"walk": ("walk_film", "walk_to"), "traversal": ("traversal_tiles", "traversal_around")}
TOOLS["directions"] = ("direction_strip", "direction_at")


def test_pictures_of_an_upload_stay_in_the_session():
    at = upload(page(e="0.5*upload + 0.5*mean(1)"))
    press(at, "code_keep")  # as `spot`
    press(at, "expression_use")  # as `here`
    before = set(assets._store._recipes)
    for tool, (component, choice) in TOOLS.items():
        at.segmented_control(key="arithmetic_tool").set_value(tool).run()
        for text in ("upload", "spot", "here"):
            at.selectbox(key=choice).select(text).run()
            assert not sound(at).error
            shown = sent(at, component)
            url = shown["sheet_url"] if tool == "walk" else shown["revision"]
            assert url.startswith("data:image/"), (tool, text)
            assert len(url) < 300_000
    names = set(assets._store._recipes) - before
    first = {name for name in names if "mean" not in name}
    at.selectbox(key="direction_at").select("mean(3)").run()
    assert sent(sound(at), "direction_strip")["revision"].startswith("assets/")
    # The pictures that the tools open with are of means: nothing else was published.
    assert sum("-walk" in name for name in first) <= 1
    assert sum("-traversal" in name for name in first) <= 1


def test_the_sheet_in_the_page_is_the_decoders():
    at = upload(page(tool="walk", **{"from": "mean(1)", "steps": "8"}))
    at.selectbox(key="walk_to").select("upload").run()
    film = sent(sound(at), "walk_film")
    media, data = film["sheet_url"].split(",")
    strip = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert media == "data:image/png;base64"
    assert strip.shape == (28, 28 * 8)
    stored = explorer.load(PLANE).latents
    mean = stored.mean[stored.labels == 1].double().mean(0).float()
    expected = explorer.load(PLANE).decode(mean[None])[0, 0].numpy() * 255
    np.testing.assert_allclose(strip[:, :28], expected, atol=1)


def test_an_item_is_nobodys_own():
    at = page(tool="walk", index="5", **{"from": "here", "to": "item(7)"})
    assert sent(at, "walk_film")["sheet_url"].startswith("assets/")
    at = page(tool="walk", z="0.5,0.5", **{"from": "here", "to": "item(7)"})
    assert sent(at, "walk_film")["sheet_url"].startswith("data:")


def test_many_latents_come_in_pages(monkeypatch):
    monkeypatch.setattr(traversal, "_ROWS", 3)
    monkeypatch.setattr(traversal, "_FIRST_ROWS", 2)
    at = page(CONV, tool="traversal", all="1", columns="5")
    latents = explorer.load(CONV).latent
    pages = -(-latents // 3)
    assert pages > 2
    seen = []
    for number in range(pages):
        first = 3 * number
        assert f"Latents {first + 1} to {min(first + 3, latents)} of {latents}" in texts(at.markdown)
        assert at.button(key="page_before").disabled == (number == 0)
        assert at.button(key="page_after").disabled == (number == pages - 1)
        assert at.query_params.get("page") == (str(number + 1) if number else None)
        data = sent(at, "traversal_tiles")
        assert data["captions"][-5:] == ["−3", "−1.5", "0", "1.5", "3"]
        seen += [label.split(" · ")[0] for label in data["row_labels"]]
        if number < pages - 1:
            press(at, "page_after")
    assert sorted(seen) == sorted(f"latent {i}" for i in range(latents))
    at.toggle(key="traversal_all").set_value(False).run()
    assert len(sent(sound(at), "traversal_tiles")["row_labels"]) == 2


def test_columns_name_their_values():
    labels = {steps: traversal._columns(steps) for steps in range(5, 16, 2)}
    assert labels[11] == ["−3", "−2.4", "−1.8", "−1.2", "−0.6", "0", "0.6", "1.2", "1.8", "2.4", "3"]
    assert [label for label in labels[15] if label] == ["−3", "0", "3"]
    assert all(len(found) == steps and found[steps // 2] == "0" for steps, found in labels.items())


def test_one_stored_code_of_a_plain_autoencoder(runs, tmp_path, monkeypatch):
    place = tmp_path / "one" / "copy"
    shutil.copytree(runs / AUTOENCODER.removeprefix("runs/"), place)
    file = place / "latents.safetensors"
    whole = ("kept_latents", "mean_average", "logvar_average")
    save_file({k: t if k in whole else t[:1].clone() for k, t in load_file(file).items()}, file)
    resign(place)
    monkeypatch.setenv("EXPLORER_RUNS", str(place.parent))
    cache.all_checkpoints.clear()
    at = page("runs/copy", tool="traversal")
    assert not any("nan" in title for title in sent(at, "traversal_tiles")["titles"])
    at.segmented_control(key="arithmetic_tool").set_value("sliders").run()
    for knob in sent(sound(at), "steer")["knobs"]:
        assert knob["low"] < knob["value"] < knob["high"]


def test_a_walk_that_another_model_has_not_finds_a_way_back():
    at = page(tool="walk", **{"from": "mean(12)", "to": "mean(7)"})
    assert len(at.error) == 1
    at.selectbox(key="walk_from").options.append("mean(12)")  # the test runner knows of no others than the listed
    press(at, "walk_from_default")
    assert not at.error
    assert (at.query_params["from"], at.query_params["to"]) == ("mean(0)", "mean(7)")


def test_a_mean_that_is_drawn_as_another_class_is_said():
    info = explorer.load(PLANE).info
    data = cache.encoded_dataset(PLANE, info.content, "mnist-5k", "plane")
    means = computed.class_means(data)
    drawn = computed.drawn_as_another(data, means)
    well = next(i for i in range(10) if i not in drawn)
    other = next(i for i in range(10) if i not in drawn and i != well)
    moved = means.codes.clone()
    moved[well] = means.codes[other]  # so that it is drawn as the other class
    assert computed.drawn_as_another(data, replace(means, codes=moved)) == drawn | {well: other}

    found = sent(page(data="mnist-5k"), "means_tiles")
    assert {i for i, title in enumerate(found["titles"]) if "nearest to it are of class" in title} == set(drawn)
    marked = {i for i, caption in enumerate(found["captions"]) if "⚠" in caption}
    assert marked == set(drawn) | {i for i in range(10) if means.doubtful[i]}
