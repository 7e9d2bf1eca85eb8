"""A model from elsewhere, handed in on the Train page: taken in, opened, refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explorer.ui import people
from explorer.ui.people import Person
from tests.app import screens
from tests.app.screens import press, sound, texts, train
from tests.onnx_pairs import Pair


@pytest.fixture
def folder(tmp_path, monkeypatch):
    headers = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}
    monkeypatch.setattr(type(st.context), "headers", headers)
    with screens.runs_in(tmp_path) as place:
        yield place


def files_of(folder: Path) -> list[tuple[str, bytes, str]]:
    return [(file.name, file.read_bytes(), "") for file in sorted(folder.iterdir())]


def zipped(folder: Path) -> tuple[str, bytes, str]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data, _ in files_of(folder):
            archive.writestr(f"theirs/{name}", data)
    return "My VAE.zip", out.getvalue(), "application/zip"


def handed_in(*files: tuple[str, bytes, str]) -> AppTest:
    at = train()
    at.get_by_key("adopt_files").set_value(list(files))
    return sound(at.run())


def said(elements: object) -> str:
    return texts(elements).replace("\\", "")


@pytest.mark.slow
def test_a_zip_becomes_a_model_that_is_opened(folder, tmp_path):
    at = handed_in(zipped(Pair(tmp_path / "pair", latent=2, likelihood="bernoulli", only="3").folder))
    assert at.text_input(key="adopt_name").value == "My-VAE"
    (data,) = [box for box in at.selectbox if box.label == "Data set" and box.key.startswith("adopt")]
    assert data.value == "mnist-5k"
    press(at, "adopt_start")
    job = at.session_state["adopt_job"]
    screens.wait(lambda: not job.running)
    assert job.result, job.problem
    sound(at.run())
    assert at.selectbox(key="explore_model").value == "runs/My-VAE"
    assert "Explore what a model" in said(at.markdown)
    assert (folder / "My-VAE" / "latents.safetensors").exists()


def test_a_name_that_is_taken_and_a_data_set_to_choose(folder, tmp_path):
    pair = Pair(tmp_path / "pair")
    (pair.folder / "adopt.json").write_text("{}")
    at = handed_in(*files_of(pair.folder))
    assert at.text_input(key="adopt_name").value == "adopted"
    (data,) = [box for box in at.selectbox if box.label == "Data set" and box.key.startswith("adopt")]
    assert data.value is None
    assert at.button(key="adopt_start").disabled
    data.set_value("mnist-5k")
    sound(at.run())
    assert not at.button(key="adopt_start").disabled


@pytest.mark.parametrize("name", ["vae.pth", "vae.pt", "vae.h5", "vae.keras"])
def test_weights_lead_to_the_page_that_shows_how(folder, name):
    at = handed_in((name, b"PK", ""))
    assert f"{name} could not be read" in said(at.error)
    assert "docs/adopt-a-model.md" in said(at.error)
    assert "adopt_start" not in screens.keys(at)


def test_half_a_pair(folder, tmp_path):
    at = handed_in(*files_of(Pair(tmp_path / "pair").folder)[:2])
    assert "encoder.onnx is missing in your files" in said(at.error)


def test_on_a_shared_server_a_host_alone_may(folder, monkeypatch):
    monkeypatch.setattr(people, "is_shared", lambda: True)
    guest = Person("guest", "Guest", is_host=False)
    monkeypatch.setattr(people, "here", lambda: guest)
    monkeypatch.setattr(people, "current", lambda: guest)
    at = train()
    assert "a host alone takes in models" in said(at.info)
    with pytest.raises(KeyError):
        at.get_by_key("adopt_files")
