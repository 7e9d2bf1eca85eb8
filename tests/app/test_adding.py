"""A data set on its way in, without a page: who may name folders, the thread, text of files where Markdown is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st

from explorer.datasets import own
from explorer.datasets.own import Wanted
from explorer.ui import origin
from explorer.ui.markdown import plain
from explorer.ui.origin import Origin
from explorer.ui.own_data.panel import add
from tests.app.screens import TIMEOUT


def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def test_an_upload_lies_in_a_file_of_our_name_and_only_meanwhile(tmp_path, monkeypatch):
    place = _temporary(tmp_path, monkeypatch)
    with Origin("one", "../../evil.zip", b"data").path() as path:
        assert path.parent == place
        assert re.fullmatch(r"latent-explorer-upload-\d+-\w+\.zip", path.name)
        assert path.read_bytes() == b"data"
    assert list(place.iterdir()) == []


def test_an_upload_goes_with_the_server_and_at_the_latest_with_the_next_one(tmp_path, monkeypatch):
    place = _temporary(tmp_path, monkeypatch)
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    killed = place / f"latent-explorer-upload-{ended.pid}-abc.zip"
    living = place / f"latent-explorer-upload-{os.getppid()}-abc.zip"
    foreign = place / "upload-1.zip"
    for file in (killed, living, foreign):
        file.write_bytes(b"data")
    with Origin("one", "cells.zip", b"data").path() as path:
        assert set(place.iterdir()) == {living, foreign, path}
        origin._unlink_all()  # as at the server's end, in the middle of a job
        assert set(place.iterdir()) == {living, foreign}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device"), "cells.zip could not be added: No space left on device."),
        (
            MemoryError(),
            "cells.zip could not be added: this computer has too little memory; choose a smaller size.",
        ),
        (KeyError("x"), "cells.zip could not be added (KeyError)."),
    ],
)
def test_whatever_goes_wrong_is_a_sentence(error, sentence, tmp_path, monkeypatch):
    place = _temporary(tmp_path, monkeypatch)

    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(own, "create", fail)
    job = add("cells", Origin("one", "cells.zip", b"zip"), Wanted())
    job.join(TIMEOUT)
    assert not job.running
    assert sentence in job.problem
    assert list(place.iterdir()) == []


def test_the_time_left(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("explorer.ui.jobs.time.monotonic", lambda: now[0])
    monkeypatch.setattr(own, "create", lambda *args, **options: None)
    job = add("cells", Origin("one", "cells.zip", b""), Wanted())
    job.join(TIMEOUT)
    assert job.seconds_left is None
    now[0] += 30
    job.report(75, 100)
    assert job.seconds_left == pytest.approx(10)


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501"}, True),
        ({"Host": "[::1]:8501", "Origin": "http://[::1]:8501"}, True),
        ({"host": "127.0.0.1", "origin": "http://127.0.0.1"}, True),
        ({}, False),
        ({"Host": "localhost:8501"}, False),  # what a proxy makes of a program that is no browser
        ({"Origin": "http://localhost:8501"}, False),
        ({"Host": "explorer.example.org", "Origin": "http://localhost:8501"}, False),
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501", "X-Forwarded-For": "10.1.2.3"}, False),
        ({"Host": "localhost:8501", "Origin": "https://explorer.example.org"}, False),
        ({"Host": "localhost:8501", "Origin": "null"}, False),
    ],
)
def test_a_proxy_in_front_is_noticed(headers, local, monkeypatch):
    monkeypatch.setattr(st, "get_option", lambda key: "localhost")
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=headers))
    assert origin.may_name_folders() is local


def test_text_is_shown_as_it_is():
    assert plain("a\nb") == "a b"
    assert plain("![x](http://e.com)") == "\\!\\[x\\]\\(http\\:\u2060//e.com\\)"
    assert plain(r"$x$ `y` <b> \z") == r"\$x\$ \`y\` \<b\> \\z"
