"""Images that are no squares, from a folder to every screen: 30 x 20 pixels, and a convolutional model of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer import datasets
from explorer.__main__ import main
from explorer.ui import cache
from tests.app.screens import APP, PAGES, TIMEOUT, sound

WIDE = "runs/wide"


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A folder with the data set `own:wide` and a model of it, made from the command line."""
    folder = tmp_path_factory.mktemp("wide")
    y, x = np.mgrid[:20, :30]
    rng = np.random.default_rng(0)
    for n in range(60):
        for name, slope in (("falling", 1), ("rising", -1)):
            (folder / "pictures" / name).mkdir(parents=True, exist_ok=True)
            stripes = 127 + 120 * np.sin((x + slope * y) / 3 + rng.uniform(0, 6))
            Image.fromarray(stripes.astype(np.uint8)).save(folder / "pictures" / name / f"{n:02}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_RUNS", str(folder / "runs"))
        patch.setenv("EXPLORER_DATA", str(folder))
        cache.all_checkpoints.clear()
        assert main(["data", "add", str(folder / "pictures"), "--name", "wide", "--size", "30x20"]) == 0
        settings = ["--encoder", "4,8,8", "--decoder", "8,8,4", "--latent", "3", "--batch-size", "16", "--epochs", "4"]
        into = ["--out", str(folder / WIDE), "--now", "--no-umap", "--device", "cpu"]
        assert main(["train", "--preset", "conv-100", "--dataset", "own:wide", *settings, *into]) == 0
        yield folder
        cache.all_checkpoints.clear()


@pytest.mark.slow
def test_the_command_line_draws_in_their_shape(wide, tmp_path):
    assert datasets.load("own:wide", "test").image_shape == (1, 20, 30)
    model = explorer.load(WIDE, device="cpu")
    assert model.image_shape == (1, 20, 30)
    assert main(["sample", WIDE, "-n", "6", "--out", str(tmp_path / "samples.png")]) == 0
    with Image.open(tmp_path / "samples.png") as sheet:
        width, height = sheet.size
    assert (width, height) == (3 * 30, 2 * 20)
    other = Image.new("L", (90, 90), 255)
    prepared = model.prepare(other)
    assert prepared.image.shape == (1, 20, 30)
    image = prepared.image[None]
    assert model.reconstruct(image).shape == image.shape
    assert main(["encode", WIDE, str(wide / "pictures"), "--out", str(tmp_path / "codes.npz")]) == 0
    assert len(np.load(tmp_path / "codes.npz")["mean"]) == 120
    assert main(["evaluate", WIDE, "--data-root", str(wide)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("screen", ["explore", "arithmetic", "reconstruct"])
def test_every_screen_shows_them(wide, screen):
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / f"{screen}.py"))
    at.query_params["model"] = WIDE
    sound(at.run())
    assert not at.error
    assert not at.warning
