"""Encoder and decoder apart, as `torch.export` programs and as ONNX; the weights by name."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import explorer
from explorer.__main__ import main
from explorer.checkpoints.exporting import export, export_onnx, export_safetensors
from explorer.checkpoints.folder import CheckpointInfo
from explorer.checkpoints.model import Model, load
from explorer.checkpoints.pairs import describe, read_pair
from tests.onnx_pairs import Pair


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    assert export(tiny_run.path, folder) == [folder / "encoder.pt2", folder / "decoder.pt2"]
    return folder


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_decoder_decodes_as_the_model(exported, tiny_run, n):
    model = load(tiny_run.path, device="cpu")
    codes = torch.randn(n, 2)
    found = torch.export.load(exported / "decoder.pt2").module()(codes)
    torch.testing.assert_close(found, model.decode(codes))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_an_encoder_encodes_as_the_model(exported, tiny_run, n):
    model = load(tiny_run.path, device="cpu")
    images = torch.rand(n, 1, 28, 28)
    mean, logvar = torch.export.load(exported / "encoder.pt2").module()(images)
    torch.testing.assert_close(mean, model.encode(images).mean)
    torch.testing.assert_close(logvar, model.encode(images).logvar)


def test_each_holds_its_own_half_of_the_weights(exported, tiny_run):
    network = load(tiny_run.path, device="cpu").network
    for name, half in (("encoder", network.encoder), ("decoder", network.decoder)):
        program = torch.export.load(exported / f"{name}.pt2")
        assert sum(v.numel() for v in program.state_dict.values()) == sum(p.numel() for p in half.parameters())
        weights = 4 * sum(p.numel() for p in half.parameters())
        assert (exported / f"{name}.pt2").stat().st_size < weights + 200_000


def test_it_needs_no_latent_explorer(exported, tmp_path):
    script = (
        "import sys, torch\n"
        f"d = torch.export.load({str(exported / 'decoder.pt2')!r}).module()\n"
        "assert d(torch.zeros(3, 2)).shape == (3, 1, 28, 28)\n"
        "assert 'explorer' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=120)


@pytest.mark.parametrize("network", ["dense", "conv"])
def test_a_model_with_batch_norm_learnt_noise_and_a_linear_output(small_train, tmp_path, network):
    options = {"network": network, "batch_norm": True, "likelihood": "sigma", "output": "linear"}
    run = small_train(epochs=1, batch_size=500, **options)
    encoder, decoder = (torch.export.load(file).module() for file in export(run.path, tmp_path / "out"))
    model = load(run.path, device="cpu")
    for n in (1, 5):
        images, codes = torch.rand(n, 1, 28, 28), 100 * torch.randn(n, 2)
        mean, logvar = encoder(images)  # an image's code does not depend on the others of its batch
        torch.testing.assert_close(mean, model.encode(images).mean)
        torch.testing.assert_close(mean[:1], encoder(images[:1])[0])
        torch.testing.assert_close(logvar, model.encode(images).logvar)
        torch.testing.assert_close(decoder(codes), model.decode(codes))
        assert decoder(codes).min() >= 0
        assert decoder(codes).max() <= 1


def test_an_unknown_checkpoint(tmp_path):
    with pytest.raises(explorer.CheckpointError):
        export(tmp_path / "nowhere", tmp_path / "out")


# --- ONNX ----------------------------------------------------------------------------------------------------------


def compare(model, network, labels=None):
    """Codes of images, and pictures of codes, by PyTorch and by onnxruntime."""
    codes = torch.randn(5, model.latent)
    pictures = model.decode(codes, labels)
    torch.testing.assert_close(network.decode(codes, labels), pictures, atol=1e-4, rtol=0)
    posterior = model.encode(pictures)
    found = network.posterior(pictures)
    torch.testing.assert_close(found.mean, posterior.mean, atol=1e-4, rtol=1e-4)
    if network.has_prior:
        torch.testing.assert_close(found.logvar, posterior.logvar, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_what_goes_out_as_onnx_comes_in_again(tmp_path, monkeypatch):
    """With its pixels, and its figures on the same images; and out once more, as the same bytes."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    pair = tmp_path / "pair"
    assert main(["export", "mnist-mlp-2d", "--onnx", str(pair)]) == 0
    assert {file.name for file in pair.iterdir()} == {"encoder.onnx", "decoder.onnx", "adopt.json"}
    assert main(["adopt", str(pair), "--dataset", "mnist-5k", "--name", "again"]) == 0
    model, again = load("mnist-mlp-2d", device="cpu"), load("runs/again", device="cpu")
    compare(model, again.network)
    images = explorer.dataset("mnist-5k").images
    expected = model.evaluate(images).metrics()
    for name, apart in (("elbo", 1e-3), ("reconstruction", 1e-3), ("kl", 1e-4), ("mse", 1e-4)):  # chances below 1e-7
        assert again.info.metrics[name] == pytest.approx(expected[name], rel=apart)
    torch.testing.assert_close(again.latents.mean, model.encode(images).mean, atol=1e-4, rtol=1e-4)
    export_onnx("runs/again", tmp_path / "out")
    for name in ("encoder.onnx", "decoder.onnx"):
        assert (tmp_path / "out" / name).read_bytes() == again_bytes(again, name)
    compare(model, read_pair(tmp_path / "out").network(model.image_shape, 10))
    with pytest.raises(explorer.CheckpointError, match="runs/again was adopted as a pair of ONNX files"):
        export("runs/again", tmp_path / "programs")


