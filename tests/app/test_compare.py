"""The Compare screen under Streamlit's test runner: every part, addresses, models that go or are damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer import runs as every
from explorer.checkpoints.folder import checkpoints, find, read_history
from explorer.ui import cache
from explorer.ui.compare.models import legend_names
from tests.app.screens import PAGES, explore, own_space, page, press, sound, texts, train, wait
from tests.app.test_sheets import fetched
from tests.app.tiny_runs import AUTOENCODER, CONV, PLANE, edit_config

pytestmark = pytest.mark.usefixtures("own_runs")


def query(at: AppTest) -> dict[str, str]:
    """What the address says; Streamlit's runner gives lists once the script has written it."""
    return {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}


ALL = ",".join((PLANE, AUTOENCODER, CONV))


def test_it_opens_with_the_model_of_the_other_screens_and_one_of_the_same_data():
    at = explore()
    at.selectbox(key="explore_model").select(CONV).run()
    sound(at.switch_page(str(PAGES / "compare.py")).run())
    first, second = at.multiselect(key="compare_models").value
    assert first == CONV
    assert find(second).trained_on == find(CONV).trained_on


@pytest.mark.parametrize("show", ["images", "means", "walk", "samples", "plane"])
def test_every_model_draws_its_pictures(show):
    at = page("compare", models=ALL, show=show)
    shown = texts(at.markdown)
    assert all(f"**{ident}**" in shown for ident in (PLANE, AUTOENCODER, CONV))
    assert query(at).get("show", "images") == show


def test_what_is_shown_is_what_each_model_makes_of_the_same_images(own_runs):
    at = page("compare", models=f"{PLANE},{CONV}", errors="1")
    shown = {}
    for component in at.get("bidi_component"):
        told = json.loads(component.proto.json)
        if component.proto.component_name == "tiles":
            shown[told["label"]] = told
    originals = explorer.dataset("mnist-5k", "test").images
    for ident in (PLANE, CONV):
        model = explorer.load(own_runs / ident.removeprefix("runs/"), device="cpu")
        (made,) = (told for label, told in shown.items() if label == f"Test images by {ident}")
        (errors,) = (told for label, told in shown.items() if label == f"Errors of {ident}")
        indices = made["ids"]
        assert len({int(explorer.dataset("mnist-5k", "test").labels[i]) for i in indices}) == 10
        expected = model.decode(model.encode(originals[indices]).mean)
        for told, images in ((made, expected), (errors, (originals[indices] / 255 - expected).abs())):
            pixels = np.asarray(Image.open(BytesIO(fetched(told["revision"]))).convert("L"), np.float32) / 255
            sheet = images[:, 0].permute(1, 0, 2).reshape(28, -1).numpy()
            assert np.abs(pixels - sheet).mean() < 0.02  # WebP
            assert np.corrcoef(pixels.ravel(), sheet.ravel())[0, 1] > 0.99


def test_a_model_is_told_from_its_copy(own_runs, tmp_path, monkeypatch):
    for name in ("tiny-2d", "copy"):
        shutil.copytree(own_runs / "tiny-2d", tmp_path / "two" / name)
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "two"))
    cache.all_checkpoints.clear()
    at = page("compare", models=f"{PLANE},runs/copy", errors="1")
    told = [json.loads(component.proto.json) for component in at.get("bidi_component")]
    labels = [one["label"] for one in told if "label" in one]
    expected = [f"{what} {ident}" for ident in (PLANE, "runs/copy") for what in ("Test images by", "Errors of")]
    assert labels[1:] == expected
    at = page("reconstruct", model=PLANE, compare="runs/copy", source="test", index="3")
    assert [text for text in (PLANE, "runs/copy") if f"**{text}**" in texts(at.markdown)] == [PLANE, "runs/copy"]


def test_other_images_are_in_the_address():
    at = page("compare", models=ALL, errors="1")
    press(at, "compare_next")
    assert (query(at)["set"], query(at)["errors"]) == ("1", "1")


def test_maps_say_how_far_models_agree():
    at = page("compare", models=ALL, part="maps")
    agreed = texts(at.markdown)
    assert agreed.count("nearest neighbours") == 3  # pairs
    assert "Draw a lasso" in texts(at.caption)


