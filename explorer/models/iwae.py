"""The importance-weighted autoencoder of Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.models.base import register
from explorer.models.objectives import Terms
from explorer.models.posteriors import Noise
from explorer.models.vae import VAE


@register
class ImportanceWeightedAutoencoder(VAE):
    """The VAE trained on the tighter bound that several draws of z an image give."""

    family = "iwae"
    label = "importance-weighted autoencoder"
    help = "a VAE that is trained on a tighter bound on the likelihood, by several draws of a code for each image"
    settings = (*VAE.settings, "draws")

    def terms(self, x: Float[Tensor, "n c h w"], noise: Noise = None, labels: Int[Tensor, " n"] | None = None) -> Terms:
        """In training the extra makes the loss minus the bound of eq. 8 at beta 1; evaluation has the ELBO of a draw.

        Its gradient is that of eq. 13, since automatic differentiation weights the draws of an image as it does.
        """
        k = self.config.draws
        if not self.training or k == 1:
            return super().terms(x, noise, labels)
        posterior, n = self.posterior(x), len(x)
        draws = posterior.repeat(k)
        z = draws.sample(noise)
        logits = self.logits(z, None if labels is None else labels.repeat_interleave(k))
        nll = self.nll(logits, x.repeat_interleave(k, 0))
        log_weight = (self.log_prior(z) - draws.log_prob(z).sum(1) - nll).unflatten(0, (n, k))  # eq. 7
        bound = torch.logsumexp(log_weight, 1) - math.log(k)
        nll, kl = nll[::k], self.kl(posterior, z[::k])
        return Terms(nll, kl, posterior, logits[::k], -bound - nll - kl.sum(1))
