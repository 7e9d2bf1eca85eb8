"""The Cells page under Streamlit's test runner, with the models that ship."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer.cells.measures import Summary, measure, real
from explorer.checkpoints.folder import SHIPPED
from explorer.ui.cells import generators
from explorer.ui.html import percent
from tests.app.screens import APP, PAGES, TIMEOUT, go_back, sound, texts
from tests.app.test_arithmetic_page import resign
from tests.app.tiny_runs import edit_config


@pytest.fixture(autouse=True)
def _own_space(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))


def page(**query: str) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / "cells.py"))
    for name, value in query.items():
        at.query_params[name] = value
    return sound(at.run())


@pytest.mark.slow
def test_every_kind_of_model_and_new_draws():
    at = page()
    assert not at.warning
    assert at.segmented_control(key="cells_kind").options == list(generators.kinds().values())
    for kind in generators.KINDS:
        at.segmented_control(key="cells_kind").set_value(kind).run()
        assert not sound(at).error
        assert at.query_params["kind"] == kind
        said, codes = texts(at.caption), generators.open_pair(kind).healthy.draw(200, seed=0)
        made = Summary.of(measure(generators.open_pair(kind).decode(codes, 1))).spotted
        assert "These models draw no parasites" in said
        assert f"{percent(real()['infected'].spotted)} of real infected cells have a dark spot" in said
        assert f"with these settings {percent(made)} of the infected have one" in said
        headings = [element.value for element in at.markdown]
        assert {"###### Healthy", "###### Infected"} <= set(headings)
    at.button(key="cells_new").click().run()
    assert sound(at).query_params["seed"] == "1"


def test_the_address_and_what_is_wrong_with_one():
    at = page(kind="linear", side="3", temperature="0.5", seed="7")
    assert at.slider(key="cells_side").value == 3
    assert at.slider(key="cells_temperature").value == 0.5
    assert at.query_params == {"kind": "linear", "side": "3", "temperature": "0.5", "seed": "7"}
    go_back(at, kind="linear")
    assert at.slider(key="cells_temperature").value == 1.0
    assert dict(sound(at.run()).query_params) == {"kind": "linear"}
    at = page(kind="gan", side="99", temperature="hot", seed="-1")
    said = texts(at.warning)
    for wrong in ("gan", "99", "hot", "seed"):
        assert wrong in said
    assert dict(at.query_params) == {}


def test_the_figures_are_of_the_generated_cells():
    at = page(kind="linear")
    model = explorer.load("cells-infected-linear")
    made = Summary.of(measure(model.sample(200, seed=0)))
    table = next(e.value for e in reversed(list(at.html)) if "with a dark spot" in e.value)
    assert f"<td>{made.roundness[1]:.2f}</td>" in table
    assert f"<td>{real()['infected'].roundness[1]:.2f}</td>" in table


def test_pixels_as_sampled_and_what_the_page_says_of_them():
    at = page(pixels="sampled", side="2", kind="linear")
    assert at.query_params == {"pixels": "sampled", "side": "2", "kind": "linear"}
    assert at.segmented_control(key="cells_pixels").value == "sampled"
    assert "fully on or off" in texts(at.caption)
    for kind, noise in (("conv", "0.077 (healthy) and 0.088 (infected)"), ("both", "0.082 of full")):
        at.segmented_control(key="cells_kind").set_value(kind).run()
        said = texts(sound(at).caption)
        assert f"standard deviation of {noise}" in said
        assert ("difference stays that of the means" in said) == (kind == "both")
    at.segmented_control(key="cells_pixels").set_value("mean").run()
    assert "As sampled" not in texts(sound(at).caption)
    assert "pixels" not in at.query_params
    at = page(pixels="sharpest")
    assert "sharpest" in texts(at.warning)
    assert dict(at.query_params) == {}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Among the shipped models a pair, and one whose prior is told the state: of 16 x 16 pixels, hardly trained."""
    rng = np.random.default_rng(0)
    for state in generators.STATES:
        (tmp_path / "cells" / state).mkdir(parents=True)
        for i in range(24):
            pixels = rng.integers(60, 255, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "cells" / state / f"{i}.png")
    narrow = {
        "encoder": (8, 8),
        "decoder": (8, 8),
        "codebook": 8,
        "grid_blocks": 0,
        "prior_layers": 1,
        "prior_width": 64,
        "guidance": 100.0,
    }
    shipped = tmp_path / "shipped"
    data = f"folder:{tmp_path / 'cells'}"
    explorer.train(
        explorer.TrainConfig(preset="vq", dataset=data, epochs=2, device="cpu", umap=False, settings=narrow),
        shipped / "cells-told",
    )
    edit_config(shipped / "cells-told", dataset={"name": "malaria"})
    resign(shipped / "cells-told")
    for state in generators.STATES:
        shutil.copytree(SHIPPED / f"cells-{state}-conv", shipped / f"cells-{state}-conv")
    monkeypatch.setattr(sys.modules["explorer.checkpoints.folder"], "SHIPPED", shipped)
    generators.cache.all_checkpoints.clear()
    yield "cells-told"
    generators.cache.all_checkpoints.clear()


@pytest.mark.slow
def test_a_model_whose_prior_is_told_the_state_comes_before_the_pairs(told):
    assert generators.kinds() == {told: "VQ-VAE", "conv": "Convolutions"}
    pair = generators.open_pair(told)
    codes = [pair.draw(6, state, temperature=1.0, seed=3) for state in range(2)]
    for state, found in enumerate(codes):
        assert torch.equal(found, pair.healthy.draw(6, seed=3, labels=state))
    assert not torch.equal(*codes)
    at = page(side="2")
    assert not at.error
    assert at.segmented_control(key="cells_kind").value == told
    assert "whose prior is told the state" in texts(at.caption)
    assert "logits" in at.slider(key="cells_temperature_told").help
    assert at.slider(key="cells_temperature_told").value == pair.usual_temperature == 0.95
    assert "temperature" not in at.query_params
    made = Summary.of(measure(pair.decode(pair.draw(64, 1, temperature=0.95, seed=0), 1))).spotted
    assert f"with these settings {percent(made)} of the infected have one" in texts(at.caption)
    at.segmented_control(key="cells_kind").set_value("conv").run()
    assert sound(at).query_params["kind"] == "conv"
    assert not at.error


def test_without_the_models_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["explorer.checkpoints.folder"], "SHIPPED", tmp_path / "none")
    generators.cache.all_checkpoints.clear()
    at = page()
    assert "checkpoints/cells" in texts(at.info)
    generators.cache.all_checkpoints.clear()
