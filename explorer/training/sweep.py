"""A sweep: one recipe trained for several values of a setting or two, and from several seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import product

from explorer.training.config import Recipe
from explorer.training.presets import TrainConfig

NUMBERS = {f.name: f for f in fields(Recipe) if f.metadata and str(f.type) in ("int", "float")}
"""The settings that a sweep may vary, by name."""
MOST_RUNS, MOST_SETTINGS = 60, 2


def read_values(setting: str, text: str) -> tuple[float, ...]:
    """Reads the values of a setting, such as "0.1, 1, 10": each once, in order.

    Raises:
        ValueError: there is no such setting, or a value is no number that it takes.
    """
    if setting not in NUMBERS:
        raise ValueError(f"{setting} cannot be swept: choose from {', '.join(NUMBERS)}")
    whole = str(NUMBERS[setting].type) == "int"
    try:
        values = [int(part) if whole else float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"{setting} takes {'whole ' if whole else ''}numbers, such as 1, 2, 4: not “{text}”") from None
    if not values:
        raise ValueError(f"{setting} needs a value or more, such as 1, 2, 4")
    return tuple(sorted(set(values)))


def plan(
    config: TrainConfig, name: str, over: Mapping[str, Sequence[float]], seeds: Sequence[int]
) -> dict[str, TrainConfig]:
    """Lists the runs of a sweep by name, such as `mine-beta0.1-seed1`; the seed is named where there are several.

    Raises:
        ValueError: too many runs or settings, nothing to vary, or a value that the recipe cannot take.
    """
    if not 0 < len(over) <= MOST_SETTINGS:
        raise ValueError(f"a sweep varies one or {MOST_SETTINGS} settings, not {len(over)}")
    count = math.prod(map(len, over.values())) * len(seeds)
    if not 1 < count <= MOST_RUNS:
        raise ValueError(f"a sweep has 2 to {MOST_RUNS} runs, not {count:,}")
    runs: dict[str, TrainConfig] = {}
    for values in product(*over.values()):
        changes = dict(zip(over, values, strict=True))
        settings = {**config.settings, **{key: value for key, value in changes.items() if key != "epochs"}}
        epochs = int(changes["epochs"]) if "epochs" in changes else config.epochs
        made = replace(config, settings=settings, epochs=epochs)
        made.recipe()  # says what cannot be
        stem = "-".join([name, *(named(key, value) for key, value in changes.items())])
        for seed in seeds:
            runs[f"{stem}-seed{seed}" if len(seeds) > 1 else stem] = replace(made, seed=seed)
    return runs


def named(setting: str, value: float) -> str:
    """What a run's name says of a setting: `beta0.1`."""
    return f"{setting.replace('_', '-')}{str(value).removesuffix('.0').replace('+', '')}"