def test_the_table_holds_what_was_measured():
    at = page("compare", models=f"{PLANE},{CONV},mnist-conv-100", part="measures")
    table = at.dataframe[0].value
    assert list(table.index) == [PLANE, CONV, "mnist-conv-100"]
    assert table.loc[PLANE, "ELBO, nats"] == pytest.approx(find(PLANE).metrics["elbo"])
    assert "mnist-conv-100: other test images" in texts(at.markdown)


def test_curves_over_time_and_settings():
    at = page("compare", models=ALL, part="curves", over="images", curve="kl", smooth="0.5")
    assert (query(at)["over"], query(at)["curve"], query(at)["smooth"]) == ("images", "kl", "0.5")
    differing, same = (table.value for table in page("compare", models=ALL, part="settings").dataframe)
    assert list(differing.loc["Family"]) == ["vae", "ae", "vae"]
    assert "data set" in same.index


def test_a_curve_that_no_model_has_is_said(own_runs, tmp_path, monkeypatch):
    for name in ("one", "other"):
        shutil.copytree(own_runs / AUTOENCODER.removeprefix("runs/"), tmp_path / "two" / name)
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "two"))
    cache.all_checkpoints.clear()
    at = page("compare", models="runs/one,runs/other", part="curves")
    assert "None of these models has a curve of ELBO over epoch" in texts(at.info)
    assert not at.get("plotly_chart")
    assert not at.get("download_button")  # of an empty figure
    at = page("compare", models="runs/one,runs/other", part="curves", curve="mse")
    assert len(at.get("plotly_chart")) == 1


def test_a_legend_says_what_differs_where_a_name_does_not(own_runs):
    known = find(PLANE)
    other = replace(known, id="runs/x", config={**known.config, "recipe": {**known.config["recipe"], "beta": 10.0}})
    assert legend_names([known, other]) == {PLANE: f"{PLANE} (beta 1)", "runs/x": "runs/x (beta 10)"}
    assert legend_names([known, replace(other, id="runs/x-beta10")])["runs/x-beta10"] == "runs/x-beta10"
    assert legend_names([known]) == {PLANE: PLANE}
    assert " · beta 10 · " in other.traits
    assert "beta" not in known.traits


def test_one_model_alone_and_none():
    assert "Choose two models" in texts(page("compare", models=PLANE).info)


def opened(models: str, **query: str) -> AppTest:
    """The screen under an address that it may complain about, without an error."""
    at = explore().switch_page(str(PAGES / "compare.py"))
    for name, value in {"models": models, **query}.items():
        at.query_params[name] = value
    sound(at.run())
    assert not at.error, texts(at.error)
    return at


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (f"{PLANE},{CONV},runs/gone", "“runs/gone”, which is not here"),
        (f"{PLANE},{CONV},runs/flipped-byte", "model.safetensors is damaged"),
        (f"{PLANE},{CONV},runs/missing-file", "missing-file cannot be opened and is left out"),
        (f"{PLANE},{CONV}," + ",".join(c.id for c in checkpoints() if c.shipped), "and 6 can"),
    ],
    ids=["gone", "damaged", "without measures", "twenty"],
)
def test_an_address_that_asks_for_too_much_says_so_and_shows_the_rest(models, said):
    at = opened(models, part="measures")
    assert said in texts(at.warning).replace("\u2060", "")
    assert {PLANE, CONV} <= set(at.dataframe[0].value.index)


@pytest.fixture
def changing(own_runs, tmp_path, monkeypatch) -> Path:
    """A run that is about to change, beside the others."""
    shutil.copytree(own_runs, tmp_path / "runs")
    place = shutil.copytree(own_runs / "tiny-2d", tmp_path / "runs/changing")
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    cache.all_checkpoints.clear()
    return place


