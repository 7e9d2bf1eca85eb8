"""What another tab renames or deletes while it is on the screen: it is followed, or said to be gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explorer import runs
from explorer.ui import following
from explorer.ui.codes.saved_names import SavedCode
from explorer.ui.pickers import FIRST_MODEL
from tests.app import tiny_runs
from tests.app.screens import PAGES, TIMEOUT, own_space, put, sound, texts

MODELS = ["explore", "arithmetic", "reconstruct"]  # screens with a model of a person's own; Cells has what ships alone
MODEL = "explore_model"


@pytest.fixture
def space(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runs folder with three models: `mine`, `other` and `third`."""
    trained = tiny_runs.once(tmp_path_factory)
    with own_space(tmp_path, monkeypatch) as place:
        put(trained / "tiny-2d", place / "mine")
        put(trained / "tiny-2d", place / "other")
        put(trained / "tiny-ae", place / "third")
        yield place
    st.cache_resource.clear()  # which has models at places that are gone


def screen(name: str, **query: str) -> AppTest:
    at = AppTest.from_file(PAGES / f"{name}.py", default_timeout=TIMEOUT)
    for param, value in query.items():
        at.query_params[param] = value
    return sound(at.run())


def said(at: AppTest) -> str:
    return texts(at.warning).replace("\\", "")


def shown(at: AppTest, key: str) -> tuple[str, str]:
    """What a box has chosen, and the label that the browser is told."""
    box = at.selectbox(key=key)
    return box.value, box.proto.raw_value


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_renamed_is_followed(space, name):
    at = screen(name, model="runs/mine", z="0.5,0.5")
    runs.rename("mine", "better")
    assert shown(sound(at.run()), MODEL)[0] == "runs/better"
    assert shown(at, MODEL)[1].startswith("mnist-5k · runs/better — ")
    assert at.query_params["model"] == "runs/better"
    assert at.query_params["z"] == "0.5,0.5"  # its code stays picked
    assert not at.warning


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_deleted_is_said_to_be_gone(space, name):
    at = screen(name, model="runs/mine")
    runs.delete("mine")
    assert shown(sound(at.run()), MODEL)[0] == FIRST_MODEL
    # The browser is told, which has the label of the other.
    assert shown(at, MODEL)[1].startswith(f"mnist · {FIRST_MODEL} — ")
    assert f"runs/mine is no longer here: showing {FIRST_MODEL}." in said(at)


@pytest.mark.parametrize("name", MODELS)
def test_another_model_under_the_name_of_a_deleted_one_is_said(space, name):
    at = screen(name, model="runs/mine")
    runs.delete("mine")
    runs.rename("other", "mine")
    assert shown(sound(at.run()), MODEL)[0] == "runs/mine"
    assert "runs/mine was deleted, and another run has its name now" in said(at)
    assert "another run" in said(sound(at.run()))  # until another model is chosen
    at.selectbox(key=MODEL).select_index(0).run()
    assert not sound(at).warning


def test_a_kept_code_follows_its_model(space):
    at = screen("arithmetic", model="runs/mine")
    at.session_state["saved_names"] = {"a": SavedCode("runs/mine", (0.0, 1.0))}
    runs.rename("mine", "better")
    assert sound(at.run()).session_state["saved_names"]["a"].model == "runs/better"


def test_models_that_are_compared_are_followed_too(space):
    at = screen("reconstruct", model="runs/mine", compare="runs/other,runs/third")
    runs.rename("other", "better")
    assert sound(at.run()).multiselect(key="compare_with").value == ["runs/better", "runs/third"]
    runs.delete("third")
    assert sound(at.run()).multiselect(key="compare_with").value == ["runs/better"]
    assert "runs/third is no longer here to compare with." in said(at)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_whose_folder_goes_while_it_is_opened(space, name, monkeypatch):
    at = screen(name, model="runs/other")
    shutil.rmtree(space / "mine")  # which the list of two seconds ago still has
    at.selectbox(key=MODEL).select("runs/mine").run()
    assert not at.exception
    assert not at.error


def test_the_page_is_stale_when_what_it_shows_has_moved(space, monkeypatch):
    state: dict[str, object] = {"box": "mine"}
    monkeypatch.setattr(following.st, "session_state", state)
    known = {info.name: info for info in runs.runs()}
    following.begin()
    following.remember("box", known)
    assert not following.is_stale()
    runs.rename("mine", "better")
    assert following.is_stale()
    following.begin()  # another page, which does not show it
    assert not following.is_stale()


def test_a_run_on_train_is_followed_or_said_to_be_gone(space):
    at = screen("train", run="mine")
    runs.rename("mine", "better")
    assert shown(sound(at.run()), "train_run") == ("better", "better")
    assert not at.warning
    runs.delete("better")
    now = sound(at.run()).selectbox(key="train_run").value
    assert now in ("other", "third")
    assert f"better is no longer here: showing {now}." in said(at)
    for name in ("other", "third"):
        runs.delete(name)
    assert f"{now} is no longer here: showing none." in said(sound(at.run()))
    assert "Nothing has been trained yet" in texts(at.markdown)
