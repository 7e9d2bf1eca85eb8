"""The variational autoencoder of Kingma & Welling 2014, arXiv:1312.6114, with a posterior and a prior of choice."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from explorer.models.base import LatentGroup, LatentModel, register
from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.location_scale import TruncatedNormal
from explorer.models.networks import initialise
from explorer.models.posteriors import Posterior, gaussian_kl
from explorer.models.priors import Mixture, Prior
from explorer.models.registry import NETWORKS, POSTERIORS, PRIORS


@register
class VAE(LatentModel):
    """Encoder and decoder around codes.

    The encoder gives each latent's mean and the logarithm of its variance, whatever the shape of the posterior. Under a
    learnt prior the KL has no closed form: it is log q(z|x) - log p(z) at the draw of z, of all latents at once.
    """

    family = "vae"
    label = "VAE"
    help = "a variational autoencoder, which gives an image a small cloud of codes and can draw new images"
    settings: ClassVar[tuple[str, ...]] = (
        "prior",
        "components",
        "posterior",
        "degrees",
        "truncation",
        "target_mse",
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        network = NETWORKS[config.network]
        self.encoder = network.encoder(config, 2 * config.latent)  # one head, split in mean and logvar
        self.decoder = network.decoder(config, config.latent + config.classes)
        initialise(self, config.init)
        self.posterior_type = POSTERIORS[config.posterior](config)
        prior = PRIORS[config.prior]
        self.prior = None if prior is None else prior(config)
        self._mixture: Mixture | None = None  # of a model that is not being trained

    @classmethod
    def check(cls, settings: ModelSettings) -> None:
        super().check(settings)
        prior = PRIORS[settings.prior]
        if prior is None or not prior.of_posteriors:
            return
        if settings.batch_norm:
            raise ValueError(
                f"batch_norm would count the pseudo-inputs of the prior {settings.prior} as images: set batch_norm to "
                "false, or prior to mixture"
            )
        if issubclass(POSTERIORS[settings.posterior](settings), TruncatedNormal):
            raise ValueError(
                f"a prior {settings.prior} of components that end gives most codes no probability: set posterior to "
                "gaussian, or prior to mixture"
            )

    @property
    def groups(self) -> tuple[LatentGroup, ...]:
        return super().groups if self.prior is None else (LatentGroup("code", self.config.latent),)

    @property
    def prior_name(self) -> str:
        return super().prior_name if self.prior is None else self.prior.title.format(self.config.components)

    @property
    def learns_prior(self) -> bool:
        return self.prior is not None

    def start(self, images: UInt8[Tensor, "n c h w"]) -> None:
        if self.prior is not None:
            self.prior.start(images)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        mean, logvar = self.encoder(x).float().chunk(2, dim=1)  # [N, D] each
        return self.posterior_type(mean, logvar)

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n p h w"]:
        return self.decoder(z).float()

    def kl(self, posterior: Posterior, z: Float[Tensor, "n d"]) -> Float[Tensor, "n g"]:
        if self.prior is None:
            return super().kl(posterior, z)
        return (posterior.log_prob(z).sum(1) - self.log_prior(z))[:, None]

    @torch.no_grad()
    def sample_prior(
        self,
        n: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n d"]:
        if self.prior is None:
            return super().sample_prior(n, temperature, generator)
        return self._mixture_of(self.prior).sample(n, temperature, generator)

    def log_prior(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return super().log_prior(z) if self.prior is None else self._mixture_of(self.prior).log_prob(z)

    @torch.no_grad()
    def prior_spread(self) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]] | None:
        return super().prior_spread() if self.prior is None else self._mixture_of(self.prior).moments()

    def stored_kl(self, posterior: Posterior) -> Float[Tensor, " d"] | None:
        # Older versions knew no other posterior and prior.
        return gaussian_kl(*posterior).mean(0)

    def train(self, mode: bool = True) -> VAE:
        if mode != self.training:
            self._mixture = None
        super().train(mode)
        return self

    def _mixture_of(self, prior: Prior) -> Mixture:
        """The prior's mixture, which is made once while nothing is trained."""
        if self.training or torch.is_grad_enabled():
            return prior.mixture(self.posterior)
        found = self._mixture
        if found is None:
            found = self._mixture = prior.mixture(self.posterior)
        return found
