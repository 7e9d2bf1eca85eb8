"""A VQ-VAE on every screen: codes of hundreds of numbers, a prior that draws them one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.__main__ import main
from explorer.ui import cache
from tests.app.screens import APP, PAGES, TIMEOUT, sound, texts, train

VQ = "runs/vq"


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("vq")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_RUNS", str(folder / "runs"))
        patch.setenv("EXPLORER_DATA", str(folder))
        cache.all_checkpoints.clear()
        asked = ["train", "--preset", "vq", "--dataset", "mnist-5k", "--epochs", "2", "--batch-size", "32"]
        narrow = ["--encoder", "4,8", "--decoder", "8,4", "--codebook", "8", "--entry-size", "2", "--prior-layers", "1"]
        rest = ["--prior-width", "64", "--no-umap", "--device", "cpu", "--now", "--out", str(folder / VQ)]
        assert main([*asked, *narrow, *rest]) == 0
        yield folder / "runs"
        cache.all_checkpoints.clear()


def page(screen: str, **query: str) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / f"{screen}.py"))
    for name, value in {"model": VQ, **query}.items():
        at.query_params[name] = value
    sound(at.run())
    assert not at.error, texts(at.error)
    assert not at.warning
    return at


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
