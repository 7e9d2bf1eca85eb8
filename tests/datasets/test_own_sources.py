"""What a person hands in as data: previews of it, too few images and too many; each refusal is a sentence."""

from __future__ import annotations

import os
import resource
import zipfile
from types import SimpleNamespace

import pytest
import torch

from explorer import datasets
from explorer.datasets import own
from explorer.datasets.own import creation, sources
from explorer.errors import DatasetError
from explorer.files import entries
from tests.datasets.own_images import cells, refused


@pytest.fixture
def root(tmp_path, monkeypatch):
    place = tmp_path / "data"
    monkeypatch.setenv("EXPLORER_DATA", str(place))
    return place


# --- previews ------------------------------------------------------------------------------------------------------


def test_a_preview_shows_what_will_be_kept(root, write_tree, picture):
    path = write_tree(cells(picture, good=30, sick=4), zipped=True)
    found = own.preview(path, size=64, channels=1, count=10)
    assert found.images.shape == (10, 1, 64, 64)
    assert found.labels.tolist() == [0] * 6 + [1] * 4  # the classes take turns
    assert (found.size, found.channels, found.suggested_size, found.suggested_channels) == (64, 1, 32, 3)
    assert (found.counts, found.classes) == ({"train": 27, "test": 7}, ["good", "sick"])
    assert found.class_counts == {"train": [24, 3], "test": [6, 1]}
    assert found.notes == []
    own.create("cells", path, size=64, channels=1)
    every = torch.cat([datasets.load("own:cells", split).images for split in ("train", "test")])
    for image in found.images:
        assert (every == image).flatten(1).all(1).any()
    again = own.preview(path, size=64, channels=1, count=10)
    assert torch.equal(again.images, found.images)
    other = own.preview(path, size=64, channels=1, count=10, seed=1)
    assert not torch.equal(other.images, found.images)


def test_a_preview_without_classes_and_one_with_many(root, write_tree, picture):
    flat = own.preview(write_tree({f"{n}.png": picture((n, n, n)) for n in range(9)}))
    assert (flat.labels, flat.classes, flat.class_counts) == (None, [], {"train": [], "test": []})
    assert flat.images.shape == (9, 1, 28, 28)
    many = own.preview(write_tree({f"{c:02}/{n}.png": picture() for c in range(40) for n in range(2)}, name="many"))
    assert len(set(many.labels.tolist())) == 32


def test_a_preview_names_the_reasons(root, write_tree, picture):
    tree = cells(picture) | {"good/8.png": b"x", "good/9.png": picture()[:50], "sick/9.png": b"y"}
    found = own.preview(write_tree(tree))
    assert found.notes == [
        "2 of 15 images looked at would be left out: it is not a picture of a known format, or damaged (such as "
        "good/8.png).",
        "1 of 15 images looked at would be left out: it is cut off or damaged (good/9.png).",
    ]


def test_a_preview_decodes_a_sample_only(root, tmp_path, picture, monkeypatch):
    path = tmp_path / "many.zip"
    data = picture((5, 5, 5), (28, 28))
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(5000):
            archive.writestr(f"{n % 4}/{n}.png", data)
    reads = []
    read = entries.Files.read
    monkeypatch.setattr(
        entries.Files, "read", lambda self, entry, *most: reads.append(entry) or read(self, entry, *most)
    )
    assert own.preview(path).counts == {"train": 4000, "test": 1000}
    assert len(reads) <= 232


def test_large_files_make_the_sample_smaller(root, write_tree, picture, monkeypatch):
    monkeypatch.setattr("explorer.datasets.folder.SAMPLE_BYTES", 1000)
    monkeypatch.setattr("explorer.datasets.folder.SAMPLE_LEAST", 4)
    path = write_tree({f"{n:02}.png": picture(size=(100, 100)) for n in range(40)})
    reads = []
    read = entries.Files.read
    monkeypatch.setattr(
        entries.Files, "read", lambda self, entry, *most: reads.append(entry) or read(self, entry, *most)
    )
    own.preview(path, count=1)
    assert 4 <= len(reads) <= 6


# --- too few, too many ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tree", "match"), [
    (["a.png"], "a single image; it takes at least two"),
    (["a/1.png"], "a single image; it takes at least two"),
    (["a/1.png", "b/1.png"], "leaves nothing to test on: each of its 2 classes has a single image; add more"),
    (["notes.txt"], "holds no images"),
    (["inner.zip", "more/other.zip"], "holds no images but 2 zips: unpack what is inside first"),
])  # fmt: skip
@pytest.mark.parametrize("zipped", [True, False])
def test_too_few(tree, match, zipped, root, write_tree, picture):
    files = {name: picture() if name.endswith(".png") else b"x" for name in tree}
    refused(write_tree(files, zipped=zipped), match)


