"""The named recipes, and what to train: a preset, the data, and what differs from it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from reprlib import repr as quoted
from typing import Any

from explorer.models.devices import PRECISIONS
from explorer.models.options import check_options, option
from explorer.training.config import Recipe
from explorer.training.papers import PAPERS
from explorer.training.write_ups import WRITE_UPS, Preset

__all__ = ["PRESETS", "Preset", "Recipe", "TrainConfig", "preset"]

PRESETS = {p.name: p for p in (*WRITE_UPS, *PAPERS)}


def preset(name: str) -> Preset:
    """The preset of that name; ValueError that lists them all for an unknown one."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"there is no preset {name!r}: choose from {', '.join(PRESETS)}") from None


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What to train, on what, and how it differs from the preset.

    Attributes:
        preset: a name in `PRESETS`.
        dataset: a data set's name; None for the preset's own.
        epochs: passes over the training set; None for the preset's.
        data_root: where data sets lie; None for $EXPLORER_DATA or `data`.
        settings: other fields of `Recipe` that differ from the preset's.
        plan: where it was asked to train on, the epochs that were planned first and each time since; it ends after
            `epochs` all the same. Warm-up and stages are of the first, what follows trains the last stage.

    The others say what they are themselves. Raises ValueError, one sentence, for a value that cannot be.
    """

    preset: str
    dataset: str | None = None
    only: str | None = option(
        *("Only class", "run"),
        "Train and measure on the images of one class alone, as the models of healthy and of infected cells are",
        None,
    )
    epochs: int | None = None
    seed: int = option(
        *("Seed", "run"),
        "Of the initialisation, the order of the images and the noise: the same seed gives the same run",
        0,
        minimum=0,
        maximum=2**32 - 1,  # UMAP's generator takes no other; it would say so only at the end of the run
    )
    device: str = option(
        "Device", "run", "What computes: auto is the first GPU if there is one, else the processor", "auto"
    )
    precision: str = option("Precision", "run", "How numbers are computed", "auto", choices=PRECISIONS)
    half: bool = option(
        *("Half precision", "run"),
        "Store the finished model's weights in 16 bits: half the size, measured as it is stored",
        False,
    )
    umap: bool = option(
        *("UMAP at the end", "run"),
        "Lay out the codes as a UMAP when training ends: ten seconds, for more than two latents only",
        True,
    )
    train_on: bool = option(
        *("Keep for training on", "run"),
        "Store the optimiser's state with the finished model, so that it can be trained on: with Adam it is twice the "
        "size of the weights. In half precision it is never kept",
        True,
    )
    save_seconds: float = option(
        *("Save every, s", "run"),
        "At most so many seconds of work are lost when the machine dies; 0 saves after every epoch",
        60.0,
        minimum=0.0,
        step=5.0,
    )
    data_root: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    plan: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not (isinstance(self.preset, str) and len(self.preset) <= 100 and isinstance(self.settings, dict)):
            raise ValueError("a preset is a name, and settings are fields of a recipe with their values")
        if not all(name is None or (isinstance(name, str) and len(name) <= 5000) for name in (self.dataset, self.only)):
            raise ValueError("a data set and a class are names")
        if not (self.epochs is None or type(self.epochs) is int):
            raise ValueError(f"epochs must be a whole number, not {quoted(self.epochs)}")
        if not all(type(n) is int and n > 0 for n in self.plan):
            raise ValueError(f"plan must be numbers of epochs, not {quoted(self.plan)}")
        check_options(self)

    def recipe(self) -> Recipe:
        """The preset's recipe with this config's changes. Raises ValueError for a bad name or value."""
        changes = dict(self.settings)
        if self.epochs is not None:
            changes["epochs"] = self.epochs
        try:
            return replace(preset(self.preset).recipe, **changes)
        except TypeError as error:
            raise ValueError(f"unknown setting: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads back."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**values, "data_root": None if self.data_root is None else str(self.data_root)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainConfig:
        """Raises ValueError when a key is unknown, missing or of the wrong type."""
        try:
            root = data.get("data_root")
            plan = tuple(data.get("plan", ()))
            return cls(**{**data, "data_root": None if root is None else Path(root), "plan": plan})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"incomplete settings of a run: {error}") from error

    @classmethod
    def of_checkpoint(cls, config: dict[str, Any]) -> TrainConfig:
        """What would train the checkpoint with this config.json. Raises KeyError or ValueError."""
        own = preset(config["preset"]).recipe
        stored = Recipe(**config["recipe"])
        names = [f.name for f in fields(Recipe) if f.name != "epochs"]
        return cls(
            preset=config["preset"],
            dataset=config["dataset"]["name"],
            only=config["dataset"].get("only"),
            epochs=stored.epochs,
            seed=config["seed"],
            precision=config["precision"],
            half=config.get("weights") == "float16",
            plan=tuple(config.get("plan", ())),
            settings={n: v for n in names if (v := getattr(stored, n)) != getattr(own, n)},
        )
