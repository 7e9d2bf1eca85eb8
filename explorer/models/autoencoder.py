"""The plain autoencoder: a deterministic code, no prior. What a VAE is compared with."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.models import networks
from explorer.models.base import LatentModel, ModelConfig, Posterior, Terms


class Autoencoder(LatentModel):
    family = "ae"
    has_prior = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.encoder = networks.encoder(config, config.latent)
        self.decoder = networks.decoder(config)
        networks.initialise(self, config.init)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        mean = self.encoder(x).float()
        return Posterior(mean, torch.full_like(mean, -torch.inf))

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n c h w"]:
        return self.decoder(z).float()

    def terms(
        self,
        x: Float[Tensor, "n c h w"],
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Terms:
        code = self.encoder(x).float()
        logits = self.logits(code)
        return Terms(self.misfit(logits, x), torch.zeros_like(code), logits)


FAMILIES = (Autoencoder,)
