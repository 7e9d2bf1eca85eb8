"""Malaria cells: whatever layout they come in, split by patient."""

import io
import zipfile

import numpy as np
import pytest
import torch

from explorer import datasets
from explorer.datasets.malaria import COUNT, SHARES, check_archive, split_of
from explorer.errors import DatasetError, DatasetMissing

SPLITS = [split for split, _ in SHARES]
# A patient of each split, healthy or not: worked out once, and a promise since models have been trained by it.
KNOWN = {
    "C1": "train",
    "C2": "train",
    "C3": "train",
    "C4": "validation",
    "C5": "test",
    "C9": "test",
    "C10": "validation",
    "C14": "test",
    "C15": "validation",
}

PATIENTS = range(1, 31)


def cells(picture, patients=PATIENTS, wrap="cell_images/", ending="png"):
    """Two cells a patient: an infected one, red by the patient, and a healthy one, blue by the patient."""
    files = {}
    for patient in patients:
        files[f"{wrap}Parasitized/C{patient}P7thinF_IMG_2015_cell_9.{ending}"] = picture((patient, 0, 9), (40, 20))
        files[f"{wrap}Uninfected/C{patient}P7thinF_IMG_2015_cell_9.{ending}"] = picture((0, 9, patient), (20, 40))
    return files


def loaded(root):
    return {split: datasets.load("malaria", split, root=root) for split in SPLITS}


def same(one, other):
    return all(
        torch.equal(one[s].images, other[s].images)
        and torch.equal(one[s].labels, other[s].labels)
        and one[s].group == other[s].group
        for s in SPLITS
    )


@pytest.fixture
def plain(write_tree, picture):
    """The cells as a folder, loaded."""
    root = write_tree(cells(picture, wrap="malaria/cell_images/"), name="plain")
    return loaded(root)


def test_a_cell_keeps_its_class_and_its_patient(plain):
    for split, dataset in plain.items():
        assert dataset.classes == ["healthy", "infected"]
        assert dataset.image_shape == (3, 64, 64)
        assert dataset.split == split
        middle = dataset.images[:, :, 32, 32].int()
        patients = torch.tensor([int(name.removeprefix("C")) for name in dataset.group])
        infected = dataset.labels == 1
        assert torch.equal(middle[infected, 0], patients[infected].int())
        assert torch.equal(middle[~infected, 2], patients[~infected].int())
        assert bool((middle[infected, 1] == 0).all())
        assert dataset.notes == [f"60 cells of 30 patients, not the {COUNT:,} of the complete set."]
    assert sum(len(dataset) for dataset in plain.values()) == 60


def test_a_cell_is_centred_on_a_black_square(plain):
    image = plain["train"].images[-1]  # infected: 40 x 20
    assert image[:, :14].eq(0).all()
    assert image[:, -14:].eq(0).all()
    assert image[2, 20:44].eq(9).all()


def test_no_patient_is_in_two_splits(plain):
    groups = [set(plain[split].group) for split in SPLITS]
    assert all(groups)
    assert sum(map(len, groups)) == len(set().union(*groups)) == 30


def test_a_patient_stays_where_it_was_as_others_come(plain, write_tree, picture):
    more = loaded(write_tree(cells(picture, range(1, 91), "malaria/cell_images/"), name="more"))
    for split in SPLITS:
        assert set(plain[split].group) == {g for g in more[split].group if int(g[1:]) <= 30}


def test_the_split_is_what_it_has_always_been():
    assert {patient: split_of(patient) for patient in KNOWN} == KNOWN


def test_the_shares_are_kept_over_many_patients():
    found = [split_of(f"C{number}") for number in range(20_000)]
    for split, share in SHARES:
        assert found.count(split) / len(found) == pytest.approx(share, abs=0.015)  # four standard errors and more


@pytest.mark.parametrize(
    "wrap",
    [
        "malaria/cell_images/cell_images/",
        "malaria/",
        "cell_images/",
        "cell_images/cell_images/",
    ],
)
def test_other_folders(plain, write_tree, picture, wrap):
    assert same(loaded(write_tree(cells(picture, wrap=wrap), name="other")), plain)


