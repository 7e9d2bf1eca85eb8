"""The list of runs: search and pages, rename, delete and undo, settings taken over, several at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import explorer
from explorer import runs
from explorer.training.presets import TrainConfig
from explorer.ui.wording import ago, duration, number
from tests.app.screens import act, go_back, keys, own_space, press, put, sound, texts, train


@pytest.fixture(autouse=True)
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_space(tmp_path, monkeypatch) as place:
        yield place


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three finished runs: two VAEs and an autoencoder."""
    place = tmp_path_factory.mktemp("three")
    common = {"dataset": "mnist-5k", "epochs": 1, "device": "cpu"}
    narrow = {"encoder": (16,), "decoder": (16,)}
    asked = {
        "one": TrainConfig(preset="mlp-2d", settings={**narrow, "beta": 2.0}, **common),
        "two": TrainConfig(preset="ae-2d", settings=narrow, **common),
        "three": TrainConfig(preset="mlp-2d", seed=5, settings={**narrow, "optimizer": "adam"}, **common),
    }
    return {name: explorer.train(config, place / name).path for name, config in asked.items()}


@pytest.fixture
def three(trained: dict[str, Path], space: Path) -> list[str]:
    """Their names in the runs folder, the newest first."""
    names = ["three", "two", "one"]
    for age, name in enumerate(names):
        put(trained[name], space / name, created=hours_ago(age))
    return names


def hours_ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def listed(at: AppTest) -> list[str]:
    """The names of the rows, from top to bottom."""
    return [element.value.split('data-run="')[1].split('"')[0] for element in at.html if "data-run=" in element.value]


def row(at: AppTest, name: str) -> str:
    (text,) = [element.value for element in at.html if f'data-run="{name}"' in element.value]
    return str(text)


def test_what_a_row_says(three):
    at = train()
    assert listed(at) == three
    info = runs.run("one")
    said = row(at, "one")
    for text in (
        "finished",
        "mnist-5k · mlp-2d",
        number(info.test["elbo"]),
        "2 h ago",
        f"{info.created.astimezone():%d %B %Y}",
    ):
        assert text in said
    assert "no ELBO" in row(at, "two")


def test_search(three):
    at = train()
    for searched, found in {"TWO": ["two"], "mlp finished": ["three", "one"], "nothing-like-it": [], "": three}.items():
        at.text_input(key="runs_search").input(searched).run()
        assert listed(sound(at)) == found


def test_ten_a_page(tiny_run, space):
    for i in range(21):
        put(tiny_run.path, space / f"run-{i:02d}", created=hours_ago(i))
    at = train()
    assert listed(at) == ["run-00", *(f"run-{i:02d}" for i in range(1, 10))]
    at.checkbox(key="run_pick_run-03").check().run()
    at.get_by_key("runs_page").set_value(3).run()
    assert listed(sound(at)) == ["run-20"]
    assert "1 selected" in texts(at.markdown)  # also on another page
    act(at, "run-20", "delete")
    assert listed(at) == [f"run-{i}" for i in range(10, 20)]
    assert at.get_by_key("runs_page").value == 2
    at.text_input(key="runs_search").input("run-19").run()
    assert listed(sound(at)) == ["run-19"]


def test_a_link_selects_runs(three):
    at = train(run="one", selected="three,one", curve="kl")
    assert "2 selected" in texts(at.markdown)
    assert at.get_by_key("runs_metric").value == "kl"
    assert at.query_params["selected"] == "three,one"
    at.checkbox(key="run_pick_two").check().run()
    assert sound(at).query_params["selected"] == "three,two,one"
    back = go_back(at, run="one")
    assert "selected" not in texts(back.markdown)
    assert dict(sound(back.run()).query_params) == {"run": "one"}
    at = train(selected="three,gone")
    assert "“gone”, which is not here" in texts(at.warning).replace("\\", "")
    assert at.query_params["selected"] == "three"


def test_rename(three):
    at = act(train(run="two"), "two", "rename")
    at.text_input(key="run_new_name").input("three")
    press(at, "run_rename_save")
    assert "There is a run 'three' already" in texts(at.error).replace("\\", "")
    at.text_input(key="run_new_name").input("../up")
    press(at, "run_rename_save")
    assert "cannot be a run's name" in texts(at.error).replace("\\", "")
    at.text_input(key="run_new_name").input("better")
    press(at, "run_rename_save")
    assert not at.error
    assert listed(at) == ["three", "better", "one"]
    assert at.selectbox(key="train_run").value == "better"
    assert "run_rename_save" not in keys(at)


def test_the_field_for_a_new_name_is_of_the_run_that_is_renamed(three):
    at = act(train(run="two"), "two", "rename")
    at.text_input(key="run_new_name").input("typed")
    act(at, "one", "rename")
    assert at.text_input(key="run_new_name").value == "one"


def test_delete_and_undo(three):
    at = act(train(), "three", "delete")
    assert listed(at) == ["two", "one"]
    assert at.selectbox(key="train_run").value == "two"
    assert "Deleted **three**" in texts(at.markdown)
    press(at, "run_undo")
    assert listed(at) == three
    assert "run_undo" not in keys(at)


