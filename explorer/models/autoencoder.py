"""The plain autoencoder: a deterministic code, no prior. What a VAE is compared with."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.models.base import LatentModel, register
from explorer.models.config import ModelConfig
from explorer.models.networks import initialise
from explorer.models.posteriors import PointPosterior
from explorer.models.registry import NETWORKS


@register
class Autoencoder(LatentModel):
    """Encoder and decoder around codes that nothing holds together."""

    family = "ae"
    label = "autoencoder"
    help = "a plain autoencoder, which gives an image one code and has no prior to draw from"
    has_prior = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        network = NETWORKS[config.network]
        self.encoder = network.encoder(config, config.latent)
        self.decoder = network.decoder(config, config.latent)
        initialise(self, config.init)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> PointPosterior:
        mean = self.encoder(x).float()
        return PointPosterior(mean, torch.full_like(mean, -torch.inf))

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n p h w"]:
        return self.decoder(z).float()
