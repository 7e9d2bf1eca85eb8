"""The variational autoencoder of Kingma & Welling 2014 with a diagonal Gaussian posterior, arXiv:1312.6114."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from explorer.models.base import LatentModel, register
from explorer.models.config import ModelConfig
from explorer.models.networks import initialise
from explorer.models.posteriors import GaussianPosterior, Posterior, gaussian_kl
from explorer.models.registry import NETWORKS


@register
class VAE(LatentModel):
    """Encoder and decoder around codes with a Gaussian prior."""

    family = "vae"
    label = "VAE"
    help = "a variational autoencoder, which gives an image a small cloud of codes and can draw new images"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        network = NETWORKS[config.network]
        self.encoder = network.encoder(config, 2 * config.latent)  # one head, split in mean and logvar
        self.decoder = network.decoder(config, config.latent + config.classes)
        initialise(self, config.init)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> GaussianPosterior:
        mean, logvar = self.encoder(x).float().chunk(2, dim=1)  # [N, D] each
        return GaussianPosterior(mean, logvar)

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n p h w"]:
        return self.decoder(z).float()

    def stored_kl(self, posterior: Posterior) -> Float[Tensor, " d"]:
        return gaussian_kl(*posterior).mean(0)
