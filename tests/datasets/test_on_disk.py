"""Images that stay on the disk: indexed as a tensor is, read when they are asked for, checked to be what they were."""

from __future__ import annotations

import os
import shutil
import tempfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer import datasets
from explorer.datasets import on_disk, own
from explorer.datasets.base import SPLITS
from explorer.datasets.on_disk import ImageFile, StoredImages, Stretch
from explorer.datasets.own import data_file
from explorer.errors import DatasetError
from explorer.files.entries import Files
from explorer.files.results import Results
from explorer.images.batches import resize_batch

COUNT = 40


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Images in memory, and the same ones in two stretches of a file."""
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (COUNT, 3, 5, 4), np.uint8))
    path = tmp_path_factory.mktemp("images") / "images"
    path.write_bytes(images[30:].numpy().tobytes() + b"between" + images[:30].numpy().tobytes())
    file = ImageFile(path, "own:it")
    return images, StoredImages([Stretch(file, 10 * 60 + 7, 30), Stretch(file, 0, 10)], (3, 5, 4))


_ROWS = st.lists(st.integers(-COUNT, COUNT - 1), max_size=60)
_ENDS = st.one_of(st.none(), st.integers(-50, 50))
_INDICES = st.one_of(
    st.integers(-COUNT, COUNT - 1),
    _ROWS,
    _ROWS.map(lambda rows: torch.tensor(rows, dtype=torch.int64)),
    st.lists(st.booleans(), min_size=COUNT, max_size=COUNT).map(torch.tensor),
    st.builds(slice, _ENDS, _ENDS, st.sampled_from([None, 1, 2, 7])),
    st.tuples(st.integers(0, 9), st.integers(0, 2)),
    st.tuples(st.builds(slice, _ENDS, _ENDS), st.integers(0, 2)),
)


@settings(max_examples=200, deadline=None)
@given(index=_INDICES)
def test_an_index_gives_what_it_gives_of_a_tensor(both, index):
    images, stored = both
    assert torch.equal(stored[index], images[index])


@settings(max_examples=50, deadline=None)
@given(rows=_ROWS, more=_ROWS, index=st.builds(slice, _ENDS, _ENDS))
def test_what_is_picked_joined_and_resized_is_read_later(both, rows, more, index):
    images, stored = both
    rows, more = torch.tensor(rows, dtype=torch.int64), torch.tensor(more, dtype=torch.int64)
    found = stored.pick(rows).joined(stored).joined(stored.pick(more)).shown_as((6, 8), 1)
    expected = resize_batch(torch.cat([images[rows], images, images[more]]), (6, 8), 1)
    assert (found.shape, found.dtype, len(found)) == (expected.shape, expected.dtype, len(expected))
    assert torch.equal(found[index], expected[index])


def test_it_is_a_tensor_to_everybody_else(both):
    images, stored = both
    assert (stored.shape, stored.dtype, stored.nbytes) == (images.shape, images.dtype, images.nbytes)
    assert torch.as_tensor(stored) is stored
    assert torch.equal(stored.float().mean(0), images.float().mean(0))
    assert torch.equal(torch.stack(list(stored)), images)
    assert [len(block) for block in stored.split(16)] == [16, 16, 8]
    assert repr(stored) == "<StoredImages [40, 3, 5, 4]>"


@pytest.mark.parametrize("index", [COUNT, -COUNT - 1, [0, COUNT], torch.tensor([True])], ids=str)
def test_a_position_that_is_none(both, index):
    with pytest.raises(IndexError):
        both[1][index]


@pytest.mark.parametrize("how", ["cut off", "emptied", "written"])
def test_a_file_that_changes_while_it_is_in_use(how, tmp_path):
    path = tmp_path / "images"
    path.write_bytes(bytes(48_000))
    stored = StoredImages([Stretch(ImageFile(path, "own:it"), 0, 1000)], (3, 4, 4))
    assert not stored[990:].any()
    if how == "written":
        with path.open("r+b") as file:
            file.write(b"x")
        os.utime(path, ns=(0, 0))
    else:
        os.truncate(path, 0 if how == "emptied" else 47_999)
    with pytest.raises(DatasetError, match=r"^The images of own:it have changed on the disk while they were in use\.$"):
        stored[990:]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def arrays(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "dots.npz"
    np.savez(path, images=rng.integers(0, 256, (60, 9, 9), np.uint8), labels=rng.integers(0, 3, 60))
    return path


def _load():
    datasets.clear_cache()
    return {split: datasets.load("own:dots", split) for split in SPLITS}


def test_a_large_own_set_is_what_it_is_in_memory(root, arrays, monkeypatch):
    own.create("dots", arrays)
    expected = _load()
    monkeypatch.setattr(on_disk, "IN_MEMORY", 0)
    found = _load()
    for split in SPLITS:
        assert isinstance(found[split].images, StoredImages)
        assert torch.equal(found[split].images[:], expected[split].images)
        assert torch.equal(found[split].labels, expected[split].labels)
        some = found[split].subset([3, 1])
        assert isinstance(some.images, StoredImages)
        assert some.fingerprint == expected[split].subset([3, 1]).fingerprint
    both = [datasets.join_splits(data["train"], data["test"]) for data in (found, expected)]
    assert isinstance(both[0].images, StoredImages)
    assert both[0].fingerprint == both[1].fingerprint
    larger = datasets.load("own:dots", "test", size=16, channels=3)
    assert larger.fingerprint == _resized(expected["test"]).fingerprint
    # As it lies on the disk it does not depend on how it was made.
    own.create("again", arrays, size=(9, 10))
    keep = torch.ones(len(both[0]), dtype=torch.bool)
    training = torch.arange(len(keep)) < len(found["train"])
    own.derive("derived", both[0], keep=keep, classes={}, training=training)
    assert datasets.load("own:derived", "train").fingerprint == expected["train"].fingerprint


def _resized(data):
    return datasets.ImageDataset(data.name, data.split, resize_batch(data.images, 16, 3), data.labels, data.classes)


def test_a_large_folder_is_what_it_is_in_memory_and_leaves_no_file(write_tree, picture, monkeypatch, tmp_path):
    path = write_tree(
        {f"{label}/{n}.png": picture((n, 9, i * 90), (9, 9)) for i, label in enumerate("ab") for n in range(9)}
    )
    expected = datasets.load_folder(path, size=8)
    monkeypatch.setattr(on_disk, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    found = datasets.load_folder(path, size=8)
    assert isinstance(found.images, StoredImages)
    assert found.fingerprint == expected.fingerprint
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_large_folder_that_does_not_fit_on_the_disk(write_tree, picture, monkeypatch):
    path = write_tree({f"{n}.png": picture((n, 9, 9), (9, 9)) for n in range(9)})
    monkeypatch.setattr(on_disk, "IN_MEMORY", 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(100, 0, 100))
    with pytest.raises(
        DatasetError, match=r"The images, 0 MB, could not be kept in .* \(No space left on device\): choose"
    ):
        datasets.load_folder(path, size=8)


def test_many_images_are_read_anew_to_be_checked_where_the_file_was_touched(root, arrays, monkeypatch):
    monkeypatch.setattr(on_disk, "IN_MEMORY", 0)
    own.create("dots", arrays)
    expected = _load()["train"].fingerprint
    file = root / "own" / "dots" / "data.safetensors"
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").rename(file)
    assert _load()["train"].fingerprint == expected
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=r"own:dots is damaged: data.safetensors is not what was written"):
        _load()


def test_a_removed_set_can_be_used_to_the_end(root, arrays, monkeypatch):
    monkeypatch.setattr(on_disk, "IN_MEMORY", 0)
    own.create("dots", arrays)
    found = _load()["train"]
    own.remove("dots")
    shutil.rmtree(root / "own" / ".trash")
    assert len(found.images[:]) == len(found)


def interrupt_import(monkeypatch, path, after):
    """Begins to import `own:dots`, and presses Ctrl-C when so many results are kept."""
    kept = Results.add

    def killed(results, rows):
        kept(results, rows)
        if len(results) >= after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Results, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            own.create("dots", path)


def test_an_import_that_was_killed_goes_on(root, write_tree, picture, monkeypatch):
    """Ctrl-C ends it here, with the same left behind."""
    monkeypatch.setattr(data_file, "BLOCK", 4)
    tree = {f"{label}/{n}.png": picture((n, 2 * n, i * 90), (9, 9)) for i, label in enumerate("ab") for n in range(60)}
    path = write_tree({**tree, "a/7.png": b"torn"})
    own.create("whole", path, root=root.with_name("other"))
    interrupt_import(monkeypatch, path, 40)
    assert own.names() == []
    read = []
    reads = Files.read

    def counted(files, entry, *most):
        read.append(entry.path)
        return reads(files, entry, *most)

    monkeypatch.setattr(Files, "read", counted)
    own.create("dots", path)
    assert len(read) - 120 == 80  # a sample of them all is looked at first
    assert sorted(os.listdir(root / "own")) == ["dots"]
    assert sorted(os.listdir(root / "own" / "dots")) == ["data.safetensors", "info.json"]
    found, expected = own.details("dots"), own.details("whole", root.with_name("other"))
    assert (found.digest, found.fingerprints, found.notes) == (expected.digest, expected.fingerprints, expected.notes)
    assert _load()["test"].items.names == datasets.load("own:whole", "test", root=root.with_name("other")).items.names


def test_a_machine_that_died_before_images_were_written(root, write_tree, picture, monkeypatch):
    monkeypatch.setattr(data_file, "BLOCK", 4)
    path = write_tree({f"{n}.png": picture((n, 0, 0), (9, 9)) for n in range(60)})
    interrupt_import(monkeypatch, path, 20)
    (left,) = (root / "own").iterdir()
    os.truncate(left / "data.safetensors", 5000)
    own.create("dots", path)
    assert _load()["train"].fingerprint == datasets.load_folder(path, "train").fingerprint
