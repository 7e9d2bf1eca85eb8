"""The Train page: which run it shows, cancelling and resuming it, what went wrong, all options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

from explorer import runs
from explorer.datasets import own
from explorer.models import VAE
from explorer.training.config import Recipe
from explorer.training.presets import PRESETS, TrainConfig
from explorer.ui.train import run_form
from tests.app.screens import PAGES, keys, own_space, press, put, sound, texts, train, wait_for


@pytest.fixture(autouse=True)
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_space(tmp_path, monkeypatch) as place:
        yield place


def test_the_default_from_nothing_cancelled_and_resumed():
    at = train(run="of-long-ago")
    assert "Nothing has been trained yet" in texts(at.markdown)
    assert "run" not in at.query_params
    press(at, "train_first")
    assert at.query_params["run"] == "mnist-5k-mlp-2d"
    assert {"watch_cancel", "train_cancel"} <= keys(at)

    at.text_input(key="train_name").input("second").run()
    press(at, "train_start")
    assert at.selectbox(key="train_run").value == "second"  # the one just started
    assert "waiting, next in line" in texts(at.sidebar.caption)
    press(at, "train_cancel_second")
    assert runs.run("second").state == "cancelled"
    assert "Cancelled after 0 epochs" in texts(at.sidebar.info)

    press(at, "train_watch")
    assert at.selectbox(key="train_run").value == "mnist-5k-mlp-2d"
    wait_for("mnist-5k-mlp-2d", "running")
    press(at, "watch_cancel")
    info = wait_for("mnist-5k-mlp-2d", "cancelled")
    assert info.epochs_done < 60
    sound(at.run())
    assert {"train_resume", "watch_open"} <= keys(at)

    asked = at.number_input(key="resume_epochs_mnist-5k-mlp-2d")
    assert asked.value == 60
    asked.set_value(info.epochs_done).run()
    press(at, "train_resume")
    assert "ask for more" in texts(at.error)
    at.number_input(key="resume_epochs_mnist-5k-mlp-2d").set_value(info.epochs_done + 1).run()
    press(at, "train_resume")
    assert not at.error
    assert wait_for("mnist-5k-mlp-2d", "finished").epochs_done == info.epochs_done + 1
    sound(at.run())
    assert "train_resume" not in keys(at)
    assert "Test ELBO" in texts(at.sidebar.success)

    at.number_input(key="more_epochs_mnist-5k-mlp-2d").set_value(1).run()
    press(at, "train_on")
    assert wait_for("mnist-5k-mlp-2d", "finished").epochs_done == info.epochs_done + 2


def test_a_run_without_its_optimisers_state_says_why_it_cannot_be_trained_on(tiny_run, space):
    put(tiny_run.path, space / "one")
    assert not train().button(key="train_on").disabled
    sums = space / "one" / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(keepends=True) if "optimizer" not in line))
    (space / "one" / "optimizer.safetensors").unlink()
    button = train().button(key="train_on")
    assert button.disabled
    assert "the optimiser's state was not kept; train it anew" in button.help


def test_a_run_that_fails_says_why():
    at = train()
    at.number_input(key="option_learning_rate").set_value(1e30).run()
    at.number_input(key="option_epochs").set_value(1).run()
    press(at, "train_start_all")
    wait_for("mnist-5k-mlp-2d", "failed")
    sound(at.run())
    assert "Failed" in texts(at.sidebar.error)
    at = press(at.switch_page(str(PAGES / "explore.py")).run(), "train_why")
    assert at.selectbox(key="train_run").value == "mnist-5k-mlp-2d"
    assert "learning rate" in texts(at.main.error)
    press(at, "train_dismiss")
    assert not at.sidebar.error


def test_which_run_is_shown(tiny_run, space):
    put(tiny_run.path, space / "first", created="2024-01-01T00:00:00+00:00")
    put(tiny_run.path, space / "last", created="2024-01-02T00:00:00+00:00")
    assert train().selectbox(key="train_run").value == "last"
    at = train(run="first")
    assert at.selectbox(key="train_run").value == "first"
    at.selectbox(key="train_run").select("last").run()
    assert sound(at).query_params["run"] == "last"


@pytest.mark.parametrize("asked", ["no-such-run", "../../etc/passwd", "a" * 300, "*bold*"])
def test_an_unknown_run_in_the_address(asked, tiny_run, space):
    put(tiny_run.path, space / "here")
    at = train(run=asked)
    assert at.selectbox(key="train_run").value == "here"
    assert "showing here" in texts(at.warning)
    assert at.query_params == {"run": "here"}


def test_damaged_folders_never_break_it(tiny_run, space):
    put(tiny_run.path, space / "sound")
    for name, content in {"bad-json": "{", "no-config": '{"schema": 1}', "odd": "[1, 2]"}.items():
        (space / name).mkdir()
        (space / name / "run.json").write_text(content)
    (space / "old").mkdir()
    request = {"schema": 1, "created": "2024-01-01T00:00:00+00:00", "device": "cpu"}
    request["config"] = TrainConfig(preset="of-another-version").to_json()
    (space / "old" / "run.json").write_text(json.dumps(request))
    (space / "old" / "state.json").write_text('{"state": "cancelled", "test": {"elbo": "many"}}')
    (space / "empty").mkdir()
    at = train()
    listed = at.selectbox(key="train_run").options
    for info in runs.runs():
        at = train(run=info.name)
        assert at.selectbox(key="train_run").value == info.name
        assert any(label.startswith(info.name) for label in listed)


def test_every_option_is_there_and_reaches_the_run():
    at = train()
    chosen: dict[str, object] = {}
    for f in fields(Recipe):
        key, value = f"option_{f.name}", getattr(PRESETS["mlp-2d"].recipe, f.name)
        if f.metadata.get("of_family") and f.name not in VAE.settings:
            with pytest.raises(KeyError):
                at.get_by_key(key)
            continue
        widget = at.get_by_key(key)
        assert widget.help.startswith(f.metadata["help"][:30])
        if choices := f.metadata.get("choices"):
            assert widget.options == [choices.label(name) for name in choices]
            assert all(label in widget.help for label in widget.options)
        if choices and f.name not in ("family", "output", "likelihood", "prior"):
            chosen[f.name] = next(choice for choice in choices if choice != value)
        elif f.name in ("encoder", "decoder"):
            chosen[f.name] = (96, 48)
        elif f.type == "bool":
            chosen[f.name] = True
        elif f.name in ("free_bits", "decay", "beta"):
            chosen[f.name] = 0.25
        elif f.name in ("latent", "batch_size", "warmup_epochs"):
            chosen[f.name] = 5
    for name, value in chosen.items():
        at.get_by_key(f"option_{name}").set_value("96, 48" if isinstance(value, tuple) else value).run()
    assert not sound(at).error
    recipe = run_form.config(at.session_state["train_form"]).recipe()
    assert {name: getattr(recipe, name) for name in chosen} == chosen
    assert at.number_input(key="train_latent").value == 5  # the sidebar shows the same
    assert at.number_input(key="train_beta").value == 0.25
    press(at, "option_reset")
    kept = run_form.config(at.session_state["train_form"])
    assert kept.settings == {"latent": 5, "beta": 0.25}


def test_options_of_the_run_itself():
    at = train()
    at.number_input(key="option_seed").set_value(11).run()
    at.selectbox(key="option_device").select("cpu").run()
    at.selectbox(key="option_precision").select("float32").run()
    at.number_input(key="option_save_seconds").set_value(5.0).run()
    at.checkbox(key="option_umap").uncheck().run()
    made = run_form.config(at.session_state["train_form"])
    assert (made.seed, made.device, made.precision, made.save_seconds, made.umap) == (11, "cpu", "float32", 5.0, False)
    at.number_input(key="option_seed").set_value(-1).run()
    assert "Seed must be zero or more" in texts(at.main.error)


def test_one_click_to_learnt_noise():
    at = train()
    assert "sums in nats" in texts(at.markdown)
    at.number_input(key="option_beta").set_value(4.0).run()
    press(at, "option_geco")
    assert at.number_input(key="option_target_mse").value == 0.02
    assert at.number_input(key="option_beta").value == 1.0
    assert "beta is where it begins" in texts(at.caption)
    at.number_input(key="option_target_mse").set_value(0.0).run()
    press(at, "option_sigma")
    assert at.selectbox(key="option_likelihood").value == "sigma"
    assert at.number_input(key="option_beta").value == 1.0
    assert "option_sigma" not in keys(at)
    assert not at.error


def test_one_click_to_the_warm_up_of_the_write_up():
    at = train()
    at.number_input(key="option_warmup_epochs").set_value(4).run()
    press(at, "option_warmup")
    assert at.number_input(key="option_warmup_share").value == pytest.approx(3 / 7, abs=1e-4)
    assert not at.error


def test_widths_are_numbers():
    at = train()
    for text in ("", "a", "12.5", "0", "-4", "99999999", "256;128"):
        at.text_input(key="option_encoder").input(text).run()
        assert "encoder" in texts(sound(at).main.error).lower()
        press(at, "train_start_all")
        assert not runs.runs()
        assert at.text_input(key="option_encoder").value == text  # left for the person to put right
    for text in ("256, 128", "256 128", " 256,128, "):
        at.text_input(key="option_encoder").input(text).run()
        assert not sound(at).main.error
        assert at.text_input(key="option_encoder").value == "256,128"


def test_settings_that_contradict_each_other_are_said_in_the_words_of_the_form():
    at = train()
    at.selectbox(key="option_output").select("linear").run()
    assert "cannot be a probability" in texts(sound(at).main.error)
    press(at, "option_reset")
    at.number_input(key="option_warmup_epochs").set_value(3).run()
    at.number_input(key="option_warmup_share").set_value(0.5).run()
    assert "“Warm-up, epochs” and “Warm-up, share” say the same" in texts(at.main.error)


def test_what_is_documented_of_each_preset():
    at = train()
    for name, preset in PRESETS.items():
        at.selectbox(key="train_preset").select(name).run()
        said = texts(sound(at).main.caption)
        assert preset.source in said
        assert preset.published in said


def test_from_explore_and_back_the_form_keeps_what_was_chosen():
    at = train()
    at.number_input(key="option_batch_size").set_value(50).run()
    at.switch_page(str(PAGES / "explore.py")).run()
    assert r"\+ 1 changed option" in texts(sound(at).sidebar.caption)
    at.switch_page(str(PAGES / "train.py")).run()
    assert sound(at).number_input(key="option_batch_size").value == 50


def test_a_persons_own_images_go_into_the_form(tmp_path):
    for i in range(30):
        Image.new("L", (30, 30), 8 * i).save(tmp_path / f"{i}.png")
    own.create("mine", tmp_path, size=28)
    at = press(train(), "own_use_mine")
    assert at.selectbox(key="train_dataset").value == "own:mine"
    assert at.text_input(key="train_name").value == "mine-mlp-2d"
    assert at.number_input(key="train_epochs").value == runs.suggested_epochs("mlp-2d", "own:mine")
    press(at, "own_remove_mine")
    assert at.selectbox(key="train_dataset").value == "mnist-5k"
