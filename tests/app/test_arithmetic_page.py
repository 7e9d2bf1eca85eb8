"""The Arithmetic page under Streamlit's test runner: numbers against NumPy, bad input against its sentence."""

from __future__ import annotations

import io
import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

import explorer
from explorer.ui import cache
from tests.app.screens import APP, PAGES, TIMEOUT, go_back, sound, texts
from tests.app.tiny_runs import AUTOENCODER, CONV, PLANE, edit_config

pytestmark = pytest.mark.usefixtures("own_runs")


def page(model: str = PLANE, **query: str) -> AppTest:
    """The page after its first run under an address."""
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / "arithmetic.py"))
    for name, value in {"model": model, **query}.items():
        at.query_params[name] = value
    return sound(at.run())


def codes_shown(at: AppTest) -> list[np.ndarray]:
    """The codes of the images in the page that say theirs."""
    found = re.findall(r'data-code="([^"]*)"', texts(at.html))
    return [np.array([float(v) for v in code.split(",")]) for code in found]


@pytest.fixture(scope="module")
def digits(runs):
    """Codes [N, D] and labels [N] of the tiny model's test set, as NumPy has them."""
    found = explorer.load(runs / PLANE.removeprefix("runs/")).latents
    return found.mean.numpy().astype(np.float64), found.labels.numpy()


def mean_of(digits, digit: int) -> np.ndarray:
    codes, labels = digits
    return codes[labels == digit].mean(0)


def test_it_opens_with_a_sum_of_digits(digits):
    at = page()
    assert at.query_params["e"] == at.text_input(key="expression_text").value == "0.5*mean(0) + 0.5*mean(1)"
    np.testing.assert_allclose(codes_shown(at)[-1], (mean_of(digits, 0) + mean_of(digits, 1)) / 2, atol=1e-4)
    at = page(CONV)
    assert at.text_input(key="expression_text").value == "mean(7) - mean(1) + mean(4)"


def test_a_typed_expression_and_the_address(digits):
    at = page(e="0.25*mean(0)+item(42)")
    codes, _ = digits
    np.testing.assert_allclose(codes_shown(at)[-1], 0.25 * mean_of(digits, 0) + codes[42], atol=1e-4)
    at.text_input(key="expression_text").set_value("(mean(3) + mean(8)) / 2").run()
    np.testing.assert_allclose(codes_shown(sound(at))[-1], (mean_of(digits, 3) + mean_of(digits, 8)) / 2, atol=1e-4)
    assert at.query_params["e"] == "(mean(3) + mean(8)) / 2"


def test_the_builder_writes_the_expression_and_follows_it(digits):
    at = page(e="mean(7) - mean(1) + mean(4)")
    at.selectbox(key="builder_term_1").select("mean(2)").run()
    at.number_input(key="builder_weight_2").set_value(0.5).run()
    assert sound(at).text_input(key="expression_text").value == "mean(7) - mean(2) + 0.5*mean(4)"
    expected = mean_of(digits, 7) - mean_of(digits, 2) + 0.5 * mean_of(digits, 4)
    np.testing.assert_allclose(codes_shown(at)[-1], expected, atol=1e-4)
    at.text_input(key="expression_text").set_value("item(5) - 2*mean(9)").run()
    assert [at.selectbox(key=f"builder_term_{i}").value for i in range(3)] == ["item(5)", "mean(9)", "nothing"]
    assert [at.number_input(key=f"builder_weight_{i}").value for i in range(2)] == [1.0, 2.0]


BAD = {
    "mean(12)": "12",
    "item(1000)": "999",
    "mean(1) / 0": "zero",
    "mean(1)" + " + mean(1)" * 1200: "1,000",
    "mean(1) * mean(2)": "number",
    "here": "No spot",
    "upload": "pload",
    "": "Type",
    "__import__('os')": "__import__",
    "mean(1) + <b>": "“<”",
}


def test_a_bad_expression_gets_one_sentence():
    at = page()
    for text, sentence in BAD.items():
        at.text_input(key="expression_text").set_value(text).run()
        assert not at.exception, text
        (error,) = at.error
        assert sentence in error.value.replace("\\", ""), text
        assert error.value.endswith((".", "?")), text
        assert ("Explore" in texts(at.caption)) == (text == "here"), text
    at.text_input(key="expression_text").set_value("mean(1)").run()
    assert not sound(at).error


