"""Folders on this computer, screened on the Cells screen by a job that goes on where another one was."""

from __future__ import annotations

import csv
import io
import os

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer.cells.screening import Screener, screen_files
from explorer.cells.screening.verdicts import COLUMNS
from explorer.files import pictures
from explorer.files.tables import table_text
from explorer.images.pictures import single
from explorer.ui import folder_jobs, jobs
from explorer.ui.cells import folder
from explorer.ui.cells.folder import start
from explorer.ui.origin import Origin
from tests.app.screens import APP, PAGES, TIMEOUT, press, sound, texts


@pytest.fixture(scope="module")
def drawn():
    return [single(image) for image in explorer.load("cells-infected-conv", device="cpu").sample(4, seed=3)]


@pytest.fixture
def source(tmp_path, monkeypatch, drawn):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    top = tmp_path / "cells"
    top.mkdir()
    for i, cell in enumerate(drawn):
        cell.save(top / f"C{i % 2}_{i}.png")
    Image.new("RGB", (40, 40), "white").save(top / "white.png")
    (top / "torn.png").write_bytes(b"torn")
    return top


def left(source):
    place = source.parent / "runs" / ".results"
    return sorted(place.iterdir()) if place.exists() else []


def cancelled(source, monkeypatch, at=3):
    """A job that is cancelled while it is at a block of one file; which is what an ended server leaves, too."""
    screen, calls = Screener.screen, []

    def stopped(*asked, **settings):
        calls.append(1)
        if len(calls) == at:
            raise jobs.Cancelled
        return screen(*asked, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "BLOCK", 1)
        patch.setattr(Screener, "screen", stopped)
        job = start(Origin(f"folder {source}", source.name, source))
        job.join(TIMEOUT)
    assert job.cancelled


def test_what_was_screened_in_part_is_gone_on_with(source, monkeypatch):
    cancelled(source, monkeypatch)
    (kept,) = left(source)
    screen, screened = Screener.screen, []

    def counted(screener, images, **settings):
        screened.append(len(images))
        return screen(screener, images, **settings)

    monkeypatch.setattr(Screener, "screen", counted)
    job = start(Origin(f"folder {source}", source.name, source))
    job.join(TIMEOUT)
    assert sum(screened) == 3  # of five that can be read
    assert not kept.exists()
    monkeypatch.setattr(Screener, "screen", screen)
    found, expected = job.result.files, screen_files(source)
    assert found.files == expected.files
    assert found.screening.p_infected.tolist() == pytest.approx(expected.screening.p_infected.tolist(), abs=1e-5)
    assert found.unreadable == expected.unreadable


def test_what_nobody_goes_on_with_is_deleted(source, monkeypatch):
    cancelled(source, monkeypatch)
    (kept,) = left(source)
    other = source.parent / "other"
    other.mkdir()
    (other / "1.png").write_bytes((source / "C0_0.png").read_bytes())
    start(Origin(f"folder {other}", "other", other)).join(TIMEOUT)
    assert left(source) == [kept]  # another choice keeps it for a while
    week_ago = kept.stat().st_mtime - folder_jobs._LEFT - 60
    os.utime(kept, (week_ago, week_ago))
    start(Origin(f"folder {other}", "other", other)).join(TIMEOUT)
    assert left(source) == []


def test_a_folder_is_screened_told_of_and_opened_on_the_screen(source, monkeypatch):
    monkeypatch.setattr(type(st.context), "headers", {"Host": "localhost:8501", "Origin": "http://localhost:8501"})
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / "cells.py"))
    at.query_params["part"] = "upload"
    sound(at.run())
    at.text_input(key="cells_folder").set_value(str(source))
    sound(at.run())
    press(at, "cells_folder_start")
    at.session_state[folder._JOB].join(TIMEOUT)
    sound(at.run())
    expected = screen_files(source)
    assert f"**{expected.summary}** in cells · Not a medical device" in texts(at.markdown)
    assert "torn.png" in texts(at.warning)
    at.session_state["cells_share"] = 1.0
    sound(at.run())
    rare = expected.assuming(0.01)
    assert f"**{rare.summary}** in cells" in texts(at.markdown)
    press(at, "cells_folder_open")
    assert sorted(cell.name for cell in at.session_state["cells_uploads"].items) == sorted(rare.likeliest(24))
    (source / rare.likeliest(1)[0]).unlink()
    press(at, "cells_folder_open")
    assert "Some of these cells could not be read again" in texts(at.warning)


def test_the_likeliest_come_first_and_what_is_no_cell_is_none_of_them(source):
    found = screen_files(source)
    table = {row["file"]: row for row in csv.DictReader(io.StringIO(table_text(COLUMNS, found.rows())))}
    cells = [name for name, row in table.items() if row["unlike"] == "False"]
    ordered = sorted(cells, key=lambda name: -float(table[name]["p_infected"]))
    assert [float(table[name]["p_infected"]) for name in found.likeliest(24)] == [
        float(table[name]["p_infected"]) for name in ordered
    ]
    assert found.likeliest(2) == found.likeliest(24)[:2]
    assert "white.png" not in found.likeliest(24)
