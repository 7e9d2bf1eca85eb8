"""Folders with a pair of ONNX files: how images and codes go in, what is refused, and that nothing outside is read."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import explorer
from explorer import runs
from explorer.checkpoints.pairs import named_dataset, pair_folder, read_pair
from explorer.checkpoints.schema import check_config
from explorer.datasets import own
from explorer.images import reading
from explorer.models import Adopted, AdoptedConfig, ModelConfig, build
from explorer.models.evaluation import evaluate
from tests.onnx_pairs import LATENT, Pair

GRAY = (1, 28, 28)
IMAGES = torch.rand(5, *GRAY, generator=torch.Generator().manual_seed(0))


def network(pair: Pair, usual=GRAY, classes=10) -> Adopted:
    return read_pair(pair.folder).network(usual, classes)


@pytest.mark.parametrize(
    ("made", "lay"),
    [
        ({}, lambda x: x),
        ({"inside": (784,)}, lambda x: x.reshape(len(x), -1)),
        ({"inside": (28, 28)}, lambda x: x[:, 0]),
        ({"inside": (28, 28, 1)}, lambda x: x.transpose(0, 2, 3, 1)),
        ({"batch": 2}, lambda x: x),
        ({"batch": 64}, lambda x: x),
        ({"range": [-1, 1]}, lambda x: 2 * x - 1),
        ({"range": [0, 255]}, lambda x: 255 * x),
        ({"names": ("z_log_var", "z_mean"), "outputs": ["z_log_var", "z_mean"]}, lambda x: x),
    ],
    ids=["NCHW", "vector", "without channels", "NHWC", "pairs", "64", "-1 to 1", "bytes", "named"],
)
def test_images_go_in_as_the_graphs_have_them(tmp_path, made, lay):
    pair = Pair(tmp_path / "pair", **made)
    found = network(pair)
    mean, logvar = pair.encode(lay(IMAGES.numpy()))
    posterior = found.posterior(IMAGES)
    np.testing.assert_allclose(posterior.mean, mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(posterior.logvar, logvar, rtol=1e-3, atol=1e-4)
    low, high = made.get("range", (0, 1))
    expected = np.clip((pair.decode(mean) - low) / (high - low), 0, 1)
    np.testing.assert_allclose(found.decode(posterior.mean), expected.reshape(-1, *GRAY), atol=1e-4)


def test_colour_has_its_channels_last_as_in_keras(tmp_path):
    pair = Pair(tmp_path / "pair", inside=(8, 9, 3))
    found = network(pair, usual=(3, 32, 32))
    assert found.config.image_shape == (3, 8, 9), "the graph's own size"
    images = torch.rand(2, 3, 8, 9)
    mean, _ = pair.encode(images.permute(0, 2, 3, 1).numpy())
    np.testing.assert_allclose(found.posterior(images).mean, mean, atol=1e-5)
    expected = pair.decode(mean).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found.decode(torch.from_numpy(mean)), expected, atol=1e-5)


def test_a_code_alone_has_no_prior(tmp_path):
    found = network(Pair(tmp_path / "pair", logvar=False))
    assert not found.has_prior
    assert torch.isneginf(found.posterior(IMAGES).logvar).all()


def test_a_model_may_say_that_its_codes_follow_no_normal_prior(tmp_path):
    assert not network(Pair(tmp_path / "pair", prior=None)).has_prior


def test_a_decoder_may_be_told_the_class(tmp_path):
    pair = Pair(tmp_path / "pair", classes=10)
    found = network(pair)
    assert found.conditional
    codes, labels = torch.randn(4, LATENT), torch.tensor([0, 3, 3, 9])
    np.testing.assert_allclose(found.decode(codes, labels), pair.decode(codes.numpy(), labels.numpy()), atol=1e-5)
    np.testing.assert_allclose(found.decode(codes), pair.decode(codes.numpy()), atol=1e-5)


def test_terms_are_those_of_the_likelihood_that_is_told(tmp_path):
    """By their formulas, in float64, at the draw of z that the noise gives."""
    images = (255 * IMAGES).to(torch.uint8)
    x = images.numpy() / 255
    noise = torch.randn(len(images), LATENT, generator=torch.Generator().manual_seed(1))
    for likelihood, value_range, about in (
        ("bernoulli", (0, 1), {}),
        ("gaussian", (0, 1), {"noise_variance": 0.02}),
        ("gaussian", (-1, 1), {"noise_variance": 0.08}),  # in the model's own values: the same
    ):
        pair = Pair(tmp_path / f"{likelihood}{value_range[0]}", likelihood=likelihood, range=list(value_range), **about)
        low, high = value_range
        mean, logvar = pair.encode(low + (high - low) * x)
        p = (pair.decode(mean + np.exp(logvar / 2) * noise.numpy()) - low) / (high - low)
        nats = x * np.log(p) + (1 - x) * np.log1p(-p) if likelihood == "bernoulli" else _gaussian(x, p, 0.02)
        found = evaluate(network(pair), images, noise=noise)
        np.testing.assert_allclose(found.reconstruction, nats.sum((1, 2, 3)), rtol=1e-4)
        np.testing.assert_allclose(found.kl, 0.5 * (mean**2 + np.exp(logvar) - 1 - logvar).sum(1), rtol=1e-4)


def _gaussian(x: np.ndarray, p: np.ndarray, variance: float) -> np.ndarray:
    return -((x - p) ** 2) / (2 * variance) - 0.5 * np.log(2 * np.pi * variance)


def test_without_a_likelihood_there_is_no_elbo(tmp_path):
    pair = Pair(tmp_path / "pair")
    images = (255 * IMAGES).to(torch.uint8)
    noise = torch.zeros(len(images), LATENT)
    found = evaluate(network(pair), images, noise=noise)
    metrics = found.metrics()
    assert metrics["elbo"] is None
    assert metrics["kl"] > 0
    x = images.numpy() / 255
    errors = (pair.decode(pair.encode(x)[0]) - x) ** 2
    np.testing.assert_allclose(metrics["mse"], errors.mean(), rtol=1e-5)
    np.testing.assert_allclose(found.reconstruction, -errors.sum((1, 2, 3)), rtol=1e-5)


def test_a_config_cannot_pass_one_off_as_trained_here(tmp_path):
    """By which a shared server tells what it opens of a zip."""
    found = network(Pair(tmp_path / "pair"))
    config = {
        "schema": 1,
        "created": "2026-11-28T12:00:00+00:00",
        "status": "finished",
        "family": "adopted",
        "model": found.config.to_json(),
        "dataset": {"name": "mnist-5k", "test_images": 5},
    }
    check_config(config)
    with pytest.raises(explorer.CheckpointError, match="its model was trained elsewhere, and has a recipe"):
        check_config({**config, "recipe": {}})


def test_a_code_of_one_number_may_come_without_an_axis(tmp_path):
    pair = Pair(tmp_path / "pair", latent=1)
    model = onnx.load(pair.folder / "encoder.onnx")
    for output in model.graph.output:
        model.graph.node.append(onnx.helper.make_node("Flatten", [output.name], [f"{output.name}_"], axis=0))
        model.graph.node.append(onnx.helper.make_node("Squeeze", [f"{output.name}_"], [f"{output.name}_flat"]))
        output.name = f"{output.name}_flat"
        del output.type.tensor_type.shape.dim[1:]
    onnx.save(model, pair.folder / "encoder.onnx")
    found = network(pair).posterior(IMAGES)
    for got, wanted in zip(found, pair.encode(IMAGES.numpy()), strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-4, atol=1e-6)


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["pth", "pt", "h5", "keras", "ckpt"])
def test_weights_lead_to_the_page_that_shows_how(tmp_path, ending):
    weights = tmp_path / f"weights.{ending}"
    weights.write_bytes(b"\x80\x04cos\nsystem\n")
    for given in (weights, tmp_path):
        with pytest.raises(
            explorer.CheckpointError, match=f"weights.{ending} could not be read: .*docs/adopt-a-model.md"
        ):
            read_pair(given)
    with pytest.raises(explorer.CheckpointError, match=r"docs/adopt-a-model.md"):
        explorer.load(weights)
    with pytest.raises(explorer.DatasetError, match=r"docs/adopt-a-model.md"):
        own.preview(weights)
    with pytest.raises(runs.RunError, match=r"docs/adopt-a-model.md"):
        runs.open_archive(weights, weights.name)
    with (
        pytest.raises(explorer.DatasetError, match=r"docs/adopt-a-model.md"),
        reading.opened(weights.read_bytes(), weights.name, 1 << 20),
    ):
        pass


def test_a_folder_without_the_files(tmp_path):
    Pair(tmp_path / "pair")
    for name in ("adopt.json", "decoder.onnx"):
        (tmp_path / "pair" / name).unlink()
        with pytest.raises(explorer.CheckpointError, match=f"{name} is missing in pair"):
            read_pair(tmp_path / "pair")
    with pytest.raises(explorer.CheckpointError, match="there is no folder"):
        read_pair(tmp_path / "nowhere")


def zipped(folder: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return folder / "model.zip"


def test_a_zip_is_as_good_as_its_folder(tmp_path):
    pair = Pair(tmp_path / "pair")
    apart(pair)
    files = {f"theirs/{file.name}": file.read_bytes() for file in pair.folder.iterdir()}
    packed = zipped(tmp_path, {**files, "readme.txt": b"beside it"})
    assert named_dataset(packed, "model.zip") == named_dataset(pair.folder, "pair") == "mnist-5k"
    with pair_folder(packed, "model.zip") as folder:
        assert {file.name for file in folder.iterdir()} == {file.name for file in pair.folder.iterdir()}
        mean, _ = pair.encode(IMAGES.numpy())
        np.testing.assert_allclose(read_pair(folder).network(GRAY, 10).posterior(IMAGES).mean, mean, atol=1e-5)
    assert not folder.exists()


def both(packed: Path) -> None:
    named_dataset(packed, packed.name)
    with pair_folder(packed, packed.name):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: {**files, "../../out.txt": b"x"}, "cannot be read as a zip"),
        (lambda files: {**files, "encoder.onnx": b"", "encoder.onnx/weights": b""}, "cannot be read as a zip"),
        (lambda files: {**files, "b/encoder.onnx": b""}, "once and in one folder"),
        (lambda files: {"vae.pth": b""}, "vae.pth could not be read: .*docs/adopt-a-model.md"),
        (lambda files: {"vae.keras": b"", "adopt.json": b"{}"}, "vae.keras could not be read"),
        (lambda files: {**files, "adopt.json": b"[" * 100_000}, "adopt.json cannot be used"),
        (lambda files: {**files, "adopt.json": b" " * (2 << 20)}, "adopt.json is too large"),
        (lambda files: {"encoder.onnx": b"", "adopt.json": b"{}"}, "decoder.onnx is missing in model.zip"),
    ],
    ids=["out of it", "file and folder", "two", "PyTorch", "Keras", "deep", "large", "half"],
)
def test_zips_that_are_none(tmp_path, change, message):
    files = {file.name: file.read_bytes() for file in Pair(tmp_path / "pair").folder.iterdir()}
    packed = zipped(tmp_path, change(files))
    with pytest.raises(explorer.CheckpointError, match=message):
        both(packed)
    assert {file.name for file in tmp_path.iterdir()} == {"pair", "model.zip"}


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"range": [0]}, "range must be a list of 2 to 2 values"),
        ({"range": [1, 0]}, "high must be more than low"),
        ({"range": [1, 1]}, "high must be more than low"),
        ({"likelihood": "sigma"}, "likelihood must be one of bernoulli, gaussian"),
        ({"likelihood": "gaussian"}, "noise_variance"),
        ({"outputs": ["z"]}, "the encoder has no output 'z': it has mean, logvar"),
        ({"image_shape": [1, 30, 30]}, "onnxruntime says"),
    ],
)
def test_what_adopt_json_cannot_say(tmp_path, about, message):
    with pytest.raises(explorer.CheckpointError, match=message):
        network(Pair(tmp_path / "pair", **about))


def test_no_graph_at_all(tmp_path):
    pair = Pair(tmp_path / "pair")
    (pair.folder / "encoder.onnx").write_bytes(b"not one")
    with pytest.raises(explorer.CheckpointError, match=r"encoder.onnx cannot be adopted: it is no ONNX graph"):
        read_pair(pair.folder)


def test_a_decoder_of_other_images(tmp_path):
    pair = Pair(tmp_path / "pair")
    (Pair(tmp_path / "small", inside=(1, 14, 14)).folder / "decoder.onnx").replace(pair.folder / "decoder.onnx")
    with pytest.raises(
        explorer.CheckpointError, match=r"the decoder gives \[2, 1, 14, 14\] for 2 codes, not images of"
    ):
        network(pair)


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_a_graph_that_gives_no_numbers(tmp_path, half):
    pair = Pair(tmp_path / "pair")
    model = onnx.load(pair.folder / f"{half}.onnx")
    last = model.graph.output[0]
    model.graph.node.append(onnx.helper.make_node("Cast", [last.name], ["words"], to=onnx.TensorProto.STRING))
    last.name, last.type.tensor_type.elem_type = "words", onnx.TensorProto.STRING
    onnx.save(model, pair.folder / f"{half}.onnx")
    with pytest.raises(explorer.CheckpointError, match="words is no array of numbers"):
        network(pair)


@pytest.mark.parametrize(
    "change", [{"mean_output": 7}, {"logvar_output": 7}, {"latent": LATENT - 1, "code_shape": (LATENT - 1,)}]
)
def test_a_config_that_its_encoder_does_not_fit(tmp_path, change):
    sound = network(Pair(tmp_path / "pair"))
    model = Adopted(replace(sound.config, **change)).eval()
    model.encoder, model.decoder = sound.encoder, sound.decoder
    with pytest.raises(RuntimeError, match="the encoder gives no"):
        model.posterior(IMAGES)


# --- weights in further files --------------------------------------------------------------------------------------


def apart(pair: Pair, location: str = "weights.bin") -> Path:
    """Moves the encoder's weights into a file beside it, as PyTorch does, and gives the graph's file."""
    file = pair.folder / "encoder.onnx"
    model = onnx.load(file)
    onnx.save(
        model, file, save_as_external_data=True, all_tensors_to_one_file=True, location="weights.bin", size_threshold=0
    )
    model = onnx.load(file, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    file.write_bytes(model.SerializeToString())
    return file


def test_weights_beside_the_graph_are_taken_in(tmp_path):
    pair = Pair(tmp_path / "pair")
    apart(pair)
    mean, _ = pair.encode(IMAGES.numpy())
    np.testing.assert_allclose(network(pair).posterior(IMAGES).mean, mean, atol=1e-5)


@pytest.mark.parametrize("location", ["/etc/passwd", "../weights.bin", "a/../../weights.bin", "..\\weights.bin", ""])
def test_weights_outside_the_folder_are_not_read(tmp_path, location):
    pair = Pair(tmp_path / "pair")
    apart(pair, location)
    (tmp_path / "weights.bin").write_bytes((pair.folder / "weights.bin").read_bytes())
    with pytest.raises(explorer.CheckpointError, match="it asks for weights outside its folder"):
        read_pair(pair.folder)


def test_a_link_does_not_lead_out(tmp_path):
    pair = Pair(tmp_path / "pair")
    apart(pair)
    (pair.folder / "weights.bin").replace(tmp_path / "weights.bin")
    (pair.folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(explorer.CheckpointError, match="outside its folder, by the link"):
        read_pair(pair.folder)


def test_a_graph_that_asks_for_other_files_is_not_run(tmp_path, monkeypatch):
    """Whoever wrote the checkpoint: its graphs have their weights with them."""
    pair = Pair(tmp_path / "pair")
    found = network(pair)
    monkeypatch.chdir(pair.folder)  # where onnxruntime would look
    graph = apart(pair).read_bytes()
    bad = Adopted(AdoptedConfig(**{**found.config.to_json(), "encoder_bytes": len(graph)}))
    bad.encoder, bad.decoder = torch.frombuffer(bytearray(graph), dtype=torch.uint8), found.decoder
    with pytest.raises(RuntimeError, match="its graph asks for data in other files"):
        bad.posterior(IMAGES)


# --- the family ----------------------------------------------------------------------------------------------------


def test_a_config_comes_back_as_it_was(tmp_path):
    config = network(Pair(tmp_path / "pair")).config
    told = json.loads(json.dumps(config.to_json()))
    assert ModelConfig.from_json(told) == config
    with torch.device("meta"):
        assert isinstance(build(ModelConfig.from_json(told)), Adopted)


def test_nobody_can_train_one():
    assert "adopted" not in list(explorer.models.FAMILIES)
    for settings, message in (({"family": "adopted"}, "was trained elsewhere"), ({"network": "onnx"}, "network onnx")):
        with pytest.raises(ValueError, match=message):
            explorer.TrainConfig(preset="mlp-2d", settings=settings).recipe()


def test_without_onnxruntime_the_program_imports_and_says_what_is_missing(tmp_path):
    pair = Pair(tmp_path / "pair")
    script = (
        "import sys; sys.modules['onnx'] = sys.modules['onnxruntime'] = None\n"
        "import explorer\n"
        "from pathlib import Path\n"
        "from explorer.checkpoints.pairs import read_pair\n"
        f"read_pair(Path({str(pair.folder)!r}))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert "pip install onnx onnxruntime" in found.stderr.splitlines()[-1]
