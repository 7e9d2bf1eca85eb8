"""CIFAR-10: the binary version, packed and unpacked, and subsets as image folders."""

import hashlib
import io
import tarfile

import numpy as np
import pytest

from explorer import datasets
from explorer.datasets.cifar10 import CLASSES, Cifar10
from explorer.errors import DatasetError, DatasetMissing

FILES = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]


@pytest.fixture
def batches():
    """The six files with seven images each, and the images uint8 [42, 3, 32, 32] and labels in order."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (42, 3, 32, 32)).astype(np.uint8)
    labels = (np.arange(42) % 10).astype(np.uint8)
    records = [bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True)]
    return {name: b"".join(records[7 * i : 7 * i + 7]) for i, name in enumerate(FILES)}, images, labels


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _check(root, images, labels):
    train, test = (datasets.load("cifar10", split, root=root) for split in ("train", "test"))
    np.testing.assert_array_equal(train.images.numpy(), images[:35])
    np.testing.assert_array_equal(train.labels.numpy(), labels[:35])
    np.testing.assert_array_equal(test.images.numpy(), images[35:])
    np.testing.assert_array_equal(test.labels.numpy(), labels[35:])
    assert train.classes == test.classes == CLASSES
    assert train.notes == ["35 train images, not the 50,000 of the complete CIFAR-10."]


def test_unpacked(tmp_path, batches):
    files, images, labels = batches
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name, data in files.items():
        (tmp_path / "cifar-10-batches-bin" / name).write_bytes(data)
    _check(tmp_path, images, labels)
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(files["test_batch.bin"][:-1])
    datasets.clear_cache()
    with pytest.raises(DatasetError, match=r"test_batch\.bin has 21,510 bytes"):
        datasets.load("cifar10", root=tmp_path)


def test_packed_in_any_order_and_with_other_files(tmp_path, batches):
    files, images, labels = batches
    inside = {f"cifar-10-batches-bin/{name}": files[name] for name in reversed(FILES)}
    inside["cifar-10-batches-bin/readme.html"] = b"<html>"
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(_tar(inside))
    _check(tmp_path, images, labels)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-binary.tar.gz"]


def test_packed_damaged(tmp_path, batches):
    files, _, _ = batches
    archive = tmp_path / "cifar-10-binary.tar.gz"
    whole = _tar(files)
    for data, message in [
        (whole[: len(whole) // 2], "cut off or damaged"),
        (b"no archive", "cut off or damaged"),
        (b"", "cut off or damaged"),
        (_tar({"a/test_batch.bi": b"x"}), "does not hold test_batch.bin"),
        (_tar({"test_batch.bin": b"x" * 3072}), "3,072 bytes"),
        (_tar({"test_batch.bin": b""}), "0 bytes"),
        (_tar({"test_batch.bin": b"\x0b" + bytes(3072)}), "labels run from 11 to 11"),
    ]:
        archive.write_bytes(data)
        with pytest.raises(DatasetError, match=message):
            datasets.load("cifar10", root=tmp_path)


def test_a_link_in_the_archive_leads_nowhere(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(3073))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("test_batch.bin")
        member.type, member.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(member)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(out.getvalue())
    with pytest.raises(DatasetError, match=r"does not hold test_batch\.bin"):
        datasets.load("cifar10", root=tmp_path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_subset_as_a_folder(zipped, write_tree, picture):
    tree = {
        f"cifar10/{split}/{name}/{n:05}.png": picture((20 * label, n, 7), (32, 32))
        for split, count in (("train", 3), ("test", 1))
        for label, name in enumerate(CLASSES)
        for n in range(count)
        if not (split == "test" and name == "cat")  # a class may be absent: its number must not shift the rest
    }
    root = write_tree(tree, zipped=zipped, name="cifar10-subset")
    root = root.parent if zipped else root
    train, test = (datasets.load("cifar10", split, root=root) for split in ("train", "test"))
    assert (train.image_shape, len(train), len(test)) == ((3, 32, 32), 30, 9)
    assert train.classes == CLASSES
    for dataset in (train, test):
        np.testing.assert_array_equal(dataset.images[:, 0, 0, 0].numpy(), 20 * dataset.labels.numpy())
    assert test.notes[-1] == "9 test images, not the 10,000 of the complete CIFAR-10."


def test_other_classes_are_not_cifar(write_tree, picture):
    root = write_tree({f"cifar10/{split}/kitten/{n}.png": picture() for split in ("train", "test") for n in "ab"})
    with pytest.raises(DatasetError, match="kitten"):
        datasets.load("cifar10", root=root)


def test_the_complete_set_comes_before_a_subset(tmp_path, batches, write_tree, picture):
    files, images, labels = batches
    root = write_tree({f"cifar10/{split}/cat/{n}.png": picture() for split in ("train", "test") for n in "ab"})
    (root / "cifar-10-binary.tar.gz").write_bytes(_tar(files))
    _check(root, images, labels)


def test_missing(tmp_path):
    (tmp_path / "cifar10").mkdir()
    with pytest.raises(DatasetMissing, match="python -m explorer data fetch cifar10"):
        datasets.load("cifar10", root=tmp_path)


def test_fetch(tmp_path, batches, server, monkeypatch):
    files, images, labels = batches
    packed = _tar(files)
    server.files["/mirror/cifar-10-binary.tar.gz"] = packed
    monkeypatch.setenv("EXPLORER_MIRROR_CIFAR10", f"{server.url}/mirror")
    monkeypatch.setitem(datasets.SOURCES, "cifar10", Cifar10(hashlib.md5(packed).hexdigest()))
    calls = []
    datasets.fetch("cifar10", tmp_path, lambda *call: calls.append(call))
    assert calls[-1] == (len(packed), len(packed))
    _check(tmp_path, images, labels)
    datasets.fetch("cifar10", tmp_path)
    assert len(server.asked) == 1

    monkeypatch.setitem(datasets.SOURCES, "cifar10", Cifar10())
    with pytest.raises(DatasetError, match="MD5 differs"):
        datasets.fetch("cifar10", tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []
