"""Sweeps among trained models: those that differ in one number, and in the seed, and in nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from explorer.checkpoints.folder import CheckpointInfo
from explorer.evaluation.comparison import measured


@dataclass(frozen=True)
class Sweep:
    """Models by the value of the setting in which they differ, in its order; of each value one a seed.

    `fixed` are the settings that they share.
    """

    setting: str
    models: dict[float, list[CheckpointInfo]]
    fixed: dict[str, Any]

    @property
    def ident(self) -> str:
        """Names it as long as its first model stays: `beta:runs/mine-beta0.1`."""
        return f"{self.setting}:{next(iter(self.models.values()))[0].id}"

    def figures(self, name: str) -> dict[float, list[float]]:
        """One measure, by value of the setting: a number a model that has it."""
        found = {}
        for value, models in self.models.items():
            if numbers := [number for info in models if (number := measured(info, name)) is not None]:
                found[value] = numbers
        return found

    def beside(self, sweeps: Iterable[Sweep]) -> tuple[str, dict[float, Sweep]]:
        """A second setting, and the sweeps over the same one by its values; none where there is no other value."""
        found: dict[str, dict[float, Sweep]] = {}
        for other in sweeps:
            names = self.fixed.keys() | other.fixed.keys()
            differing = [name for name in names if self.fixed.get(name) != other.fixed.get(name)]
            if other.setting == self.setting and len(differing) == 1:
                (name,) = differing
                if _is_number(value := other.fixed.get(name)):
                    found.setdefault(name, {})[float(value)] = other
        name, others = max(found.items(), key=lambda item: len(item[1]), default=("", {}))
        own = self.fixed.get(name)
        return (name, dict(sorted({float(own): self, **others}.items()))) if _is_number(own) else ("", {})


def find_sweeps(models: Iterable[CheckpointInfo]) -> list[Sweep]:
    """Finds every setting that some models were trained with two or more values of, all else but the seed being equal.

    Those of most models come first.
    """
    groups: dict[tuple[str, str], Sweep] = {}
    for info in models:
        settings = _settings(info.config)
        for name, value in settings.items():
            if not _is_number(value):
                continue
            others = {key: other for key, other in settings.items() if key != name}
            key = (name, json.dumps(others, sort_keys=True, default=str))
            groups.setdefault(key, Sweep(name, {}, others)).models.setdefault(float(value), []).append(info)
    found = [replace(group, models=dict(sorted(group.models.items()))) for group in groups.values()]
    found = [sweep for sweep in found if len(sweep.models) > 1]
    return sorted(found, key=lambda sweep: -sum(map(len, sweep.models.values())))


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """All that a model follows from but the seed."""
    dataset = config["dataset"]
    data = {f"data {name}": dataset.get(name) for name in ("name", "only", "train_sha256", "train_images")}
    return {**data, "image shape": config["model"]["image_shape"], **config.get("recipe", {})}