@pytest.mark.parametrize("name", ["malaria/cell_images", "malaria/cell_images_64", "cell_images"])
@pytest.mark.parametrize("wrap", ["cell_images/", "", "a/cell_images/"])
def test_zips_in_any_order(plain, write_tree, picture, tmp_path, name, wrap):
    (tmp_path / "malaria").mkdir()
    files = dict(reversed(cells(picture, wrap=wrap).items()))
    write_tree(files, zipped=True, name=name)
    assert same(loaded(tmp_path), plain)


def test_the_version_that_has_everything_twice_counts_once(plain, write_tree, picture):
    twice = cells(picture, wrap="malaria/cell_images/") | cells(picture, wrap="malaria/cell_images/cell_images/")
    assert same(loaded(write_tree(twice, name="twice")), plain)


def test_the_complete_set_comes_before_a_smaller_version(plain, write_tree, picture, tmp_path):
    (tmp_path / "malaria").mkdir()
    write_tree(cells(picture), zipped=True, name="malaria/cell_images")
    write_tree(cells(picture, [1, 2]), zipped=True, name="malaria/cell_images_64")
    assert same(loaded(tmp_path), plain)


def test_what_lies_beside_the_cells_is_no_matter(plain, write_tree, picture):
    files = cells(picture, wrap="malaria/cell_images/")
    for folder in ("Parasitized", "Uninfected"):
        files |= {f"malaria/cell_images/{folder}/{name}": b"x" for name in ("Thumbs.db", "notes.txt", ".DS_Store")}
    files["malaria/cell_images/C1P7_overview.png"] = picture()
    assert same(found := loaded(write_tree(files, name="beside")), plain)
    assert found["train"].notes == plain["train"].notes


def test_pictures_of_nobody_and_damaged_ones_are_told(write_tree, picture):
    files = cells(picture, wrap="malaria/cell_images/")
    files["malaria/cell_images/Uninfected/cell_1.png"] = picture()
    patient = next(n for n in range(1, 31) if split_of(f"C{n}") == "test")
    files[f"malaria/cell_images/Uninfected/C{patient}P7_cut.png"] = picture()[:30]
    test = loaded(write_tree(files, name="damaged"))["test"]
    assert test.notes[0].startswith("Left out: 1 pictures whose names do not begin with the patient")
    assert "cell_1.png" in test.notes[0]
    assert "1 of " in test.notes[2]
    assert "_cut.png" in test.notes[2]
    assert len(test.labels) == len(test.group) == len(test)


@pytest.mark.parametrize("size", [32, 128])
def test_other_sizes(write_tree, picture, size):
    root = write_tree(cells(picture, wrap="malaria/cell_images/"), name="sizes")
    assert datasets.load("malaria", root=root, size=size).image_shape == (3, size, size)
    assert datasets.load("malaria", root=root, size=size, channels=1).image_shape == (1, size, size)


def test_leading_zeros_and_small_letters_are_the_same_patient(write_tree, picture):
    files = {
        f"malaria/cell_images/{c}/{n}P1_{i}.png": picture()
        for c in ("Parasitized", "Uninfected")
        for i, n in enumerate(("C7", "c007"))
    }
    files |= cells(picture, wrap="malaria/cell_images/")
    found = loaded(write_tree(files, name="zeros"))
    assert sum(dataset.group.count("C7") for dataset in found.values()) == 6


