"""The variational autoencoder of Kingma & Welling 2014 with a diagonal Gaussian posterior, arXiv:1312.6114."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.models import networks
from explorer.models.base import LatentModel, ModelConfig, Posterior, Terms
from explorer.models.objectives import gaussian_kl


class VAE(LatentModel):
    family = "vae"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.encoder = networks.encoder(config, 2 * config.latent)  # one head, split in mean and logvar
        self.decoder = networks.decoder(config)
        networks.initialise(self, config.init)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        mean, logvar = self.encoder(x).float().chunk(2, dim=1)  # [N, D] each
        return Posterior(mean, logvar)

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n c h w"]:
        return self.decoder(z).float()

    def terms(
        self,
        x: Float[Tensor, "n c h w"],
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Terms:
        posterior = self.posterior(x)
        logits = self.logits(posterior.sample(generator))
        return Terms(self.misfit(logits, x), gaussian_kl(*posterior), logits)


FAMILIES = (VAE,)
