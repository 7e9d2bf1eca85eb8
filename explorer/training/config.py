"""A recipe: every hyperparameter of a training run that does not depend on the data set, each with its help.

The same fields are the documentation, the options of `python -m explorer train`, the form on the Train screen and
the JSON in a checkpoint's config. A field's metadata: `label`, a short name for a person; `group`, one of `GROUPS`;
`help`, plain words; where there are any, `choices`, and `minimum` and `maximum` (inclusive; of each width for a tuple).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

GROUPS = ("model", "objective", "optimiser", "run")


def option(default: Any, label: str, group: str, help: str, **more: Any) -> Any:
    """A dataclass field that carries what a form or a command line has to say of it."""
    return field(default=default, metadata={"label": label, "group": group, "help": help, **more})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every hyperparameter of a training run that does not depend on the data set.

    Raises ValueError, in one sentence that says what to do, for a value that cannot be.
    """

    family: str = option(
        "vae",
        *("Family", "model"),
        "A variational autoencoder (vae) gives an image a small cloud of codes and can draw new images; a plain "
        "autoencoder (ae) gives it one code and cannot; a conditional one (cvae) tells its decoder the class, so that "
        "one code can be drawn as any class",
        choices=("vae", "ae", "cvae"),
    )
    network: str = option(
        "dense",
        *("Network", "model"),
        "Fully connected layers (dense) are quick and see all pixels at once; convolutions (conv) look at "
        "neighbourhoods, which suits pictures and takes longer",
        choices=("dense", "conv"),
    )
    latent: int = option(
        2,
        *("Latents", "model"),
        "How many numbers describe an image: two can be seen as a map as they are, more keep more detail",
        minimum=1,
        maximum=4096,
    )
    encoder: tuple[int, ...] = option(
        (256,),
        *("Encoder widths", "model"),
        "Units of each hidden layer on the way from the image to its code (channels for conv, where each layer also "
        "halves the sides)",
        minimum=1,
        maximum=65_536,
    )
    decoder: tuple[int, ...] = option(
        (256,),
        *("Decoder widths", "model"),
        "Units of each hidden layer on the way from a code to its image (channels for conv, where each layer also "
        "doubles the sides)",
        minimum=1,
        maximum=65_536,
    )
    batch_norm: bool = option(
        False,
        *("Batch norm", "model"),
        "Normalise each hidden layer over the batch before its ReLU, which steadies the training of deep networks",
    )
    init: str = option(
        "pytorch",
        *("First weights", "model"),
        "How large the weights are at the start: PyTorch's own choice, Xavier (Glorot) uniform as in Keras, or "
        "Kaiming (He) uniform, which is made for ReLU",
        choices=("pytorch", "xavier", "kaiming"),
    )
    likelihood: str = option(
        "bernoulli",
        *("Likelihood", "objective"),
        "How a pixel varies around the decoder's image: bernoulli takes gray as the chance of white, gaussian counts "
        "squared errors against a noise that you set, sigma learns that noise and so the balance with the KL",
        choices=("bernoulli", "gaussian", "sigma"),
    )
    output: str = option(
        "sigmoid",
        *("Output", "objective"),
        "How the decoder's last layer becomes an image: sigmoid squeezes it into [0, 1]; linear leaves it as it is, "
        "for the gaussian and sigma likelihoods",
        choices=("sigmoid", "linear"),
    )
    noise_variance: float = option(
        0.5,
        *("Noise variance", "objective"),
        "Variance of a pixel's noise for the gaussian likelihood: less asks for sharper images and makes the KL count "
        "less; 0.5 makes the loss squared errors + KL",
        minimum=1e-9,
    )
    beta: float = option(
        1.0,
        *("Beta", "objective"),
        "Weight of the KL against the reconstruction: 1 is the ELBO. Both are sums, over an image's pixels and over "
        "its latents, in nats: a beta from a write-up that averages over pixels means something else here. More beta "
        "gives tidier codes and blurrier images, and far too much makes every latent collapse onto the prior; less "
        "gives sharper images and a prior whose samples look like nothing. If you would rather not tune it, the sigma "
        "likelihood learns the noise and with it sets the balance by itself, at beta 1",
        minimum=0.0,
    )
    warmup_epochs: int = option(
        0,
        *("Warm-up, epochs", "objective"),
        "Let beta grow evenly from 0 to its value over so many epochs, so that latents learn to be useful before the "
        "KL can switch them off",
        minimum=0,
        maximum=100_000,
    )
    warmup_share: float = option(
        0.0,
        *("Warm-up, share", "objective"),
        "The same as a share of all epochs, such as 3/7 = 0.4286: give this or the warm-up in epochs, not both",
        minimum=0.0,
        maximum=1.0,
    )
    free_bits: float = option(
        0.0,
        *("Free bits", "objective"),
        "Nats of KL that each latent may use for nothing, averaged over a batch: 0 is the plain objective, a little "
        "(0.05 to 0.5) keeps latents from collapsing",
        minimum=0.0,
    )
    optimizer: str = option(
        "adam",
        *("Optimiser", "optimiser"),
        "How the weights follow the gradient: Adam suits nearly everything; RMSprop, with Keras' constants, is what "
        "some of the write-ups used",
        choices=("adam", "rmsprop"),
    )
    learning_rate: float = option(
        1e-3,
        *("Learning rate", "optimiser"),
        "Size of the optimiser's steps: too much makes the loss jump or blow up, too little makes it crawl",
        minimum=1e-12,
    )
    schedule: str = option(
        "constant",
        *("Schedule", "optimiser"),
        "How the learning rate changes over the run: not at all, down half a cosine to a hundredth, up and then far "
        "down (one-cycle), or halved after every epoch",
        choices=("constant", "cosine", "one-cycle", "halved"),
    )
    decay: float = option(
        0.0,
        *("Decay", "optimiser"),
        "Keras' decay over time, on top of the schedule: the rate is divided by 1 + decay x the steps so far",
        minimum=0.0,
    )
    batch_size: int = option(
        128,
        *("Batch size", "optimiser"),
        "Images a step: more make steadier steps and fewer of them in an epoch",
        minimum=1,
        maximum=65_536,
    )
    epochs: int = option(
        10,
        *("Epochs", "run"),
        "Passes over the training images",
        minimum=1,
        maximum=100_000,
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            value = _checked(f.name, str(f.type), getattr(self, f.name), f.metadata.get("choices"))
            for number in value if isinstance(value, tuple) else (value,):
                _in_range(f.name, number, f.metadata.get("minimum"), f.metadata.get("maximum"))
            object.__setattr__(self, f.name, value)
        if self.output == "linear" and self.likelihood == "bernoulli":
            raise ValueError(
                "output linear cannot be a probability: set output to sigmoid, or likelihood to gaussian or sigma"
            )
        if self.network == "conv" and len(self.encoder) != len(self.decoder):
            raise ValueError(
                "encoder and decoder must have the same number of layers in a conv network, "
                f"not {len(self.encoder)} and {len(self.decoder)}"
            )
        if self.warmup_epochs and self.warmup_share:
            raise ValueError(
                "warmup_epochs and warmup_share say the same in two ways: set one of them and leave the other at 0"
            )
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs must be at most epochs, which are {self.epochs:,}, not {self.warmup_epochs:,}"
            )
        if self.batch_norm and self.batch_size == 1:
            raise ValueError("batch_size must be at least 2 with batch_norm, which compares the images of a batch")


