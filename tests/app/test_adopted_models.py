"""Models that were trained elsewhere, from the command line to every screen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer import runs
from explorer.__main__ import main
from explorer.checkpoints.pairs import read_pair
from explorer.evaluation.adoption import doubts
from explorer.evaluation.ranking import rank
from explorer.models.evaluation import evaluate
from tests.app import screens
from tests.app.screens import act, texts, train
from tests.onnx_pairs import Pair

TOLD, UNTOLD = "runs/told", "runs/untold"  # whether they say what their likelihood is


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both, adopted from the command line."""
    with screens.runs_in(tmp_path_factory.mktemp("adopted")) as folder:
        Pair(folder.parent / "told", latent=2, likelihood="bernoulli", dataset="mnist")
        Pair(folder.parent / "pair")
        assert main(["adopt", str(folder.parent / "told"), "--dataset", "mnist-5k"]) == 0
        assert main(["adopt", str(folder.parent / "pair"), "--name", "untold"]) == 0
        yield folder


def page(screen: str, model: str, **query: str) -> AppTest:
    return screens.page(screen, model=model, **query)


def test_it_is_listed_with_the_others(capsys):
    assert main(["list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "mnist-5k · ONNX model trained elsewhere · 2 latents · squared error 0." in lines[TOLD]
    assert "mnist-5k · ONNX model trained elsewhere · 3 latents · squared error 0." in lines[UNTOLD]


def test_codes_maps_and_measures_are_of_the_test_set(folder):
    images = explorer.dataset("mnist-5k").images
    for name, latent, maps in ((TOLD, 2, {"plane"}), (UNTOLD, 3, {"pca", "umap"})):
        pair = Pair(folder.parent / "again", latent=latent)
        mean, logvar = pair.encode(images.numpy().astype(np.float32) / 255)
        model = explorer.load(name, device="cpu")
        np.testing.assert_allclose(model.latents.mean, mean, atol=1e-3)
        np.testing.assert_allclose(model.latents.posterior.logvar, logvar, atol=1e-3)
        assert set(model.latents.maps) == maps
        kl = 0.5 * (mean**2 + np.exp(logvar) - 1 - logvar)
        np.testing.assert_allclose(model.info.metrics["kl_by_latent"], kl.mean(0), rtol=1e-3)
        assert "knn_accuracy" in model.info.metrics["measures"]
    metrics = explorer.load(UNTOLD).info.metrics
    assert metrics["elbo"] is None
    assert metrics["measures"]["absent"]["bits_per_dim"] == "Nobody has said what the model's likelihood is."


def test_a_name_that_is_taken(folder, capsys):
    assert main(["adopt", str(folder.parent / "told"), "--dataset", "mnist-5k"]) == 1
    assert "is there already" in capsys.readouterr().err


def test_what_looks_wrong_is_said(folder, capsys):
    """Noise is no reconstruction."""
    test = explorer.dataset("mnist-5k").subset(slice(0, 50))
    network = read_pair(Pair(folder.parent / "dark", range=[-1, 1]).folder).network(test.image_shape, 0)
    (note,) = doubts(evaluate(network, test.images), test)
    assert note.startswith("its reconstructions are further from the images than the average image is")


@pytest.mark.parametrize("model", [TOLD, UNTOLD])
@pytest.mark.parametrize(
    ("screen", "query"),
    [
        ("explore", {"index": "17"}),
        ("arithmetic", {"tool": "expression"}),
        ("arithmetic", {"tool": "walk"}),
        ("arithmetic", {"tool": "traversal"}),
        ("arithmetic", {"tool": "sliders"}),
    ],
    ids=lambda value: value.get("tool", "") if isinstance(value, dict) else value,
)
def test_every_screen_has_it(model, screen, query):
    at = page(screen, model, **query)
    assert not at.info


@pytest.mark.parametrize("screen", ["explore", "reconstruct"])
def test_an_elbo_is_shown_where_the_likelihood_is_told(screen):
    for model, there, missing in ((TOLD, "ELBO", "Squared error"), (UNTOLD, "Squared error", "ELBO")):
        at = page(screen, model, source="test", index="17")
        shown = texts(at.html)
        assert f"<span>{there}</span>" in shown
        assert f"<span>{missing}</span>" not in shown
        assert "<span>KL</span>" in shown
        if screen == "explore":
            assert there in [metric.label for metric in at.metric]


def test_pictures_are_ranked_by_what_there_is(tmp_path):
    for i, image in enumerate(explorer.dataset("mnist-5k").images[:4]):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{i}.png")
    model = explorer.load(UNTOLD, device="cpu")
    ranking = rank(tmp_path, model)
    assert (ranking.kl == 0).all()
    assert (ranking.elbo < 0).all()
    assert 0 < float(ranking.better_than.mean()) < 1, "compared with the test images' squared errors"


def test_the_list_of_runs_has_it_to_rename_and_delete(folder):
    at = train(run="told")
    info = runs.run("told")
    assert (info.state, info.dataset, info.preset, info.trained_here) == ("finished", "mnist-5k", "adopted", False)
    actions = at.get_by_key("run_menu_told").proto.options
    assert "rename" in str(actions).lower()
    assert "settings" not in str(actions).lower()
    assert "Squared error" not in [option for box in at.selectbox for option in box.options]
    assert "adopted" not in at.selectbox(key="option_family").options
    act(at, "untold", "explore")


def test_a_damaged_one_is_listed_with_its_reason(folder):
    shutil.copytree(folder / "told", folder / "odd")
    config = json.loads((folder / "odd" / "config.json").read_text())
    config["model"]["code_shape"] = [4]
    (folder / "odd" / "config.json").write_text(json.dumps(config))
    (found,) = [info for info in explorer.checkpoints() if info.id == "runs/odd"]
    assert found.problem == "config.json is damaged: code_shape must have 2 numbers, not (4,)."
    shutil.rmtree(folder / "odd")


@pytest.mark.parametrize("part", ["pictures", "maps", "measures", "settings", "curves"])
def test_it_is_compared_with_others(part):
    screens.page("compare", models=f"{TOLD},{UNTOLD},mnist-mlp-2d", part=part)


def test_figures_of_the_command_line_say_what_they_are_of(capsys):
    assert main(["evaluate", UNTOLD]) == 0
    lines = capsys.readouterr().out
    assert "none: Nobody has said what the model's likelihood is." in lines
    assert "of squared errors" in lines


def test_it_cannot_be_trained_on(folder, capsys):
    assert main(["train", "--resume", str(folder / "told")]) == 1
    assert "it was trained elsewhere" in capsys.readouterr().err
