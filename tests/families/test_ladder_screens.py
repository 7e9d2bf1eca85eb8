"""A ladder on the screens: its layers' KL, sliders and traversals of one layer, and the cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import explorer
from explorer.__main__ import main
from explorer.checkpoints.exporting import export
from explorer.training.frame_files import read_index
from explorer.ui.arithmetic.layers import cuts
from tests.app import screens
from tests.app.screens import sound, texts, train

NAME = "runs/ladder"
SIZES = (2, 3, 15)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A ladder of three narrow layers, trained from the command line."""
    with screens.runs_in(tmp_path_factory.mktemp("ladder")) as place:
        asked = ["train", "--preset", "ladder", "--dataset", "mnist-5k", "--epochs", "2", "--device", "cpu", "--now"]
        narrow = [
            "--layers",
            "2,3,15",
            "--encoder",
            "32",
            "--decoder",
            "32",
            "--no-umap",
            "--out",
            str(place / "ladder"),
        ]
        assert main([*asked, *narrow]) == 0
        yield place / "ladder"


def arithmetic(**query: str) -> AppTest:
    """The screen under an address, without an exception or a complaint."""
    return screens.page("arithmetic", model=NAME, **query)


def test_the_train_screen_has_a_bar_a_layer(folder):
    index = read_index(folder)
    assert index is not None
    assert index.groups == ["layer 1 of 3", "layer 2 of 3", "layer 3 of 3"]
    model = explorer.load(NAME, device="cpu")
    kl = model.latents.kl_by_latent
    np.testing.assert_allclose(model.network.by_layer(kl), [part.sum() for part in kl.split(SIZES)])
    assert float(kl.sum()) == pytest.approx(model.info.metrics["kl"], rel=1e-4)
    sound(train(run="ladder").run())


def test_encoder_and_decoder_can_be_used_elsewhere(tmp_path):
    model = explorer.load(NAME, device="cpu")
    encoder, decoder = (torch.export.load(file).module() for file in export(NAME, tmp_path))
    codes = model.draw(5)
    images = decoder(codes)
    torch.testing.assert_close(images, model.decode(codes))
    torch.testing.assert_close(encoder(images)[0], model.encode(images).mean, rtol=1e-4, atol=1e-5)


def test_lists_say_how_many_latents_a_code_has():
    assert "20 latents" in explorer.load(NAME, device="cpu").info.traits


@pytest.mark.parametrize("tool", ["expression", "walk", "directions", "layers"])
def test_every_tool_of_arithmetic(tool):
    at = arithmetic(tool=tool, start="item(17)")
    assert at.segmented_control(key="arithmetic_tool").value == tool


def test_a_traversal_of_one_layer():
    at = arithmetic(tool="traversal", layer="3")
    assert " 15 latents ha" in texts(at.caption)
    box = at.selectbox(key="traversal_layer")
    assert [option.split(" · ")[0] for option in box.options] == [
        "all layers",
        *(f"layer {number} of 3" for number in (1, 2, 3)),
    ]
    sound(box.select("1").run())
    assert " 2 latents ha" in texts(at.caption)


def test_sliders_of_one_layer():
    assert arithmetic(tool="sliders", layer="2", start="item(17)").selectbox(key="steer_layer").value == "2"


def test_the_cut_keeps_what_is_above():
    model = explorer.load(NAME, device="cpu")
    code = model.latents.mean[17]
    rows = cuts(model, code, 1.0, 0).view(3, 9, 20)
    assert all(torch.equal(row[0], code) for row in rows)
    for kept, stay in enumerate((0, 2, 5)):
        assert torch.equal(rows[kept, 1:, :stay], code[:stay].expand(8, -1))
        assert torch.equal(rows[kept, 1:, stay:], rows[0, 1:, stay:])  # the same draws in every row
    assert torch.equal(cuts(model, code, 0.0, 0)[1, 2:], torch.zeros(18))


def test_a_model_of_one_layer_has_nothing_to_cut():
    at = screens.page("arithmetic", model="mnist-mlp-2d")
    assert "Layers" not in at.segmented_control(key="arithmetic_tool").options


@pytest.mark.parametrize("screen", ["explore", "reconstruct"])
def test_other_screens_show_it(screen):
    at = screens.page(screen, model=NAME, source="test", index="17")
    assert "<span>ELBO</span>" in texts(at.html)