def test_several_together(three):
    at = train()
    at.checkbox(key="run_pick_one").check().run()
    assert "Select a second run" in texts(at.caption)
    at.checkbox(key="run_pick_three").check().run()
    assert len(sound(at).get("plotly_chart")) == 1
    curves = json.loads(at.get("plotly_chart")[0].proto.spec)["data"]
    assert [curve["name"] for curve in curves] == ["three", "one"]
    at.get_by_key("runs_metric").set_value("kl").run()
    assert len(sound(at).get("plotly_chart")) == 1
    press(at, "runs_delete")
    assert listed(at) == ["two"]
    assert "Deleted **2 runs**" in texts(at.markdown)
    press(at, "run_undo")
    assert listed(at) == three
    assert not at.get("plotly_chart")  # nothing is selected any more


def test_the_last_one_deleted_can_be_had_back(tiny_run, space):
    put(tiny_run.path, space / "only")
    at = act(train(), "only", "delete")
    assert "Nothing has been trained yet" in texts(at.markdown)
    press(at, "run_undo")
    assert listed(at) == ["only"]


def test_settings_are_taken_over(three):
    at = act(train(), "three", "settings")
    assert at.selectbox(key="train_preset").value == "mlp-2d"
    assert at.selectbox(key="option_optimizer").value == "adam"
    assert at.text_input(key="option_encoder").value == "16"
    assert at.number_input(key="option_seed").value == 5
    assert at.number_input(key="train_epochs").value == 1
    act(at, "one", "settings")
    assert at.number_input(key="train_beta").value == 2.0
    assert at.number_input(key="option_seed").value == 0
    act(at, "two", "settings")
    assert at.selectbox(key="train_preset").value == "ae-2d"
    assert at.text_input(key="train_name").value == "mnist-5k-ae-2d"


def test_settings_of_data_that_are_gone(three, space):
    request = json.loads((space / "one" / "run.json").read_text())
    request["config"]["dataset"] = "mnist"
    (space / "one" / "run.json").write_text(json.dumps(request))
    at = act(train(), "one", "settings")
    assert "The data set mnist of one is not on this machine" in texts(at.sidebar.error)
    assert at.selectbox(key="train_dataset").value == "mnist-5k"
    assert at.selectbox(key="more_data_set").value == "mnist"
    assert "get_more" in keys(at)


def test_settings_of_a_damaged_run(three, space):
    (space / "one" / "run.json").write_text("{")
    at = act(train(), "one", "settings")
    assert "cannot be taken over" in texts(at.sidebar.error)


def test_only_what_can_be_done_is_offered(three, space):
    state = json.loads((space / "one" / "state.json").read_text())
    (space / "one" / "state.json").write_text(json.dumps({**state, "state": "queued", "turn": 1}))
    at = train()
    labels = {name: " ".join(at.get_by_key(f"run_menu_{name}").options) for name in ("one", "two")}
    assert "Cancel" in labels["one"]
    assert "Delete" not in labels["one"]
    assert "Cancel" not in labels["two"]
    assert all(word in labels["two"] for word in ("Explore", "Watch", "settings", "Rename", "Delete"))
    act(at, "one", "cancel")
    assert runs.run("one").state == "cancelled"


def test_a_zip_is_opened_and_shown(three, space):
    packed = runs.archive("two")
    shutil.rmtree(space / "two")
    at = train()
    opener = at.get_by_key("run_open_zip")
    opener.set_value(("two.zip", packed, "application/zip"))
    sound(at.run())
    sound(press(at, "run_open"))
    assert "two" in listed(at)
    assert at.selectbox(key="train_run").value == "two"
    assert "is here" in texts(at.success)
    at.get_by_key("run_open_zip").set_value(("two.zip", b"no zip", "application/zip"))
    sound(at.run())
    sound(press(at, "run_open"))
    assert "two.zip is no zip of a run" in texts(at.error).replace("\\", "")


def test_a_run_that_vanished_under_the_pointer(three, space):
    at = train()
    shutil.rmtree(space / "one")
    act(at, "one", "delete")
    assert "There is no run 'one'" in texts(at.error).replace("\\", "")
    assert listed(at) == ["three", "two"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-50, "just now"),
        (5, "just now"),
        (70, "1 min ago"),
        (200, "3 min ago"),
        (3500, "1 h ago"),
        (7000, "2 h ago"),
        (90_000, "1 day ago"),
        (864_000, "10 days ago"),
    ],
)
def test_how_long_ago(seconds, text):
    now = datetime.now(UTC)
    assert ago(now - timedelta(seconds=seconds), now) == text


def test_numbers_in_words():
    assert duration(21.4) == "0:21"
    assert duration(3730) == "1:02:10"
    assert number(-1234.56) == "−1,234.6"
    assert [number(value) for value in (None, "x", float("nan"), float("inf"))] == ["–"] * 4
