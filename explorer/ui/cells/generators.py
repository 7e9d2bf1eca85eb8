"""The models that draw cells of both states: pairs of them, and single ones that are told the state."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from explorer.checkpoints.folder import CheckpointInfo
from explorer.checkpoints.model import Model
from explorer.datasets.malaria import Malaria
from explorer.models import FAMILIES
from explorer.ui import cache

STATES = ("healthy", "infected")
KINDS = {"conv": "Convolutions", "linear": "Linear layers", "both": "One model of both"}


@dataclass(frozen=True)
class Pair:
    """What draws cells of both states: two models, or one that is told the state, in its decoder or its prior."""

    kind: str
    key: str  # names the models' content
    healthy: Model
    infected: Model

    @property
    def models(self) -> tuple[Model, Model]:
        """By state: 0 is healthy, 1 is infected."""
        return self.healthy, self.infected

    @property
    def joint(self) -> bool:
        """Whether one code is decoded in both states by one model, so that the two cells differ in the state alone."""
        return self.healthy.conditional

    @property
    def usual_temperature(self) -> float:
        """Where the share of cells with a parasite is nearest to the real one (`benchmarks/README.md`)."""
        return 0.95 if self.healthy.class_prior else 1.0

    @property
    def measured(self) -> int:
        """How many generated cells of a state are measured: as many as a few seconds draw."""
        return 64 if self.healthy.class_prior else 200

    def draw(self, n: int, state: int, *, temperature: float, seed: int) -> Tensor:
        """Codes [N, D] for a state: the same for both, but where the prior is told the state."""
        model = self.healthy
        return model.draw(n, temperature=temperature, seed=seed, labels=state if model.class_prior else None)

    def decode(self, codes: Tensor, state: int) -> Tensor:
        """Cells [N, 3, H, W] in [0, 1] of codes [N, D] in a state."""
        model = self.models[state]
        return model.decode(codes, state) if model.conditional else model.decode(codes)

    def draw_pixels(self, codes: Tensor, state: int, seed: int) -> Tensor:
        """Draws the same with the noise that the model claims: other noise in the other state."""
        model, seed = self.models[state], 2 * seed + state
        return model.draw_pixels(codes, state if model.conditional else None, seed=seed)


def _models(kind: str) -> list[str]:
    if kind not in KINDS:
        return [kind] * 2
    return ["cells-both"] * 2 if kind == "both" else [f"cells-{state}-{kind}" for state in STATES]


def kinds() -> dict[str, str]:
    """Lists what can draw both states, with names on the screen: models whose prior knows the state, then the pairs."""
    usable = {c.id: c for c in cache.all_checkpoints() if not c.problem and c.shipped}
    told = {c.id: FAMILIES.label(c.config["model"]["family"]) for c in usable.values() if _told_by_prior(c)}
    return told | {kind: label for kind, label in KINDS.items() if usable.keys() >= set(_models(kind))}


def _told_by_prior(info: CheckpointInfo) -> bool:
    """Whether a model of cells draws its codes by the state."""
    model = info.config["model"]
    cells = info.config["dataset"]["name"] == Malaria.name and info.config.get("classes") == list(STATES)
    return cells and bool(model.get("classes")) and not FAMILIES[model["family"]].conditional


def open_pair(kind: str) -> Pair:
    """Opens the models of a kind. Raises CheckpointError or OSError."""
    infos = {c.id: c for c in cache.all_checkpoints()}
    content = [infos[name].content for name in _models(kind)]
    models = [cache.open_model(name, digest) for name, digest in zip(_models(kind), content, strict=True)]
    return Pair(kind, "-".join(dict.fromkeys(content)), *models)
