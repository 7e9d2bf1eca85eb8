"""Encoder and decoder apart, as `torch.export` programs."""

import subprocess
import sys

import pytest
import torch

import explorer
from explorer.checkpoints.exporting import export
from explorer.checkpoints.model import load


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