def test_the_spot_chosen_in_explore_is_here():
    at = page(z="0.5,-0.25", e="2*here")
    np.testing.assert_allclose(codes_shown(at)[-1], [1.0, -0.5], atol=1e-6)


def test_a_model_without_labels_does_the_rest(runs, tmp_path, monkeypatch):
    folder = tmp_path / "unlabelled"
    shutil.copytree(runs / "tiny-2d", folder / "plain")
    strip_labels(folder / "plain")
    monkeypatch.setenv("EXPLORER_RUNS", str(folder))
    cache.all_checkpoints.clear()
    at = page("runs/plain")
    assert "no classes" in texts(at.info)
    assert at.text_input(key="expression_text").value == "0.5*item(0) + 0.5*item(1)"
    at.text_input(key="expression_text").set_value("mean(1)").run()
    assert "class means" in at.error[0].value
    for tool in ("walk", "traversal", "sliders", "directions"):
        at.segmented_control(key="arithmetic_tool").set_value(tool).run()
        assert not sound(at).error, tool
    assert "lasso" in texts(at.info)


def strip_labels(place: Path) -> None:
    """The same checkpoint as if its data had had no classes."""
    change_codes(place, lambda tensors: {name: t for name, t in tensors.items() if name != "labels"})
    edit_config(place, classes=[])
    resign(place)


