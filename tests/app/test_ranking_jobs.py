"""Rankings of all sessions wait for each other, and end with the session that began them."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer.evaluation import scores
from explorer.files import pictures
from explorer.ui import folder_jobs, jobs
from explorer.ui.origin import Origin
from explorer.ui.reconstruct import ranking
from explorer.ui.reconstruct.ranking import start
from tests.app.screens import TIMEOUT, sound, wait


@pytest.fixture(scope="module")
def model():
    return explorer.load("mnist-mlp-2d", device="cpu")


@pytest.fixture
def origin(tmp_path):
    for i in range(3):
        Image.new("L", (28, 28), 80 * i).save(tmp_path / f"{i}.png")
    return Origin("folder", "pictures", tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(jobs, "_ASKED", 0.02)
    monkeypatch.setattr(folder_jobs, "_places", threading.BoundedSemaphore(2))


@pytest.fixture
def held(monkeypatch):
    """Rankings that go on until the event is set; how many do at once, and did at most; the reports of each."""
    go_on, counts = threading.Event(), SimpleNamespace(now=0, most=0, reports=Counter())
    rank = ranking.rank

    def slow(path, model, progress, **settings):
        counts.now += 1
        counts.most = max(counts.most, counts.now)
        try:
            while not go_on.wait(0.01):
                progress(1, 3)
                counts.reports[threading.get_ident()] += 1
            return rank(path, model, progress=progress, **settings)
        finally:
            counts.now -= 1

    monkeypatch.setattr(ranking, "rank", slow)
    yield go_on, counts
    go_on.set()


def test_a_double_click_begins_one(model, origin, held, monkeypatch):
    go_on, counts = held
    monkeypatch.setattr(folder_jobs.st, "session_state", {})  # of a visitor, whose clicks these are
    begun = []
    for _ in range(2):
        folder_jobs.begin("job", origin, lambda origin: begun.append(start(origin, model)) or begun[-1])
    go_on.set()
    begun[0].join(TIMEOUT)
    assert begun == [folder_jobs.st.session_state["job"]]
    folder_jobs.begin("job", origin, lambda origin: begun.append(start(origin, model)) or begun[-1])
    begun[1].join(TIMEOUT)
    assert counts.most == 1


def test_the_third_waits_and_can_be_cancelled_meanwhile(model, origin, held):
    go_on, counts = held
    started = [start(origin, model) for _ in range(4)]
    wait(lambda: counts.now == 2 and sum(job.waiting for job in started) == 2)
    time.sleep(0.1)
    assert counts.now == 2
    third, fourth = (job for job in started if job.waiting)
    fourth.cancel()
    fourth.join(TIMEOUT)
    assert fourth.cancelled
    assert third.running
    go_on.set()
    for job in started:
        job.join(TIMEOUT)
    assert [job.result is not None for job in started] == [job is not fourth for job in started]
    assert counts.most == 2
    assert not third.waiting


def test_it_ends_with_its_session(model, origin, held, monkeypatch):
    _, counts = held
    here, now = {"mine", "other"}, [0.0]

    def all_report() -> None:
        """Wait until both have looked for their session twice."""
        begun = counts.reports.copy()
        wait(lambda: len(counts.reports) == 2 and all(counts.reports[i] > begun[i] + 2 for i in counts.reports))

    server = SimpleNamespace(is_active_session=lambda ident: ident in here)
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(jobs.runtime, "exists", lambda: True)
    monkeypatch.setattr(jobs.runtime, "get_instance", lambda: server)
    started = []
    for ident in ("mine", "other"):
        monkeypatch.setattr(jobs, "get_script_run_ctx", lambda i=ident: SimpleNamespace(session_id=i))
        started.append(start(origin, model))
    all_report()
    here.discard("mine")  # the browser loses its connection, and comes back
    now[0] += 100
    all_report()
    here.add("mine")
    all_report()
    now[0] += 100
    all_report()
    assert all(job.running for job in started)
    here.discard("mine")
    now[0] += 200
    started[0].join(TIMEOUT)
    assert started[0].cancelled
    assert started[1].running
    started[1].cancel()
    started[1].join(TIMEOUT)


def test_a_folder_that_was_ranked_in_part_is_gone_on_with(model, origin, monkeypatch, tmp_path):
    """As after a server has ended: the same is left of one that was cancelled."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(pictures, "BLOCK", 1)
    score, scored = scores.score, []

    def cancelled_at_the_third(*pictures, **settings):
        scored.append(pictures)
        if len(scored) == 3:
            raise jobs.Cancelled
        return score(*pictures, **settings)

    monkeypatch.setattr(explorer.evaluation.ranking, "score", cancelled_at_the_third)
    stopped = start(origin, model)
    stopped.join(TIMEOUT)
    assert stopped.cancelled
    (left,) = (tmp_path / "runs" / ".results").iterdir()
    job = start(origin, model)
    job.join(TIMEOUT)
    assert len(scored) == 4
    assert not left.exists()
    found, expected = job.result.ranking, explorer.rank(origin.data, model)
    assert list(found.rows()) == list(expected.rows())
    assert found.images.keys() == expected.images.keys()
    assert all(torch.equal(found.images[row], image) for row, image in expected.images.items())


def open_it(data: bytes, file: str) -> None:
    """As a script: what a click on a tile does."""
    from explorer.ui.origin import Origin
    from explorer.ui.reconstruct.ranking import _open

    _open(Origin("upload", "cells.zip", data), file)


def test_a_ranked_picture_is_opened_as_one_that_is_uploaded():
    data, picture = io.BytesIO(), io.BytesIO()
    Image.new("L", (30, 20), 77).save(picture, "PNG")
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a/one.png", picture.getvalue())
    at = sound(AppTest.from_function(open_it, args=(data.getvalue(), "a/one.png"), default_timeout=TIMEOUT).run())
    (kept,) = at.session_state["reconstruct_uploads"].items
    assert (kept.name, kept.picture.size, kept.picture.getpixel((0, 0))) == ("one.png", (30, 20), 77)
    assert at.session_state["reconstruct_source"] == "upload"
    for data_, file in ((data.getvalue(), "a/two.png"), (b"no zip any more", "a/one.png")):
        at = sound(AppTest.from_function(open_it, args=(data_, file), default_timeout=TIMEOUT).run())
        (problem,) = at.session_state["reconstruct_uploads"].problems
        assert problem == f"{file[2:]} could not be read again: cells.zip has changed, or is gone."
