"""Folders and zips of pictures by how unusual they are: digits, with things among them that are none."""

import csv
import threading
import time
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import explorer
from explorer.__main__ import main
from explorer.checkpoints.model import load
from explorer.errors import DatasetError, DatasetMissing
from explorer.evaluation import ranking
from explorer.evaluation.ranking import COLUMNS, rank
from explorer.evaluation.scores import judge, score
from explorer.files import pictures
from explorer.files.entries import read_again
from explorer.files.tables import table_text
from explorer.images import memory
from explorer.images.memory import Room
from explorer.images.preparation import Steps


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
    assert found.unreadable == [("torn.png", "it is cut off or damaged")]
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
    monkeypatch.setattr(pictures, "BLOCK", 4)
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


def test_names_that_a_spreadsheet_would_run_or_that_look_the_same(model, digits, tmp_path):
    link = '=HYPERLINK("http:||x").png'
    Image.fromarray(digits[0, 0].numpy()).save(tmp_path / link)
    for name in ("a\x01.png", "a\x02.png"):
        (tmp_path / name).write_bytes(b"no picture")
    found = rank(tmp_path, model)
    assert [path for path, _ in found.unreadable] == ["a?.png", "a?.png"]
    assert table_text(COLUMNS, found.rows()).splitlines()[1].startswith("\"'=HYPER")


def test_a_ranked_file_is_read_again_by_its_name(source, tmp_path):
    assert read_again(source, ["sub/noise.png"]) == [("sub/noise.png", (source / "sub" / "noise.png").read_bytes())]
    with pytest.raises(DatasetError, match="no longer there"):
        read_again(source, ["noise.png"])
    for name in ("a\x01.png", "a\x02.png"):
        (source / name).touch()
    with pytest.raises(DatasetError, match="Several files"):
        read_again(source, ["a?.png"])


def test_large_files_are_not_inflated_all_at_once(model, digits, tmp_path, monkeypatch):
    for i in range(8):
        Image.fromarray(digits[i, 0].numpy()).save(tmp_path / f"{i}.png")
    largest = max(path.stat().st_size for path in tmp_path.iterdir())
    monkeypatch.setattr(memory, "files", Room(largest + 10))
    monkeypatch.setenv("EXPLORER_DECODERS", "8")
    held, most, lock = 0, 0, threading.Lock()
    monkeypatch.setattr(pictures, "_BATCH_BYTES", 1)
    decode = pictures.decode

    def watched(files, *options):
        nonlocal held, most
        with lock:
            held += len(files[0][1])
            most = max(most, held)
        time.sleep(0.01)
        try:
            yield from decode(files, *options)
        finally:
            with lock:
                held -= len(files[0][1])

    monkeypatch.setattr(pictures, "decode", watched)
    assert len(rank(tmp_path, model).files) == 8
    assert largest <= most <= largest + 10


def test_what_cannot_be_ranked(model, tmp_path):
    with pytest.raises(DatasetMissing):
        rank(tmp_path / "missing", model)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        rank(empty, model)
    with pytest.raises(DatasetError, match="holds no images"):
        rank([], model)
    (empty / "a.png").write_bytes(b"nothing like it")
    with pytest.raises(DatasetError, match=r"a\.png could not be read: it is not a picture"):
        rank(empty, model)
    (empty / "b.png").write_bytes(b"nor is this")
    with pytest.raises(DatasetError, match=r"None of the 2 pictures .*: a\.png, it is not a picture"):
        rank(empty, model)


def test_the_command_writes_what_the_package_says(source, tiny_run, model, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    assert main(["rank", str(tiny_run.path), str(source), "--out", str(out), "--device", "cpu", "--seed", "3"]) == 0
    found = explorer.rank(str(source), model, seed=3)
    assert out.read_text("utf-8") == table_text(COLUMNS, found.rows())
    said = capsys.readouterr()
    count = sum(share < 0.01 for share in found.better_than.tolist())
    assert count > 0
    assert said.out == (f"{out}: 26 pictures, {count} of which the model explains worse than 99% of its test images\n")
    assert "explorer: torn.png could not be read: it is cut off or damaged" in said.err
    assert "explorer: Left out: 1 file that is no picture, such as notes.txt." in said.err


def test_the_command_knows_before_the_work_that_its_table_cannot_be_written(source, tiny_run, tmp_path, capsys):
    out = tmp_path / "missing" / "scores.csv"
    assert main(["rank", "no-such-model", str(source), "--out", str(out)]) == 1
    assert "There is no folder" in capsys.readouterr().err
