"""Families that only these tests know, from the command line to every screen: no other file needs their names."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import explorer
from explorer.__main__ import main
from explorer.models import FAMILIES, register
from explorer.models.evaluation import log_likelihood
from explorer.runs import run
from tests.app import screens
from tests.app.screens import press, sound, texts, train, wait_for

LAPLACE, BITS = "runs/laplace", "runs/bits"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """Both families, in this process by the public line and in those that it starts by the variable for it."""
    with pytest.MonkeyPatch.context() as patch:
        for part in ("_things", "_words"):
            patch.setattr(FAMILIES, part, dict(getattr(FAMILIES, part)))
        for module, family in (("laplace", "LaplaceVAE"), ("bits", "BitModel")):
            register(getattr(importlib.import_module(f"tests.families.{module}"), family))
        patch.setenv("EXPLORER_FAMILIES", "tests.families.laplace, tests.families.bits")
        yield


@pytest.fixture(scope="module", autouse=True)
def runs(registered: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model of each family, trained from the command line."""
    with screens.runs_in(tmp_path_factory.mktemp("families")) as folder:
        asked = ["train", "--preset", "mlp-2d", "--dataset", "mnist-5k", "--epochs", "2", "--device", "cpu"]
        narrow = ["--encoder", "32", "--decoder", "32", "--optimizer", "adam", "--now", "--no-umap"]
        laplace = ["--family", "laplace", "--out", str(folder.parent / LAPLACE)]
        bits = ["--family", "bits", "--latent", "6", "--out", str(folder.parent / BITS)]
        for own in (laplace, bits):
            assert main([*asked, *narrow, *own]) == 0
        yield folder


def page(screen: str, model: str = LAPLACE, **query: str) -> AppTest:
    """A screen after its first run under an address, without an exception or a complaint."""
    return screens.page(screen, model=model, **query)


def pictures(at: AppTest) -> str:
    return texts(at.html)


