"""A VAE whose decoder is told the class: p(x|z, y) with a code z that all classes share.

Sohn, Lee & Yan 2015, "Learning structured output representation using deep conditional generative models", NeurIPS;
Kingma et al. 2014, "Semi-supervised learning with deep generative models", arXiv:1406.5298, model M2. Theirs tell the
encoder the class as well; here q(z|x) sees the image alone, so that any image has a code, whatever its class, and one
code can be decoded as each of the classes. The bound is the same with any q: log p(x|y) >= E_q log p(x|z, y) - KL.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from explorer.models import networks
from explorer.models.base import LatentModel, ModelConfig, Posterior, Terms
from explorer.models.objectives import gaussian_kl


class ConditionalVAE(LatentModel):
    family = "cvae"
    conditional = True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if config.classes < 1:
            raise ValueError("a conditional model needs images with classes")
        self.encoder = networks.encoder(config, 2 * config.latent)
        self.decoder = networks.decoder(config, config.latent + config.classes)
        networks.initialise(self, config.init)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        mean, logvar = self.encoder(x).float().chunk(2, dim=1)  # [N, D] each
        return Posterior(mean, logvar)

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n c h w"]:
        if labels is None:
            labels = torch.zeros(len(z), dtype=torch.int64, device=z.device)
        told = F.one_hot(labels, self.config.classes).to(z.dtype)
        return self.decoder(torch.cat([z, told], dim=1)).float()

    def terms(
        self,
        x: Float[Tensor, "n c h w"],
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Terms:
        posterior = self.posterior(x)
        logits = self.logits(posterior.sample(generator), labels)
        return Terms(self.misfit(logits, x), gaussian_kl(*posterior), logits)


def in_turn(count: int, classes: int) -> Int[Tensor, " n"]:
    """Labels for so many draws: each class in its turn."""
    return torch.arange(count) % classes


FAMILIES = (ConditionalVAE,)
