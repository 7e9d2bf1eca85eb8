"""Uploading cells under Streamlit's test runner: files as people have them, with the models that ship."""

from __future__ import annotations

import csv
import io
import math
import threading
import zipfile
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import streamlit as st
import tifffile
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer.cells.screening.screener import screener
from explorer.cells.screening.verdicts import Verdict, verdicts
from explorer.datasets.malaria import split_of
from explorer.errors import CheckpointError
from explorer.images import pictures
from explorer.images.stacks import Planes
from explorer.ui.cells import uploads
from explorer.ui.cells.overview import as_csv, chance, rarer
from explorer.ui.cells.report import measured
from explorer.ui.cells.uploads import CellIntake, UploadedCell, by_probability, screened
from explorer.ui.uploads.store import Uploads
from tests.app.screens import APP, PAGES, TIMEOUT, press, sound, texts

STATE = "cells_uploads"


@pytest.fixture(autouse=True)
def _own_space(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))


@cache
def cell(index: int = 0) -> Image.Image:
    """What a model draws: a cell on black."""
    return pictures.single(explorer.load("cells-infected-conv").sample(index + 1, seed=3)[index])


def saved(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def open_panel() -> AppTest:
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / "cells.py"))
    at.query_params["part"] = "upload"
    return sound(at.run())


def upload(at: AppTest, files: dict[str, bytes]) -> AppTest:
    at.file_uploader[0].set_value([(name, data, "image/png") for name, data in files.items()])
    sound(at.run())
    while (job := state(at).job) is not None:  # a busy machine takes longer than the page waits
        job.join()
        sound(at.run())
    return at


def state(at: AppTest) -> Uploads[UploadedCell]:
    return at.session_state[STATE]


def html(at: AppTest) -> str:
    return texts(at.get("html"))


@pytest.mark.slow
def test_cells_are_screened_as_the_package_does_and_one_is_looked_at():
    at = open_panel()
    assert "part" in at.query_params
    files = {f"cell {i}.png": saved(cell(i)) for i in range(5)}
    upload(at, files)
    expected = screener().screen(list(files.values()))
    found = {c.name: c.verdict for c in state(at).items}
    assert list(found) == list(files)
    for name, verdict in zip(files, verdicts(expected), strict=True):
        assert found[name].p_infected == pytest.approx(verdict.p_infected, abs=1e-5)
        assert found[name].log_ratio == pytest.approx(verdict.log_ratio, abs=1e-3)
    # The likeliest comes first, and is looked at: large figures, not without the warning.
    first = by_probability(state(at).items)[0]
    assert state(at).looked_at is first
    assert f"##### {first.name}" in texts(at.markdown)
    (headline,) = [e.value for e in at.get("html") if "lx-verdict" in e.value]
    assert "Not a medical device" in headline
    assert not first.verdict.unlike
    assert chance(first.verdict.p_infected) in headline
    for picture in ("where it looks infected", "by the healthy model", "by the infected model", "left by the healthy"):
        assert picture in html(at)
    assert html(at).count("a healthy training cell of patient C") == 5
    assert len(at.get("plotly_chart")) == 4  # two maps; calibration and ROC
    assert "Not a medical device" in texts(at.caption)  # above the table
    assert len(at.dataframe[0].value) == 5

    # The same file again is known; what is uploaded outlives a visit to another page, and can be taken away.
    upload(at, {name: files[name] for name in ("cell 1.png", "cell 2.png")})
    assert len(state(at).items) == 5
    assert "2 files were here already" in texts(at.warning)
    for again in ("cell 1.png", first.name):  # a single one is looked at
        upload(at, {again: files[again]})
        assert state(at).looked_at.name == again
        assert not at.warning
    at.switch_page(str(PAGES / "explore.py")).run()
    at.switch_page(str(PAGES / "cells.py"))
    sound(at.run())
    assert len(state(at).items) == 5
    press(at, "cells_upload_remove")
    assert [c.name for c in state(at).items] == [name for name in files if name != first.name]
    press(at, "cells_upload_undo")
    assert state(at).looked_at == first
    press(at, "cells_upload_clear")
    assert state(at).items == ()
    assert "Cleared 5 cells" in texts(at.caption)
    press(at, "cells_upload_undo")
    assert len(state(at).items) == 5


