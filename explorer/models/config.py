"""What it takes to build a network: the part of a recipe that a checkpoint keeps under `model`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, no_type_check

from explorer.models.options import check_options, option
from explorer.models.registry import (
    FAMILIES,
    INITIALISATIONS,
    LIKELIHOODS,
    NETWORKS,
    OUTPUTS,
    POSTERIORS,
    PRIORS,
    SAMPLINGS,
)

if TYPE_CHECKING:
    from explorer.models.likelihoods import Likelihood

# A config may come from anywhere, and sizes allocate memory.
_MOST = 65_536  # units of a layer, classes
_DEEPEST = 100  # layers
_LARGEST = 1024  # pixels of an image's side


@no_type_check  # by annotations: it takes anything and says what is wrong with it
@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The hyperparameters of a model that do not depend on the data.

    Raises:
        ValueError: a value cannot be, or two do not go together; one sentence that says what to do.
    """

    family: str = option("Family", "model", "What kind of model", "vae", choices=FAMILIES)
    network: str = option("Network", "model", "What encoder and decoder are made of", "dense", choices=NETWORKS)
    latent: int = option(
        *("Latents", "model"),
        "How many numbers describe an image: two can be seen as a map as they are, more keep more detail",
        2,
        minimum=1,
        maximum=4096,
    )
    encoder: tuple[int, ...] = option(
        *("Encoder widths", "model"),
        "Units of each hidden layer on the way from the image to its code (channels for conv, where each layer also "
        "halves the sides; of each block for residual, where a change of width does)",
        (256,),
        minimum=1,
        maximum=_MOST,
        longest=_DEEPEST,
    )
    decoder: tuple[int, ...] = option(
        *("Decoder widths", "model"),
        "Units of each hidden layer on the way from a code to its image (channels for conv, where each layer also "
        "doubles the sides; of each block for residual, where a change of width does)",
        (256,),
        minimum=1,
        maximum=_MOST,
        longest=_DEEPEST,
    )
    batch_norm: bool = option(
        *("Batch norm", "model"),
        "Normalise each hidden layer over the batch before its activation, which steadies deep networks",
        False,
    )
    init: str = option(
        "Initialisation", "model", "How large the weights are at the start", "pytorch", choices=INITIALISATIONS
    )
    likelihood: str = option(
        "Likelihood", "objective", "How a pixel varies around the decoder's image", "bernoulli", choices=LIKELIHOODS
    )
    output: str = option(
        "Output", "objective", "How the decoder's last layer becomes an image", "sigmoid", choices=OUTPUTS
    )
    noise_variance: float = option(
        *("Noise variance", "objective"),
        "Variance of a pixel's noise for the gaussian likelihood: less asks for sharper images and makes the KL count "
        "less; 0.5 makes the loss squared errors + KL",
        0.5,
        minimum=1e-9,
    )
    binarise: bool = option(
        *("Binarise", "objective"),
        "Draw each pixel on or off, with its gray as the chance of on, each time an image is used: the data that "
        "published likelihoods of binary MNIST are of (Salakhutdinov & Murray 2008); for the bernoulli likelihood",
        False,
    )
    mixture_components: int = option(
        *("Mixture components", "objective"),
        "How many logistics a pixel is a mixture of, for the logistic-mixture likelihood: more tell sharper edges from "
        "blurred ones, and take longer",
        5,
        minimum=1,
        maximum=100,
    )
    layers: tuple[int, ...] = option(
        *("Layers of latents", "model"),
        "Latents of each layer, the top one first, which depends on no other; in a residual network, latents at each "
        "place of the layer's grid; where there are fewer widths than layers, the upper layers share the last",
        (4, 8, 16, 32, 64),
        of_family=True,
        minimum=1,
        maximum=4096,
        longest=_DEEPEST,
    )
    grids: tuple[int, ...] = option(
        *("Grids", "model"),
        "Side of each layer's grid in a residual network, the top one first: halving the image's sides gives the grids "
        "that there are, such as 14, 7, 4, 2 and 1 for 28 pixels, of which a layer takes the next larger one; where "
        "none is given, each is a single place",
        (),
        of_family=True,
        minimum=1,
        maximum=_LARGEST,
        longest=_DEEPEST,
    )
    prior: str = option(
        *("Prior", "model"),
        "What codes follow as a whole, and samples are drawn from",
        "normal",
        choices=PRIORS,
        of_family=True,
    )
    components: int = option(
        *("Prior components", "model"),
        "Of a learnt prior: how many clouds it is mixed from, some for each kind of image",
        100,
        minimum=1,
        maximum=10_000,
        of_family=True,
        of=("prior", ("vamp", "mixture")),
    )
    posterior: str = option(
        *("Posterior", "model"),
        "The shape of an image's cloud of codes",
        "gaussian",
        choices=POSTERIORS,
        of_family=True,
    )
    degrees: float = option(
        *("Degrees of freedom", "model"),
        "Of a Student-t posterior: few give heavy tails, from 30 on it is nearly Gaussian; more than 2, for a variance",
        5.0,
        minimum=2.1,
        maximum=1000.0,
        of_family=True,
        of=("posterior", ("student-t",)),
    )
    truncation: float = option(
        *("Truncation", "model"),
        "Of a truncated normal posterior: at how many standard deviations of the Gaussian it ends on either side",
        2.0,
        minimum=0.1,
        maximum=8.0,
        of_family=True,
        of=("posterior", ("truncated-normal",)),
    )
    target_mse: float = option(
        *("Target squared error", "objective"),
        "Of a pixel, such as 0.02 for digits: the model learns how much the KL may weigh for images to come out as "
        "well as that, beginning at beta (GECO, Rezende & Viola 2018); 0 keeps beta as it is",
        0.0,
        minimum=0.0,
        maximum=1.0,
        of_family=True,
        step=0.001,
    )

    # --- vq
    codebook: int = option(
        *("Codebook", "model"),
        "How many entries the codebook has: each place of the grid is one of them",
        256,
        minimum=2,
        maximum=4096,
        of_family=True,
    )
    entry_size: int = option(
        *("Entry size", "model"), "How many numbers an entry has", 16, minimum=1, maximum=256, of_family=True
    )
    grid_blocks: int = option(
        *("Blocks", "model"),
        "Residual blocks on the grid, in the encoder and in the decoder",
        2,
        minimum=0,
        maximum=_DEEPEST,
        of_family=True,
    )
    commitment: float = option(
        *("Commitment", "objective"),
        "What the encoder pays for outputs that are far from their entries",
        0.25,
        minimum=0.0,
        of_family=True,
    )
    dark_detail: float = option(
        *("Dark detail", "objective"),
        "How much more errors count where an image has something small and dark, such as a parasite in a cell",
        0.0,
        minimum=0.0,
        of_family=True,
    )
    prior_share: float = option(
        *("Prior share", "run"),
        "The share of the epochs in which the prior over the grid is trained, after the autoencoder",
        0.5,
        minimum=0.0,
        maximum=1.0,
        of_family=True,
    )
    prior_layers: int = option(
        *("Prior layers", "model"),
        "Layers of the transformer that draws grids",
        4,
        minimum=1,
        maximum=_DEEPEST,
        of_family=True,
    )
    prior_width: int = option(
        *("Prior width", "model"),
        "Numbers that the transformer keeps of each place, a multiple of 64",
        128,
        minimum=64,
        maximum=4096,
        of_family=True,
    )
    class_prior: bool = option(
        *("Tell the class", "model"),
        "Tell the prior the class, so that samples of each can be drawn",
        False,
        of_family=True,
    )
    guidance: float = option(
        *("Guidance", "objective"),
        "How much more than the prior says samples look like their class; training does not depend on it",
        0.0,
        minimum=0.0,
        maximum=100.0,
        of_family=True,
    )

    # --- iwae
    draws: int = option(
        *("Draws", "objective"),
        "How many codes are drawn for an image in a step: more tighten the bound and take as much longer; 1 is the VAE",
        5,
        minimum=1,
        maximum=5000,
        of_family=True,
    )

    # --- beta-tc
    sampling: str = option(
        *("Sampling", "objective"),
        "How a batch stands for all images where the density of codes as a whole is estimated",
        "stratified",
        choices=SAMPLINGS,
        of_family=True,
    )
    information_weight: float = option(
        *("Weight of mutual information", "objective"),
        "What a nat of information between image and code costs: 1 is the ELBO, 0 lets a code tell all it can",
        1.0,
        minimum=0.0,
        of_family=True,
    )
    dimension_weight: float = option(
        *("Weight of dimension-wise KL", "objective"),
        "What a nat costs by which a latent's codes as a whole differ from the prior: 1 is the ELBO",
        1.0,
        minimum=0.0,
        of_family=True,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if NETWORKS[self.network].convolves:  # a dense network without hidden layers is linear
            self.require_layers()
        self.make_likelihood()  # which knows what goes together
        if self.binarise and not LIKELIHOODS[self.likelihood].binary:
            raise ValueError(
                f"binarise makes pixels of 0 and 1, which a {self.likelihood} likelihood is not for: set likelihood to "
                "bernoulli, or binarise to false"
            )
        NETWORKS[self.network].check(self)
        FAMILIES[self.family].check(self)

    def make_likelihood(self) -> Likelihood:
        """Makes p(x|z) with the noise that a person set. Raises ValueError where settings do not go together."""
        return LIKELIHOODS[self.likelihood](self.noise_variance, self.output, self.mixture_components)

    def require_layers(self) -> None:
        for name in ("encoder", "decoder"):
            if not getattr(self, name):
                raise ValueError(f"{name} must be a list of one or more whole numbers, such as 256 or 256, 128")


@no_type_check
@dataclass(frozen=True, kw_only=True)
class ModelConfig(ModelSettings):
    """What it takes to build a network again: the JSON under `model` in a checkpoint's config."""

    image_shape: tuple[int, int, int] = option(
        "Image shape", "data", "Channels, height and width of an image", minimum=1, maximum=_LARGEST, length=3
    )
    classes: int = option(
        "Classes", "data", "How many classes the decoder is told apart, 0 for none", 0, minimum=0, maximum=_MOST
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_shape[0] not in (1, 3):
            raise ValueError(f"image_shape must begin with 1 channel (gray) or 3 (colour), not {self.image_shape[0]}")

    @property
    def pixels(self) -> int:
        c, h, w = self.image_shape
        return c * h * w

    @property
    def logits_shape(self) -> tuple[int, int, int]:
        """What the decoder puts out for an image: channels, which are the likelihood's parameters, height and width."""
        c, h, w = self.image_shape
        return self.make_likelihood().parameters(c), h, w

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ModelConfig:
        """Reads what `to_json` gave, as its family has it.

        Raises:
            ValueError: a key is missing, unknown or of the wrong type.
        """
        own = FAMILIES.get(str(data.get("family")))
        if own is not None and own.config_type is not cls:
            return own.config_type.from_json(data)
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise ValueError(f"unknown model setting {unknown[0]!r}")
        # By later versions:
        added = {"noise_variance", "init", "output", "batch_norm", "classes", "binarise", "mixture_components"}
        added |= {f.name for f in fields(cls) if f.metadata.get("of_family")}
        if missing := sorted(known - added - set(data)):
            raise ValueError(f"incomplete model settings: {missing[0]} is missing")
        return cls(**data)
