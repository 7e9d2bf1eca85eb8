"""Folders and archives as people of the trade have them: their classes and splits, and what is left out.

The files are those of tests/cases; other members of each kind are made here.
"""

import zipfile
from pathlib import Path

import pytest

from explorer import datasets
from explorer.__main__ import main
from explorer.cells.screening import screen_files
from explorer.datasets import own
from explorer.datasets.layout import arrange, natural
from explorer.errors import DatasetError, ImageError
from explorer.files.entries import Entry, open_files
from explorer.files.pictures import choose_pictures
from explorer.images.decoding import read_picture

CASES = Path(__file__).parents[1] / "cases"


def _arranged(*paths):
    return arrange([Entry(tuple(path.split("/")), 1, "") for path in sorted(paths)], "it")


def _tree(*folders, count=3):
    return [f"{folder}/{n}.png" for folder in folders for n in range(count)]


def test_a_validation_folder_is_the_test_set_where_there_is_no_other():
    found = own.preview(CASES / "train_val.zip")
    assert found.classes == ["cats", "dogs"]
    assert found.class_counts == {"train": [10, 10], "test": [4, 4]}
    assert found.notes == ["val/ is the test set, as no other is here."]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training", "testing"),
        ("Train", "Validation"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("archive/data/train", "archive/data/val"),
        ("training_set", "test_set"),
        ("TrainData", "TestData"),
        ("train2017", "val2017"),
        ("chest_train", "chest_test"),
        ("train_images", "test_images"),
    ],
)
def test_folders_of_splits_by_many_names(train, test):
    layout = _arranged(*_tree(f"{train}/cats", f"{train}/dogs", count=4), *_tree(f"{test}/cats", f"{test}/dogs"))
    assert layout.classes == ["cats", "dogs"]
    assert {split: len(images) for split, images in layout.splits.items()} == {"train": 8, "test": 6}


def test_splits_within_the_folders_of_classes():
    layout = _arranged(*_tree("x/cats/train", "x/dogs/train", count=4), *_tree("x/cats/test", "x/dogs/test"))
    assert layout.classes == ["cats", "dogs"]
    assert {split: len(images) for split, images in layout.splits.items()} == {"train": 8, "test": 6}
    assert layout.notes == []


@pytest.mark.parametrize("others", [("val", "test"), ("birds", "train"), ("Testing", "birds")])
def test_classes_that_are_named_like_splits_are_never_silent(others):
    layout = _arranged(*_tree(*others))
    assert layout.classes == sorted(others)
    assert layout.notes[0].startswith("Folders that are named like splits are classes here: ")


def test_a_test_folder_without_classes_is_left_out_and_the_rest_is_split():
    found = own.preview(CASES / "unlabelled_test.zip")
    assert found.class_counts == {"train": [8, 8], "test": [2, 2]}
    assert found.notes == [
        "test/ has no folders of classes, as train/ has: its 6 images are left out.",
        "train/ is split, a fifth for testing.",
    ]


@pytest.mark.parametrize("test", ["test", "test1", "test/unknown", "test/test"])
def test_validation_images_test_where_those_for_testing_have_no_classes(test):
    layout = _arranged(*_tree("train/a", "train/b", "val/a", "val/b", test))
    assert layout.classes == ["a", "b"]
    assert {split: len(images) for split, images in layout.splits.items()} == {"train": 6, "test": 6}
    assert [note.split()[0] for note in layout.notes] == [f"{test.split('/')[0]}/", "val/"]


def test_one_class_to_train_on():
    layout = _arranged(*_tree("train/good", "test/good", "test/broken"))
    assert (layout.classes, len(layout.splits["test"])) == (["broken", "good"], 6)
    layout = _arranged(*_tree("train/good", "test/broken"))
    assert (layout.classes, len(layout.splits["test"])) == (["broken", "good"], 3)
    layout = _arranged(*_tree("train/good", count=10), *_tree("test"))
    assert (layout.classes, len(layout.splits["test"])) == (["good"], 2)
    assert layout.notes[0] == "test/ has no folders of classes, as train/ has: its 3 images are left out."