def again_bytes(model, name):
    return getattr(model.network, name.removesuffix(".onnx")).numpy().tobytes()


def test_a_conditional_model_goes_out_with_its_classes(small_train, tmp_path):
    run = small_train(family="cvae", epochs=1, batch_size=500)
    model = load(run.path, device="cpu")
    export_onnx(run.path, tmp_path)
    compare(model, read_pair(tmp_path).network(model.image_shape, 10), torch.tensor([0, 1, 7, 8, 9]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist-vamp-2d", "textures-vq"])
def test_a_prior_that_was_learnt_stays_here(name, tmp_path):
    """Of a grid of a codebook's entries, too."""
    model = load(name, device="cpu")
    export_onnx(name, tmp_path)
    network = read_pair(tmp_path).network(model.image_shape, len(model.classes))
    assert not network.has_prior
    compare(model, network)


def test_how_images_went_in_goes_out(tmp_path, monkeypatch):
    """Of a model that was adopted: its values of black and white, its likelihood in these, its layout."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    about = {"range": [-1, 1], "likelihood": "gaussian", "noise_variance": 0.08}
    pair = read_pair(Pair(tmp_path / "pair", inside=(28, 28, 1), names=("a", "b"), **about).folder)
    info = CheckpointInfo("runs/pair", tmp_path, False, {"dataset": {"name": "mnist-5k"}, "classes": None})
    told = json.loads(describe(Model(info, pair.network((1, 28, 28), 0), torch.device("cpu"))))
    expected = {**about, "outputs": ["a", "b"], "layout": "NHWC", "image_shape": [1, 28, 28], "dataset": "mnist-5k"}
    assert told == {**expected, "noise_variance": pytest.approx(0.08)}


# --- safetensors ---------------------------------------------------------------------------------------------------


def test_ten_lines_load_the_weights(tmp_path):
    export_safetensors("mnist-mlp-2d", tmp_path)
    lines = (tmp_path / "load.py").read_text()
    assert len(lines.splitlines()) <= 10
    save = "from safetensors.torch import save_file\nsave_file({'made': network.decode(torch.eye(2)).detach()}, 'made')"
    script = f"{lines}\nimport torch\n{save}\n"
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, timeout=120)
    made = load_file(tmp_path / "made")["made"]
    torch.testing.assert_close(made, load("mnist-mlp-2d", device="cpu").decode(torch.eye(2)))


def test_nothing_to_save(capsys):
    assert main(["export", "mnist-mlp-2d"]) == 1
    assert "--out DIR, --onnx DIR, --safetensors DIR or --html FILE" in capsys.readouterr().err
