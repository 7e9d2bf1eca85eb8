"""Arrays and tables become data sets: by the numbers that NumPy, csv and pyarrow read of them, and by nothing else."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import pickle
import struct
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from explorer import datasets
from explorer.datasets import own
from explorer.datasets.own import Roles, sources
from explorer.errors import DatasetError
from tests.datasets.own_images import refused

CASES = Path(__file__).parents[1] / "cases"
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (30, 9, 8), dtype=np.uint8)
COLOURS = RNG.integers(0, 256, (30, 9, 8, 3), dtype=np.uint8)
LABELS = np.arange(30) % 3


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    place = tmp_path / "data"
    monkeypatch.setenv("EXPLORER_DATA", str(place))
    return place


def made(path: Path, **options: object) -> dict[str, datasets.ImageDataset]:
    """Both splits of what becomes of a file."""
    own.create("it", path, **options)
    return {split: datasets.load("own:it", split) for split in ("train", "test")}


def test_arrays_have_half_of_the_memory_and_take_turns(tmp_path, monkeypatch):
    file = tmp_path / "pixels.npy"
    np.save(file, PIXELS)
    size = file.stat().st_size
    monkeypatch.setattr(sources, "main_memory", lambda: 4 * size - 8)
    sources._memory.cache_clear()
    refused(file, "pixels.npy would take 0 MB of memory, of the 0 MB that arrays")
    monkeypatch.setattr(sources, "main_memory", lambda: 4 * size)
    sources._memory.cache_clear()
    with sources.opened(file, None, own.Wanted()):
        with sources._memory().taken(0):  # for what takes none there is room
            pass
        waits = threading.Thread(target=own.preview, args=(file,))
        waits.start()
        waits.join(0.5)
        assert waits.is_alive()
    waits.join(60)
    assert not waits.is_alive()
    monkeypatch.undo()
    sources._memory.cache_clear()


def by_name(splits: dict[str, datasets.ImageDataset]) -> dict[str, tuple[np.ndarray, str]]:
    """Each image with its class, by its name."""
    found = {}
    for data in splits.values():
        assert data.items is not None
        labels = [
            "" if data.labels is None else data.classes[i]
            for i in (data.labels if data.labels is not None else [0] * len(data))
        ]
        found |= dict(zip(data.items.names, zip(data.images.numpy(), labels, strict=True), strict=True))
    return found


def same(path: Path, images: np.ndarray, labels: object = None, **options: object) -> dict[str, datasets.ImageDataset]:
    """Checks that all images [N, H, W] or [N, H, W, 3] are there, in their own size, with their classes."""
    splits = made(path, **options)
    found = by_name(splits)
    assert len(found) == len(images)
    place = {name: i for i, name in enumerate(sorted(found))}
    channels = splits["train"].images.shape[1]
    for name, (image, label) in found.items():
        expected = images[place[name]].reshape(*images.shape[1:3], -1).transpose(2, 0, 1)
        assert np.array_equal(image, expected[:channels])
        if labels is not None:
            assert label == str(np.asarray(labels).reshape(-1)[place[name]])
    return splits


# --- the cases -------------------------------------------------------------------------------------------------------


def test_keras_npz():
    splits = made(CASES / "mnist.npz")
    with np.load(CASES / "mnist.npz") as arrays:
        for split, data in splits.items():
            assert np.array_equal(data.images[:, 0], arrays[f"x_{split}"])
            assert [int(data.classes[i]) for i in data.labels] == arrays[f"y_{split}"].tolist()
            assert data.items.names[3] == f"x_{split}[{3:0{len(str(len(data)))}d}]"
    assert own.details("it").counts == {"train": 50, "test": 10}


def test_medmnist_npz():
    splits = made(CASES / "bloodmnist.npz", channels=3)
    with np.load(CASES / "bloodmnist.npz") as arrays:
        for split, data in splits.items():
            assert np.array_equal(data.images.permute(0, 2, 3, 1), arrays[f"{split}_images"])
            assert [int(data.classes[i]) for i in data.labels] == arrays[f"{split}_labels"][:, 0].tolist()
    assert "Left out: 10 files of no split that is used, such as val_images[00]." in splits["train"].notes


def test_a_single_array():
    same(CASES / "digits.npy", np.load(CASES / "digits.npy"))


def test_kaggles_table_with_the_label_first():
    with (CASES / "train.csv").open() as file:
        rows = [list(map(int, row)) for row in list(csv.reader(file))[1:]]
    numbers = np.array(rows)
    same(CASES / "train.csv", numbers[:, 1:].reshape(-1, 28, 28), numbers[:, 0])


@pytest.mark.parametrize(("turned", "axes"), [(None, (0, 2, 1)), (True, (0, 2, 1)), (False, (0, 1, 2))])
def test_emnist_is_shown_upright(turned, axes):
    splits = made(CASES / "emnist_idx.zip", roles=Roles(turned=turned))
    with zipfile.ZipFile(CASES / "emnist_idx.zip") as archive:
        for split, data in splits.items():
            raw = gzip.decompress(archive.read(f"own/emnist-balanced-{split}-images-idx3-ubyte"))
            images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)
            assert np.array_equal(data.images[:, 0], images.transpose(axes))
            raw = gzip.decompress(archive.read(f"own/emnist-balanced-{split}-labels-idx1-ubyte"))
            assert [int(data.classes[i]) for i in data.labels] == list(raw[8:])


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (PIXELS, PIXELS),
        (np.asfortranarray(PIXELS), PIXELS),
        (PIXELS[..., None], PIXELS),
        (PIXELS[:, None], PIXELS),
        (COLOURS, COLOURS),
        (COLOURS.transpose(0, 3, 1, 2), COLOURS),
        (PIXELS / 255.0, PIXELS),
        ((PIXELS / 127.5 - 1).astype(np.float32), PIXELS),
        (PIXELS.astype(">i4"), PIXELS),
        (PIXELS.astype(np.uint16) * 257, PIXELS),
        ((PIXELS > 127).astype(bool), 255 * (PIXELS > 127)),
        (np.where(PIXELS == 7, np.nan, PIXELS / 255.0), np.where(PIXELS == 7, 0, PIXELS)),
        (np.concatenate([COLOURS, np.full((30, 9, 8, 1), 255, np.uint8)], 3), COLOURS),
        (PIXELS[:, :8].reshape(30, 64), PIXELS[:, :8]),
        (COLOURS[:, :8].transpose(0, 3, 1, 2).reshape(30, 192), COLOURS[:, :8]),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_arrays_in_every_order_and_type(tmp_path, images, expected):
    np.save(tmp_path / "cells.npy", images)
    same(tmp_path / "cells.npy", expected, size=(expected.shape[1], expected.shape[2]))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "labels", [LABELS, LABELS[:, None], LABELS.astype(np.float32), np.array(["a", "b", "ü"])[LABELS], np.eye(3)[LABELS]]
)
def test_npz_with_labels_of_every_kind(tmp_path, save, labels):
    save(tmp_path / "cells.npz", images=PIXELS, labels=labels, allow_pickle=False)
    names = labels if labels.dtype.kind == "U" else LABELS
    same(tmp_path / "cells.npz", PIXELS, names, size=(9, 8))


def test_arrays_side_by_side_in_a_folder(tmp_path):
    folder = tmp_path / "cells"
    folder.mkdir()
    for name, array in {
        "X_train": PIXELS[:20],
        "X_test": PIXELS[20:],
        "y_train": LABELS[:20],
        "y_test": LABELS[20:],
    }.items():
        np.save(folder / f"{name}.npy", array)
    splits = made(folder, size=(9, 8))
    assert np.array_equal(splits["test"].images[:, 0], PIXELS[20:])
    assert splits["train"].labels.tolist() == LABELS[:20].tolist()


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def test_an_idx_file_brings_its_labels(tmp_path):
    (tmp_path / "cells-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PIXELS)))
    (tmp_path / "cells-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    same(tmp_path / "cells-images-idx3-ubyte.gz", PIXELS, LABELS, size=(9, 8))
    (tmp_path / "upload").write_bytes(idx(PIXELS))  # alone, and under another name than a person's
    assert own.preview(tmp_path / "upload", label="cells-images-idx3-ubyte").classes == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("named", [True, False])
def test_tables_of_pixels(tmp_path, delimiter, named):
    flat = PIXELS[:, :8].reshape(30, 64)
    rows = [[label, *row] for label, row in zip(LABELS.tolist(), flat.tolist(), strict=True)]
    head = [["label", *(f"{i // 8 + 1}x{i % 8 + 1}" for i in range(64))]] if named else []
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([*head, *rows])
    (tmp_path / "digits.csv").write_bytes(b"\xef\xbb\xbf" * named + text.getvalue().encode())
    same(tmp_path / "digits.csv", PIXELS[:, :8], LABELS, size=8)


def test_pixels_in_one_cell_and_a_column_for_the_split(tmp_path):
    """As in FER2013."""
    usage = ["Training", "PublicTest", "PrivateTest"]
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for i, row in enumerate(PIXELS[:, :8].reshape(30, 64).tolist()):
            writer.writerow([LABELS[i], " ".join(map(str, row)), usage[i % 3]])
    splits = same(tmp_path / "faces.csv", PIXELS[:, :8], LABELS, size=8)
    assert [len(data) for data in splits.values()] == [10, 20]


def test_parquet_as_hugging_face_writes_it(tmp_path, picture):
    """Pictures as bytes with their paths, and the names of classes beside."""
    pictures = [{"bytes": picture((0, i, 0), (12, 12)), "path": f"{i:02}.png"} for i in range(30)]
    table = pa.table({"image": pictures, "label": LABELS, "age": pa.array([None, *range(1, 30)])})
    facts = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["cat", "dog", "owl"]}}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(facts)}), tmp_path / "pets.parquet")
    splits = made(tmp_path / "pets.parquet")
    found = by_name(splits)
    assert {name: (int(image[1, 6, 6]), label) for name, (image, label) in found.items()} == {
        f"{i:02}.png": (i, ["cat", "dog", "owl"][i % 3]) for i in range(30)
    }
    ages = {
        n: a
        for data in splits.values()
        for n, a in zip(data.items.names, data.items.columns["age"].tolist(), strict=True)
    }
    assert np.isnan(ages.pop("00.png"))
    assert ages == {f"{i:02}.png": i for i in range(1, 30)}


def test_parquet_with_pixels_in_lists(tmp_path):
    pq.write_table(pa.table({"x": PIXELS.tolist(), "y": LABELS.astype(str)}), tmp_path / "cells.parquet")
    same(tmp_path / "cells.parquet", PIXELS, LABELS, size=(9, 8))


def tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def test_a_tar_of_samples_as_webdataset_writes_it(tmp_path, picture):
    files: dict[str, bytes] = {}
    for i in range(12):
        files[f"{i:05}.png"] = picture((0, i, 0), (12, 12))
        files[f"{i:05}.cls"] = str(i % 2).encode()
        files[f"{i:05}.json"] = json.dumps({"patient": f"P{i // 3}", "age": i / 2, "more": [1]}).encode()
    (tmp_path / "shard.tar").write_bytes(tar(files))
    splits = made(tmp_path / "shard.tar")
    found = by_name(splits)
    assert {name: (int(image[1, 6, 6]), label) for name, (image, label) in found.items()} == {
        f"{i:05}.png": (i, str(i % 2)) for i in range(12)
    }
    patients = [set(data.group) for data in splits.values()]
    assert not patients[0] & patients[1]
    assert patients[0] | patients[1] == {"P0", "P1", "P2", "P3"}
    assert list(splits["train"].items.columns) == ["patient", "age"]


@pytest.mark.parametrize(("mode", "name"), [("w", "cells.tar"), ("w:gz", "cells.tar.gz"), ("w:gz", "cells.tgz")])
def test_a_tar_of_folders(tmp_path, picture, mode, name):
    files = {f"cells/{label}/{i}.png": picture((0, i, 0), (12, 12)) for label in "ab" for i in range(5)}
    (tmp_path / name).write_bytes(tar({**files, "cells/.DS_Store": b"x"}, mode))
    found = by_name(made(tmp_path / name))
    assert {(n, label) for n, (_, label) in found.items()} == {(n, n.split("/")[1]) for n in files}


# --- roles -----------------------------------------------------------------------------------------------------------


def test_what_is_guessed_can_be_changed(tmp_path):
    np.savez(
        tmp_path / "cells.npz",
        masks=(PIXELS > 99).astype(np.uint8),
        images=PIXELS,
        label=LABELS,
        stage=np.arange(30) % 5,
        patient_id=np.repeat(np.arange(6), 5),
    )
    found = own.preview(tmp_path / "cells.npz")
    assert found.roles == Roles("images", "label", "patient_id", "", False)
    assert list(found.fields) == ["masks", "images", "label", "stage", "patient_id"]
    splits = made(tmp_path / "cells.npz", size=(9, 8), roles=Roles("masks", "stage", "", "", False))
    assert splits["train"].classes == ["0", "1", "2", "3", "4"]
    assert splits["train"].group is None
    assert set(np.unique(splits["train"].images)) == {0, 255}
    assert list(splits["train"].items.columns) == ["label", "patient_id"]
    with pytest.raises(DatasetError, match="has no array or column 'x'"):
        own.preview(tmp_path / "cells.npz", roles=Roles(label="x"))


def test_a_label_is_no_group(tmp_path):
    """Else the test set would be of classes that are not in the training set."""
    classes = np.array(["cat", "dog", "owl"] * 10)
    np.savez(tmp_path / "by_name.npz", images=PIXELS, lesion_class=classes)
    np.savez(tmp_path / "asked.npz", images=PIXELS, animal=classes)
    assert own.preview(tmp_path / "by_name.npz").roles == Roles("images", "lesion_class", "", "", False)
    assert own.preview(tmp_path / "asked.npz", roles=Roles(label="animal")).roles.group == ""
    asked = own.preview(tmp_path / "by_name.npz", roles=Roles(group="lesion_class"))
    assert (asked.roles.label, asked.roles.group) == ("", "lesion_class")


def test_groups_are_kept_together(tmp_path):
    patients = np.array([f"P{i}" for i in np.repeat(np.arange(10), 3)])
    np.savez(tmp_path / "cells.npz", images=PIXELS, label=LABELS, patient=patients)
    splits = made(tmp_path / "cells.npz", size=(9, 8))
    groups = {split: set(data.group) for split, data in splits.items()}
    assert not groups["train"] & groups["test"]
    assert {split: len(data) for split, data in splits.items()} == {"train": 24, "test": 6}
    assert own.details("it").group == "patient"


def test_a_test_set_without_labels_is_left_out(tmp_path):
    """As Kaggle gives it."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for name, rows in {"train": slice(0, 20), "test": slice(20, 30)}.items():
        flat = PIXELS[rows, :8].reshape(-1, 64)
        head = ["label"] * (name == "train") + [f"pixel{i}" for i in range(64)]
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows([[LABELS[i], *row] if name == "train" else row for i, row in enumerate(flat.tolist())])
    splits = made(folder)
    assert sum(map(len, splits.values())) == 20
    assert "Left out: 10 files without a class, such as test.csv[00]." in splits["train"].notes