def rewrite(place: Path, **changes: object) -> None:
    """Changes a run's config.json, with its hash."""
    edit_config(place, **changes)
    fresh = hashlib.sha256((place / "config.json").read_bytes()).hexdigest()
    lines = (place / "SHA256SUMS").read_text().splitlines()
    lines = [f"{fresh}  config.json" if line.endswith("  config.json") else line for line in lines]
    (place / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    cache.all_checkpoints.clear()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shutil.rmtree, "runs/changing is no longer here to compare with"),
        (
            lambda place: (place / "metrics.json").write_text("{"),
            "metrics.json is damaged",
        ),
        (lambda place: rewrite(place, status="finished"), "runs/changing has finished training"),
    ],
    ids=["deleted", "damaged", "finished"],
)
def test_a_model_that_changes_while_it_is_compared_gets_a_sentence_and_the_rest_goes_on(changing, change, said):
    rewrite(changing, status="running")
    at = opened(f"{PLANE},{CONV},runs/changing", part="measures")
    assert not at.warning
    change(changing)
    cache.all_checkpoints.clear()
    sound(at.run())
    assert said in texts(at.warning).replace("\u2060", "")
    assert not at.error
    assert {PLANE, CONV} <= set(at.dataframe[0].value.index)


def test_other_test_images_of_the_same_data_are_left_out_with_a_sentence(changing):
    rewrite(changing, dataset={"only": "3"})
    at = opened(f"{PLANE},runs/changing,{CONV}", part="maps")
    assert "runs/changing was tested on other images of mnist-5k" in texts(at.info)
    assert texts(at.markdown).count("nearest neighbours") == 1


def test_epochs_of_one_run_count_as_models(own_runs):
    first = f"{PLANE}/epoch-1"  # of which there is always a frame
    at = page("compare", models=PLANE, epochs=first, part="measures")
    table = at.dataframe[0].value
    history = read_history(own_runs / "tiny-2d")
    assert list(table.index) == [PLANE, first]
    assert table["ELBO, nats"].tolist() == pytest.approx([history[k]["test"]["elbo"] for k in (-1, 0)])
    assert query(at)["epochs"] == first
    at.segmented_control(key="compare_part").set_value("maps")
    shown = texts(sound(at.run()).markdown)
    assert f"**{first}**" in shown
    assert "epoch 1 of 8" in shown
    assert shown.count("nearest neighbours") == 1
    at.segmented_control(key="compare_part").set_value("pictures")
    assert "no weights are kept" in texts(sound(at.run()).caption)


def test_an_epoch_without_a_frame_is_said(own_runs):
    at = opened(f"{PLANE},{CONV}", epochs=f"{PLANE}/epoch-99", part="measures")
    assert f"There is no frame of {PLANE}/epoch-99" in texts(at.warning)


def test_a_damaged_frame_is_left_out_with_a_sentence(changing):
    for frame in (changing / "frames").glob("1-*.json"):
        frame.write_text("{}")
    at = opened(f"{PLANE},runs/changing", epochs="runs/changing/epoch-1", part="maps")
    assert "The frame of runs/changing/epoch-1 is damaged" in texts(at.info)
    assert texts(at.markdown).count("nearest neighbours") == 1


def test_other_images_and_other_shapes_get_a_sentence_and_the_rest_goes_on():
    at = page("compare", models=f"{PLANE},{CONV},cells-both", part="maps")
    assert "cells-both was tested on malaria, whose images have another shape" in texts(at.info)
    assert texts(at.markdown).count("nearest neighbours") == 1


def test_a_sweep_from_the_form_is_read_here(tmp_path, monkeypatch):
    with own_space(tmp_path, monkeypatch):
        assert "no sweep yet" in texts(page("compare", part="sweeps").info)
        at = train()
        at.number_input(key="train_epochs").set_value(1).run()
        at.text_input(key="sweep_values_beta").input("1, 100").run()
        press(at, "sweep_start")
        wait(lambda: [info.state for info in every.runs()] == ["finished"] * 2)
        cache.all_checkpoints.clear()
        at = page("compare", part="sweeps")
        assert "Beta 1, 100" in at.selectbox(key="compare_sweep").options[0]
        assert query(at)["sweep"].startswith("beta:runs/mnist-5k-mlp-2d-beta1")
        at = press(at, "compare_sweep_models")
        assert at.multiselect(key="compare_models").value == [f"runs/mnist-5k-mlp-2d-beta{v}" for v in (1, 100)]
        assert "part" not in query(at)


def test_too_many_values_are_said_before_anything_starts(own_runs):
    at = train()
    at.text_input(key="sweep_values_beta").input("1 x").run()
    assert at.button(key="sweep_start").disabled
    assert "takes numbers" in texts(at.caption)
