"""Sets of torchvision and MedMNIST: files in their formats, made here, served from this machine, unpacked and read."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import inspect
import io
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from explorer import datasets
from explorer.datasets.medmnist import MEDMNIST, MedMnist
from explorer.datasets.torchvision_sets import TORCHVISION
from explorer.errors import DatasetError, DatasetMissing
from tests.small_files import Server

N = {"train": 30, "test": 10}
NOISE = np.random.default_rng(0)
GRAY = {split: NOISE.integers(0, 256, (count, 28, 28)).astype(np.uint8) for split, count in N.items()}
LABELS = {split: (np.arange(count) % 10).astype(np.uint8) for split, count in N.items()}


def colour(side: int) -> dict[str, np.ndarray]:
    return {split: NOISE.integers(0, 256, (count, 3, side, side)).astype(np.uint8) for split, count in N.items()}


def kmnist(idx: Callable[[np.ndarray], bytes]) -> tuple[list[bytes], dict[str, np.ndarray]]:
    return [gzip.compress(idx(part[split])) for split in N for part in (GRAY, LABELS)], GRAY


def qmnist(idx: Callable[[np.ndarray], bytes]) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """Labels are eight big-endian int32 an image, of which the first is the class."""
    files = []
    for split, count in N.items():
        more = np.stack([LABELS[split]] + [np.full(count, 70_000)] * 7, 1).astype(">i4")
        files += [gzip.compress(idx(GRAY[split]))]
        files += [gzip.compress(struct.pack(">HBB2I", 0, 12, 2, *more.shape) + more.tobytes())]
    return files, GRAY


def emnist(idx: Callable[[np.ndarray], bytes]) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """Images lie on their side, and letters count from 1."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for split in N:
            stem = f"gzip/emnist-letters-{split}"
            on_side = np.ascontiguousarray(GRAY[split].transpose(0, 2, 1))
            archive.writestr(f"{stem}-images-idx3-ubyte.gz", gzip.compress(idx(on_side)))
            archive.writestr(f"{stem}-labels-idx1-ubyte.gz", gzip.compress(idx(LABELS[split] + 1)))
    return [packed.getvalue()], GRAY


def usps(idx: Callable[[np.ndarray], bytes]) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """A line an image: its class from 1, then pixels from -1 to 1 by their numbers."""
    black_or_white = {split: 255 * (images[:, :16, :16] > 127).astype(np.uint8) for split, images in GRAY.items()}
    files = []
    for split, images in black_or_white.items():
        lines = [
            f"{label + 1} " + " ".join(f"{i + 1}:{value / 127.5 - 1:.0f}" for i, value in enumerate(image.ravel()))
            for image, label in zip(images, LABELS[split], strict=True)
        ]
        files.append(bz2.compress("".join(f"{line} \n" for line in lines).encode()))
    return files, black_or_white


def svhn(idx: Callable[[np.ndarray], bytes]) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """MATLAB's [rows, columns, colours, images], and 10 for the class 0."""
    from scipy.io import savemat

    images, files = colour(32), []
    for split in N:
        packed = io.BytesIO()
        labels = np.where(LABELS[split] == 0, 10, LABELS[split])[:, None]
        savemat(packed, {"X": images[split].transpose(2, 3, 1, 0), "y": labels})
        files.append(packed.getvalue())
    return files, images


