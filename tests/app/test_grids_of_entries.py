"""A model whose codes are grids of codebook entries, with a prior that is told the class, on every screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import explorer
from explorer.ui import cache
from tests.app.screens import APP, PAGES, TIMEOUT, sound, texts

GRID = "runs/grid"
SETTINGS = {
    "encoder": (8, 8),
    "decoder": (8, 8),
    "codebook": 16,
    "entry_size": 4,
    "grid_blocks": 0,
    "prior_layers": 1,
    "prior_width": 64,
    "batch_size": 200,
}


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with such a model, trained for an epoch of each stage."""
    folder = tmp_path_factory.mktemp("grids")
    config = explorer.TrainConfig(
        preset="vq", dataset="mnist-5k", epochs=2, device="cpu", umap=False, settings=SETTINGS
    )
    explorer.train(config, folder / GRID)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_RUNS", str(folder / "runs"))
        patch.setenv("EXPLORER_DATA", str(folder))
        cache.all_checkpoints.clear()
        yield folder / "runs"
        cache.all_checkpoints.clear()


def page(screen: str, model: str = GRID, **query: str) -> AppTest:
    """A screen after its first run under an address, without an exception or a complaint."""
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / f"{screen}.py"))
    for name, value in {"model": model, **query}.items():
        at.query_params[name] = value
    sound(at.run())
    assert not at.error
    assert not at.warning
    return at


@pytest.mark.slow
def test_explore_shows_the_grid_and_draws_classes():
    at = page("explore", index="17", of="3", temperature="0.5")
    (code,) = [figure for figure in at.metric if figure.label == "Code"]
    assert code.value == "7 × 7 entries of 16"
    assert "code: 7 × 7 entries of 16" in texts(at.html)
    assert at.selectbox(key="samples_class").value == "3"
    assert "logits" in at.slider(key="samples_temperature").help
    assert "blended before they are quantised" in texts(at.caption)
    at.selectbox(key="samples_class").select("4").run()
    assert sound(at).query_params["of"] == "4"


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["walk", "sliders"])
def test_arithmetic_says_what_is_blended(tool):
    assert "blended before they are quantised" in texts(page("arithmetic", tool=tool).caption)


@pytest.mark.slow
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


@pytest.mark.slow
def test_other_models_say_why_they_complete_nothing():
    at = page("reconstruct", "mnist-mlp-2d", source="draw", tool="complete")
    assert "its upper half is completed here" in texts(at.caption)