def test_files_that_are_none_get_a_sentence_each_and_the_others_go_on():
    good = cell()
    rgba = good.convert("RGBA")
    rgba.putalpha(200)
    exif = Image.Exif()
    exif[0x0112] = 8
    bomb = bytearray(saved(Image.new("RGB", (64, 64)), "JPEG"))
    frame = bomb.index(b"\xff\xc0")
    bomb[frame + 5 : frame + 9] = (65_000).to_bytes(2, "big") * 2
    bad = {
        "cut.png": (saved(good)[:700], "cut.png could not be read: it is cut off or damaged."),
        "empty.png": (b"", "empty.png could not be read: it is empty."),
        "report.pdf": (b"%PDF-1.7 x", "report.pdf could not be read: it is not a picture"),
        "bomb.jpg": (bytes(bomb), "bomb.jpg could not be read: it has 65,000 x 65,000 pixels"),
    }
    fine = {
        "gray.png": (saved(good.convert("L")), "It is gray"),
        "alpha.png": (saved(rgba), "transparent"),
        "deep.png": (saved(Image.fromarray(np.asarray(good.convert("L")).astype(np.uint16) * 256)), "8 bits"),
        "palette.png": (saved(good.convert("P")), ""),
        "print.tif": (saved(good.convert("CMYK"), "TIFF"), "CMYK"),
        "turned.jpg": (saved(good, "JPEG", exif=exif), "upright"),
        "moving.gif": (saved(good, "GIF", save_all=True, append_images=[cell(1)]), "only the first is used"),
        "wide.png": (saved(good.resize((300, 90))), ""),
    }
    at = upload(open_panel(), {name: data for name, (data, _) in (bad | fine).items()})
    warned = texts(at.warning).replace("\\", "")
    for _, sentence in bad.values():
        assert sentence in warned
    cells = {c.name: c for c in state(at).items}
    assert set(cells) == set(fine)
    for name, (_, remark) in fine.items():
        assert remark in " ".join(cells[name].notes)
        assert bool(remark) == bool(cells[name].notes)
    press(at, "cells_upload_dismiss")
    assert not at.warning


def test_what_is_no_cell_gets_no_probability():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    digit = explorer.dataset("mnist-5k").images[0, 0].numpy()
    odd = {
        "noise": Image.fromarray(noise),
        "digit": Image.fromarray(digit),
        "white": Image.new("RGB", (50, 80), "white"),
        "black": Image.new("L", (64, 64)),
    }
    at = upload(open_panel(), {name: saved(picture) for name, picture in odd.items()})
    assert all(c.verdict.unlike for c in state(at).items)
    assert "**4 pictures, all unlike any cell**" in texts(at.markdown)
    (headline,) = [e.value for e in at.get("html") if "lx-verdict" in e.value]
    assert "Unlike any cell in training" in headline
    assert "%" not in headline.split(">", 2)[2]
    assert "typicality" in html(at)
    assert "less than 0.1%" in html(at)
    for meaningless in ("residuals of both models", "where it looks infected", "left by", "strongest place"):
        assert meaningless not in html(at)
    assert "A parasite is purple" not in texts(at.caption)
    assert "by the healthy model" in html(at)
    assert set(at.dataframe[0].value["probability"]) == {""}