def stl10(idx: Callable[[np.ndarray], bytes]) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """Colours by columns, classes from 1, and the names of the classes."""
    images, packed = colour(96), io.BytesIO()
    names = "\n".join(f"class {i}" for i in range(10)).encode()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        contents = {"class_names.txt": names, "unlabeled_X.bin": b"", "fold_indices.txt": b""}
        for split in N:
            contents[f"{split}_X.bin"] = images[split].transpose(0, 1, 3, 2).tobytes()
            contents[f"{split}_y.bin"] = (LABELS[split] + 1).tobytes()
        for name, data in contents.items():
            info = tarfile.TarInfo(f"stl10_binary/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return [packed.getvalue()], images


def _jpeg(colour: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(out, "PNG")
    return out.getvalue()


SHADES = [(40 * i, 255 - 40 * i, 90) for i in range(6)]


def _tar(contents: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def imagenette() -> list[bytes]:
    """A folder a class, called by its number in WordNet."""
    places = {"train": ("n01440764", "n02102040") * 3, "val": ("n01440764", "n02102040")}
    return [
        _tar(
            {
                f"imagenette2-160/{split}/{kind}/{i}.JPEG": _jpeg(SHADES[i])
                for split, kinds in places.items()
                for i, kind in enumerate(kinds)
            }
        )
    ]


def flowers() -> list[bytes]:
    """Images by number, their classes from 1, and the numbers of each split, in MATLAB's files."""
    from scipy.io import savemat

    labels, splits = io.BytesIO(), io.BytesIO()
    savemat(labels, {"labels": np.array([[1, 2, 1, 2, 1, 2]])})
    savemat(splits, {"trnid": np.array([[1, 2]]), "valid": np.array([[3, 4]]), "tstid": np.array([[6, 5]])})
    pictures = {f"jpg/image_{i + 1:05d}.jpg": _jpeg(shade) for i, shade in enumerate(SHADES)}
    return [_tar(pictures), labels.getvalue(), splits.getvalue()]


def dtd() -> list[bytes]:
    """Lists of the images of each split."""
    contents = {f"dtd/images/{kind}/{i}.jpg": _jpeg(SHADES[i]) for i, kind in enumerate(("banded", "dotted") * 3)}
    for n, split in enumerate(("train", "val", "test")):
        contents[f"dtd/labels/{split}1.txt"] = f"banded/{2 * n}.jpg\ndotted/{2 * n + 1}.jpg\n".encode()
    return [_tar(contents)]


def eurosat() -> list[bytes]:
    """A folder a class, without splits."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for i, shade in enumerate(SHADES):
            archive.writestr(f"2750/{('Forest', 'River')[i % 2]}/{i}.jpg", _jpeg(shade))
    return [packed.getvalue()]


PICTURES = {
    "Imagenette": (imagenette, {"train": [0, 2, 4, 1, 3, 5], "test": [0, 1]}, ["tench", "English springer"]),
    "Flowers102": (flowers, {"train": [0, 1], "validation": [2, 3], "test": [5, 4]}, None),
    "DTD": (dtd, {"train": [0, 1], "validation": [2, 3], "test": [4, 5]}, ["banded", "dotted"]),
    "EuroSAT": (eurosat, None, ["Forest", "River"]),
}
MAKERS = {"KMNIST": kmnist, "QMNIST": qmnist, "EMNIST-letters": emnist, "USPS": usps, "SVHN": svhn, "STL10": stl10}


@pytest.fixture
def published(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[bytes]], None]:
    """Serves a set of torchvision under its addresses' paths, and lets its MD5s be those of these files."""

    def publish(name: str, contents: list[bytes]) -> None:
        from torchvision.datasets import utils

        monkeypatch.setattr(utils, "check_md5", lambda path, md5, **options: True)
        source = datasets.SOURCES[f"torchvision:{name}"]
        files = []
        for file, data in zip(source.known.files, contents, strict=True):
            server.files[f"/{file['path']}"] = data
            md5 = hashlib.md5(data).hexdigest()
            files.append({**file, "urls": [f"{server.url}/{file['path']}"], "md5": md5, "nbytes": len(data)})
        monkeypatch.setattr(source, "known", replace(source.known, files=files))

    return publish


@pytest.mark.parametrize("name", list(MAKERS))
def test_a_set_of_torchvision_is_fetched_and_read(name, tmp_path, server, published, idx_bytes):
    contents, expected = MAKERS[name](idx_bytes)
    published(name, contents)
    calls: list[tuple[int, int]] = []
    full = f"torchvision:{name}"
    with pytest.raises(DatasetMissing, match=rf"-m explorer data fetch {full}.*or put .* into {tmp_path}"):
        datasets.load(full, root=tmp_path)
    datasets.fetch(full, tmp_path, lambda done, of: calls.append((done, of)))
    total = sum(map(len, server.files.values()))
    assert calls[-1] == (total, total)
    for split, images in expected.items():
        found = datasets.load(full, split, root=tmp_path)
        np.testing.assert_array_equal(found.images.numpy(), images if images.ndim == 4 else images[:, None])
        np.testing.assert_array_equal(found.labels.numpy(), LABELS[split])
        assert "not the" in found.notes[0]
        assert found.image_shape == datasets.SOURCES[full].image_shape
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = {"KMNIST": ["o", "ki"], "EMNIST-letters": list(letters), "STL10": ["class 0"]}.get(name, list("0123456789"))
    assert found.classes[: len(names)] == names
    assert {info.name: info.present for info in datasets.available(tmp_path)}[full]
    asked = len(server.asked)
    datasets.fetch(full, tmp_path)
    assert len(server.asked) == asked


@pytest.mark.parametrize("name", list(PICTURES))
def test_pictures_that_torchvision_unpacks_are_decoded_here(name, tmp_path, published):
    make, expected, classes = PICTURES[name]
    published(name, make())
    datasets.fetch(f"torchvision:{name}", tmp_path)
    for split in datasets.SOURCES[f"torchvision:{name}"].splits:
        found = datasets.load(f"torchvision:{name}", split, root=tmp_path)
        assert found.image_shape == (3, 64, 64)
        shades = [tuple(image[:, 32, 32].tolist()) for image in found.images]
        if expected is not None:
            assert shades == [SHADES[i] for i in expected[split]]
        if classes is not None:
            assert found.classes == classes
        assert found.notes or name == "EuroSAT"
        assert found.labels.tolist() == [SHADES.index(shade) % 2 for shade in shades]
    images = datasets.load(f"torchvision:{name}", "train", root=tmp_path, size=16, channels=1)
    assert images.image_shape == (1, 16, 16)


def test_files_put_there_by_hand_are_unpacked_and_damaged_ones_named(
    tmp_path, server, published, monkeypatch, idx_bytes
):
    contents, images_of = kmnist(idx_bytes)
    published("KMNIST", contents)
    expected = images_of["test"]
    folder = tmp_path / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for path, data in server.files.items():
        (tmp_path / path[1:]).write_bytes(data)
    images = folder / "t10k-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    images.write_bytes(whole[:-9])
    with pytest.raises(DatasetError, match=r"t10k-images-idx3-ubyte\.gz is damaged: remove it"):
        datasets.load("torchvision:KMNIST", root=tmp_path)
    images.write_bytes(whole)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torchvision", None)
        with pytest.raises(DatasetError, match="run `pip install torchvision`"):
            datasets.load("torchvision:KMNIST", root=tmp_path)
    (folder.parent / "processed").mkdir()
    for name in ("training.pt", "test.pt"):  # as torchvision once left them: pickles, which nothing here reads
        (folder.parent / "processed" / name).write_bytes(b"\x80\x02no tensor")
    found = datasets.load("torchvision:KMNIST", root=tmp_path)
    np.testing.assert_array_equal(found.images[:, 0].numpy(), expected)
    datasets.clear_cache()
    (folder / "t10k-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03 cut")
    with pytest.raises(DatasetError, match="torchvision:KMNIST is damaged"):
        datasets.load("torchvision:KMNIST", root=tmp_path)
    assert server.asked == []


def test_the_addresses_are_those_of_torchvision():
    from torchvision import datasets as theirs

    found = {
        "KMNIST": [(url + file, md5) for url in theirs.KMNIST.mirrors for file, md5 in theirs.KMNIST.resources],
        "QMNIST": [pair for split in N for pair in theirs.QMNIST.resources[split]],
        "USPS": [(theirs.USPS.split_list[split][0], theirs.USPS.split_list[split][2]) for split in N],
        "SVHN": [(theirs.SVHN.split_list[split][0], theirs.SVHN.split_list[split][2]) for split in N],
        "STL10": [(theirs.STL10.url, theirs.STL10.tgz_md5)],
        "Imagenette": [theirs.Imagenette._ARCHIVES["160px"]],
        "DTD": [(theirs.DTD._URL, theirs.DTD._MD5)],
        "Flowers102": [
            (theirs.Flowers102._download_url_prefix + file, md5) for file, md5 in theirs.Flowers102._file_dict.values()
        ],
    } | {f"EMNIST-{split}": [(theirs.EMNIST.url, theirs.EMNIST.md5)] for split in theirs.EMNIST.splits}
    for source in TORCHVISION:
        known = [(url, file["md5"]) for file in source.known.files for url in file["urls"]]
        if source.name == "torchvision:EuroSAT":
            assert all(word in inspect.getsource(theirs.EuroSAT.download) for word in known[0])
            continue
        assert known == found.pop(source.name.removeprefix("torchvision:"))
    assert not found


def medmnist(source: MedMnist) -> tuple[bytes, dict[str, np.ndarray]]:
    """A file as MedMNIST has it: images and labels of each split."""
    dims = 3 if source.volumes else 2
    shape = (source.side,) * dims + ((3,) if source.image_shape[0] == 3 else ())
    arrays = {}
    for i, split in enumerate(("train", "val", "test")):
        arrays[f"{split}_images"] = NOISE.integers(0, 256, (6 - i, *shape)).astype(np.uint8)
        arrays[f"{split}_labels"] = (np.arange(6 - i, dtype=np.uint8) % 2)[:, None]
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue(), arrays


@pytest.mark.parametrize("name", ["bloodmnist", "bloodmnist_64", "pneumoniamnist_128", "organmnist3d"])
def test_a_set_of_medmnist_is_fetched_and_read(name, tmp_path, server, monkeypatch):
    source = datasets.SOURCES[f"medmnist:{name}"]
    data, arrays = medmnist(source)
    server.files[f"/{name}.npz"] = data
    monkeypatch.setenv(f"EXPLORER_MIRROR_MEDMNIST_{name.upper()}", server.url)
    with pytest.raises(DatasetError, match=r"MD5 differs.*HTTPS_PROXY.*put .*\.npz into"):
        datasets.fetch(source.name, tmp_path)
    md5 = {str(source.side): hashlib.md5(data).hexdigest()}
    monkeypatch.setattr(source, "known", {**source.known, "md5": md5})
    datasets.fetch(source.name, tmp_path)
    for split, theirs in {"train": "train", "validation": "val", "test": "test"}.items():
        found = datasets.load(source.name, split, root=tmp_path)
        images = arrays[f"{theirs}_images"]
        images = images[:, source.side // 2] if source.volumes else images
        assert found.image_shape == source.image_shape
        np.testing.assert_array_equal(
            found.images.numpy(), images[:, None] if source.image_shape[0] == 1 else images.transpose(0, 3, 1, 2)
        )
        np.testing.assert_array_equal(found.labels.numpy(), arrays[f"{theirs}_labels"][:, 0])
        assert found.classes == source.known["labels"]


def test_several_findings_and_damage(tmp_path):
    source = datasets.SOURCES["medmnist:chestmnist"]
    labels = np.zeros((4, 14), np.uint8)
    labels[1, 13] = labels[2, 0] = labels[3, 2] = labels[3, 5] = 1
    images = NOISE.integers(0, 256, (4, 28, 28)).astype(np.uint8)
    path = tmp_path / "medmnist" / "chestmnist.npz"
    path.parent.mkdir()
    np.savez(path, test_images=images, test_labels=labels)
    found = datasets.load(source.name, root=tmp_path)
    assert [found.classes[label] for label in found.labels] == ["none", "hernia", "atelectasis", "several"]
    assert "more than one finding" in found.notes[0]
    for arrays, said in (
        ({"test_images": images.astype(float), "test_labels": labels}, "does not hold MedMNIST's images of 28 pixels"),
        ({"test_images": np.array([{}]), "test_labels": labels}, "allow_pickle"),
        ({"test_labels": labels}, "test_images"),
    ):
        np.savez(path, **arrays)
        datasets.clear_cache()
        with pytest.raises(DatasetError, match=said):
            datasets.load(source.name, root=tmp_path)
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(DatasetError, match="is damaged"):
        datasets.load(source.name, root=tmp_path)


def test_eighteen_sets_in_their_sizes():
    assert len({source.name.split("_")[0] for source in MEDMNIST}) == 18
    assert {source.side for source in MEDMNIST if not source.volumes} == {28, 64, 128}
    blood = datasets.SOURCES["medmnist:bloodmnist_64"]
    assert blood.counts == {"train": 11_959, "validation": 1_712, "test": 3_421}  # the paper's table 2
    assert "CC BY 4.0" in blood.origin
    assert "CC BY-NC 4.0" in datasets.SOURCES["medmnist:dermamnist"].origin
