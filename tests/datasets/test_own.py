"""A person's own data sets: what is kept is what `load_folder` gives, under a name, whatever becomes of the source."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from explorer import datasets
from explorer.datasets import own
from explorer.datasets.base import SPLITS
from explorer.datasets.own import catalog
from explorer.errors import DatasetError, DatasetMissing
from tests.datasets.own_images import cells


@pytest.fixture
def root(tmp_path, monkeypatch):
    place = tmp_path / "data"
    monkeypatch.setenv("EXPLORER_DATA", str(place))
    return place


def assert_same(dataset, expected):
    torch.testing.assert_close(dataset.images, expected.images, rtol=0, atol=0)
    assert (dataset.labels is None) == (expected.labels is None)
    if dataset.labels is not None:
        assert dataset.labels.tolist() == expected.labels.tolist()
    assert (dataset.split, dataset.classes, dataset.notes) == (expected.split, expected.classes, expected.notes)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_is_kept_outlives_the_source(zipped, root, write_tree, picture):
    path = write_tree(cells(picture, 10, 5), zipped=zipped)
    expected = {split: datasets.load_folder(path, split) for split in SPLITS}
    info = own.create("cells", path)
    assert (info.name, info.title, info.present, info.how) == ("own:cells", "cells, your own images", True, "")
    assert info.image_shape == (3, 32, 32)
    assert info.origin == f"Your own, from {path.name}"
    path.unlink() if zipped else shutil.rmtree(path)
    for split in SPLITS:
        dataset = datasets.load("own:cells", split)
        assert dataset.name == "own:cells"
        assert_same(dataset, expected[split])
        assert datasets.load("own:cells", split) is dataset
    assert datasets.available()[-1] == info
    assert [listed.name for listed in datasets.available()] == [*datasets.SOURCES, "own:cells"]
    assert [datasets.info(listed.name) for listed in datasets.available()] == datasets.available()
    assert [datasets.info(name) for name in ("", "own:other", "own:../cells", "folder:cells")] == [None] * 4
    assert sorted(item.name for item in (root / "own" / "cells").iterdir()) == ["data.safetensors", "info.json"]
    assert os.stat(root / "own" / "cells").st_mode & 0o777 == 0o755


@pytest.mark.slow
def test_another_process_loads_it(root, write_tree, picture):
    own.create("cells", write_tree(cells(picture, 10, 5)), size=28, channels=1)
    code = "from explorer import datasets; print(datasets.load('own:cells', 'train').fingerprint)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == datasets.load("own:cells", "train").fingerprint


def test_other_shapes_on_loading(root, write_tree, picture):
    own.create("cells", write_tree(cells(picture, 10, 5)))
    assert datasets.load("own:cells", size=64, channels=1).image_shape == (1, 64, 64)


def test_what_the_info_tells(root, write_tree, picture):
    path = write_tree(
        cells(picture, 10, 5, "cells/") | {"cells/sick/broken.png": b"x", "cells/notes.txt": b"x"}, zipped=True
    )
    own.create("cells", path, size=128, channels=1)
    stored = own.details("cells")
    assert (stored.size, stored.channels, stored.classes) == (128, 1, ["good", "sick"])
    assert sum(stored.counts.values()) == 15
    assert [sum(counts) for counts in stored.class_counts.values()] == list(stored.counts.values())
    notes = {note for split in SPLITS for note in stored.notes[split]}
    assert "Left out: 1 file that is no picture, such as cells/notes.txt." in notes
    assert any("could not be read: cells/sick/broken.png" in note for note in notes)
    info = json.loads((root / "own" / "cells" / "info.json").read_text())
    assert info["schema"] == 1
    assert (len(info["digest"]), len(info["archive"])) == (64, 64)
    assert info["split_seed"]
    assert stored.created.tzinfo is not None


@settings(deadline=None, max_examples=30)
@given(
    counts=st.dictionaries(st.sampled_from(["a", "b", "B", "ü x", "c.d"]), st.integers(1, 5), min_size=1, max_size=4),
    broken=st.integers(0, 2),
    layout=st.sampled_from(["classes", "wrapped", "split", "flat"]),
    size=st.sampled_from([None, *own.SIZES]),
    channels=st.sampled_from([None, 1, 3]),
    zipped=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_what_is_kept_is_what_the_folder_gives(counts, broken, layout, size, channels, zipped, seed, tmp_path_factory):
    base = tmp_path_factory.mktemp("round")
    rng = np.random.default_rng(seed)
    files: dict[str, bytes] = {}
    for name, count in counts.items():
        for n in range(count):
            inner = {"classes": f"{name}/{n}", "wrapped": f"x/y/{name}/{n}", "flat": f"{name}-{n}"}.get(
                layout, f"{('train', 'test')[n % 2]}/{name}/{n}"
            )
            pixels = rng.integers(0, 256, (*rng.integers(1, 40, 2), 3)).astype(np.uint8)
            out = io.BytesIO()
            Image.fromarray(pixels).save(out, "PNG")
            files[f"{inner}.png"] = out.getvalue()
    for name in rng.permutation(sorted(files))[:broken]:
        files[str(name)] = files[str(name)][:40]
    source = base / ("it.zip" if zipped else "it")
    if zipped:
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            for inner, data in files.items():
                archive.writestr(inner, data)
    else:
        for inner, data in files.items():
            (source / inner).parent.mkdir(parents=True, exist_ok=True)
            (source / inner).write_bytes(data)
    root = base / "data"
    try:
        expected = {split: datasets.load_folder(source, split, size=size, channels=channels) for split in SPLITS}
    except DatasetError:
        with pytest.raises(DatasetError):
            own.create("it", source, size=size, channels=channels, root=root)
        assert own.names(root) == []
        return
    previewed = None
    if any(len(data) > 40 for data in files.values()):
        previewed = own.preview(source, size=size, channels=channels)
    info = own.create("it", source, size=size, channels=channels, root=root)
    for split in SPLITS:
        assert_same(datasets.load("own:it", split, root=root), expected[split])
    assert previewed is not None
    assert previewed.images.shape[1:] == info.image_shape
    assert previewed.classes == expected["train"].classes
    kept_images = torch.cat([expected[split].images for split in SPLITS])
    for image in previewed.images:
        assert (kept_images == image).flatten(1).all(1).any()


@given(text=st.text(max_size=60))
def test_a_proposed_name_is_a_name(text, tmp_path_factory):
    root = tmp_path_factory.getbasetemp() / "names"
    name = own.propose_name(text, root)
    own.check_name(name)
    assert name == name.lower()
    (root / "own" / name).mkdir(parents=True)
    second = own.propose_name(text, root)
    own.check_name(second)
    assert second != name
    shutil.rmtree(root)


@given(name=st.text(max_size=50))
def test_a_name_is_a_slug_or_refused_in_a_sentence(name):
    with contextlib.suppress(DatasetError):
        own.check_name(name)
        assert name.isascii()
        assert 1 <= len(name) <= 40
        assert not {"/", "\\", ":", "\0"} & set(name)
        assert name[0] != "."
        assert Path("own", name).name == name


def test_names_are_proposed_from_files(root, write_tree, picture):
    assert own.propose_name("/home/me/Blood Cells (2).zip") == "blood-cells-2"
    assert own.propose_name("...") == own.propose_name("") == "images"
    assert own.propose_name("x" * 90) == "x" * 40
    own.create("cells", write_tree(cells(picture, 10, 5)))
    assert own.propose_name("cells.zip") == "cells-2"
    assert own.propose_name("CELLS") == "cells-2"


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", "a\\b", "C:", ".trash", "x" * 41, "-x", "x\n"])
def test_what_is_no_name(name, root, write_tree, picture):
    path = write_tree(cells(picture, 10, 5))
    with pytest.raises(DatasetError, match=r"cannot be the name of a data set|Give the data set a name"):
        own.create(name, path)
    with pytest.raises(DatasetError):
        datasets.load(f"own:{name}")
    with pytest.raises(DatasetError):
        own.remove(name)
    with pytest.raises(DatasetError):
        own.restore(f"{name}~00000000")
    assert not root.exists()


def test_a_taken_name(root, write_tree, picture):
    own.create("cells", write_tree(cells(picture, 10, 5)))
    other = write_tree(cells(picture, 11, 5), name="other")
    for name in ("cells", "Cells"):
        with pytest.raises(DatasetError, match=f"There is a data set own:{name} already; choose another name"):
            own.create(name, other)


def test_a_name_that_is_taken_meanwhile(root, write_tree, picture):
    first, other = write_tree(cells(picture, 10, 5)), write_tree(cells(picture, 11, 5), name="other")

    def overtake(done: int, total: int | None) -> None:
        if done == total:
            own.create("cells", other)

    with pytest.raises(DatasetError, match="There is a data set own:cells already"):
        own.create("cells", first, progress=overtake)
    assert sum(own.details("cells").counts.values()) == 16
    assert sorted(os.listdir(root / "own")) == ["cells"]


@pytest.mark.parametrize("again", [True, False])
def test_the_same_images_again(again, root, write_tree, picture):
    own.create("cells", write_tree(cells(picture, 10, 5), zipped=True))
    # A folder, or a zip made anew, has the same images in another file.
    path = write_tree(cells(picture, 10, 5), zipped=again, name="again")
    calls = []
    with pytest.raises(own.AlreadyHere, match="is already here as own:cells; use that one") as caught:
        own.create("more", path, progress=lambda *call: calls.append(call), label="again.zip")
    assert str(caught.value).startswith("again.zip is already")
    assert caught.value.name == "own:cells"
    assert own.names() == ["cells"]
    own.create("small", path, size=28)
    own.create("gray", path, channels=1)
    with pytest.raises(own.AlreadyHere, match="own:small"):
        own.create("small-2", path, size=28)
    assert own.names() == ["cells", "gray", "small"]


def test_the_very_same_zip_is_known_before_it_is_decoded(root, write_tree, picture):
    path = write_tree(cells(picture, 10, 5), zipped=True)
    own.create("cells", path)

    def never(done: int, total: int | None) -> None:
        assert done == 0

    for name in ("more", "cells"):
        with pytest.raises(own.AlreadyHere):
            own.create(name, path, progress=never)


def test_removing_and_bringing_back(root, write_tree, picture):
    info = own.create("cells", write_tree(cells(picture, 10, 5)))
    before = datasets.load("own:cells", "train").fingerprint
    token = own.remove("cells")
    assert own.names() == []
    with pytest.raises(DatasetMissing, match=r"own:cells is not on this machine\. Add it on the Train screen, or with"):
        datasets.load("own:cells", "train")
    with pytest.raises(DatasetMissing):
        own.remove("cells")
    with pytest.raises(DatasetMissing):
        own.details("cells")
    assert own.restore(token) == info
    assert datasets.load("own:cells", "train").fingerprint == before
    with pytest.raises(DatasetMissing, match="no longer in the trash"):
        own.restore(token)
    token = own.remove("cells")
    own.create("cells", write_tree(cells(picture, 10, 5)))
    with pytest.raises(DatasetError, match="There is another data set own:cells by now"):
        own.restore(token)


def test_the_trash_is_emptied_after_a_week(root, write_tree, picture):
    path = write_tree(cells(picture, 10, 5))
    own.create("old", path)
    old = root / "own" / ".trash" / own.remove("old")
    own.create("young", path)
    left = root / "own" / ".new-left"
    left.mkdir()
    past = time.time() - catalog.TRASH_SECONDS - 60
    for folder in (old, left):
        os.utime(folder, (past, past))
    for i in range(9):  # the newest ten stay, whatever the clock says
        (root / "own" / ".trash" / f"more-{i}~00000000").mkdir()
    young = root / "own" / ".trash" / own.remove("young")
    assert (old.exists(), left.exists(), young.exists()) == (False, False, True)


def test_one_that_is_made_anew_is_loaded_anew(root, write_tree, picture):
    own.create("cells", write_tree(cells(picture, 10, 5)))
    before = datasets.load("own:cells", "train")
    own.remove("cells")
    own.create("cells", write_tree(cells(picture, 20, 5), name="other"))
    assert len(datasets.load("own:cells", "train")) != len(before)


def test_images_that_are_no_squares_can_keep_their_shape(root, write_tree, picture):
    path = write_tree({f"{n:02}.png": picture((n, 0, 0), (30, 20)) for n in range(10)})
    assert own.preview(path).suggested_shape == (20, 30)
    assert own.preview(path, size=(20, 30)).images.shape == (10, 3, 20, 30)
    info = own.create("wide", path, size=(20, 30))
    assert info.image_shape == (3, 20, 30)
    assert own.details("wide").size == (20, 30)
    images = torch.cat([datasets.load("own:wide", split).images for split in SPLITS])
    assert sorted(images[:, 0].flatten(1).unique(dim=1).flatten().tolist()) == list(range(10))  # pixel for pixel
    with pytest.raises(own.AlreadyHere):
        own.create("again", path, size=(20, 30))
    own.create("square", path, size=(28, 28))
    assert own.details("square").size == 28


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ([(640, 480)] * 4, (48, 64)),
        ([(120, 90)] * 4, (90, 120)),  # their own
        ([(60, 90), (62, 90), (64, 90)], (64, 44)),
        ([(30, 30)] * 3, (30, 30)),
        ([(1000, 2)] * 3, (8, 64)),
    ],
)
def test_the_shape_that_is_suggested_is_that_of_most(sizes, shape, root, write_tree, picture):
    path = write_tree({f"{n}.png": picture((n, 0, 0), size) for n, size in enumerate(sizes)})
    assert own.preview(path).suggested_shape == shape


@pytest.mark.parametrize("zipped", [True, False])
def test_the_names_of_files_stay_with_the_images(zipped, root, write_tree, picture):
    files = cells(picture, 6, 6, "cells/") | {"cells/good/broken.png": b"x"}
    own.create("cells", write_tree(files, zipped=zipped))
    found = {}
    for split in SPLITS:
        dataset = datasets.load("own:cells", split)
        for name, image, label in zip(dataset.items.names, dataset.images, dataset.labels.tolist(), strict=True):
            found[name] = (dataset.classes[label], int(image[1, 16, 16]))
    shorter = {name.removeprefix("cells/"): value for name, value in found.items()}
    assert shorter == {f"{label}/{n}.png": (label, n) for label in ("good", "sick") for n in range(6)}
    assert dataset.subset([1, 0]).items.names == [dataset.items.names[1], dataset.items.names[0]]


def test_a_set_of_a_version_that_kept_no_names_still_loads(root, write_tree, picture):
    own.create("cells", write_tree(cells(picture)))
    data, info = root / "own" / "cells" / "data.safetensors", root / "own" / "cells" / "info.json"
    kept = {name: tensor for name, tensor in load_file(data).items() if not name.endswith(".items")}
    save_file(kept, data)
    info.write_text(json.dumps({**json.loads(info.read_text()), "nbytes": data.stat().st_size}))
    dataset = datasets.load("own:cells", "test")
    assert (len(dataset), dataset.items) == (2, None)
