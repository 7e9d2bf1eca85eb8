"""A VQ-VAE on every screen: codes of hundreds of numbers, a prior that draws them one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.__main__ import main
from tests.app import screens
from tests.app.screens import sound, texts, train

VQ = "runs/vq"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with screens.runs_in(tmp_path_factory.mktemp("vq")) as place:
        asked = ["train", "--preset", "vq", "--dataset", "mnist-5k", "--epochs", "2", "--batch-size", "32"]
        narrow = ["--encoder", "4,8", "--decoder", "8,4", "--codebook", "8", "--entry-size", "2", "--prior-layers", "1"]
        rest = ["--prior-width", "64", "--no-umap", "--device", "cpu", "--now", "--out", str(place / "vq")]
        assert main([*asked, *narrow, *rest]) == 0
        yield place


def page(screen: str, **query: str) -> AppTest:
    return screens.page(screen, model=VQ, **query)


def test_explore():
    at = page("explore")
    assert "samples_new" in [button.key for button in at.button]
    assert 'data-index="17"' in texts(page("explore", index="17").html)


@pytest.mark.parametrize("tool", ["expression", "walk", "traversal", "sliders", "directions"])
def test_arithmetic(tool):
    assert not page("arithmetic", tool=tool).info


def test_reconstruct():
    assert "<span>ELBO</span>" in texts(page("reconstruct", source="test", index="17").html)


def test_train_shows_its_run():
    at = train(run="vq")
    sound(at.run())
    assert not at.error, texts(at.error)


def test_explore_shows_the_grid_and_draws_classes():
    at = page("explore", index="17", of="3", temperature="0.5")
    (code,) = [figure for figure in at.metric if figure.label == "Code"]
    assert code.value == "7 × 7 entries of 8"
    assert "code: 7 × 7 entries of 8" in texts(at.html)
    assert at.selectbox(key="samples_class").value == "3"
    assert "logits" in at.slider(key="samples_temperature").help
    assert "centre of the codes" in texts(page("explore").html)  # such a prior has none
    assert "blended before they are quantised" in texts(at.caption)
    at.selectbox(key="samples_class").select("4").run()
    assert sound(at).query_params["of"] == "4"


@pytest.mark.parametrize("tool", ["walk", "sliders"])
def test_arithmetic_says_what_is_blended(tool):
    assert "blended before they are quantised" in texts(page("arithmetic", tool=tool).caption)


def test_a_half_is_completed():
    at = page("reconstruct", source="test", index="17", tool="complete")
    assert at.slider(key="complete_kept").value == 50
    assert "the upper 57%" in texts(at.caption)  # four of seven rows
    at = page("reconstruct", source="test", index="17", tool="complete", draws="3", kept="30")
    figures = texts(at.html)
    assert figures.count("completed, draw") == 3
    assert "--lx-given:28.57%" in figures  # two of seven rows
    assert "the upper 29%" in texts(at.caption)
    at.slider(key="complete_draws").set_value(5).run()
    assert texts(sound(at).html).count("completed, draw") == 5
    assert at.query_params["draws"] == "5"


def test_other_models_say_why_they_complete_nothing():
    at = screens.page("reconstruct", model="mnist-mlp-2d", source="draw", tool="complete")
    assert "its upper half is completed here" in texts(at.caption)