def test_its_kl_is_its_own(runs, capsys):
    """Everywhere: in the stored metrics, the history, the stored codes, and evaluated once more."""
    model = explorer.load(LAPLACE, device="cpu")
    mean, logvar = model.latents.posterior
    scale = torch.exp(0.5 * logvar) / 2**0.5
    theirs = torch.distributions.Laplace(mean, scale)
    prior = torch.distributions.Laplace(torch.zeros(2), torch.ones(2))
    kl = torch.distributions.kl_divergence(theirs, prior)
    assert model.info.metrics["kl"] == pytest.approx(float(kl.sum(1).mean()), rel=1e-4)
    np.testing.assert_allclose(model.latents.kl_by_latent, kl.mean(0), rtol=1e-4)
    line = json.loads((runs / "laplace" / "history.jsonl").read_text().splitlines()[-1])
    np.testing.assert_allclose(line["kl_by_latent"], kl.mean(0), rtol=1e-3)
    assert main(["evaluate", LAPLACE, "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["kl"] == pytest.approx(model.info.metrics["kl"], rel=1e-5)


def test_importance_weights_tighten_its_bound():
    model = explorer.load(LAPLACE, device="cpu")
    images = explorer.dataset("mnist-5k").images[:40]
    elbo = model.evaluate(images).metrics()["elbo"]
    assert log_likelihood(model.network, images, samples=200).mean() > elbo


@pytest.mark.parametrize(
    "own",
    [
        {"family": "laplace"},
        {"family": "bits"},
        {"family": "iwae"},
        {"family": "beta-tc"},
        {"binarise": True},
        {"prior": "vamp", "components": 9},
        {"prior": "mixture", "posterior": "student-t", "target_mse": 0.05},
    ],
    ids=str,
)
def test_a_stopped_run_goes_on_bit_for_bit(small_train, own):
    options = {"latent": 3, "epochs": 2, "batch_size": 40, **own}
    whole = small_train("whole", **options)
    looks = iter([False, True])
    stopped = small_train("stopped", should_stop=lambda: next(looks, True), **options)
    assert stopped.status == "cancelled"
    resumed = small_train(out=stopped.path, resume=True)
    assert resumed.metrics == whole.metrics
    first, second = (explorer.load(run.path, device="cpu").network.state_dict() for run in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_trains_from_the_sidebar():
    at = train()
    at.selectbox(key="option_family").select("laplace").run()
    at.number_input(key="train_epochs").set_value(1).run()
    press(at, "train_start")
    assert not at.error
    name = "mnist-5k-mlp-2d"
    assert wait_for(name, "finished", "failed").state == "finished", run(name).message
    assert explorer.load(f"runs/{name}", device="cpu").config.family == "laplace"
    sound(train(run=name).run())


def test_explore_maps_decodes_samples_and_lays_a_grid():
    at = page("explore")
    (line,) = [option for option in at.selectbox(key="explore_model").options if f" {LAPLACE} — " in option]
    assert "dense Laplace VAE · 2 latents · squared error 0." in line
    assert "centre of the prior" in pictures(at)
    assert 'data-code="0.25,-1.5"' in pictures(page("explore", z="0.25,-1.5"))
    item = page("explore", index="17")
    assert 'data-index="17"' in pictures(item)
    assert "<span>KL</span>" in pictures(item)
    assert not item.info
    at.toggle(key="holes").set_value(True).run()
    assert "of what the prior would draw falls into holes" in texts(sound(at).markdown)


@pytest.mark.parametrize("tool", ["expression", "walk", "traversal", "sliders", "directions"])
def test_every_tool_of_arithmetic(tool):
    at = page("arithmetic", tool=tool)
    assert not at.info
    if tool == "traversal":
        assert "standard deviations of the prior" in texts(at.caption)


def test_reconstruct_scores_and_places_a_picture():
    at = page("reconstruct", source="test", index="17")
    assert "<span>ELBO</span>" in pictures(at)
    assert "The model explains it" in texts(at.markdown)


def test_codes_that_do_not_blend_show_a_sentence_for_each_tool_that_does_not_apply():
    at = page("explore", BITS)
    assert [info.value for info in at.info] == [
        "What lies between two codes of this model is no code, so there is no plane to lay a grid over."
    ]
    assert "holes" not in [toggle.key for toggle in at.toggle]
    assert "What lies between two codes of this model is no code, so there are no holes between them." in texts(
        at.caption
    )
    assert "samples_new" in [button.key for button in at.button]  # it has a prior
    assert 'data-index="17"' in pictures(page("explore", BITS, index="17"))
    at = page("arithmetic", BITS)
    assert [info.value for info in at.info] == [
        "What lies between two codes of this model is no code, so there are no sums, walks, traversals, sliders or "
        "directions."
    ]
    assert "<span>ELBO</span>" in pictures(page("reconstruct", BITS, source="test", index="17"))


def test_a_group_of_latents_is_charged_as_one(runs):
    model = explorer.load(BITS, device="cpu")
    assert len(model.latents.kl_by_group) == 1
    assert model.latents.kl_by_latent is None
    assert model.info.metrics["kl"] == pytest.approx(float(model.latents.kl_by_group), rel=1e-4)
    loss = model.info.metrics["loss"] - (model.info.metrics["kl"] - model.info.metrics["reconstruction"])
    assert loss > 0  # what else the objective charges
    assert set(model.draw(50).unique().tolist()) == {-1.0, 1.0}


def test_no_other_file_knows_a_familys_name():
    """Nor those of the families that ship, outside their modules and the presets."""
    names = re.compile("|".join(f"[\"']{name}[\"']" for name in FAMILIES if name != "bits"))  # which is a unit, too
    sources = [*ROOT.glob("explorer/**/*.py"), *ROOT.glob("pages/*.py"), *ROOT.glob("explorer/**/*.js")]
    known = {file for file in sources if names.search(file.read_text("utf-8"))}
    modules = {Path(inspect.getfile(family)) for family in FAMILIES.values()} & set(sources)
    assert known == modules | {
        ROOT / "explorer" / file for file in ("models/config.py", "training/papers.py", "training/write_ups.py")
    }
