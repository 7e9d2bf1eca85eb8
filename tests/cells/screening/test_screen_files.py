"""Screening files: folders, zips, what cannot be read, the table, and the command line."""

import csv
import io
import os
import signal
import sys
import threading
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import expit, logit

import explorer
from explorer.__main__ import main
from explorer.cells.screening import FileScreening, Screening, screen_files
from explorer.cells.screening import files as module
from explorer.cells.screening.screener import screener
from explorer.cells.screening.verdicts import Verdict, summary, verdicts
from explorer.errors import DatasetError
from explorer.files import pictures
from explorer.images import memory
from explorer.images.decoding import decode_image
from explorer.images.memory import Room

COLUMNS = [
    "file",
    "p_infected",
    "log_ratio",
    "typicality",
    "verdict",
    "unlike",
    "share_infected",
    "model",
    "unreadable",
]


def png(seed, size=(70, 60), format="PNG"):
    """A pink ellipse with a darker spot somewhere."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    generator = np.random.default_rng(seed)
    inside = ((y / height - 0.5) ** 2 + (x / width - 0.5) ** 2 < 0.22)[..., None]
    spot = np.hypot(y - generator.uniform(20, 40), x - generator.uniform(20, 45)) < generator.uniform(1, 6)
    pixels = (
        np.where(inside, (205, 160, 175), 0) - 60 * (spot[..., None] & inside) + generator.integers(0, 6, (1, 1, 3))
    )
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, format)
    return stream.getvalue()


TREE = {
    "b.png": png(0),
    "a/c10.png": png(1, (40, 90)),
    "a/c9.jpg": png(2, format="JPEG"),
    "a/deeper/d, and more.bmp": png(3, format="BMP"),
    "broken.png": png(4)[:150],
    "a/empty.png": b"",
    "a/words.jpg": b"not a picture",
    "README.txt": b"about these cells",
    "a/notes.csv": b"1,2",
    "a/Thumbs.db": b"left by a file manager",
}
READABLE = ["a/c10.png", "a/c9.jpg", "a/deeper/d, and more.bmp", "b.png"]
BROKEN = {"a/empty.png": "it is empty", "a/words.jpg": "it is not a picture", "broken.png": "it is cut off or damaged"}


def write(top, files):
    for name, data in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    return top


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def source(request, tmp_path):
    if request.param == "zip":
        return zipped(tmp_path / "cells.zip", TREE)
    return write(tmp_path / "cells", TREE)


def rows(path):
    with open(path, newline="", encoding="utf-8") as stream:
        header, *found = csv.reader(stream)
    assert header == COLUMNS
    return found


@pytest.mark.parametrize("source", ["folder", "zip"], indirect=True)
def test_all_pictures_at_any_depth(source, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "BLOCK", 3)  # so that blocks hold both kinds
    seen = []
    found = screen_files(source, device="cpu", progress=lambda done, total: seen.append((done, total)))
    assert found.files == READABLE
    for (path, said), (expected, reason) in zip(found.unreadable, BROKEN.items(), strict=True):
        assert path == expected
        assert said.startswith(reason)
    assert found.notes == ["Left out: 2 files that are no pictures, such as README.txt."]
    assert list(dict.fromkeys(seen)) == [(0, 7), (3, 7), (6, 7), (7, 7)]

    one_by_one = explorer.screen([TREE[name] for name in READABLE], device="cpu")
    for name in ("p_infected", "log_ratio", "residual_score"):
        np.testing.assert_allclose(getattr(found.screening, name), getattr(one_by_one, name), atol=1e-4)

    found.write_csv(tmp_path / "scores.csv")
    table, broken = rows(tmp_path / "scores.csv")[:4], rows(tmp_path / "scores.csv")[4:]
    assert [row[0] for row in table] == READABLE
    figures = torch.tensor([[float(cell) for cell in row[1:4]] for row in table])
    expected = [found.screening.p_infected, found.screening.log_ratio, found.screening.typicality]
    assert torch.equal(figures, torch.stack(expected, 1))
    assert [row[4] for row in table] == [verdict.called for verdict in verdicts(found.screening)]
    assert [row[5] for row in table] == [str(flag) for flag in found.screening.unlike.tolist()]
    assert [row[0] for row in broken] == list(BROKEN)
    for row, reason in zip(broken, BROKEN.values(), strict=True):
        assert row[1:6] == ["", "", "", "unreadable", ""]
        assert row[8].startswith(reason)
    opened = screener("cpu")
    assert {(row[6], row[7]) for row in table + broken} == {(f"{expit(opened.calibration.prior):.6g}", opened.version)}
    assert len(opened.version) == 16


def test_the_share_of_infected_cells_that_a_person_names(tmp_path, capsys):
    """The probability follows by Bayes' rule from the evidence, p(evidence | infected) / p(evidence | healthy)."""
    source = write(tmp_path / "cells", {f"{i}.png": png(i) for i in range(5)})
    usual = screen_files(source, device="cpu")
    out = tmp_path / "scores.csv"
    assert main(["screen", str(source), "--share", "0.02", "--out", str(out), "--device", "cpu"]) == 0
    ratio = np.exp(usual.screening.log_ratio.double().numpy())
    expected = ratio * 0.02 / (ratio * 0.02 + 1 * 0.98)
    table = rows(out)
    np.testing.assert_allclose([float(row[1]) for row in table], expected, rtol=1e-4)
    assert [row[6] for row in table] == ["0.02"] * 5
    calibrated = usual.screening.p_infected.double().numpy()
    np.testing.assert_allclose(logit(calibrated) - np.log(ratio), logit(usual.share), atol=1e-3)
    for share in ("0", "1", "-0.1", "nan", "50"):
        assert main(["screen", str(source), "--share", share, "--out", str(out), "--device", "cpu"]) == 1
        assert "a share of infected cells lies between 0 and 1" in capsys.readouterr().err


