"""Folders and zips of pictures by how unusual they are: digits, with things among them that are none."""

import csv
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import explorer
from explorer import ranking
from explorer.datasets import DatasetError, DatasetMissing
from explorer.judging import judge, score
from explorer.loaded import load
from explorer.preparation import Steps
from explorer.ranking import rank


@pytest.fixture(scope="module")
def model(tiny_run):
    return load(tiny_run.path, device="cpu")


@pytest.fixture(scope="module")
def digits():
    return explorer.dataset("mnist-5k", split="test").images[::40]  # 25


@pytest.fixture
def source(tmp_path, digits):
    """A folder of 25 digits, one of noise, one in two halves, a torn file and a note."""
    top = tmp_path / "pictures"
    (top / "sub").mkdir(parents=True)
    for i, digit in enumerate(digits):
        Image.fromarray(digit[0].numpy()).save(top / f"digit{i:02}.png")
    noise = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    Image.fromarray(noise).save(top / "sub" / "noise.png")
    (top / "torn.png").write_bytes((top / "digit00.png").read_bytes()[:90])
    (top / "notes.txt").write_text("not a picture")
    return top


def test_the_most_unusual_comes_first(source, model, digits):
    reports = []
    found = rank(source, model, steps=Steps(), progress=lambda *done: reports.append(done))
    assert len(found.files) == 26
    assert found.files[int(found.order[0])] == "sub/noise.png"
    assert found.unreadable == {"torn.png": "it is cut off or damaged"}
    assert found.notes == ["Left out: 1 file that is no picture, such as notes.txt."]
    assert reports[-1] == (27, 27)
    assert (found.elbo[found.order].diff() >= 0).all()
    expected = judge(model, digits)
    torch.testing.assert_close(found.elbo[:25], expected.elbo, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(found.better_than[:25], expected.better_than, atol=2e-3, rtol=0)


def test_a_zip_and_a_list_are_ranked_alike(source, model, tmp_path):
    folder = rank(source, model)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in source.rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(source).as_posix())
    zipped = rank(tmp_path / "x.zip", model)
    listed = rank([(name, Image.open(source / name)) for name in folder.files], model)
    for other in (zipped, listed):
        assert other.files == folder.files
        assert torch.equal(other.elbo, folder.elbo)
        assert torch.equal(other.order, folder.order)


def test_blocks_change_nothing_and_only_the_ends_images_are_kept(source, model, monkeypatch):
    whole = rank(source, model, steps=Steps())
    monkeypatch.setattr(ranking, "BLOCK", 4)
    monkeypatch.setattr(ranking, "SHOWN", 3)
    blocks = rank(source, model, steps=Steps())
    torch.testing.assert_close(blocks.elbo, whole.elbo, rtol=1e-4, atol=1e-2)
    order = blocks.order.tolist()
    assert set(blocks.images) == {*order[:3], *order[-3:]}
    for position, image in blocks.images.items():
        with Image.open(source / blocks.files[position]) as picture:
            np.testing.assert_array_equal(image[0], np.asarray(picture))


def test_pictures_are_prepared_as_the_model_needs_them(model, digits):
    ink = [(str(i), ImageOps.invert(Image.fromarray(d[0].numpy()))) for i, d in enumerate(digits)]
    found = rank(ink, model)
    expected = score(model, digits)
    torch.testing.assert_close(found.elbo, expected.log_likelihood - expected.kl, rtol=1e-4, atol=1e-2)
    assert (rank(ink, model, steps=Steps()).elbo < found.elbo).all()


def test_the_table(source, model, tmp_path):
    found = rank(source, model)
    path = tmp_path / "scores.csv"
    path.write_text("old")
    found.write_csv(path)
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["file", "elbo", "reconstruction", "kl", "better_than"]
    assert [row["file"] for row in rows] == [found.files[i] for i in found.order.tolist()]
    for name in ("elbo", "reconstruction", "kl", "better_than"):
        values = torch.tensor([float(row[name]) for row in rows])
        assert torch.equal(values, getattr(found, name)[found.order])
    with pytest.raises(DatasetError, match="could not be written"):
        found.write_csv(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pictures", "scores.csv"]


def test_what_cannot_be_ranked(model, tmp_path):
    with pytest.raises(DatasetMissing):
        rank(tmp_path / "missing", model)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match="holds no pictures"):
        rank(empty, model)
    with pytest.raises(DatasetError, match="holds no pictures"):
        rank([], model)
    (empty / "a.png").write_bytes(b"nothing like it")
    with pytest.raises(DatasetError, match=r"None of the 1 pictures .*: a\.png, it is not a picture"):
        rank(empty, model)
