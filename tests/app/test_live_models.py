"""A model that is functions of another Python process: every screen has it, and without the process its map stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.torch import load_file

import explorer
from explorer.checkpoints.exporting import export_onnx
from explorer.errors import ModelGone
from explorer.models.functions import Functions
from explorer.runs import RunError, archive, open_archive
from tests.app import screens
from tests.app.screens import page, sound, texts
from tests.background import python

pytestmark = pytest.mark.slow

NOTEBOOK = """
import sys
import numpy as np
from sklearn.decomposition import PCA
import explorer

train = explorer.dataset("mnist-5k", "train").images.flatten(1).numpy() / 255
pca = PCA(2, whiten=True, random_state=0).fit(train)
explorer.adopt(lambda x: pca.transform(x.reshape(len(x), -1)), pca.inverse_transform, "mnist-5k", name="pca")
np.savez("pca.npz", mean=pca.mean_, components=pca.components_, scale=pca.explained_variance_ ** 0.5)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """Another process that has adopted two functions of scikit-learn, and waits; with what they compute."""
    folder = tmp_path_factory.mktemp("live")
    with screens.runs_in(folder):
        environment, pipes = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, ("stdin", "stdout")
        with python("-c", NOTEBOOK, cwd=folder, env=environment, **dict.fromkeys(pipes, subprocess.PIPE)) as process:
            assert process.stdout.readline() == b"ready\n"
            yield process, np.load(folder / "pca.npz")


def test_functions_of_another_process(notebook, tmp_path):
    process, pca = notebook
    model = explorer.load("runs/pca", device="cpu")
    images = explorer.dataset("mnist-5k").images
    codes = (images.flatten(1).numpy() / 255 - pca["mean"]) @ pca["components"].T / pca["scale"]
    np.testing.assert_allclose(model.latents.mean, codes, atol=1e-4)
    np.testing.assert_allclose(model.encode(images[:5]).mean, codes[:5], atol=1e-4)
    drawn = (codes[:5] * pca["scale"] @ pca["components"] + pca["mean"]).reshape(-1, 1, 28, 28)
    np.testing.assert_allclose(model.decode(codes[:5]), drawn.clip(0, 1), atol=1e-4)
    assert "mnist-5k · Python model trained elsewhere · 2 latents" in repr(model)
    assert (model.info.path / "model.safetensors").stat().st_mode & 0o077 == 0

    at = page("explore", model="runs/pca", index="17")
    assert "reconstruction" in texts(at.html)
    page("reconstruct", model="runs/pca", source="test", index="17")
    page("arithmetic", model="runs/pca", tool="expression")
    with pytest.raises(explorer.CheckpointError, match="functions of a Python process, which no file can hold"):
        export_onnx("runs/pca", tmp_path)
    with pytest.raises(RunError, match="its model is functions of a Python process elsewhere"):
        open_archive(archive("pca"), "pca.zip")

    said = json.loads(load_file(model.info.path / "model.safetensors")["encoder"].numpy().tobytes())
    stranger = Functions(json.dumps({**said, "secret": "0" * 64}).encode())
    with pytest.raises(ModelGone):
        stranger.run(None, {"given": np.zeros((1, 1, 28, 28), np.float32)})

    process.stdin.close()
    process.wait()
    with pytest.raises(ModelGone, match="has ended"):
        model.decode(codes[:1])
    assert len(explorer.load("runs/pca", device="cpu").latents) == 1000
    at = at.run()
    sound(at)
    assert "has ended" in texts(at.warning)
    assert at.get_by_key("map"), "the map is there"
    at = screens.explore()
    at.query_params["model"] = "runs/pca"
    for screen in ("reconstruct", "arithmetic"):
        sound(at.switch_page(str(screens.PAGES / f"{screen}.py")).run())