@pytest.mark.slow
def test_a_slide_gets_a_hint_and_any_square_of_it(monkeypatch):
    slide = Image.new("RGB", (3000, 2200), (231, 225, 220))
    slide.paste(cell().resize((160, 160)), (1420, 1020))
    slide.paste(cell(1).resize((160, 160)), (2600, 300))
    at = upload(open_panel(), {"slide.png": saved(slide), "small.png": saved(cell())})
    (large,) = [c.ident for c in state(at).items if c.name == "slide.png"]
    at.session_state[STATE] = replace(state(at), chosen=large)
    sound(at.run())
    assert "3,000 × 2,200" in texts(at.markdown)
    assert "single cells" in texts(at.markdown)
    (slider,) = [s for s in at.slider if s.label.startswith("Side of the square")]
    assert (slider.min, slider.max, slider.value) == (40, 1024, 160)
    slider.set_value(150)
    sound(at.run())
    press(at, "cells_upload_centre")
    cut = state(at).looked_at
    assert cut is not None
    assert cut.title == "slide.png, 150 px at (1500, 1100)"
    (alone,) = verdicts(screener().screen([slide.crop((1425, 1025, 1575, 1175))]))
    assert cut.verdict.p_infected == pytest.approx(alone.p_infected, abs=1e-5)
    assert cut.verdict.typicality == alone.typicality
    for name, value in {"left": 2680, "top": 380}.items():
        (slider,) = [s for s in at.slider if s.label.endswith(f"from the {name}")]
        slider.set_value(value)
    sound(at.run())
    press(at, "cells_upload_centre")
    moved = state(at).looked_at
    assert moved is not None
    assert moved.title == "slide.png, 150 px at (2680, 380)"
    (alone,) = verdicts(screener().screen([slide.crop((2605, 305, 2755, 455))]))
    assert moved.verdict.p_infected == pytest.approx(alone.p_infected, abs=1e-5)
    with monkeypatch.context() as patch:

        def damaged() -> None:
            raise CheckpointError("cells-healthy-conv is damaged")

        patch.setattr(uploads, "screener", damaged)
        press(at, "cells_upload_whole")
    assert state(at).problems == ("slide.png could not be screened: cells-healthy-conv is damaged.",)
    assert state(at).looked_at is moved
    press(at, "cells_upload_whole")
    whole = state(at).looked_at
    assert whole is not None
    assert whole.crop is None
    assert len(state(at).items) == 2


def test_examples_where_there_are_no_data_are_said_to_be_generated():
    at = open_panel()
    assert at.button(key="cells_upload_examples")
    press(at, "cells_upload_examples")
    assert len(state(at).items) == 12
    assert "generated by the models" in texts(at.info)
    assert "no photograph" in texts(at.caption)


@pytest.mark.data
def test_examples_are_real_cells_of_test_patients_where_the_data_are(monkeypatch, data_root):
    monkeypatch.setenv("EXPLORER_DATA", str(data_root))
    at = press(open_panel(), "cells_upload_examples")
    found = state(at)
    patients = [c.name.split(",")[0] for c in found.items]
    assert len(set(patients)) == 12
    assert {split_of(patient) for patient in patients} == {"test"}
    assert "real cells" in texts(at.info)
    right = sum(c.verdict.state == c.name.split(", ")[1] for c in found.items)
    assert right >= 9


def test_a_middling_probability_is_called_uncertain_with_how_often_that_is_wrong():
    at = upload(open_panel(), {f"{i}.png": saved(cell(i)) for i in range(2)})
    doubtful, sure = state(at).items
    doubtful = replace(doubtful, verdict=Verdict(0.58, 0.3, 0.5, 0.1))
    sure = replace(sure, verdict=Verdict(0.02, -4.0, 0.5, 0.1))
    at.session_state[STATE] = replace(state(at), items=(doubtful, sure), chosen=doubtful.ident)
    sound(at.run())
    assert "**2 cells: 1 uncertain, 1 likely healthy**" in texts(at.markdown)
    (headline,) = [e.value for e in at.get("html") if "lx-verdict" in e.value]
    report = measured()
    assert report is not None
    assert report.middle is not None
    assert "Uncertain: 58%" in headline
    assert f"{report.middle.wrong:.0%} lay on the wrong side" in headline
    assert list(at.dataframe[0].value["verdict"]) == ["uncertain", "likely healthy"]
    at.session_state[STATE] = replace(state(at), chosen=sure.ident)
    (headline,) = [e.value for e in sound(at.run()).get("html") if "lx-verdict" in e.value]
    assert "ncertain" not in headline
    assert "wrong" not in headline


