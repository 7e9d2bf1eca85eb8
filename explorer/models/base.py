"""What every model family shares: its config, its posterior, the interface that training and pages use."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from explorer.models.objectives import Likelihood, LikelihoodName, OutputName

NOISE_WINDOW = 2000  # images over which a learnt noise variance is averaged: it is then known to about 1%


class Posterior(NamedTuple):
    """q(z|x) of a batch: a diagonal Gaussian.

    `mean` and `logvar` are float32 [N, D]. A deterministic code has logvar -inf (variance zero).
    """

    mean: Float[Tensor, "n d"]
    logvar: Float[Tensor, "n d"]

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "n d"]:
        """One draw of z for each image, by the reparameterisation trick (Kingma & Welling 2014, section 2.4)."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return torch.addcmul(self.mean, noise, torch.exp(0.5 * self.logvar))


class Terms(NamedTuple):
    """The pieces of a batch's objective, in nats an image.

    `misfit` [N] is -log p(x|z) less its constant at one draw of z, `kl` [N, D] the KL of each latent's posterior from
    the prior (sum the last axis for an image's KL), `logits` [N, C, H, W] the decoder's output for that draw.
    """

    misfit: Float[Tensor, " n"]
    kl: Float[Tensor, "n d"]
    logits: Float[Tensor, "n c h w"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What it takes to build a network again: the JSON under `model` in a checkpoint's config."""

    family: str
    network: str
    image_shape: tuple[int, int, int]
    latent: int
    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    likelihood: LikelihoodName
    noise_variance: float = 0.5
    init: str = "pytorch"
    output: OutputName = "sigmoid"
    batch_norm: bool = False
    classes: int = 0  # that the decoder is told of; 0 for a family whose decoder is not

    @property
    def pixels(self) -> int:
        c, h, w = self.image_shape
        return c * h * w

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ModelConfig:
        """Raises ValueError when a key is missing, unknown or of the wrong type."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise ValueError(f"unknown model setting {unknown[0]!r}")
        try:
            tuples = {k: tuple(int(v) for v in data[k]) for k in ("image_shape", "encoder", "decoder")}
            config = cls(**{**data, **tuples, "latent": int(data["latent"])})
            for name, kind in (("family", str), ("network", str), ("init", str), ("batch_norm", bool)):
                if not isinstance(value := getattr(config, name), kind):
                    raise ValueError(f"{name} must be {'true or false' if kind is bool else 'a word'}, not {value!r}")
            sizes = (*config.image_shape, config.latent, *config.encoder, *config.decoder)
            if config.likelihood not in get_args(LikelihoodName):
                raise ValueError(f"unknown likelihood {config.likelihood!r}")
            if config.output not in get_args(OutputName):
                raise ValueError(f"unknown output {config.output!r}")
            if type(config.classes) is not int or not 0 <= config.classes <= 65_536:
                raise ValueError(f"classes must be a whole number from 0 to 65,536, not {config.classes!r}")
            if type(config.noise_variance) not in (int, float):
                raise ValueError(f"noise_variance must be a number, not {config.noise_variance!r}")
            Likelihood(config.likelihood, float(config.noise_variance), config.output)
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"incomplete model settings: {error}") from error
        # A config may come from anywhere, and sizes allocate memory.
        if len(config.image_shape) != 3 or min(sizes) < 1 or max(sizes) > 65_536:
            raise ValueError("a model size is out of range")
        return config


class LatentModel(nn.Module):
    """A model with codes: images in [0, 1] to a posterior, codes to images.

    With the likelihood `sigma` the noise variance is learnt: in training each batch is judged by the variance that
    makes it likeliest, and the buffer `noise_variance` (0-d) follows, a mean over the last `NOISE_WINDOW` images or
    so. In evaluation the buffer is the variance. `noise_images` counts what it has seen, so that both are in
    `state_dict` and a resumed run goes on as it would have.
    """

    family: ClassVar[str]
    has_prior: ClassVar[bool] = True  # False: codes have no density that the objective knows of
    conditional: ClassVar[bool] = False  # True: the decoder is told the class, int64 [N]; others take no labels
    noise_variance: Tensor
    noise_images: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self._likelihood = Likelihood(config.likelihood, float(config.noise_variance), config.output)
        if config.likelihood == "sigma":
            self.register_buffer("noise_variance", torch.tensor(float(config.noise_variance)))
            self.register_buffer("noise_images", torch.tensor(0))

    @property
    def likelihood(self) -> Likelihood:
        """p(x|z), with the noise as it is known by now."""
        if self.config.likelihood != "sigma":
            return self._likelihood
        return replace(self._likelihood, noise_variance=self.noise_variance)

    @property
    def noise_variance_value(self) -> float:
        """The variance of a pixel's noise, learnt or given, as a number: waits for the device. Unused by bernoulli."""
        return float(self.noise_variance if self.config.likelihood == "sigma" else self.config.noise_variance)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        """q(z|x) for images in [0, 1]."""
        raise NotImplementedError

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n c h w"]:
        """The decoder's raw output; `likelihood.mean` makes it an image.

        Only a conditional family reads `labels`, and takes the first class where there are none.
        """
        raise NotImplementedError

    def terms(
        self,
        x: Float[Tensor, "n c h w"],
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Terms:
        """Misfit, KL and logits of a batch for one draw of z an image; `labels` as for `logits`."""
        raise NotImplementedError

    def misfit(self, logits: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """`likelihood.misfit`, nats an image; in training a learnt noise is first fitted to the batch."""
        if not self.training or self.config.likelihood != "sigma":
            return self.likelihood.misfit(logits, x)
        noise = self._likelihood.noise_of(logits, x)
        # A plain mean at first, then an exponential one; all on the device, since a step waits for nothing.
        self.noise_images += len(x)
        self.noise_variance.lerp_(noise, len(x) / self.noise_images.clamp(max=max(len(x), NOISE_WINDOW)))
        return replace(self._likelihood, noise_variance=noise).misfit(logits, x)

    def decode(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n c h w"]:
        """The mean of p(x|z) as an image, in [0, 1]; `labels` as for `logits`."""
        return self.likelihood.mean(self.logits(z, labels))

    def draw_pixels(
        self,
        z: Float[Tensor, "n d"],
        labels: Int[Tensor, " n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """One draw x ~ p(x|z) of each image, `Likelihood.sample`; the generator is one of the CPU."""
        return self.likelihood.sample(self.logits(z, labels), generator)
