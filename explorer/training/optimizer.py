"""How the weights follow the gradient: the optimisers and learning-rate schedules that recipes name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from explorer.models.registry import Registry

if TYPE_CHECKING:
    from explorer.training.config import Recipe

OPTIMISERS: Registry[Callable[[Iterable[nn.Parameter], float, bool], torch.optim.Optimizer]] = Registry()
"""By name, what makes an optimiser of parameters, a learning rate, and whether a CUDA graph will capture its steps.

A captured optimiser counts its steps on the GPU, and its rate may be a tensor there: PyTorch calls it `capturable`.
"""
SCHEDULES: Registry[Callable[[float, int, int], float]] = Registry()
"""By name, the share of the recipe's rate after so many (fractional) epochs, of so many epochs and steps an epoch."""

# Of the one-cycle schedule, as in torch.optim.lr_scheduler.OneCycleLR.
RISING_SHARE = 0.3  # of the steps
FIRST_DIVISOR = 25.0  # the first rate is the highest / 25
LAST_DIVISOR = 1e4  # and the last the first / 10,000


def make_optimizer(model: nn.Module, recipe: Recipe, *, capturable: bool = False) -> torch.optim.Optimizer:
    """Makes the recipe's optimiser of a model's weights, `capturable` for steps on a GPU."""
    return OPTIMISERS[recipe.optimizer](model.parameters(), recipe.learning_rate, capturable)


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


@OPTIMISERS.register("adam", "Adam", "Adam, which suits nearly everything")
def _adam(parameters: Iterable[nn.Parameter], rate: float, capturable: bool) -> torch.optim.Optimizer:
    return _Adam(parameters, lr=rate, fused=True, capturable=capturable)


@OPTIMISERS.register("rmsprop", "RMSprop", "RMSprop with Keras' constants, which some of the write-ups used")
def _rmsprop(parameters: Iterable[nn.Parameter], rate: float, capturable: bool) -> torch.optim.Optimizer:
    return _RMSprop(parameters, lr=rate, alpha=0.9, eps=1e-7, capturable=capturable)  # rho and epsilon, there


def learning_rate(recipe: Recipe, epoch: float, steps: int = 1, *, epochs: int | None = None) -> float:
    """Gives the rate of the step that is taken after so many (fractional) epochs of a stage of training.

    The schedule's, divided by 1 + decay * steps so far, which is Keras' time decay.

    Args:
        recipe: whose rate, schedule, decay and epochs count.
        epoch: epochs done so far.
        steps: steps in an epoch, which one-cycle and decay count.
        epochs: how many the stage has; None for all of the recipe's.
    """
    share = SCHEDULES[recipe.schedule](epoch, recipe.epochs if epochs is None else epochs, steps)
    return recipe.learning_rate * share / (1 + recipe.decay * epoch * steps)


@SCHEDULES.register("constant", "constant", "not at all")
def _constant(epoch: float, epochs: int, steps: int) -> float:
    return 1.0


@SCHEDULES.register("cosine", "cosine", "down half a cosine to a hundredth")
def _cosine(epoch: float, epochs: int, steps: int) -> float:
    """Loshchilov & Hutter 2017, arXiv:1608.03983."""
    progress = torch.tensor(min(epoch / epochs, 1.0), dtype=torch.float64)
    return float(0.01 + 0.99 * 0.5 * (1 + torch.cos(progress * torch.pi)))


@SCHEDULES.register("one-cycle", "one-cycle", "up over the first third of the steps and then far down")
def _one_cycle(epoch: float, epochs: int, steps: int) -> float:
    """Smith & Topin 2018, arXiv:1708.07120, as OneCycleLR does it."""
    step, count = epoch * steps, epochs * steps
    top, last = RISING_SHARE * count - 1, count - 1
    first = 1 / FIRST_DIVISOR
    if step <= top:
        return _half_cosine(first, 1.0, step / top)
    return _half_cosine(1.0, first / LAST_DIVISOR, min((step - top) / (last - top), 1.0))


@SCHEDULES.register("halved", "halved", "halved after every epoch")
def _halved(epoch: float, epochs: int, steps: int) -> float:
    return 0.5 ** math.floor(epoch)


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))