def test_what_is_on_its_way_is_taken_in_once_whatever_is_clicked(monkeypatch):
    """A rerun in the middle finds the files on their way, and an empty uploader."""
    go = threading.Event()
    reader = CellIntake.reader

    def slowly(self, before):
        read = reader(self, before)
        return lambda *file: go.wait(TIMEOUT) and read(*file)

    monkeypatch.setattr(CellIntake, "reader", slowly)
    monkeypatch.setattr("explorer.ui.uploads.intake._PATIENCE", 0.0)
    at = open_panel()
    at.file_uploader[0].set_value([("a.png", saved(cell()), "image/png")])
    sound(at.run())
    job = state(at).job
    assert job is not None
    assert at.file_uploader[0].disabled
    assert not at.file_uploader[0].value
    sound(at.run())
    assert state(at).job is job
    go.set()
    job.join()
    sound(at.run())
    assert [c.name for c in state(at).items] == ["a.png"]
    assert state(at).job is None
    assert not at.warning

    # Cancelled, it brings nothing, and says so. What is taken away meanwhile comes back when it has ended.
    go.clear()
    taken = state(at).items[0]
    at.file_uploader[0].set_value([("b.png", saved(cell(1)), "image/png")])
    sound(at.run())
    job = state(at).job
    assert job is not None
    press(at, "cells_upload_remove")
    assert at.button(key="cells_upload_undo").disabled
    with monkeypatch.context() as patch:  # a click before that was drawn
        patch.setattr(st, "session_state", {STATE: state(at)})
        CellIntake.store.undo()
        assert not st.session_state[STATE].items
    press(at, "cells_upload_cancel")
    go.set()
    job.join()
    sound(at.run())
    assert "Cancelled" in texts(at.warning)
    press(at, "cells_upload_undo")
    assert state(at).items == (taken,)
    assert not at.file_uploader[0].disabled


def test_another_channel_and_frame_of_a_file_is_screened():
    planes = np.stack([np.asarray(cell(i).convert("L").resize((64, 64))) for i in range(4)])
    data = io.BytesIO()
    tifffile.imwrite(data, planes.reshape(2, 2, 64, 64), metadata={"axes": "TCYX"}, imagej=True)
    at = upload(open_panel(), {"stack.tif": data.getvalue()})
    (item,) = state(at).items
    assert (item.frames, item.channels) == (2, 2)
    at.selectbox(key=f"cells_upload_{item.ident}_channel").select(2).run()
    (item,) = state(at).items
    assert not at.exception
    np.testing.assert_array_equal(item.image[0].numpy(), planes[1])
    at.selectbox(key=f"cells_upload_{item.ident}_frames").select("max").run()
    (item,) = state(at).items
    assert item.planes == Planes("max", 2)
    np.testing.assert_array_equal(item.image[0].numpy(), planes[1::2].max(0))
    assert item.verdict == screened([item])[0].verdict


def test_files_of_large_pictures_are_kept_within_bounds(monkeypatch):
    files = [(f"{i}.png", saved(Image.new("RGB", (1100, 100), (i, 0, 0)))) for i in range(3)]
    monkeypatch.setattr(uploads, "MOST_LARGE_BYTES", len(files[0][1]) + 5)
    read = CellIntake().reader(Uploads())
    assert [read(*file, "").large is None for file in files] == [False, True, True]


def test_too_many_files_are_sent_to_the_command_line():
    many = {f"{i}.png": b"" for i in range(CellIntake.most + 1)}
    at = upload(open_panel(), many)
    assert state(at).items == ()
    assert "501 files" in texts(at.warning)
    assert "python -m explorer screen" in texts(at.warning)


