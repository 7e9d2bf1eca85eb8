"""The whole state of training as named tensors: what goes into a file to resume from, and back to a good epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from explorer.models import LatentModel


@dataclass
class Position:
    """How far training is: whole epochs, steps of the next one, seconds, and the sums of that epoch so far.

    `nll`, `kl` and `extra` are the objective's terms in nats over `images` images. `best` is the best epoch of the
    training's part so far, 0 for none, with its `score` and, if they are to be kept, its weights.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    nll: float = 0.0
    kl: float = 0.0
    extra: float = 0.0
    images: int = 0
    generator: torch.Generator = field(default_factory=torch.Generator)  # of the posterior's noise
    best: int = 0
    score: float = 0.0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def next_epoch(self) -> None:
        self.epoch, self.step = self.epoch + 1, 0
        self.nll, self.kl, self.extra, self.images = 0.0, 0.0, 0.0, 0


def take(model: LatentModel, optimizer: torch.optim.Optimizer, at: Position) -> dict[str, Tensor]:
    """All but the weights that training needs to go on from here."""
    state: dict[str, Tensor] = {
        "position": torch.tensor([at.epoch, at.step]),
        "seconds": torch.tensor([at.seconds], dtype=torch.float64),
        "sums": torch.tensor([at.nll, at.kl, at.images], dtype=torch.float64),
        "noise": at.generator.get_state(),
    }
    if at.extra:
        state["extra"] = torch.tensor([at.extra], dtype=torch.float64)
    if at.best:
        state["best"] = torch.tensor([at.best, at.score], dtype=torch.float64)
        state |= {f"best.{name}": value for name, value in at.best_weights.items()}
    names = [name for name, _ in model.named_parameters()]
    for i, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            state[f"optimizer.{slot}.{names[i]}"] = torch.as_tensor(value).clone()
    return state


def put_back(
    state: dict[str, Tensor], model: LatentModel, optimizer: torch.optim.Optimizer, at: Position, *, seed: int
) -> None:
    """Set everything but the weights to what `take` gave; `seed` is for a noise generator of another device.

    Raises:
        KeyError: the state is not one of this model's.
    """
    at.epoch, at.step = (int(v) for v in state["position"])
    at.seconds = float(state["seconds"])
    at.nll, at.kl = (float(v) for v in state["sums"][:2])
    at.extra = float(state["extra"]) if "extra" in state else 0.0
    at.images = int(state["sums"][2])
    at.best, at.score = (int(state["best"][0]), float(state["best"][1])) if "best" in state else (0, 0.0)
    at.best_weights = {name.removeprefix("best."): value for name, value in state.items() if name.startswith("best.")}
    if len(state["noise"]) == len(at.generator.get_state()):
        at.generator.set_state(state["noise"])
    else:
        at.generator.manual_seed(seed * 1_000_003 + at.epoch)
    slots: dict[int, dict[str, Tensor]] = {}
    for i, (name, parameter) in enumerate(model.named_parameters()):
        found = {k.split(".")[1]: v for k, v in state.items() if k.split(".", 2)[::2] == ["optimizer", name]}
        if found:
            # Laid out in memory like the weights, which the fused Adam takes for granted and does not check.
            slots[i] = {
                slot: torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
                for slot, value in found.items()
            }
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