@pytest.mark.parametrize(
    "folder",
    ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "_vti_cnf"],
)
def test_pictures_in_folders_of_systems_are_left_out_and_counted(folder, write_tree, picture):
    tree = {f"{name}/{n}.png": picture() for name in ("cats", "dogs") for n in range(2)}
    tree |= {f"{folder}/x/0.jpg": picture(), f"cats/{folder}/1.jpg": picture(), f"{folder}/words.txt": b"x"}
    for zipped in (True, False):
        with open_files(write_tree(tree, zipped=zipped)) as files:
            assert len(files.entries) == 4
            (note,) = files.notes
        assert note.startswith("Left out: 2 pictures in folders of a system or network disk")


def test_thumbnails_of_a_network_disk_are_no_class():
    found = own.preview(CASES / "nas_thumbnails.zip")
    assert found.classes == ["cats", "dogs"]
    assert found.class_counts == {"train": [6, 6], "test": [2, 2]}
    assert [note.split(",")[0] for note in found.notes] == [
        "Left out: 24 pictures in folders of a system or network disk (thumbnails"
    ]


def test_thumbnails_are_not_screened():
    found = screen_files(CASES / "nas_thumbnails.zip", device="cpu")
    assert len(found.files) == 16
    assert found.notes[0].startswith("Left out: 24 pictures")


def test_classes_come_in_natural_order():
    assert own.preview(CASES / "classes_1_to_12.zip").classes == [str(n) for n in range(1, 13)]
    names = ["10 uM", "0.5 uM", "1 uM", "0.05 uM", "day 9", "day 10", "Zebra", "ape", "9" * 5000]
    assert sorted(names, key=natural) == [
        "0.05 uM", "0.5 uM", "1 uM", "10 uM", "9" * 5000, "Zebra", "ape", "day 9", "day 10",
    ]  # fmt: skip


def test_a_zip_as_windows_packs_large_ones_says_what_to_do():
    with pytest.raises(DatasetError, match=r"packed by Deflate64, as Windows does above 2 GB: zip .* 7-Zip"):
        own.preview(CASES / "deflate64.zip")


@pytest.mark.parametrize("name", ["mnist.npz", "digits.npy", "train.csv"])
def test_an_upload_of_arrays_is_told_where_to_go(name):
    with pytest.raises(ImageError, match="make a data set of it on the Train screen"):
        read_picture((CASES / name).read_bytes(), name)


@pytest.mark.parametrize("name", ["mnist.npz", "digits.npy", "train.csv", "emnist_idx.zip", "idx_with_dots.zip"])
@pytest.mark.parametrize("verb", ["rank", "encode", "screen"])
def test_where_pictures_are_taken_arrays_are_told_where_to_go(name, verb, tmp_path, capsys):
    model = [] if verb == "screen" else ["mnist-mlp-2d"]
    assert main([verb, *model, str(CASES / name), "--out", str(tmp_path / "out.npz")]) == 1
    assert "it holds arrays or a table: make a data set of it on the Train screen" in capsys.readouterr().err


def test_pictures_without_endings_beside_a_table():
    entries = [Entry((name,), 1, "") for name in ("IM0001", "IM0002", "labels.csv")]
    chosen, notes = choose_pictures(entries, "it")
    assert [entry.path for entry in chosen] == ["IM0001", "IM0002"]
    assert notes == ["Left out: 1 file that is no picture, such as labels.csv."]


def test_mnist_under_the_names_of_many_copies(tmp_path):
    with zipfile.ZipFile(CASES / "idx_with_dots.zip") as archive:
        archive.extractall(tmp_path)
    digits = datasets.load("mnist", root=tmp_path)
    assert (len(digits), len(digits.labels)) == (50, 50)
