"""Sweeps: which runs they have, what they are called, what is refused, and that one which was stopped goes on."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.__main__ import main
from explorer.checkpoints.folder import is_slug
from explorer.training.presets import TrainConfig
from explorer.training.sweep import MOST_RUNS, NUMBERS, plan, read_values

CONFIG = TrainConfig(preset="mlp-2d", dataset="mnist-5k", epochs=3, settings={"latent": 4})


def test_each_value_and_seed_is_a_run():
    runs = plan(CONFIG, "mine", {"beta": (0.1, 10.0)}, (0, 1))
    assert list(runs) == ["mine-beta0.1-seed0", "mine-beta0.1-seed1", "mine-beta10-seed0", "mine-beta10-seed1"]
    assert [(run.recipe().beta, run.seed) for run in runs.values()] == [(0.1, 0), (0.1, 1), (10.0, 0), (10.0, 1)]
    assert {(run.recipe().latent, run.recipe().epochs) for run in runs.values()} == {(4, 3)}


def test_two_settings_are_crossed_and_one_seed_is_not_named():
    runs = plan(CONFIG, "mine", {"learning_rate": (0.001, 0.01), "epochs": (1, 2)}, (5,))
    assert list(runs) == [f"mine-learning-rate{rate}-epochs{n}" for rate in ("0.001", "0.01") for n in (1, 2)]
    assert [run.recipe().epochs for run in runs.values()] == [1, 2, 1, 2]
    assert {run.seed for run in runs.values()} == {5}


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=6, unique=True))
def test_names_are_names_of_folders(values):
    names = list(plan(CONFIG, "mine", {"beta": values}, (0,)))
    assert len(names) == len(values)
    assert all(map(is_slug, names))


@pytest.mark.parametrize(
    ("over", "seeds", "message"),
    [
        ({"beta": (1.0,)}, (0,), "2 to 60"),
        ({"beta": tuple(range(MOST_RUNS + 1))}, (0,), "2 to 60"),
        ({"latent": (0,) * MOST_RUNS}, (0, 1), "2 to 60"),  # said before any of them is looked at
        ({"epochs": (0, 1)}, (0,), "epochs"),
        ({}, (0, 1), "one or 2 settings"),
        ({"beta": (1.0,), "latent": (2,), "epochs": (1,)}, (0, 1), "one or 2 settings"),
        ({"latent": (2, 0)}, (0,), "latent"),
    ],
)
def test_what_is_no_sweep(over, seeds, message):
    with pytest.raises(ValueError, match=message):
        plan(CONFIG, "mine", over, seeds)


def test_values_are_read_each_once_in_order():
    assert read_values("beta", "10, 0.1 1,1") == (0.1, 1.0, 10.0)
    assert read_values("latent", "8 2") == (2, 8)
    for setting, text in (("latent", "2.5"), ("beta", ""), ("beta", "one"), ("family", "vae"), ("nope", "1")):
        with pytest.raises(ValueError, match=re.escape(setting)):
            read_values(setting, text)


def test_only_numbers_can_be_swept():
    assert {"beta", "latent", "learning_rate", "epochs"} <= set(NUMBERS)
    assert not {"family", "encoder", "batch_norm"} & set(NUMBERS)


def test_the_verb_trains_all_and_goes_on_where_it_stopped(tmp_path, capsys):
    options = "--preset mlp-2d-mse --dataset mnist-5k --over beta=1,100 --epochs 1 --no-umap --now --out"
    words = ["sweep", *options.split()]
    assert main([*words, str(tmp_path / "mine")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine-beta1", "mine-beta100"]
    before = (tmp_path / "mine-beta1" / "model.safetensors").stat()
    assert main([*words, str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine-beta1" / "model.safetensors").stat() == before
    assert capsys.readouterr().out.count("is there already") == 2
