"""The real data sets, checked against facts that were published and against other readers."""

import gzip
import hashlib
import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from explorer import datasets
from explorer.datasets.idx import read_idx
from explorer.datasets.mnist import FASHION_MNIST, MNIST

pytestmark = pytest.mark.data

# The MNIST paper's class counts, as numpy.bincount of the published label files gives them.
MNIST_COUNTS = {
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=lambda source: source.name)
def test_idx_files_are_the_published_ones(source, data_root):
    for stem, file in source.files.items():
        data = gzip.decompress((data_root / source.name / f"{stem}.gz").read_bytes())
        assert hashlib.md5(data).hexdigest() == file.md5
        array = read_idx(data_root / source.name / f"{stem}.gz")
        assert array.tobytes() == data[4 + 4 * array.ndim :]


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_counts(name, data_root):
    for split, count in (("train", 60_000), ("test", 10_000)):
        dataset = datasets.load(name, split, root=data_root)
        assert len(dataset) == count
        assert dataset.image_shape == (1, 28, 28)
        assert dataset.notes == []
        expected = MNIST_COUNTS[split] if name == "mnist" else [count // 10] * 10
        assert dataset.labels.bincount().tolist() == expected


@pytest.mark.parametrize(("name", "theirs"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_torchvision_reads_the_same(name, theirs, data_root, tmp_path):
    import torchvision.datasets

    raw = tmp_path / theirs / "raw"
    raw.mkdir(parents=True)
    for path in (data_root / name).glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    for split in ("train", "test"):
        reference = getattr(torchvision.datasets, theirs)(tmp_path, train=split == "train", download=False)
        for root in (data_root, tmp_path):  # gzipped, and unpacked in torchvision's layout
            dataset = datasets.load(name, split, root=root)
            assert torch.equal(dataset.images[:, 0], reference.data)
            assert torch.equal(dataset.labels, reference.targets)


def test_a_complete_mnist_is_not_fetched_again(data_root, monkeypatch):
    """Its .gz files need not be the publisher's, byte for byte."""
    for name in ("mnist", "fashion-mnist"):
        monkeypatch.setenv(f"EXPLORER_MIRROR_{name.upper().replace('-', '_')}", "http://127.0.0.1:9")
        datasets.fetch(name, data_root)


def test_mnist_5k_is_part_of_mnist(data_root):
    mnist = datasets.load("mnist", "train", root=data_root)
    label_of = {
        image.tobytes(): label for image, label in zip(mnist.images.numpy(), mnist.labels.tolist(), strict=True)
    }
    for split in ("train", "test"):
        ours = datasets.load("mnist-5k", split)
        theirs = [label_of[image.tobytes()] for image in ours.images.numpy()]
        assert ours.labels.tolist() == theirs


def test_cifar10_subset(data_root):
    for split, count in (("train", 1000), ("test", 200)):
        dataset = datasets.load("cifar10", split, root=data_root)
        assert dataset.labels.bincount().tolist() == [count] * 10
        assert dataset.image_shape == (3, 32, 32)
        assert len(dataset.notes) == 1
        assert "of the complete CIFAR-10" in dataset.notes[0]
    with zipfile.ZipFile(data_root / "cifar10-subset.zip") as archive:
        for position in (0, 777, 1999):
            name = sorted(n for n in archive.namelist() if "/test/" in n and n.endswith(".png"))[position]
            pixels = np.asarray(Image.open(io.BytesIO(archive.read(name))))
            np.testing.assert_array_equal(dataset.images[position].numpy(), pixels.transpose(2, 0, 1))
            assert dataset.classes[int(dataset.labels[position])] == name.split("/")[2]


def test_textures_lie_in_their_halves(data_root):
    train, test = (datasets.load("textures", split, root=data_root) for split in ("train", "test"))
    assert (len(train), len(test)) == (42_000, 4_200)
    assert len(train.classes) == 16
    for dataset, half in ((train, slice(0, 256)), (test, slice(256, 512))):
        counts = dataset.labels.bincount()
        assert counts.max() - counts.min() <= 1
        for position in (0, 1, 1000, 4199):
            name = dataset.classes[int(dataset.labels[position])]
            picture = np.asarray(Image.open(data_root / "textures" / f"{name}.png"))[:, half]
            crop = dataset.images[position, 0].numpy()
            places = np.lib.stride_tricks.sliding_window_view(picture, (28, 28))
            assert (places[:, :, 0, 0] == crop[0, 0]).any()
            assert any(
                np.array_equal(places[row, column], crop)
                for row, column in np.argwhere((places[:, :, 0, :8] == crop[0, :8]).all(-1))
            )


def test_malaria_cells_as_a_folder(data_root, tmp_path):
    """Every tenth: that all of them can be read is tested where they are a data set with a name."""
    with (
        zipfile.ZipFile(data_root / "malaria" / "cell_images_64.zip") as archive,
        zipfile.ZipFile(tmp_path / "cells.zip", "w") as part,
    ):
        names = sorted(name for name in archive.namelist() if name.endswith(".webp"))
        assert len(names) == 24_650
        for name in names[::10]:
            part.writestr(name, archive.read(name))
    dataset = datasets.load_folder(tmp_path / "cells.zip")
    assert dataset.image_shape == (3, 64, 64)
    assert dataset.classes == ["Parasitized", "Uninfected"]
    assert dataset.labels.bincount().tolist() == [1_223, 1_242]
    assert dataset.notes == []


def test_cells_are_prepared_as_their_publishers_small_version_was(data_root):
    """Original cells, centred and resized here, are pixel for pixel the 64x64 ones that came from elsewhere."""
    folder = data_root / "malaria"
    ours = datasets.load_folder(folder / "cell_images_sample.zip", size=64)
    assert ours.labels.bincount().tolist() == [250, 250]
    assert ours.notes == []  # the zip's Thumbs.db are ignored
    with zipfile.ZipFile(folder / "cell_images_sample.zip") as archive:
        names = sorted(name[:-4] for name in archive.namelist() if name.endswith(".png"))
    compared = 0
    with zipfile.ZipFile(folder / "cell_images_64.zip") as archive:
        small = set(archive.namelist())
        for image, name in zip(ours.images.numpy(), names, strict=True):
            if f"{name}.webp" in small:
                pixels = np.asarray(Image.open(io.BytesIO(archive.read(f"{name}.webp"))).convert("RGB"))
                np.testing.assert_array_equal(image, pixels.transpose(2, 0, 1))
                compared += 1
    assert compared > 100