def test_the_command_counts_cells_by_patient_or_pattern(tmp_path, capsys):
    write(tmp_path / "cells", {f"{name}.png": png(0) for name in ("s1/C2_a", "s1/C2_b", "s2/C10_a", "s2/other")})
    arguments = ["screen", str(tmp_path / "cells"), "--out", str(tmp_path / "s.csv"), "--device", "cpu"]
    out = tmp_path / "groups.csv"

    def table():
        with open(out, newline="", encoding="utf-8") as stream:
            return [(row["group"], int(row["cells"]) + int(row["unlike"])) for row in csv.DictReader(stream)]

    assert main([*arguments, "--groups", str(out)]) == 0
    assert table() == [("C2", 2), ("C10", 1), ("", 1)]
    assert main([*arguments, "--groups", str(out), "--pattern", "*/"]) == 0
    assert table() == [("s1", 2), ("s2", 2)]
    capsys.readouterr()
    for wrong, said in ((["--pattern", "*/"], "--groups FILE"), (["--groups", str(out), "--pattern", "x"], "one *")):
        assert main([*arguments, *wrong]) == 1
        assert said in capsys.readouterr().err


def test_probabilities_near_the_ends_are_no_ties(tmp_path):
    log_odds = torch.cat([torch.linspace(10, 13.5, 30), torch.linspace(-30, -10, 50)])
    p = torch.sigmoid(log_odds)
    assert len(p.unique()) == 80
    screening = Screening(p, log_odds, torch.linspace(0, 1, 80), torch.zeros(80))
    names = [f"{i}.png" for i in range(80)]
    FileScreening(names, screening, [], [], 0.5, "x").write_csv(tmp_path / "scores.csv")
    written = [row[1] for row in rows(tmp_path / "scores.csv")]
    assert len({float(text) for text in written}) == 80
    assert np.array_equal(np.array(written, np.float32), p.numpy())


ZERO = ["a.png", "0.0", "0.0", "0.0", "unlike any cell", "True", "0.5", "x", ""]


def test_a_table_that_cannot_take_its_place_leaves_nothing(tmp_path):
    one = Screening(*(torch.zeros(1) for _ in range(4)))
    (tmp_path / "old.csv").write_text("old")
    FileScreening(["a.png"], one, [], [], 0.5, "x").write_csv(tmp_path / "old.csv")
    assert rows(tmp_path / "old.csv") == [ZERO]
    with pytest.raises(DatasetError, match=r"could not be written: File name too long\.$"):
        FileScreening(["a.png"], one, [], [], 0.5, "x").write_csv(tmp_path / f"{'x' * 300}.csv")
    assert os.listdir(tmp_path) == ["old.csv"]
    assert rows(tmp_path / "old.csv") == [ZERO]


def test_names_from_anywhere(tmp_path):
    """Formulas to a spreadsheet, names of no encoding, and a link where the table is put together."""
    top = write(tmp_path / "cells", {"=1+1.png": png(0)})
    for name in (b"\xff.png", b"\xfe.png", b"\xfd.png"):
        with open(os.path.join(os.fsencode(top), name), "wb") as stream:
            stream.write(b"broken")
    found = screen_files(top, device="cpu")
    assert [path for path, _ in found.unreadable] == [r"\xfd.png", r"\xfe.png", r"\xff.png"]
    (tmp_path / "victim").write_text("precious")
    os.symlink(tmp_path / "victim", tmp_path / ".scores.csv.part")
    found.write_csv(tmp_path / "scores.csv")
    assert (tmp_path / "victim").read_text() == "precious"
    row, *broken = rows(tmp_path / "scores.csv")
    assert [name for name, *_ in broken] == [r"\xfd.png", r"\xfe.png", r"\xff.png"]
    assert row[0] == "'=1+1.png"
    assert np.float32(row[2]) == found.screening.log_ratio.numpy()[0]  # a number, whatever its sign


def test_huge_files_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 4 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", png(0))
        archive.writestr("zeros.png", bytes(20 << 20))
    screen_files(path, device="cpu")  # what is loaded once
    tracemalloc.start()
    found = screen_files(path, device="cpu")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.unreadable == [("zeros.png", "it has 20 MB, more than the limit of 4")]
    assert peak < 8 << 20


