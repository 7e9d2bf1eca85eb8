"""A recipe: every hyperparameter of a training run that does not depend on the data set, each with its help.

The same fields are the documentation, the options of `python -m explorer train`, the form on the Train screen and
the JSON in a checkpoint's config (`explorer.models.options`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

from explorer.models import FAMILIES, ModelSettings
from explorer.models.options import option
from explorer.training.optimizer import OPTIMISERS, SCHEDULES

GROUPS = ("model", "objective", "optimiser", "run")


@no_type_check  # like `ModelSettings`
@dataclass(frozen=True, kw_only=True)
class Recipe(ModelSettings):
    """Every hyperparameter of a training run that does not depend on the data set.

    Raises:
        ValueError: a value cannot be, or two do not go together; one sentence that says what to do.
    """

    beta: float = option(
        *("Beta", "objective"),
        "Weight of the KL against the reconstruction: 1 is the ELBO. Both are sums, over an image's pixels and over "
        "its latents, in nats: a beta from a write-up that averages over pixels means something else here. More beta "
        "gives tidier codes and blurrier images, and far too much makes every latent collapse onto the prior; less "
        "gives sharper images and a prior whose samples look like nothing. If you would rather not tune it, the sigma "
        "likelihood learns the noise and with it sets the balance by itself, at beta 1",
        1.0,
        minimum=0.0,
    )
    warmup_epochs: int = option(
        *("Warm-up, epochs", "objective"),
        "Let beta grow evenly from 0 to its value over so many epochs, so that latents learn to be useful before the "
        "KL can switch them off",
        0,
        minimum=0,
        maximum=100_000,
    )
    warmup_share: float = option(
        *("Warm-up, share", "objective"),
        "The same as a share of all epochs, such as 3/7 = 0.4286: give this or the warm-up in epochs, not both",
        0.0,
        minimum=0.0,
        maximum=1.0,
    )
    free_bits: float = option(
        *("Free bits", "objective"),
        "Nats of KL that each latent is not charged for, averaged over a batch: 0 is the plain objective, a little "
        "(0.05 to 0.5) keeps latents from collapsing",
        0.0,
        minimum=0.0,
    )
    optimizer: str = option(
        *("Optimiser", "optimiser"),
        "How the weights follow the gradient",
        "adam",
        choices=OPTIMISERS,
    )
    learning_rate: float = option(
        *("Learning rate", "optimiser"),
        "Size of the optimiser's steps: too much makes the loss jump or blow up, too little makes it crawl",
        1e-3,
        minimum=1e-12,
    )
    schedule: str = option(
        *("Schedule", "optimiser"),
        "How the learning rate changes over the run",
        "constant",
        choices=SCHEDULES,
    )
    decay: float = option(
        *("Decay", "optimiser"),
        "Keras' decay over time, on top of the schedule: the rate is divided by 1 + decay x the steps so far",
        0.0,
        minimum=0.0,
    )
    batch_size: int = option(
        *("Batch size", "optimiser"),
        "Images a step: more make steadier steps and fewer of them in an epoch",
        128,
        minimum=1,
        maximum=65_536,
    )
    epochs: int = option(
        *("Epochs", "run"),
        "Passes over the training images",
        10,
        minimum=1,
        maximum=100_000,
    )
    patience: int = option(
        *("Patience, epochs", "run"),
        "Stop early, once the test ELBO (without one the loss on the test images) has not improved for so many epochs "
        "after warm-up: each stage of a training by itself; 0 trains all epochs",
        0,
        minimum=0,
        maximum=100_000,
    )
    keep_best: bool = option(
        *("Keep the best epoch", "run"),
        "End with the weights of the epoch whose test ELBO was highest, not with the last ones: the test images choose "
        "it, so their ELBO flatters it a little",
        False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not FAMILIES[self.family].trains:
            raise ValueError(f"a model of the family {self.family} was trained elsewhere: choose another family")
        self.require_layers()
        if self.warmup_epochs and self.warmup_share:
            raise ValueError(
                "warmup_epochs and warmup_share say the same in two ways: set one of them and leave the other at 0"
            )
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs must be at most epochs, which are {self.epochs:,}, not {self.warmup_epochs:,}"
            )
        if self.target_mse and (self.warmup_epochs or self.warmup_share):
            raise ValueError(
                "target_mse lets the model set beta from the start: leave warmup_epochs and warmup_share at 0"
            )
        if self.target_mse and not self.beta:
            raise ValueError("beta must be more than zero with target_mse, which multiplies it")
        if self.batch_norm and self.batch_size == 1:
            raise ValueError("batch_size must be at least 2 with batch_norm, which compares the images of a batch")


def warmup_length(recipe: Recipe, epochs: int | None = None) -> float:
    """Over how many (fractional) epochs beta warms up, of so many that were planned, or the recipe's; 0 for none."""
    planned = recipe.epochs if epochs is None else epochs
    return recipe.warmup_share * planned if recipe.warmup_share else float(recipe.warmup_epochs)


def beta_at(recipe: Recipe, epoch: float, epochs: int | None = None) -> float:
    """The KL's weight after so many (fractional) epochs: evenly from 0 up to `recipe.beta`, which it then keeps.

    `epochs` as for `warmup_length`. Bowman et al. 2016, arXiv:1511.06349, section 3.1; Sønderby et al. 2016,
    arXiv:1602.02282, call it warm-up.
    """
    length = warmup_length(recipe, epochs)
    if epoch >= length:
        return recipe.beta
    return recipe.beta * (max(epoch, 0.0) / length)