def test_the_words_for_figures():
    assert [chance(p) for p in (0.0, 0.0123, 0.2, 0.905, 0.9123, 0.99999)] == [
        "< 0.1%",
        "1.2%",
        "20%",
        "90%",
        "91.2%",
        "> 99.9%",
    ]
    assert [rarer(share) for share in (0.0, 0.0004, 0.0123, 0.5)] == [
        "less than 0.1%",
        "less than 0.1%",
        "1.2%",
        "50.0%",
    ]


def test_the_download_is_of_all_cells_in_their_order():
    cells = [
        UploadedCell(
            i, f"{i}.png", str(i), torch.zeros(3, 64, 64, dtype=torch.uint8), Verdict(0.1 * i, float(i), 1.0, 0.0)
        )
        for i in range(3)
    ]
    uploads = Uploads(tuple(cells), unreadable=(("x.png", "it is empty"),))
    *rows, broken = csv.DictReader(io.StringIO(as_csv(uploads, None)))
    assert [row["file"] for row in rows] == ["0.png", "1.png", "2.png"]
    assert [float(row["p_infected"]) for row in rows] == pytest.approx([0, 0.1, 0.2])
    assert (broken["file"], broken["verdict"], broken["unreadable"]) == ("x.png", "unreadable", "it is empty")
    assert {row["model"] for row in rows} == {screener().version}
    *rows, _ = csv.DictReader(io.StringIO(as_csv(uploads, 0.01)))
    assert {row["share_infected"] for row in rows} == {"0.01"}
    odds = [math.exp(i) * 0.01 / 0.99 for i in range(3)]
    assert [float(row["p_infected"]) for row in rows] == pytest.approx([o / (1 + o) for o in odds])


def test_a_zip_of_cells_is_taken_with_what_of_it_cannot_be_read():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("C2/C2_a.png", saved(cell()))
        file.writestr("C10/C10_b.png", saved(cell(1)))
        file.writestr("C10/cut.png", saved(cell())[:90])
        file.writestr("notes.txt", "about these")
    at = upload(open_panel(), {"cells.zip": archive.getvalue(), "C2_c.png": saved(cell(2)), "bad.zip": b"no zip"})
    assert sorted(c.name for c in state(at).items) == ["C10/C10_b.png", "C2/C2_a.png", "C2_c.png"]
    said = texts(at.warning).replace("\\", "")
    assert "C10/cut.png could not be read: it is cut off or damaged" in said
    assert "Left out: 1 file that is no picture, such as notes.txt." in said
    assert "bad.zip is neither a folder nor an intact .zip" in said
    press(at, "cells_upload_dismiss")
    upload(at, {"C2_c.png": saved(cell(2))})
    assert [name for name, _ in state(at).unreadable] == ["C10/cut.png"]  # for the table, whatever is dismissed

    groups = at.dataframe[1].value
    assert list(groups["group"]) == ["C2", "C10"]
    assert list(groups["cells"]) == [2, 1]
    at.text_input(key="cells_upload_pattern").set_value("*/").run()
    assert list(sound(at).dataframe[1].value["group"]) == ["C2", "C10", "none"]
    at.text_input(key="cells_upload_pattern").set_value("C").run()
    assert "A pattern has one" in texts(sound(at).error)

    # A share of a person's own: all that is said of the cells follows.
    at.number_input(key="cells_share").set_value(0.1).run()
    odds = math.exp(state(at).looked_at.verdict.log_ratio) * 0.001 / 0.999
    (headline,) = [e.value for e in sound(at).get("html") if "lx-verdict" in e.value]
    assert chance(odds / (1 + odds)).replace("<", "&lt;") in headline
    assert "0.1% of the cells are infected" in texts(at.caption)


def test_a_zip_of_too_many_cells_is_sent_to_the_command_line(monkeypatch):
    monkeypatch.setattr(CellIntake, "most", 3)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for i in range(4):
            file.writestr(f"{i}.png", b"")
    at = upload(open_panel(), {"cells.zip": archive.getvalue()})
    assert "this screen takes 3 at most" in texts(at.warning)
    assert "python -m explorer screen" in texts(at.warning)