def test_large_files_are_in_memory_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "files", Room(10))
    monkeypatch.setenv("EXPLORER_DECODERS", "4")
    busy, most = [], []
    monkeypatch.setattr(pictures, "_BATCH_BYTES", 1)
    decode = pictures.decode

    def watched(*asked):
        busy.append(1)
        most.append(len(busy))
        time.sleep(0.01)
        busy.pop()
        return decode(*asked)

    monkeypatch.setattr(pictures, "decode", watched)
    screen_files(write(tmp_path / "cells", {f"{i}.png": png(i) for i in range(6)}), device="cpu")
    assert max(most) == 1


def test_stopping_leaves_no_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "BLOCK", 1)
    decode_image(png(0))  # or the thread that watches processes begins in between
    before = threading.active_count()

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        screen_files(write(tmp_path / "cells", TREE), device="cpu", progress=stop)
    assert threading.active_count() == before


@pytest.mark.parametrize("source", ["folder", "zip"], indirect=True)
def test_the_command_says_what_it_found(source, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert main(["screen", str(source), "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    table = rows(out)
    found = [Verdict(*map(float, row[1:4]), 0.0) for row in table if row[1]]
    assert (len(found), len(table)) == (4, 7)
    assert said.out == f"{out}: {summary(found)}. Not a medical device.\n"
    lines = [line for line in said.err.splitlines() if line.startswith("explorer: ")]
    assert lines[0] == "explorer: Left out: 2 files that are no pictures, such as README.txt."
    assert [line.split(" could not be read: ")[0] for line in lines[1:]] == [f"explorer: {path}" for path in BROKEN]
    assert "7/7" in said.err  # the progress bar


def test_the_command_names_twenty_unreadable_files(tmp_path, capsys):
    write(tmp_path / "cells", {"good.png": png(0), **{f"bad{i:02}.png": b"x" for i in range(33)}})
    assert main(["screen", str(tmp_path / "cells"), "--out", str(tmp_path / "s.csv"), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("explorer: ")]
    assert lines[19].startswith("explorer: bad19.png could not be read: ")
    assert lines[20:] == ["explorer: and 13 more could not be read"]
    assert said.out.count("\n") == 1


def test_a_single_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(write(tmp_path, {"one.JPG": png(5, format="JPEG")}))
    assert main(["screen", "one.JPG", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith("scores.csv: 1 ")
    assert [row[0] for row in rows("scores.csv")] == ["one.JPG"]


ERRORS = {
    "nothing": ([], "There is nothing at"),
    "words.txt": ([("words.txt", b"hello")], "is neither a folder nor an intact .zip"),
    "cut.zip": ([("cut.zip", b"PK\x03\x04cut off")], "is neither a folder nor an intact .zip"),
    "texts": ([("texts/a.txt", b"hello")], "holds no images."),
    "zips": ([("zips/a.zip", b"")], "holds no images but 1 zip: unpack what is inside first."),
    "broken": ([("broken/a.png", b"x"), ("broken/b.png", b"")], "None of the 2 pictures in"),
    "one.png": ([("one.png", b"")], "one.png could not be read: it is empty."),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_one_line_and_write_nothing(name, tmp_path, capsys):
    files, reason = ERRORS[name]
    write(tmp_path, dict(files))
    before = sorted(os.listdir(tmp_path))
    assert main(["screen", str(tmp_path / name), "--out", str(tmp_path / "s.csv"), "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = [line for line in said.err.splitlines() if line and not line.startswith("screening: ")]  # the bar
    assert line.startswith("explorer: ")
    assert reason in line
    assert sorted(os.listdir(tmp_path)) == before


def test_where_nothing_can_be_written_is_said_before_screening(tmp_path, capsys):
    for out, reason in (
        (tmp_path, "is a folder: name a file in it"),
        (tmp_path / "no" / "s.csv", "There is no folder"),
        (Path(os.devnull), "is no plain file"),
    ):
        assert main(["screen", str(tmp_path / "nothing"), "--out", str(out)]) == 1
        said = capsys.readouterr().err
        assert reason in said
        assert len(said.splitlines()) == 1


class StopsAtFirst(io.StringIO):
    """A terminal in front of which a person presses Ctrl-C as soon as something is drawn on it."""

    pressed = False

    def write(self, text):
        if not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)
        return super().write(text)


def test_ctrl_c_leaves_no_file(tmp_path, monkeypatch):
    cells = write(tmp_path / "cells", {f"{i}.png": png(i) for i in range(3)})
    screen = StopsAtFirst()
    monkeypatch.setattr(sys, "stderr", screen)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever an earlier test has made of it
    try:
        assert main(["screen", str(cells), "--out", str(tmp_path / "s.csv"), "--device", "cpu"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert screen.getvalue().splitlines()[-1] == "explorer: stopped"
    assert os.listdir(tmp_path) == ["cells"]


def test_help_explains_the_columns(capsys):
    with pytest.raises(SystemExit) as done:
        main(["screen", "--help"])
    assert done.value.code == 0
    out = capsys.readouterr().out
    for column in COLUMNS:
        assert f"\n  {column} " in out
    for told in ("Not a medical device", "--out", "--device", ".zip"):
        assert told in out
