"""Models that ship, in variants of their prior, posterior and objective: a small one of each on every screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

import explorer
from explorer.__main__ import main
from tests.app import screens
from tests.app.screens import sound, texts, train

VARIANTS = {
    "vamp": ["--prior", "vamp", "--components", "7"],
    "mixture": ["--prior", "mixture", "--components", "7", "--latent", "4", "--posterior", "student-t"],
    "truncated": ["--posterior", "truncated-normal"],
    "iwae": ["--family", "iwae", "--draws", "3", "--binarise"],
    "beta-tc": ["--family", "beta-tc", "--beta", "4", "--prior", "mixture", "--components", "7"],
}
PRIORS = {
    "vamp": "a VampPrior of 7 pseudo-inputs",
    "mixture": "a mixture of 7 Gaussians",
    "truncated": "N(0, I)",
    "iwae": "N(0, I)",
    "beta-tc": "a mixture of 7 Gaussians",
}
every = pytest.mark.parametrize("name", VARIANTS)


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder with a model of each, trained from the command line."""
    with screens.runs_in(tmp_path_factory.mktemp("variants")) as folder:
        asked = ["train", "--preset", "mlp-2d", "--dataset", "mnist-5k", "--epochs", "1", "--device", "cpu", "--now"]
        for name, options in VARIANTS.items():
            narrow = ["--encoder", "32", "--decoder", "32", "--no-umap", "--out", str(folder / name)]
            assert main([*asked, *narrow, *options]) == 0
        yield


def page(screen: str, name: str, **query: str) -> AppTest:
    """A screen after its first run, without an exception or a complaint."""
    return screens.page(screen, model=f"runs/{name}", **query)


@every
def test_explore(name):
    plane = {"plane": "latents"} if name == "mixture" else {}
    at = page("explore", name, index="17", **plane)
    assert "<span>KL</span>" in texts(at.html)
    assert not at.info
    assert any(f"Codes drawn from the prior, {PRIORS[name]}," in found.help for found in at.markdown if found.help)
    learnt = PRIORS[name] != "N(0, I)"
    assert (f"The prior is {PRIORS[name]}: the grid covers" in texts(at.caption)) == learnt
    if name != "mixture":
        at.toggle(key="holes").set_value(True).run()
        assert "of what the prior would draw falls into holes" in texts(sound(at).markdown)


TOOLS = {"vamp": "traversal", "mixture": "sliders", "truncated": "walk", "iwae": "expression", "beta-tc": "traversal"}


@pytest.mark.parametrize(("name", "tool"), TOOLS.items())
def test_arithmetic(name, tool):
    at = page("arithmetic", name, tool=tool)
    assert not at.info
    if tool == "traversal":
        assert "standard deviations of the prior" in texts(at.caption)


@pytest.mark.parametrize("name", ["vamp", "iwae", "beta-tc"])
def test_reconstruct(name):
    at = page("reconstruct", name, source="test", index="17")
    assert "<span>ELBO</span>" in texts(at.html)
    assert "The model explains it" in texts(at.markdown)


@pytest.mark.parametrize("name", ["vamp", "iwae", "beta-tc"])
def test_train(name):
    sound(train(run=name).run())


def test_figures_of_the_test_codes_are_kept():
    figures = explorer.load("runs/beta-tc", device="cpu").info.metrics["figures"]
    assert set(figures) == {"mutual information", "total correlation", "dimension-wise KL"}


@every
def test_its_codes_and_their_kl_come_back_as_they_were_stored(name):
    model = explorer.load(f"runs/{name}", device="cpu")
    assert len(model.latents.kl_by_group) == len(model.network.groups)
    assert model.info.metrics["kl"] == pytest.approx(float(model.latents.kl_by_group.sum()), rel=1e-3)
    assert (model.latents.kl_by_latent is None) == (PRIORS[name] != "N(0, I)")
    assert model.sample(3).isfinite().all()
    again = model.evaluate(explorer.dataset("mnist-5k", split="test").images).metrics()
    assert again["elbo"] == pytest.approx(model.info.metrics["elbo"], rel=1e-5)