def _checked(name: str, kind: str, value: Any, choices: tuple[str, ...] | None) -> Any:
    """The value in its field's type; JSON makes lists of tuples, and people write 1 for 1.0."""
    if choices and value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    if kind == "bool" and type(value) is not bool:
        raise ValueError(f"{name} must be true or false, not {value!r}")
    if kind == "int" and type(value) is not int:
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    if kind == "float":
        if type(value) not in (int, float):
            raise ValueError(f"{name} must be a number, not {value!r}")
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{name} must be a finite number, not one of {len(str(abs(value))):,} digits") from None
    if kind.startswith("tuple"):
        if not isinstance(value, list | tuple) or not value or not all(type(w) is int for w in value):
            raise ValueError(
                f"{name} must be a list of one or more whole numbers, such as 256 or 256, 128, not {value!r}"
            )
        return tuple(value)
    return value


def _in_range(name: str, value: Any, minimum: float | None, maximum: float | None) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value}")
    if minimum is not None and value < minimum:
        if minimum == 0:
            raise ValueError(f"{name} must be zero or more, not {value}")
        least = "more than zero" if value <= 0 else f"at least {minimum:g}"
        raise ValueError(f"{name} must be {least}, not {value}")
    if maximum is not None and value > maximum:
        raise ValueError(f"{name} must be at most {maximum:,}, not {value:,}")


def warmup_length(recipe: Recipe) -> float:
    """Over how many (fractional) epochs beta warms up; 0 for not at all."""
    return recipe.warmup_share * recipe.epochs if recipe.warmup_share else float(recipe.warmup_epochs)


def beta_at(recipe: Recipe, epoch: float) -> float:
    """The KL's weight after so many (fractional) epochs: evenly from 0 up to `recipe.beta`, which it then keeps.

    Bowman et al. 2016, arXiv:1511.06349, section 3.1; Sønderby et al. 2016, arXiv:1602.02282, call it warm-up.
    """
    length = warmup_length(recipe)
    if epoch >= length:
        return recipe.beta
    return recipe.beta * (max(epoch, 0.0) / length)
