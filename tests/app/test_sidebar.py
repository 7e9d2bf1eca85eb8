"""The sidebar on every screen: the form's rules, a run from the click to Explore, what cannot be started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import load, runs
from explorer.datasets import own
from explorer.training.presets import PRESETS, TrainConfig
from explorer.ui import cache, notifications
from explorer.ui.train import run_form
from tests.app.screens import TIMEOUT, explore, keys, own_space, press, put, sound, texts, train, wait, wait_for


@pytest.fixture(autouse=True)
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_space(tmp_path, monkeypatch) as place:
        yield place


def shown(at: AppTest) -> dict[str, object]:
    """What the form says."""
    return {
        "dataset": at.selectbox(key="train_dataset").value,
        "preset": at.selectbox(key="train_preset").value,
        "latent": at.number_input(key="train_latent").value,
        "epochs": at.number_input(key="train_epochs").value,
        "beta": at.number_input(key="train_beta").value,
        "name": at.text_input(key="train_name").value,
    }


def test_a_run_from_the_click_to_explore():
    at = explore()
    assert shown(at) == {
        "dataset": "mnist-5k",
        "preset": "mlp-2d",
        "latent": 2,
        "epochs": runs.suggested_epochs("mlp-2d", "mnist-5k"),
        "beta": 1.0,
        "name": "mnist-5k-mlp-2d",
    }
    at.selectbox(key="explore_model").select("mnist-ae-2d").run()  # the address now names another model
    at.number_input(key="train_epochs").set_value(1).run()
    press(at, "train_start")
    assert not at.error
    assert {"train_watch", "train_cancel"} <= keys(at)
    assert at.text_input(key="train_name").value == "mnist-5k-mlp-2d-2"  # the next one's
    other = explore()  # another tab, or the same after a reload
    assert {"train_watch", "train_cancel"} <= keys(other)
    late = wait_for("mnist-5k-mlp-2d", "finished") and explore()
    for tab in (at, other):
        sound(tab.run())
        assert "train_cancel" not in keys(tab)
        assert "Test ELBO" in texts(tab.sidebar.success)
    assert not late.sidebar.success  # it was over before this one came
    press(other, "train_dismiss")
    assert not other.sidebar.success
    press(at, "train_open")
    assert at.selectbox(key="explore_model").value == "runs/mnist-5k-mlp-2d"
    assert at.query_params["model"] == "runs/mnist-5k-mlp-2d"
    assert not at.warning
    assert not at.sidebar.success


def test_the_end_of_a_run_lets_its_model_be_looked_up_again(monkeypatch, tiny_run, space):
    """Whoever looked less than two seconds ago still has the label from before the run went on."""
    put(tiny_run.path, space / "here")
    monkeypatch.setattr(st, "session_state", {})
    before = cache.all_checkpoints()
    notifications.follow("here")
    (ended,) = notifications.update([])
    assert ended.name == "here"
    assert cache.all_checkpoints() is not before


def test_a_model_opens_from_the_train_page_too(tiny_run, space):
    put(tiny_run.path, space / "here")
    at = press(train(), "watch_open")
    assert at.selectbox(key="explore_model").value == "runs/here"


def test_a_number_that_is_emptied_comes_back():
    at = explore()
    at.number_input(key="train_beta").set_value(4.0).run()
    at.number_input(key="train_beta").set_value(None).run()
    at.number_input(key="train_latent").set_value(None).run()
    assert (shown(at)["latent"], shown(at)["beta"]) == (2, 4.0)
    assert not sound(at).error


def test_a_preset_sets_its_own_numbers():
    at = explore()
    at.number_input(key="train_beta").set_value(4.0).run()
    at.number_input(key="train_latent").set_value(7).run()
    at.selectbox(key="train_preset").select("conv-100").run()
    now = shown(at)
    assert (now["latent"], now["beta"], now["name"]) == (100, 1.0, "mnist-5k-conv-100")
    assert now["epochs"] == runs.suggested_epochs("conv-100", "mnist-5k")
    assert PRESETS["conv-100"].summary in texts(at.sidebar.caption)
    assert f"as published: {PRESETS['conv-100'].recipe.epochs}" in texts(at.sidebar.caption)
    at.selectbox(key="train_preset").select("ae-2d").run()
    assert at.number_input(key="train_beta").disabled
    assert not sound(at).error


def test_every_preset_can_be_started_as_it_is(subtests):
    at = explore()
    for name in PRESETS.keys() - {"cells-conv"}:  # four halvings do not go into 28 pixels, as is said below
        with subtests.test(name):
            at.selectbox(key="train_preset").select(name).run()
            assert not sound(at).error
            made = run_form.config(at.session_state["train_form"])
            assert made == TrainConfig(preset=name, dataset="mnist-5k", epochs=runs.suggested_epochs(name, "mnist-5k"))


def test_a_name_of_ones_own_stays_until_it_is_emptied():
    at = explore()
    at.text_input(key="train_name").input("mine").run()
    at.selectbox(key="train_preset").select("ae-2d").run()
    assert shown(at)["name"] == "mine"
    at.text_input(key="train_name").input("").run()
    assert shown(at)["name"] == "mnist-5k-ae-2d"


def test_data_that_is_not_here_is_named_with_how_to_get_it():
    at = explore()
    assert at.selectbox(key="train_dataset").options == ["mnist-5k", "shapes"]
    at.selectbox(key="more_data_set").select("mnist").run()
    assert "-m explorer data fetch mnist --data-root" in texts(at.sidebar.caption)


def test_the_number_of_epochs_follows_the_data_unless_it_was_chosen(monkeypatch, data_root):
    monkeypatch.setenv("EXPLORER_DATA", str(data_root))
    at = explore()
    at.selectbox(key="train_dataset").select("fashion-mnist").run()
    assert shown(at)["epochs"] == runs.suggested_epochs("mlp-2d", "fashion-mnist")
    assert shown(at)["name"] == "fashion-mnist-mlp-2d"
    at.number_input(key="train_epochs").set_value(3).run()
    at.selectbox(key="train_dataset").select("mnist-5k").run()
    assert shown(at)["epochs"] == 3


OUT_OF_RANGE = [
    ("train_epochs", 0, "Epochs must be more than zero"),
    ("train_epochs", 10**9, "Epochs must be at most 100,000"),
    ("train_latent", 2.5, "Latent must be a whole number, not 2.5"),
    ("train_epochs", 0.5, "Epochs must be a whole number, not 0.5"),
    ("train_latent", 0, "Latent must be more than zero"),
    ("train_latent", -3, "Latent must be more than zero"),
    ("train_latent", 5000, "Latent must be at most 4,096"),
    ("train_beta", -1.0, "Beta must be zero or more"),
]


def test_a_number_out_of_range_gets_a_sentence_before_the_start(space, subtests):
    at = explore()
    for number, (key, value, sentence) in enumerate(OUT_OF_RANGE):
        with subtests.test(sentence):
            at.number_input(key=key).set_value(value).run()
            assert sentence in texts(sound(at).sidebar.error)
            press(at, "train_start")
            assert sentence in texts(at.sidebar.error)
            assert not runs.runs()
            other = "mlp-2d" if number % 2 else "mlp-2d-mse"
            at.selectbox(key="train_preset").select(other).run()  # which sets them right
            assert not at.sidebar.error


def test_a_name_that_is_none_gets_a_sentence(space, subtests):
    at = explore()
    for name in ("../out", "/etc/passwd", "a/b", ".hidden", "with space", "ünïcode", "-", "*" * 64):
        with subtests.test(name):
            at.text_input(key="train_name").input(name).run()
            press(at, "train_start")
            assert "cannot be a run's name" in texts(at.sidebar.error).replace("\\", "")
            assert not runs.runs()
            assert not (space.parent / "out").exists()
            at.text_input(key="train_name").input("fine").run()
            assert not at.sidebar.error


def test_what_was_typed_counts_although_its_own_message_was_broken_off(space):
    at = explore()
    for key, value in (("train_name", "typed"), ("train_epochs", 1)):
        at.session_state[key] = value  # as the browser sends it along with the click: no callback of the field's own
    press(at, "train_start")
    assert [(info.name, info.config.epochs) for info in runs.runs()] == [("typed", 1)]
    assert at.text_input(key="train_name").value == "mnist-5k-mlp-2d"  # the next one's
    runs.cancel("typed")


def test_five_sessions_leave_every_run_in_a_consistent_state(space):
    sessions = {f"session-{number}": explore() for number in range(5)}
    for number, (name, at) in enumerate(sessions.items()):
        at.number_input(key="train_epochs").set_value(90_000 if number % 2 else 1)
        at.text_input(key="train_name").input(name)
        press(at, "train_start")
    assert {info.name for info in runs.runs()} == set(sessions)
    for name, at in list(sessions.items())[1::2]:
        sound(at.run())
        key = f"train_cancel_{name}"
        press(at, key if key in keys(at) else "train_cancel")  # of the one that runs by now
    wait(lambda: not runs.active())
    for number, name in enumerate(sessions):
        info = runs.run(name)
        assert info.state == ("cancelled" if number % 2 else "finished"), info.message
        if info.state == "finished":
            assert load(f"runs/{name}", device="cpu").latent == 2


def test_a_second_click_before_the_page_has_answered_starts_nothing(space, monkeypatch):
    monkeypatch.setattr(run_form, "_DOUBLE_CLICK_SECONDS", 0.0)  # as if the answer took longer

    def clicked_twice() -> None:
        from explorer.ui.train import run_form

        run_form.start()
        run_form.start()

    sound(AppTest.from_function(clicked_twice, default_timeout=TIMEOUT).run())
    assert [info.name for info in runs.runs()] == ["mnist-5k-mlp-2d"]
    runs.cancel("mnist-5k-mlp-2d")


def test_a_double_click_starts_one_run(space, monkeypatch):
    monkeypatch.setattr(run_form, "_DOUBLE_CLICK_SECONDS", 60.0)  # on a machine that may be busy
    at = explore()
    at.session_state["train_epochs"] = 1
    press(at, "train_start")
    press(at, "train_start")
    assert [info.name for info in runs.runs()] == ["mnist-5k-mlp-2d"]
    runs.cancel("mnist-5k-mlp-2d")


def test_a_name_that_is_taken_gets_a_sentence(tiny_run, space):
    put(tiny_run.path, space / "taken")
    at = explore()
    at.text_input(key="train_name").input("taken").run()
    press(at, "train_start")
    assert "There is a run 'taken' already" in texts(at.sidebar.error)


def test_changed_options_are_counted_and_go_with_a_reset():
    at = train()
    at.selectbox(key="option_optimizer").select("adam").run()
    at.number_input(key="option_seed").set_value(7).run()
    at.text_input(key="option_encoder").input("64,32").run()
    sound(at)
    assert r"\+ 3 changed options" in texts(at.sidebar.caption)
    press(at, "train_reset")
    assert "changed option" not in texts(at.sidebar.caption)
    assert at.number_input(key="option_seed").value == 0
    assert at.text_input(key="option_encoder").value == "256"


def test_a_run_that_was_deleted_meanwhile_is_forgotten():
    at = explore()
    at.session_state["train_seen"] = {"gone"}
    assert "train_open" not in keys(sound(at.run()))
    assert not at.sidebar.error


def test_one_class_alone_can_be_chosen_by_its_name(tmp_path):
    folders = tmp_path / "pictures"
    for number, kind in enumerate(("cat", "dog")):
        (folders / kind).mkdir(parents=True)
        for i in range(6):
            Image.new("L", (28, 28), 40 * i + number).save(folders / kind / f"{i}.png")
    own.create("pets", folders)
    at = train()
    at.selectbox(key="train_dataset").select("own:pets").run()
    assert sound(at).selectbox(key="option_only").options == ["all classes", "cat", "dog"]
    assert at.selectbox(key="option_only").value == "all classes"
    at.selectbox(key="option_only").select("dog").run()
    assert training_form_of(at).options["only"] == "dog"
    at.selectbox(key="train_dataset").select("mnist-5k").run()  # which has no dogs
    assert sound(at).selectbox(key="option_only").value == "all classes"
    assert training_form_of(at).options["only"] is None


def training_form_of(at: AppTest) -> run_form.Form:
    return at.session_state["train_form"]


def test_a_preset_that_cannot_take_the_images_says_so():
    at = train()
    at.selectbox(key="train_preset").select("cells-conv").run()
    assert "This preset sets beta to 15 on purpose" in texts(at.caption)
    assert not sound(at).sidebar.error
    for side in ("encoder", "decoder"):
        at.text_input(key=f"option_{side}").set_value(", ".join(["8"] * 6)).run()
    assert "cells-conv does not fit the images of mnist-5k" in texts(sound(at).sidebar.error).replace("\\", "")
    press(at, "train_start")
    assert not runs.runs()