# --- hostile ---------------------------------------------------------------------------------------------------------


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("something was unpickled",))


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def shaped(shape: str, kind: str = "|u1") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n"


def parquet(keep: bool = True, **columns: object) -> bytes:
    """`keep` keeps Arrow's own types, such as a dictionary's."""
    data = io.BytesIO()
    pq.write_table(pa.table(columns), data, store_schema=keep)
    return data.getvalue()


def once(text: str, rows: int) -> pa.DictionaryArray:
    """A text that is stored once and is the value of all rows."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (npy(shaped("(3, 8, 8)", "|O"), pickle.dumps([Trap()] * 3)), "Python objects, which are never loaded"),
        (npy(shaped("(1000000, 1000, 1000)")), "its header claims"),
        (npy(shaped("(-3, 8, 8)"), bytes(192)), "not a list of images"),
        (npy(shaped("(3, 8, 9)"), bytes(192)), "its header claims"),
        (npy(shaped("(3, 8, 8)", "|V4"), bytes(768)), "not a list of images"),
        (npy(shaped("()"), b"1"), "not a list of images"),
        (npy("__import__('os').abort()"), "its header cannot be read"),
        (npy("(" * 9000), "its header cannot be read"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "its header claims"),
        (npy(shaped("(3, 8, 8)"), bytes(192), version=2)[:50], "its header"),
        (b"\x93NUMPY", "no array of NumPy"),
        (npy(shaped("(40,)"), bytes(40)), "holds no images"),
        (b"\x93NUMPY\x03\x00" + bytes(80), "no array of NumPy"),
        (npy(shaped("(9,)", "<U0")), "not a list of images"),
        (npy(shaped(f"({10**30}, 0)")), "not a list of images"),
        (npy(shaped("(3000000, 2, 2)"), bytes(12_000_000)), "claims 3,000,000 images"),
    ],
)
def test_hostile_arrays(tmp_path, data, says):
    (tmp_path / "it.npy").write_bytes(data)
    refused(tmp_path / "it.npy", says)
    with zipfile.ZipFile(tmp_path / "it.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", data)
    refused(tmp_path / "it.npz", says)


def test_texts_that_are_none_and_columns_that_are_too_long(tmp_path):
    surrogates, invalid = (np.array([first, 97] * 15, np.uint32).tobytes() for first in (0xD800, 2**32 - 1))
    for data, classes in ((surrogates, ["?", "a"]), (invalid, None)):
        with zipfile.ZipFile(tmp_path / "it.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", npy(shaped("(30, 9, 8)"), PIXELS.tobytes()))
            archive.writestr("y.npy", npy(shaped("(30,)", "<U1"), data))
            archive.writestr("label.npy", npy(shaped("(30000000,)"), bytes(30_000_000)))
        if classes:
            assert own.preview(tmp_path / "it.npz").classes == classes
        else:
            refused(tmp_path / "it.npz", "it holds what is no text")


def test_classes_of_bytes(tmp_path):
    np.savez(tmp_path / "it.npz", x=PIXELS, y=np.array([b"cat", "é\n".encode()] * 15))
    assert own.preview(tmp_path / "it.npz").classes == ["cat", "é "]


def test_columns_of_one_name(tmp_path):
    columns = [pa.array(pixels) for pixels in PIXELS[:, 0].T]
    table = pa.Table.from_arrays([pa.array(LABELS), *columns * 2, pa.array(LABELS)], ["y", *"abcdefgh" * 2, "y"])
    pq.write_table(table, tmp_path / "it.parquet")
    refused(tmp_path / "it.parquet", "holds no images")


def test_a_column_that_is_called_as_another_would_be(tmp_path):
    with (tmp_path / "it.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"pixel{i}" for i in range(64)), "a", "a", "a.2", "", "column67"])
        writer.writerows([*row, i, 2 * i, 3 * i, "x", "y"] for i, row in enumerate(PIXELS[:, :8].reshape(30, 64)))
    fields = ["a", "a.2", "a.2.2", "column67", "column67.2"]
    assert list(own.preview(tmp_path / "it.csv").fields)[1:] == fields
    for data in made(tmp_path / "it.csv").values():
        rows = np.array([int(name[7:9]) for name in data.items.names])
        assert [data.items.columns[name].tolist() for name in fields[:3]] == [(k * rows).tolist() for k in (1, 2, 3)]


def test_the_columns_that_are_kept_are_those_of_both_splits(tmp_path):
    folder = tmp_path / "digits"
    folder.mkdir()
    for name, rows in {"train": range(20), "test": range(20, 30)}.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*(f"pixel{i}" for i in range(64)), *(f"{a}{b}" for a in "abcdef" for b in "abcdefghij")])
            writer.writerows([*PIXELS[i, :8].reshape(-1), *[i] * 60] for i in rows)
    for split, data in made(folder).items():
        rows = [int(name[-3:-1]) + (20 if split == "test" else 0) for name in data.items.names]
        assert [column.tolist() for column in data.items.columns.values()] == [rows] * 50


def backwards(data: bytes) -> bytes:
    """The second file of a tar has a negative size, by which the next one is itself."""
    head = bytearray(data[1024:1536])
    head[124:136] = tarfile.itn(-512, 12, tarfile.GNU_FORMAT)
    head[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(head))[0]
    return data[:1024] + bytes(head) + data[1536:]


def test_an_npz_that_would_unpack_to_gigabytes(tmp_path):
    with zipfile.ZipFile(tmp_path / "it.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("images.npy", npy(shaped("(100, 1024, 1024)"), bytes(100 << 20)))
    assert (tmp_path / "it.npz").stat().st_size < 1 << 20
    refused(tmp_path / "it.npz", r"would unpack to [0-9.]+ GB, more than the limit of 0\.\d")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("it.npz", b"PK\x03\x04" + bytes(40), "neither|damaged"),
        ("it.parquet", b"PAR1" + bytes(40) + b"PAR1", "is no Parquet file"),
        ("it.parquet", b"PAR1", "is no Parquet file"),
        ("it.csv", b"", "is no table"),
        ("it.csv", b"a,b\n1,2\n3\n", "is no table"),
        ("it.csv", b"a,b\n1,2\n3,4\n", "holds no images"),
        ("it.csv", b"a," * 30_000 + b"\n", "30,001 columns"),
        ("it.csv", b'"' + b"a" * 200_000 + b'",b\n1,2\n', "is no table that can be read"),
        ("it.parquet", parquet(label=pa.array([b"\xff"] * 20).view(pa.string())), "is no Parquet file"),
        ("it.parquet", parquet(label=pa.array(["a"] * 20), image=[{"bytes": 1, "path": 2}] * 20), "holds no images"),
        ("it.parquet", parquet(label=once("a" * 1_000_000, 100)), "would take more than the limit of 67 MB"),
        ("it.parquet", parquet(False, label=once("a" * 1_000_000, 100)), "would take more than the limit of 67 MB"),
        ("it-images-idx3-ubyte", struct.pack(">HBB3I", 0, 8, 3, 1 << 20, 1 << 10, 1 << 10), "claims"),
        ("it-images-idx3-ubyte.gz", gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 1 << 10, 1 << 10, 1 << 10)), "claims"),
        ("it.tar", bytes(100), "no intact .tar|holds no images"),
        ("it.tar.gz", b"\x1f\x8b" + bytes(30), "no intact .tar"),
        ("it.tar.gz", gzip.compress(bytes(80 << 20)), "would unpack to more than"),
        ("it.tar", tar({"../a.png": b"x"}), "leads out of it"),
        ("it.tar", tar({"/a.png": b"x"}), "leads out of it"),
        ("it.tar", backwards(tar({"a.png": b"x", "b.png": b"y"})), "no intact .tar"),
    ],
    ids=lambda value: None if isinstance(value, str) else "data",  # those that are packed have the time in them
)
def test_hostile_files(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    refused(tmp_path / name, says)


def zipped(name: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(name, data)
    return packed.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="which tells the most memory that a process has taken")
@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("it.parquet", lambda: parquet(label=once("a" * 60_000_000, 1000)), "takes more than|more than the limit"),
        ("it.csv", lambda: b"a,b\n" + b"0,x\n" * 200_000, "holds no images"),
        ("it.npz", lambda: zipped("x.npy", npy(shaped("(60, 1024, 1024)"), bytes(60 << 20))[:-9]), "is damaged"),
        (
            "it.npz",
            lambda: zipped("x.npy", npy(shaped("(900000, 8, 8)"), bytes(900_000 << 6))),
            "claims 900,000 images",
        ),
        ("it.tar.gz", lambda: gzip.compress(bytes(200 << 20), 1), "would unpack to more than"),
        ("it.gz", lambda: b"\x1f\x8b", "neither a folder"),
        (
            "idx3-ubyte.gz",
            lambda: gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 60, 1024, 1024) + bytes(59 << 20)),
            "cut",
        ),
        ("it.zip", lambda: zipped("x.csv", b"0,1\n" * 40_000_000), "would unpack to more than"),
    ],
    ids=["parquet", "csv", "npz", "images", "tar.gz", "gz", "idx", "zip"],
)
def test_hostile_files_take_none_of_the_servers_memory(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data())
    Path("/proc/self/clear_refs").write_text("5")  # the most is what it is now
    before = memory("VmRSS")
    refused(tmp_path / name, says)
    assert memory("VmHWM") - before < 50_000


def memory(what: str) -> int:
    """Of this process, in kB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1])


def test_links_in_a_tar_are_not_followed(tmp_path, picture):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        link = tarfile.TarInfo("secret.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for i in range(4):
            info = tarfile.TarInfo(f"{i}.png")
            info.size = len(picture())
            archive.addfile(info, io.BytesIO(picture()))
    (tmp_path / "it.tar").write_bytes(data.getvalue())
    assert own.preview(tmp_path / "it.tar").counts == {"train": 3, "test": 1}


@pytest.mark.parametrize("name", ["mnist.npz", "digits.npy", "train.csv", "emnist_idx.zip"])
def test_bytes_that_flipped_are_read_or_refused(tmp_path, name):
    whole = bytearray((CASES / name).read_bytes())
    for _ in range(25):
        data = bytearray(whole)
        for place in RNG.integers(0, min(len(data), 400), 3):
            data[place] ^= 1 << int(RNG.integers(8))
        (tmp_path / name).write_bytes(data)
        with contextlib.suppress(DatasetError):
            own.preview(tmp_path / name, count=2)
