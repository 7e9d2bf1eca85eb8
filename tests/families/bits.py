"""A family that only tests know: codes of bits under a prior that is learnt, so nothing lies between two codes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.models import LatentGroup, LatentModel, ModelConfig, Noise, PointPosterior, Terms, register
from explorer.models.networks import initialise
from explorer.models.registry import NETWORKS


class Bits(PointPosterior):
    """-1 or 1 for each of an image's latents."""


@register
class BitModel(LatentModel):
    """An autoencoder of bits, with a probability for each to be on; its one group of latents is charged as a whole."""

    family = "bits"
    label = "bit model"
    help = "an autoencoder of bits with a learnt prior"
    continuous = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        network = NETWORKS[config.network]
        self.encoder = network.encoder(config, config.latent)
        self.decoder = network.decoder(config, config.latent)
        self.on = nn.Parameter(torch.zeros(config.latent))  # log odds
        initialise(self, config.init)

    @property
    def groups(self) -> tuple[LatentGroup, ...]:
        return (LatentGroup("bits", self.config.latent),)

    def posterior(self, x: Tensor) -> Bits:
        given = self.encoder(x).float()
        bits = given + (torch.where(given > 0, 1.0, -1.0) - given).detach()  # the gradient passes as if it were `given`
        return Bits(bits, torch.full_like(bits, -torch.inf))

    def logits(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.decoder(z).float()

    def terms(self, x: Tensor, noise: Noise = None, labels: Tensor | None = None) -> Terms:
        bits = self.posterior(x)
        logits = self.logits(bits.mean)
        far = (self.encoder(x) - bits.mean.detach()).square().sum(1)
        return Terms(self.nll(logits, x), -self.log_prior(bits.mean.detach())[:, None], bits, logits, 0.01 * far)

    def sample_prior(
        self,
        n: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        odds = self.on.detach().cpu() / max(temperature, 1e-6)
        return torch.where(torch.rand(n, self.latent, generator=generator) < torch.sigmoid(odds), 1.0, -1.0)

    def log_prior(self, z: Tensor) -> Tensor:
        return F.logsigmoid(z * self.on).sum(1)

    def prior_spread(self) -> None:
        return None