def test_what_cannot_be_split_or_is_not_there(write_tree, picture, tmp_path):
    alone = next(n for n in range(1, 99) if split_of(f"C{n}") == "train")
    root = write_tree(cells(picture, [alone], "malaria/cell_images/"), name="alone")
    with pytest.raises(DatasetError, match="too few patients for a test set"):
        datasets.load("malaria", root=root)
    (tmp_path / "none" / "malaria").mkdir(parents=True)
    with pytest.raises(DatasetMissing, match="python -m explorer data fetch malaria"):
        datasets.load("malaria", root=tmp_path / "none")
    with pytest.raises(DatasetError, match="no split 'all' of malaria; there are train and validation and test"):
        datasets.load("malaria", "all", root=root)
    one = {k: v for k, v in cells(picture, wrap="malaria/cell_images/").items() if "Parasitized" in k}
    one["malaria/cell_images/Uninfected/Thumbs.db"] = b""
    with pytest.raises(DatasetError, match="does not hold cells in the folders Parasitized and Uninfected"):
        datasets.load("malaria", root=write_tree(one, name="one"))


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_fetch(plain, tmp_path, server, picture, monkeypatch):
    packed = zipped(cells(picture))
    server.files["/m/cell_images.zip"], server.tags["/m/cell_images.zip"] = packed, '"1"'
    server.cut.add("/m/cell_images.zip")
    monkeypatch.setenv("EXPLORER_MIRROR_MALARIA", f"{server.url}/m")
    with pytest.raises(DatasetError, match="the connection ended"):
        datasets.fetch("malaria", tmp_path / "new")
    with pytest.raises(DatasetMissing):
        datasets.load("malaria", root=tmp_path / "new")
    server.cut.clear()
    calls = []
    datasets.fetch("malaria", tmp_path / "new", lambda *call: calls.append(call))
    assert server.ranges == [f"bytes={len(packed) // 2}-"]
    assert calls[-1] == (len(packed), len(packed))
    assert same(loaded(tmp_path / "new"), plain)
    asked = len(server.asked)
    datasets.fetch("malaria", tmp_path / "new")
    assert len(server.asked) == asked
    target = tmp_path / "new" / "malaria" / "cell_images.zip"
    target.write_bytes(packed[: len(packed) // 2])
    datasets.fetch("malaria", tmp_path / "new")
    assert target.read_bytes() == packed


def test_an_archive_of_something_else_is_refused(tmp_path, picture):
    path = tmp_path / "a.zip"
    for data, reason in [
        (b"<html>", "neither a folder nor an intact"),
        (zipped({"a/b.png": picture()}), "does not hold cells"),
    ]:
        path.write_bytes(data)
        with pytest.raises(DatasetError, match=reason):
            check_archive(path)
    whole = bytearray(zipped(cells(picture)))
    whole[300] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DatasetError, match="damaged"):
        check_archive(path)


@pytest.mark.data
def test_the_real_cells(data_root):
    found = loaded(data_root)
    assert sum(len(d) for d in found.values()) == 24_650
    assert sum(d.labels.bincount() for d in found.values()).tolist() == [12_421, 12_229]
    groups = {split: set(d.group) for split, d in found.items()}
    assert sum(map(len, groups.values())) == len(set().union(*groups.values())) == 180
    for split, share in SHARES:
        dataset, infected = found[split], {g for g, y in zip(found[split].group, found[split].labels, strict=True) if y}
        assert len(infected) == pytest.approx(share * 135, abs=2)
        assert len(groups[split] - infected) == pytest.approx(share * 45, abs=2)
        counts = dataset.labels.bincount().numpy() / [12_421, 12_229]
        np.testing.assert_allclose(counts, share, atol=0.02)
        assert dataset.notes == ["24,650 cells of 180 patients, not the 27,558 of the complete set."]


@pytest.mark.data
def test_the_real_archive_is_fetched_as_it_is(data_root, tmp_path, server, monkeypatch):
    """Cells as they are published, with their Thumbs.db, from a server on this machine; cut off once."""
    packed = (data_root / "malaria" / "cell_images_sample.zip").read_bytes()
    server.files["/cell_images.zip"], server.tags["/cell_images.zip"] = packed, '"1"'
    server.cut.add("/cell_images.zip")
    monkeypatch.setenv("EXPLORER_MIRROR_MALARIA", server.url)
    with pytest.raises(DatasetError, match="the connection ended"):
        datasets.fetch("malaria", tmp_path)
    server.cut.clear()
    datasets.fetch("malaria", tmp_path)
    assert server.ranges == [f"bytes={len(packed) // 2}-"]
    found = loaded(tmp_path)
    assert sum(d.labels.bincount() for d in found.values()).tolist() == [250, 250]
    assert all(len(d.notes) == 1 for d in found.values())
    assert all(split_of(patient) == split for split, d in found.items() for patient in d.group)
