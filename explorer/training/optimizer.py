"""How the weights follow the gradient: the optimisers and learning-rate schedules that recipes name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch

from explorer.models import LatentModel
from explorer.training.presets import Recipe

# Of the one-cycle schedule, as in torch.optim.lr_scheduler.OneCycleLR.
RISING_SHARE = 0.3  # of the steps
FIRST_DIVISOR = 25.0  # the first rate is the highest / 25
LAST_DIVISOR = 1e4  # and the last the first / 10,000


def make_optimizer(model: LatentModel, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam, or RMSprop with Keras' constants (rho 0.9, epsilon 1e-7), which the write-ups used."""
    if recipe.optimizer == "adam":
        return _Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    return _RMSprop(model.parameters(), lr=recipe.learning_rate, alpha=0.9, eps=1e-7)


def _eager(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of PyTorch's optimisers without the wrappers that import torch.compile's machinery.

    Nothing is compiled here, and that import takes as long as PyTorch's own: the start of every run would wait for it.
    """
    return inspect.unwrap(method)


class _Eager(torch.optim.Optimizer):
    add_param_group = _eager(torch.optim.Optimizer.add_param_group)
    zero_grad = _eager(torch.optim.Optimizer.zero_grad)
    state_dict = _eager(torch.optim.Optimizer.state_dict)
    load_state_dict = _eager(torch.optim.Optimizer.load_state_dict)


class _Adam(_Eager, torch.optim.Adam):
    step = torch.no_grad()(_eager(torch.optim.Adam.step))


class _RMSprop(_Eager, torch.optim.RMSprop):
    step = torch.no_grad()(_eager(torch.optim.RMSprop.step))


def learning_rate(recipe: Recipe, epoch: float, steps: int = 1) -> float:
    """The rate of the step that is taken after so many (fractional) epochs.

    `constant`; `cosine`: half a cosine down to 1% (Loshchilov & Hutter 2017, arXiv:1608.03983); `one-cycle`: up
    over the first 30% of the steps and far down over the others (Smith & Topin 2018, arXiv:1708.07120);
    `halved` after every epoch. Each is divided by 1 + decay * steps so far, which is Keras' time decay.

    Args:
        epoch: epochs done so far.
        steps: steps in an epoch, which one-cycle and decay count.
    """
    return recipe.learning_rate * _schedule(recipe, epoch, steps) / (1 + recipe.decay * epoch * steps)


def _schedule(recipe: Recipe, epoch: float, steps: int) -> float:
    """The share of the recipe's rate that its schedule gives, from 0 to 1."""
    if recipe.schedule == "one-cycle":
        return _one_cycle(epoch * steps, recipe.epochs * steps)
    if recipe.schedule == "halved":
        return 0.5 ** math.floor(epoch)
    if recipe.schedule == "cosine":
        progress = torch.tensor(min(epoch / recipe.epochs, 1.0), dtype=torch.float64)
        return float(0.01 + 0.99 * 0.5 * (1 + torch.cos(progress * torch.pi)))
    return 1.0


def _one_cycle(step: float, steps: int) -> float:
    """OneCycleLR's rate at a step (from 0) of so many, as a share of the highest."""
    top, last = RISING_SHARE * steps - 1, steps - 1
    first = 1 / FIRST_DIVISOR
    if step <= top:
        return _half_cosine(first, 1.0, step / top)
    return _half_cosine(1.0, first / LAST_DIVISOR, min((step - top) / (last - top), 1.0))


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))
