"""q(z|x) of a batch of images: what a family's encoder gives, and what everything else needs of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.models.config import ModelSettings
from explorer.models.registry import POSTERIORS

Noise = torch.Generator | Tensor | None
"""Where the noise of a draw comes from: a generator of the device, or torch's own; or the noise itself, standard
normal and in the shape of the codes, which a family with another posterior turns into its own by its quantiles."""


class Posterior(NamedTuple):
    """A posterior by what is stored of it: each latent's mean and the logarithm of its variance, float32 [N, D].

    The mean is the point that stands for an image on maps and among neighbours. A deterministic code has logvar -inf.
    A family returns a subclass that can do the rest; it may have further fields, tensors of N rows.
    """

    mean: Float[Tensor, "n d"]
    logvar: Float[Tensor, "n d"]

    @property
    def independent(self) -> bool:
        """Whether the latents of an image are independent of each other, so that many codes are cheap to compare."""
        return True

    def sample(self, noise: Noise = None) -> Float[Tensor, "n d"]:
        """One draw of z for each image."""
        raise NotImplementedError

    def kl(self) -> Float[Tensor, "n g"]:
        """KL(q(z|x) || p(z)) of each image's groups of latents, in nats."""
        raise NotImplementedError

    def log_prob(self, z: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape2 d"]:
        """log q(z|x) in nats at codes, of each latent by itself: [N, D], or as codes [M, 1, D] and these broadcast."""
        raise NotImplementedError

    def repeat(self, k: int) -> Posterior:
        """The posterior of each image k times in a row."""
        return type(self)(*(field.repeat_interleave(k, 0) for field in self))


class GaussianPosterior(Posterior):
    """A diagonal Gaussian next to the prior N(0, I)."""

    def sample(self, noise: Noise = None) -> Float[Tensor, "n d"]:
        """By the reparameterisation trick (Kingma & Welling 2014, section 2.4)."""
        std = torch.exp(0.5 * self.logvar)
        if isinstance(noise, Tensor):
            return self.mean + noise * std  # rounded twice, as the stored figures of all checkpoints were
        drawn = torch.randn(self.mean.shape, generator=noise, device=self.mean.device, dtype=self.mean.dtype)
        return torch.addcmul(self.mean, drawn, std)

    def kl(self) -> Float[Tensor, "n d"]:
        return gaussian_kl(self.mean, self.logvar)

    def log_prob(self, z: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape2 d"]:
        far = (z - self.mean) * torch.exp(-0.5 * self.logvar)  # squared last: exp(-logvar) may be too large
        return -0.5 * (far.square() + self.logvar + math.log(2 * math.pi))


@POSTERIORS.register("gaussian", "Gaussian", "a cloud that thins out evenly, as in the first VAEs")
def _gaussian(settings: ModelSettings) -> type[Posterior]:
    return GaussianPosterior


class PointPosterior(Posterior):
    """One code for an image, without a spread, a prior or a KL."""

    def sample(self, noise: Noise = None) -> Float[Tensor, "n d"]:
        return self.mean

    def kl(self) -> Float[Tensor, "n d"]:
        return torch.zeros_like(self.mean)


def gaussian_kl(mean: Float[Tensor, "n d"], logvar: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """KL(q(z|x) || p(z)) of each latent in nats, for q = N(mean, exp(logvar)) and the prior p = N(0, 1).

    Kingma & Welling 2014, appendix B. Sum the last axis for an image's KL.
    """
    # expm1 keeps the digits of a collapsed latent, whose logvar is near zero.
    return 0.5 * (mean.square() + torch.expm1(logvar) - logvar)
