"""How the weights follow the gradient: the optimisers and learning-rate schedules that recipes name."""

from __future__ import annotations

import torch

from explorer.models import LatentModel
from explorer.presets import Recipe


def make_optimizer(model: LatentModel, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam, or RMSprop with Keras' constants (rho 0.9, epsilon 1e-7), which the write-ups used."""
    if recipe.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    return torch.optim.RMSprop(model.parameters(), lr=recipe.learning_rate, alpha=0.9, eps=1e-7)


def learning_rate(recipe: Recipe, epoch: float) -> float:
    """The rate at a (fractional) epoch: constant, or half a cosine down to 1% of it (Loshchilov & Hutter 2017)."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    progress = torch.tensor(min(epoch / recipe.epochs, 1.0), dtype=torch.float64)
    return recipe.learning_rate * float(0.01 + 0.99 * 0.5 * (1 + torch.cos(progress * torch.pi)))