def test_an_empty_folder_an_empty_zip_and_nothing(root, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "holds no images")
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    refused(tmp_path / "empty.zip", "holds no images")
    refused(tmp_path / "nothing", "There is nothing at")
    (tmp_path / "text.zip").write_text("hello")
    refused(tmp_path / "text.zip", "cells.zip is neither a folder nor an intact .zip", label="cells.zip")


def test_nothing_readable(root, write_tree):
    path = write_tree({f"a/{n}.png": b"x" for n in range(6)})
    with pytest.raises(DatasetError, match=r"None of 6 images of .* could be read, as it is not a picture"):
        own.preview(path)
    with pytest.raises(DatasetError, match="no readable train images"):
        own.create("it", path)


def test_one_broken_image_among_good_ones(root, write_tree, picture):
    path = write_tree(cells(picture) | {"good/broken.png": picture()[:60]}, zipped=True)
    own.create("cells", path)
    stored = own.details("cells")
    assert sum(stored.counts.values()) == 12
    assert sum("good/broken.png (it is cut off or damaged)" in n for ns in stored.notes.values() for n in ns) == 1


def test_folders_of_one_image(root, write_tree, picture):
    own.create("cells", write_tree(cells(picture) | {f"single-{n}/a.png": picture() for n in range(3)}))
    stored = own.details("cells")
    assert stored.class_counts["train"][2:] == [1, 1, 1]
    assert stored.class_counts["test"][2:] == [0, 0, 0]
    assert "a single image goes to the training set" in " ".join(stored.notes["train"])


def test_too_many_classes(root, write_tree, picture, monkeypatch):
    monkeypatch.setattr(sources, "MAX_CLASSES", 5)
    tree = {f"{c}/{n}.png": picture() for c in range(6) for n in range(2)}
    for zipped in (True, False):
        refused(write_tree(tree, zipped=zipped), "has 6 classes, .* limit of 5; sort the images into fewer folders")


def test_five_thousand_folders(root, tmp_path, picture):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for n in range(5000):
            archive.writestr(f"{n}/a.png", b"x")
    refused(tmp_path / "many.zip", "has 5,000 classes")


@pytest.mark.unchecked
@pytest.mark.parametrize(("options", "match"), [
    ({"size": 129}, "A side of an image must be 8 to 128 pixels, not 129 × 129"),
    ({"size": (64, 7)}, "must be 8 to 128 pixels, not 7 × 64"),
    ({"size": "28"}, "not '28'"),
    ({"channels": 2}, "1 .gray. or 3 .colour. channels, not 2"),
])  # fmt: skip
def test_other_shapes(options, match, root, write_tree, picture):
    refused(write_tree(cells(picture)), match, **options)


def test_more_than_there_is_room_for(root, write_tree, picture, monkeypatch):
    path = write_tree(cells(picture))
    own.create("small", path, size=28, channels=1)
    monkeypatch.setattr(creation.shutil, "disk_usage", lambda place: SimpleNamespace(free=100_000))
    with pytest.raises(DatasetError, match=r"would take 0 MB, but .* has 0 MB left; free some space"):
        own.create("cells", path, size=64, channels=3, root=root)
    assert own.names(root) == ["small"]


def test_a_disk_that_fills_up(root, write_tree, picture):
    path = write_tree(cells(picture))
    own.create("small", path, size=28)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))  # writing more fails as on a full disk
    try:
        with pytest.raises(DatasetError, match=r"cells could not be stored in .*own \(File too large.*free some space"):
            own.create("cells", path, size=128)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(root / "own") == ["small"]
    own.create("cells", path, size=128)


def test_a_place_that_cannot_be_written_to(root, write_tree, picture):
    root.mkdir()
    (root / "own").write_text("")

    def never(done: int, total: int | None) -> None:
        assert done == 0

    with pytest.raises(DatasetError, match=r"could not be stored in .*own \(.*\): set EXPLORER_DATA to a folder that"):
        own.create("cells", write_tree(cells(picture)), progress=never)


def test_progress_and_cancelling(root, write_tree, picture):
    tree = cells(picture)
    path = write_tree(tree, zipped=True)
    calls = []
    own.create("cells", path, progress=lambda *call: calls.append(call))
    total = sum(len(data) for data in tree.values())
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)

    def cancel(done: int, total: int | None) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        own.create("small", path, size=28, progress=cancel)
    assert os.listdir(root / "own") == ["cells"]
