"""MNIST and Fashion-MNIST: where they are looked for, what a damaged one says, how they are downloaded."""

import gzip
import hashlib

import numpy as np
import pytest
import torch

from explorer import datasets
from explorer.datasets import mnist
from explorer.datasets.mnist import STEMS, IdxFile, IdxSource
from explorer.errors import DatasetError, DatasetMissing


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "mnist"),
        ("mnist", "MNIST/raw"),
        ("fashion-mnist", "fashion-mnist"),
        ("fashion-mnist", "FashionMNIST/raw"),
    ],
)
def test_where_it_is_found(tmp_path, name, folder, packed, mnist_files):
    arrays = mnist_files(tmp_path / folder, packed=packed)
    for split in ("train", "test"):
        dataset = datasets.load(name, split, root=tmp_path)
        images, labels = (arrays[stem] for stem in STEMS[split])
        assert (dataset.name, dataset.split, dataset.image_shape) == (name, split, (1, 28, 28))
        np.testing.assert_array_equal(dataset.images[:, 0].numpy(), images)
        np.testing.assert_array_equal(dataset.labels.numpy(), labels)
        assert len(dataset.classes) == 10
        assert "not the" in dataset.notes[0]  # 30 images are not the complete MNIST
    assert {info.name: info.present for info in datasets.available(tmp_path)}[name]


def test_a_system_folder_comes_last(tmp_path, mnist_files, monkeypatch):
    arrays = mnist_files(tmp_path / "system")
    monkeypatch.setattr(mnist.FASHION_MNIST, "system_folders", (tmp_path / "system",))
    found = datasets.load("fashion-mnist", root=tmp_path / "nothing")
    np.testing.assert_array_equal(found.images[:, 0].numpy(), arrays["t10k-images-idx3-ubyte"])
    mnist_files(tmp_path / "root" / "fashion-mnist", test=7)
    assert len(datasets.load("fashion-mnist", root=tmp_path / "root")) == 7


def test_missing_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist.FASHION_MNIST, "system_folders", ())
    for name in ("mnist", "fashion-mnist"):
        with pytest.raises(DatasetMissing, match=f"python -m explorer data fetch {name}"):
            datasets.load(name, root=tmp_path)
    with pytest.raises(DatasetMissing, match=str(tmp_path / "mnist")):
        datasets.load("mnist", root=tmp_path)


def test_a_file_that_is_missing_or_damaged(tmp_path, mnist_files, idx_bytes):
    mnist_files(tmp_path / "mnist")
    labels = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    whole = labels.read_bytes()
    labels.write_bytes(whole[:-9])
    with pytest.raises(DatasetError, match=r"t10k-labels-idx1-ubyte\.gz is cut off"):
        datasets.load("mnist", root=tmp_path)
    labels.write_bytes(idx_bytes(np.zeros(9, np.uint8)))
    with pytest.raises(DatasetError, match="9 labels for 10 images"):
        datasets.load("mnist", root=tmp_path)
    labels.write_bytes(idx_bytes(np.full(10, 10, np.uint8)))
    with pytest.raises(DatasetError, match="labels run from 10 to 10"):
        datasets.load("mnist", root=tmp_path)
    labels.write_bytes((tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    with pytest.raises(DatasetError, match="does not hold images"):
        datasets.load("mnist", root=tmp_path)
    labels.unlink()
    with pytest.raises(DatasetMissing):
        datasets.load("mnist", root=tmp_path)
    assert len(datasets.load("mnist", "train", root=tmp_path)) == 30  # whose files are all there


def test_size_and_channels(tmp_path, mnist_files):
    mnist_files(tmp_path / "mnist")
    dataset = datasets.load("mnist", root=tmp_path, size=32, channels=3)
    assert dataset.image_shape == (3, 32, 32)
    assert torch.equal(dataset.images[:, 0], dataset.images[:, 2])


@pytest.fixture
def published(tmp_path, mnist_files, server, monkeypatch):
    """A data set of this kind on a server: the source, and the four files by their paths there."""
    mnist_files(tmp_path / "published")
    files = {}
    for stem in STEMS["train"] + STEMS["test"]:
        packed = (tmp_path / "published" / f"{stem}.gz").read_bytes()
        server.files[f"/some/{stem}.gz"] = packed
        files[stem] = IdxFile(hashlib.md5(gzip.decompress(packed)).hexdigest(), len(packed))
    source = IdxSource(
        "some",
        "Some",
        "made here",
        classes=list("0123456789"),
        counts={"train": 30, "test": 10},
        urls=[f"{server.url}/nowhere/", f"{server.url}/some"],
        files=files,
        torchvision_folder="Some",
    )
    monkeypatch.setitem(datasets.SOURCES, "some", source)
    return source


def test_fetch(tmp_path, published, server):
    root = tmp_path / "data"
    calls = []
    datasets.fetch("some", root, lambda done, total: calls.append((done, total)))
    dataset = datasets.load("some", "train", root=root)
    assert len(dataset) == 30
    assert dataset.notes == []
    total = sum(file.packed_bytes for file in published.files.values())
    assert calls[-1] == (total, total)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert sorted(path.name for path in (root / "some").iterdir()) == sorted(f"{stem}.gz" for stem in published.files)
    asked = len(server.asked)
    datasets.fetch("some", root)
    assert len(server.asked) == asked  # all there and intact: nothing is fetched again


def test_fetch_accepts_another_compression(tmp_path, published, server):
    for path, packed in server.files.items():
        server.files[path] = gzip.compress(gzip.decompress(packed), compresslevel=1)
    datasets.fetch("some", tmp_path)
    assert len(datasets.load("some", root=tmp_path)) == 10


def test_fetch_replaces_what_is_damaged(tmp_path, published, server):
    datasets.fetch("some", tmp_path)
    folder = tmp_path / "some"
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b damaged")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"damaged, and found before the intact .gz beside it")
    server.asked.clear()
    datasets.fetch("some", tmp_path)
    assert {path.rpartition("/")[2] for path in server.asked} == {"t10k-images-idx3-ubyte.gz"}
    assert len(datasets.load("some", root=tmp_path)) == 10


def test_fetch_from_a_mirror_of_ones_own(tmp_path, published, server, monkeypatch):
    server.files = {path.replace("/some/", "/inside/"): data for path, data in server.files.items()}
    monkeypatch.setenv("EXPLORER_MIRROR_SOME", f"{server.url}/inside/")
    datasets.fetch("some", tmp_path)
    assert all(path.startswith("/inside/") for path in server.asked)


def test_fetch_of_the_wrong_files(tmp_path, published, server):
    server.files["/some/train-images-idx3-ubyte.gz"] = server.files["/some/train-labels-idx1-ubyte.gz"]
    with pytest.raises(
        DatasetError, match=r"train-images-idx3-ubyte\.gz could not be downloaded.*Not Found.*MD5 differs"
    ):
        datasets.fetch("some", tmp_path)
    assert list((tmp_path / "some").iterdir()) == []


def test_the_addresses_are_torchvisions():
    """torchvision is where they are kept up to date; importing it for them would take a second."""
    from torchvision.datasets import MNIST, FashionMNIST

    assert list(MNIST.mirrors) == mnist.MNIST.urls
    assert list(FashionMNIST.mirrors) == mnist.FASHION_MNIST.urls
    assert [name for name, _ in MNIST.resources] == [f"{stem}.gz" for stem in mnist.MNIST.files]
    assert [c.split(" - ")[0] for c in MNIST.classes] == mnist.MNIST.classes
    assert list(FashionMNIST.classes) == mnist.FASHION_MNIST.classes
