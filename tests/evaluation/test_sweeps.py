"""Sweeps among models: what counts as one, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from explorer.checkpoints.folder import CheckpointInfo
from explorer.evaluation.sweeps import find_sweeps


def model(ident: str, seed: int = 0, elbo: float = 0.0, **recipe: Any) -> CheckpointInfo:
    config = {
        "dataset": {"name": recipe.pop("data", "mnist-5k")},
        "model": {"image_shape": [1, 28, 28]},
        "recipe": {"beta": 1.0, "latent": 2, "batch_norm": True, **recipe},
        "seed": seed,
    }
    return CheckpointInfo(ident, Path(ident), shipped=False, config=config, metrics={"elbo": elbo})


def test_models_that_differ_in_one_number_and_the_seed():
    models = [model(f"b{beta}-{seed}", seed, -beta - seed, beta=beta) for beta in (10.0, 0.1) for seed in (0, 1)]
    (sweep,) = find_sweeps([*models, model("other", beta=5.0, latent=3), model("elsewhere", data="mnist", beta=3.0)])
    assert (sweep.setting, list(sweep.models)) == ("beta", [0.1, 10.0])
    assert sweep.figures("elbo") == {0.1: [-0.1, -1.1], 10.0: [-10.0, -11.0]}
    assert sweep.ident == "beta:b0.1-0"


def test_two_settings_make_a_sweep_of_each_at_every_value_of_the_other():
    models = [model(f"{b}-{d}", beta=b, latent=d) for b in (0.1, 1.0) for d in (2, 8, 32)]
    found = [(sweep.setting, len(sweep.models)) for sweep in find_sweeps(models)]
    assert sorted(found) == [("beta", 2), ("beta", 2), ("beta", 2), ("latent", 3), ("latent", 3)]
    assert found[0] == ("latent", 3)  # those of most models first


def test_sweeps_at_other_values_of_a_second_setting_stand_beside_one():
    models = [model(f"{b}-{d}", beta=b, latent=d) for b in (1.0, 0.1) for d in (2, 8, 32)]
    sweeps = find_sweeps([*models, model("larger", beta=1.0, latent=2, data="mnist")])
    sweep = next(sweep for sweep in sweeps if sweep.ident == "beta:0.1-8")
    second, others = sweep.beside(sweeps)
    assert (second, [(value, of.ident) for value, of in others.items()]) == (
        "latent",
        [(2, "beta:0.1-2"), (8, "beta:0.1-8"), (32, "beta:0.1-32")],
    )
    assert find_sweeps(models[:3])[0].beside(find_sweeps(models[:3])) == ("", {})


def test_seeds_alone_and_words_are_no_sweep():
    assert find_sweeps([model("a", 0), model("b", 1), model("c", batch_norm=False)]) == []
