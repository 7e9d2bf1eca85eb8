"""What every model family shares: its config, its posterior, the interface that training and pages use."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from explorer.objectives import Likelihood, LikelihoodName


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

    `misfit` [N] is -log p(x|z) less its constant at one draw of z, `kl` [N] the KL of the posterior from the
    prior, `logits` [N, C, H, W] the decoder's output for that draw.
    """

    misfit: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
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
            sizes = (*config.image_shape, config.latent, *config.encoder, *config.decoder)
            if config.likelihood not in get_args(LikelihoodName):
                raise ValueError(f"unknown likelihood {config.likelihood!r}")
            Likelihood(config.likelihood, config.noise_variance)
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"incomplete model settings: {error}") from error
        # A config may come from anywhere, and sizes allocate memory.
        if len(config.image_shape) != 3 or min(sizes) < 1 or max(sizes) > 65_536:
            raise ValueError("a model size is out of range")
        return config


class LatentModel(nn.Module):
    """A model with codes: images in [0, 1] to a posterior, codes to images."""

    family: ClassVar[str]
    has_prior: ClassVar[bool] = True  # False: codes have no density that the objective knows of

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.likelihood = Likelihood(config.likelihood, config.noise_variance)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        """q(z|x) for images in [0, 1]."""
        raise NotImplementedError

    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """The decoder's raw output; `likelihood.mean` makes it an image."""
        raise NotImplementedError

    def terms(self, x: Float[Tensor, "n c h w"], generator: torch.Generator | None = None) -> Terms:
        """Misfit, KL and logits of a batch for one draw of z an image."""
        raise NotImplementedError

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """The mean of p(x|z), in [0, 1]."""
        return self.likelihood.mean(self.logits(z))
