"""`explorer.adopt`: PyTorch modules that were trained elsewhere, with a data set by name or with images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import explorer


class Theirs(nn.Module):
    """A VAE that knows nothing of this program."""

    def __init__(self, pixels: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.decoder = nn.Linear(pixels, 4), nn.Linear(2, pixels)
        nn.init.normal_(self.encoder.weight, std=0.1)  # so that both latents are active, whatever was drawn

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.encoder(x.flatten(1)).chunk(2, 1)
        return mean, logvar

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(z)).view(-1, *self.shape)


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))


@pytest.mark.slow
def test_methods_of_a_module_and_images(tmp_path):
    theirs = Theirs(3 * 10 * 12, (3, 10, 12))
    images = np.random.default_rng(0).integers(0, 256, (60, 3, 10, 12), dtype=np.uint8)
    labels = np.arange(60) % 2
    model = explorer.adopt(
        theirs.encode,
        theirs.decode,
        images,
        labels,
        name="theirs",
        classes=["left", "right"],
        likelihood="bernoulli",
    )
    assert model.info.id == "runs/theirs"
    assert model.classes == ["left", "right"]
    test = explorer.dataset("own:theirs")
    with torch.no_grad():
        mean, logvar = theirs.encode(test.images / 255)
        torch.testing.assert_close(model.latents.mean, mean, atol=1e-4, rtol=0)
        torch.testing.assert_close(model.latents.posterior.logvar, logvar, atol=1e-4, rtol=0)
        torch.testing.assert_close(model.decode(mean), theirs.decode(mean), atol=1e-4, rtol=0)
    assert "theirs: own:theirs · ONNX model trained elsewhere · 2 latents · squared error 0." in repr(model)
    assert "<img" in model._repr_html_()
    with pytest.raises(ValueError, match="is there already"):
        explorer.adopt(theirs.encode, theirs.decode, "mnist-5k", name="theirs")


def mean_of_halves(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two latents: how bright the upper and the lower half is; the variance is one."""
    halves = np.stack([images[:, 0, :4].mean((1, 2)), images[:, 0, 4:].mean((1, 2))], 1)
    return halves, np.zeros_like(halves)


def draw_halves(codes: np.ndarray) -> np.ndarray:
    return np.repeat(codes[:, None, :, None], 4, 2).repeat(8, 3)


@pytest.mark.slow
def test_functions_of_arrays_and_images_again_and_again():
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    for _ in range(2):  # as a cell of a notebook is run again
        model = explorer.adopt(mean_of_halves, draw_halves, images, name="halves", likelihood="bernoulli")
    assert len(explorer.checkpoints()) == len([info for info in explorer.checkpoints() if info.shipped]) + 1
    test = explorer.dataset("own:halves").images.numpy() / np.float32(255)
    mean, _ = mean_of_halves(test)
    np.testing.assert_allclose(model.latents.mean, mean, atol=1e-5)
    np.testing.assert_allclose(model.latents.kl_by_latent, (mean**2 / 2).mean(0), atol=1e-5)
    with pytest.raises(RuntimeError, match="the function says: IndexError"):
        model.network._decode(np.zeros(3, np.float32))


class Told(nn.Module):
    """A decoder that adds a brightness of its own for each class."""

    def __init__(self) -> None:
        super().__init__()
        self.bright = nn.Parameter(torch.linspace(0, 0.9, 10))

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        shown = self.bright[label][:, None, None, None] + 0.1 * torch.sigmoid(z[:, :1, None, None])
        return shown.expand(-1, 1, 28, 28)


class Corner(nn.Module):
    """An encoder to the upper two pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0, 12:14, 14]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["functions", "modules"])
def test_a_decoder_that_is_told_the_class(kind):
    told = Told()

    def decode(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        assert labels.dtype == np.int64
        return told(torch.from_numpy(codes), torch.from_numpy(labels)).detach().numpy()

    def encode(images: np.ndarray) -> np.ndarray:
        return images[:, 0, 12:14, 14]

    pair = (encode, decode) if kind == "functions" else (Corner(), told)
    model = explorer.adopt(*pair, "mnist-5k", name="told")
    assert model.conditional
    codes, labels = torch.tensor([[0.5, -1.0], [2.0, 0.0]]), torch.tensor([3, 9])
    torch.testing.assert_close(model.decode(codes, labels), told(codes, labels).detach(), atol=1e-5, rtol=0)
    with pytest.raises(explorer.CheckpointError, match="told the class, and the images have none"):
        explorer.adopt(*pair, np.zeros((60, 1, 28, 28), np.uint8), name="none")


@pytest.mark.slow
def test_classes_may_be_called_anything_and_keep_their_order():
    """Fashion-MNIST has the class T-shirt/top."""
    labels = np.arange(60) % 3
    images = np.repeat(100 * labels, 64).reshape(60, 1, 8, 8).astype(np.uint8)
    classes = ["train", "T-shirt/top", "1"]

    def draw(codes: np.ndarray, told: np.ndarray) -> np.ndarray:
        return np.broadcast_to(told[:, None, None, None] * (100 / 255), (len(told), 1, 8, 8))

    model = explorer.adopt(lambda x: x[:, 0, 0, :2], draw, images, labels, name="told", classes=classes)
    assert model.classes == classes
    test = explorer.dataset("own:told")
    assert torch.equal(test.images[:, 0, 0, 0], 100 * test.labels.to(torch.uint8))
    torch.testing.assert_close(model.reconstruct(test.images, test.labels), test.images / 255, atol=1e-5, rtol=0)
    with pytest.raises(explorer.DatasetError, match="59 labels for 60 images"):
        explorer.adopt(lambda x: x[:, 0, 0, :2], draw, images, labels[1:], name="other")


class ChannelsLast(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1:] == (28, 28, 1)
        return self.part(x.permute(0, 3, 1, 2))


@pytest.mark.slow
def test_modules_that_take_channels_last():
    theirs = Theirs(784, (28, 28, 1))
    theirs.forward = theirs.decode
    model = explorer.adopt(ChannelsLast(Corner()), theirs, "mnist-5k", name="last", layout="NHWC")
    test = explorer.dataset("mnist-5k")
    torch.testing.assert_close(model.latents.mean, test.images[:, 0, 12:14, 14] / 255, atol=1e-6, rtol=0)


def test_functions_that_fail_say_why():
    def fails(images):
        raise ValueError(f"found an array of {images.ndim} dimensions")

    with pytest.raises(
        explorer.CheckpointError, match=r"encode fails for images of \[2, 1, 28, 28\]: ValueError: found an array of 4"
    ):
        explorer.adopt(fails, fails, "mnist-5k", name="fails")
    with pytest.raises(explorer.CheckpointError, match=r"the decoder gives \[2, 2\] for 2 codes"):
        explorer.adopt(lambda x: x[:, 0, 0, :2], lambda z: z, "mnist-5k", name="small")


def test_what_a_notebook_shows():
    digits = explorer.dataset("mnist-5k")
    assert repr(digits) == "<ImageDataset mnist-5k, test: 1,000 images of 1 × 28 × 28, 10 classes>"
    assert digits._repr_html_().startswith(
        "ImageDataset mnist-5k, test: 1,000 images of 1 × 28 × 28, 10 classes<br><img"
    )
    assert digits.subset(slice(0, 0))._repr_html_().endswith("<br>")
    model = explorer.load("mnist-mlp-2d", device="cpu")
    assert repr(model) == "<Model mnist-mlp-2d: mnist · dense VAE · 2 latents · squared error 0.0406>"
    assert model._repr_html_().count("data:image/png;base64,") == 1
