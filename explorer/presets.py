"""The named recipes, as data: what five write-ups built, with the numbers they gave.

A `Recipe` is flat: one value a hyperparameter, each with its one-sentence help. The same fields are the
documentation, the options of `python -m explorer train`, and the JSON in a checkpoint's config.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any


def option(default: Any, help: str, **more: Any) -> Any:
    """A dataclass field that carries its own help text, and `choices` where there are any."""
    return field(default=default, metadata={"help": help, **more})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every hyperparameter of a training run that does not depend on the data set."""

    family: str = option("vae", "vae draws a code from its posterior; ae is a plain autoencoder", choices=("vae", "ae"))
    network: str = option("dense", "fully connected or convolutional layers", choices=("dense", "conv"))
    latent: int = option(2, "number of latents, the length of a code")
    encoder: tuple[int, ...] = option((256,), "widths of the encoder's layers (channels for conv), input to code")
    decoder: tuple[int, ...] = option((256,), "widths of the decoder's layers (channels for conv), code to image")
    likelihood: str = option(
        "bernoulli", "how a pixel varies around the decoder's image", choices=("bernoulli", "gaussian")
    )
    noise_variance: float = option(0.5, "variance of the Gaussian observation noise; 0.5 makes the loss SSE + KL")
    beta: float = option(1.0, "weight of the KL; 1 is the ELBO, more gives tidier codes and blurrier images")
    optimizer: str = option("adam", "how the weights follow the gradient", choices=("adam", "rmsprop"))
    learning_rate: float = option(1e-3, "step size of the optimiser")
    schedule: str = option("constant", "how the learning rate changes over the run", choices=("constant", "cosine"))
    batch_size: int = option(128, "images a step")
    epochs: int = option(10, "passes over the training set")
    init: str = option(
        "pytorch",
        "how weights start: PyTorch's default, or Xavier (Glorot) uniform as in Keras",
        choices=("pytorch", "xavier"),
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            choices = f.metadata.get("choices")
            if choices and value not in choices:
                raise ValueError(f"{f.name} must be one of {', '.join(choices)}, not {value!r}")
            if f.type == "int" and type(value) is not int:
                raise ValueError(f"{f.name} must be a whole number, not {value!r}")
            if f.type == "float" and type(value) not in (int, float):
                raise ValueError(f"{f.name} must be a number, not {value!r}")
        for name in ("encoder", "decoder"):
            widths = getattr(self, name)
            if not isinstance(widths, list | tuple) or not all(type(w) is int for w in widths):
                raise ValueError(f"{name} must be a list of whole numbers, not {widths!r}")
            widths = tuple(widths)
            if not widths or min(widths) < 1 or max(widths) > 65_536:
                raise ValueError(f"{name} needs at least one layer, each of 1 to 65,536 units")
            object.__setattr__(self, name, widths)  # a list, after JSON
        _positive(self, "latent", "batch_size", "epochs", "learning_rate", "noise_variance")
        if self.epochs > 100_000 or self.latent > 4096 or self.batch_size > 65_536:
            raise ValueError("epochs go up to 100,000, latents to 4,096, batches to 65,536")
        if not 0 <= self.beta < float("inf"):
            raise ValueError(f"beta must be zero or more, not {self.beta}")


def _positive(recipe: Recipe, *names: str) -> None:
    for name in names:
        value = getattr(recipe, name)
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be more than zero, not {value}")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A recipe with its name, source and published result."""

    name: str
    summary: str
    source: str
    published: str
    dataset: str = "mnist"
    recipe: Recipe
    notes: str = ""


_GUO = "Guo 2020, “Variational Autoencoders: An Intuitive Explanation & Some Keras Code”"
_CLAY = "Clay 2024, “Note of Variational AutoEncoder”"
_SPENCE = "Spence (SciNet) 2022, “Neural network programming: variational autoencoders”"

_MLP_2D = Recipe(
    latent=2,
    encoder=(256,),
    decoder=(256,),
    likelihood="bernoulli",
    optimizer="rmsprop",
    learning_rate=1e-3,  # Keras' default, which the write-up leaves alone
    batch_size=100,
    epochs=200,
    init="xavier",  # Keras' default for dense layers
)

PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset(
            name="mlp-2d",
            summary="A dense VAE with two latents: the whole model is a plane that you can look at.",
            source=_GUO,
            published="figures only: scatter by digit, 15 × 15 grid at norm.ppf(linspace(0.05, 0.95))",
            recipe=_MLP_2D,
            notes=(
                "The write-up averages the KL over dimensions and scales pixels to [-1, 1] under a cross-entropy; "
                "here the KL is summed and pixels are in [0, 1], so that the loss is the negative ELBO in nats."
            ),
        ),
        Preset(
            name="mlp-2d-mse",
            summary="The same with squared errors and a light KL: crisper clusters, a narrower network.",
            source=_CLAY,
            published="figures only: scatter of the codes by digit, grid",
            recipe=Recipe(
                latent=2,
                encoder=(128,),
                decoder=(128,),
                likelihood="gaussian",
                # mean of squared errors over 784 pixels + 0.001 KL = 0.001 (SSE / (2 * 0.392) + KL): a true
                # ELBO with noise of variance 0.392. Adam does not mind the factor in front.
                noise_variance=0.392,
                optimizer="adam",
                learning_rate=2e-3,
                batch_size=128,
                epochs=100,
            ),
        ),
        Preset(
            name="ae-2d",
            summary="A plain autoencoder: no prior, so the plane has holes where the decoder has never been.",
            source=f"{_CLAY}; {_SPENCE}",
            published="figures only: holes between the clusters",
            # The network of `mlp-2d`, trained as Clay trains.
            recipe=replace(_MLP_2D, family="ae", optimizer="adam", learning_rate=2e-3, batch_size=128, epochs=100),
        ),
        Preset(
            name="conv-100",
            summary="A convolutional VAE with a hundred latents, of which it uses few.",
            source=_SPENCE,
            published="test loss 28.217, test MSE 0.019792 after 50 epochs",
            recipe=Recipe(
                network="conv",
                latent=100,
                encoder=(16, 32),
                decoder=(32, 16),
                likelihood="gaussian",
                noise_variance=0.5,  # 784 MSE + KL is the negative ELBO with this variance, less a constant
                optimizer="rmsprop",
                learning_rate=1e-3,
                batch_size=64,
                epochs=50,
                init="xavier",
            ),
        ),
    )
}


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
        seed: of the weights, the order and the noise.
        device: auto, cpu, cuda or mps.
        precision: auto, float32 or bfloat16.
        umap: fit a UMAP of the codes at the end, which takes half a minute for more than two latents.
        data_root: where data sets lie; None for $EXPLORER_DATA or `data`.
        settings: other fields of `Recipe` that differ from the preset's.
    """

    preset: str
    dataset: str | None = None
    epochs: int | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    umap: bool = True
    data_root: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # UMAP's generator takes no other; it would say so only at the end of the run.
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"the seed must be a whole number from 0 to {2**32 - 1:,}, not {self.seed}")

    def recipe(self) -> Recipe:
        """The preset's recipe with this config's changes. Raises ValueError for a bad name or value."""
        changes = dict(self.settings)
        if self.epochs is not None:
            changes["epochs"] = self.epochs
        try:
            return replace(preset(self.preset).recipe, **changes)
        except TypeError as error:
            raise ValueError(f"unknown setting: {error}") from error