def resign(place: Path) -> None:
    """Makes metrics, counts and hashes agree with stored codes that were changed."""
    stored = load_file(place / "latents.safetensors")
    edit_config(place, dataset={"test_images": len(stored["index"])})
    metrics = json.loads((place / "metrics.json").read_text())
    metrics |= {"n": len(stored["index"]), "reconstruction": float(stored["reconstruction"].double().mean())}
    if metrics["elbo"] is not None:
        metrics["kl"] = float(stored["kl"].double().mean())
        metrics["elbo"] = metrics["reconstruction"] - metrics["kl"]
    del metrics["kl_by_latent"]
    (place / "metrics.json").write_text(json.dumps(metrics))
    sums = [line.split("  ", 1)[1] for line in (place / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{sha256((place / name).read_bytes()).hexdigest()}  {name}\n" for name in sums]
    (place / "SHA256SUMS").write_text("".join(lines))


@pytest.mark.parametrize("ident", [PLANE, AUTOENCODER, CONV])
def test_every_tool_for_every_kind_of_model(ident):
    at = page(ident)
    for tool in ("walk", "traversal", "sliders", "directions", "expression"):
        at.segmented_control(key="arithmetic_tool").set_value(tool).run()
        assert not sound(at).error, tool
        assert not at.warning, tool
        assert at.query_params.get("tool") == (None if tool == "expression" else tool)


def test_a_walk_in_the_address():
    at = page(tool="walk", **{"from": "mean(3)", "to": "mean(7)", "steps": "5", "way": "circle"})
    assert at.selectbox(key="walk_from").value == "mean(3)"
    assert at.slider(key="walk_steps").value == 5
    assert "of 5" in texts(at.caption)
    at.button(key="walk_swap").click().run()
    assert sound(at).query_params["from"] == "mean(7)"
    assert at.query_params["to"] == "mean(3)"
    at.toggle(key="walk_loop").set_value(True).run()
    assert "of 11" in texts(sound(at).caption)  # every class is a stop, and the first again
    assert at.query_params["loop"] == "1"
    before = {"model": at.query_params["model"], "tool": "walk", "from": "mean(7)", "to": "mean(3)"}
    go_back(at, **before)
    assert not at.toggle(key="walk_loop").value
    assert dict(sound(at.run()).query_params) == before


def test_a_bad_address_is_said_and_ignored():
    for query in ({"steps": "65", "way": "moon"}, {"steps": "x"}, {"tool": "hammer"}):
        at = page(**{"tool": "walk", **query})
        for value in query.values():
            assert value in texts(at.warning)


def test_no_way_along_a_great_circle_is_said():
    at = page(tool="walk", way="circle", **{"from": "origin", "to": "mean(1)"})
    (error,) = at.error
    assert "straight line" in error.value


def test_a_direction_is_kept_used_forgotten_and_back(digits):
    at = page(tool="directions", a="class:1", b="class:7")
    at.text_input(key="direction_name").set_value("hook").run()
    at.button(key="direction_keep").click().run()
    sound(at)
    at.segmented_control(key="arithmetic_tool").set_value("expression").run()
    at.text_input(key="expression_text").set_value("mean(1) + hook").run()
    np.testing.assert_allclose(codes_shown(sound(at))[-1], mean_of(digits, 7), atol=1e-4)
    at.segmented_control(key="arithmetic_tool").set_value("directions").run()
    at.button(key="kept_forget_hook").click().run()
    assert "kept_forget_hook" not in {button.key for button in at.button}
    at.button(key="recall_kept").click().run()
    assert "kept_forget_hook" in {button.key for button in sound(at).button}


def test_a_bad_name_for_a_direction_is_refused():
    at = page(tool="directions")
    for name in ("", "mean", "two words", "1st"):
        at.text_input(key="direction_name").set_value(name).run()
        at.button(key="direction_keep").click().run()
        assert len(sound(at).error) == 1, name


def test_an_uploaded_picture_is_a_code(runs):
    data = io.BytesIO()
    Image.fromarray(np.tile(np.arange(56, dtype=np.uint8) * 4, (56, 1))).save(data, "PNG")
    at = page(e="upload")
    assert len(at.error) == 1
    at.file_uploader(key="arithmetic_upload").upload("ramp.png", data.getvalue(), "image/png").run()
    sound(at)
    assert not at.error
    at.file_uploader(key="arithmetic_upload").upload("broken.png", data.getvalue()[:60], "image/png").run()
    assert "broken" in texts(sound(at).error)
    assert len(at.error) == 1


def test_what_the_builder_cannot_say_it_leaves_alone():
    at = page()
    for text in ("mean(1) + mean(2) + mean(3) + mean(4)", "200*mean(1)"):
        at.text_input(key="expression_text").set_value(text).run()
        assert sound(at).text_input(key="expression_text").value == text
        assert at.selectbox(key="builder_term_0").disabled
        assert "three terms" in texts(at.caption)
    at.text_input(key="expression_text").set_value("20*mean(1) - 12.5*mean(2)").run()
    at.selectbox(key="builder_term_2").select("mean(9)").run()
    assert sound(at).text_input(key="expression_text").value == "20*mean(1) - 12.5*mean(2) + mean(9)"


def test_what_nobody_changed_follows_the_model():
    at = page(tool="walk", z="0.5,0.5")
    assert at.selectbox(key="walk_from").value == "here"
    at.selectbox(key="explore_model").select(CONV).run()
    assert not sound(at).error
    assert at.selectbox(key="walk_from").value == "mean(0)"


def test_a_code_is_kept_for_its_model_and_walked_to():
    at = page(e="mean(3) + mean(5)")
    at.text_input(key="code_name").set_value("undo").run()
    at.button(key="code_keep").click().run()
    at.text_input(key="code_name").set_value("other").run()
    at.button(key="code_keep").click().run()
    at.button(key="kept_forget_other").click().run()  # beside the button that recalls it
    at.segmented_control(key="arithmetic_tool").set_value("walk").run()
    at.selectbox(key="walk_to").select("undo").run()
    assert not sound(at).error
    assert at.query_params["to"] == "undo"
    at.segmented_control(key="arithmetic_tool").set_value("expression").run()
    at.selectbox(key="explore_model").select(CONV).run()
    assert "not of this model" in texts(sound(at).markdown)


def test_a_name_that_is_taken_again_cannot_be_recalled(digits):
    at = page(tool="directions", a="class:1", b="class:7")
    at.text_input(key="direction_name").set_value("hook").run()
    at.button(key="direction_keep").click().run()
    at.button(key="kept_forget_hook").click().run()
    at.selectbox(key="direction_to").select("class:9").run()
    at.text_input(key="direction_name").set_value("hook").run()
    at.button(key="direction_keep").click().run()
    assert "recall_kept" not in {button.key for button in sound(at).button}
    at.segmented_control(key="arithmetic_tool").set_value("expression").run()
    at.text_input(key="expression_text").set_value("mean(1) + hook").run()
    np.testing.assert_allclose(codes_shown(sound(at))[-1], mean_of(digits, 9), atol=1e-4)


def test_a_long_expression_stays_out_of_the_address():
    at = page()
    at.text_input(key="expression_text").set_value("mean(1)" + " + mean(1)" * 1000).run()
    assert len(sound(at).error) == 1
    assert "e" not in at.query_params


def test_codes_far_out_are_refused_or_held():
    at = page()
    at.text_input(key="expression_text").set_value("1e20*mean(1)").run()
    assert "too large" in sound(at).error[0].value
    at.session_state["steer"] = {"move": {"values": {"0": 1e39}, "revision": "", "t": 1}}
    at.segmented_control(key="arithmetic_tool").set_value("sliders").run()
    assert not sound(at).error


@pytest.fixture
def retrained(runs, tmp_path, monkeypatch):
    """A folder for copies of the tiny model whose stored codes are changed by a function."""

    def make(change) -> str:
        place = tmp_path / "changed" / "copy"
        shutil.copytree(runs / "tiny-2d", place)
        change(place)
        resign(place)
        monkeypatch.setenv("EXPLORER_RUNS", str(place.parent))
        cache.all_checkpoints.clear()
        return "runs/copy"

    return make


def change_codes(place: Path, change) -> None:
    file = place / "latents.safetensors"
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    save_file(change(load_file(file)), file, metadata)


def test_a_direction_that_another_model_has_not_is_no_harm(retrained):
    """All codes are one code there, so that every class has the same mean."""

    def collapse(tensors):
        return {**tensors, "mean": tensors["mean"] * 0 + 1}

    ident = retrained(lambda place: change_codes(place, collapse))
    at = page(ident, tool="directions")
    assert "mean" in at.error[0].value
    at.segmented_control(key="arithmetic_tool").set_value("expression").run()
    assert not sound(at).error


def test_a_test_set_of_one_image(retrained):
    def first(tensors):
        whole = ("kept_latents", "mean_average", "logvar_average")
        return {name: t if name in whole else t[:1].clone() for name, t in tensors.items()}

    ident = retrained(lambda place: change_codes(place, first))
    at = page(ident)
    for tool in ("walk", "traversal", "sliders", "directions", "expression"):
        at.segmented_control(key="arithmetic_tool").set_value(tool).run()
        assert not sound(at).error, tool


def test_training_images_that_were_made_anew_are_not_taken(retrained):
    ident = retrained(lambda place: edit_config(place, dataset={"train_sha256": "0" * 64}))
    at = page(ident)
    at.segmented_control(key="means_over").set_value("training").run()
    assert "are not those" in texts(sound(at).warning)


def test_means_over_the_training_images():
    at = page()
    at.segmented_control(key="means_over").set_value("training").run()
    assert not sound(at).warning
    data = explorer.dataset("mnist-5k", split="train")
    posterior = explorer.load(PLANE).encode(data.images[data.labels == 5])
    at.text_input(key="expression_text").set_value("mean(5)").run()
    np.testing.assert_allclose(codes_shown(at)[-1], posterior.mean.double().mean(0), atol=1e-4)


def test_ink_on_white_paper_is_inverted_for_a_model_of_white_digits():
    at = page(e="upload")
    paper = np.full((60, 60), 250, np.uint8)
    paper[10:50, 27:33] = 10
    data = io.BytesIO()
    Image.fromarray(paper).save(data, "PNG")
    at.file_uploader(key="arithmetic_upload").upload("ink.png", data.getvalue(), "image/png").run()
    assert "inverted" in texts(sound(at).caption)
    ink = Image.fromarray(255 - paper).resize((28, 28), Image.Resampling.BICUBIC)
    expected = explorer.load(PLANE).encode(np.asarray(ink)[None, None]).mean[0]
    np.testing.assert_allclose(codes_shown(at)[-1], expected, atol=1e-3)
    at.button(key="upload_invert").click().run()
    assert "inverted" not in texts(sound(at).caption)
    assert not np.allclose(codes_shown(at)[-1], expected, atol=1e-1)
