"""Likelihoods and KL terms of the ELBO, in nats an image.

Everything here is summed over pixels and latents and never averaged over them: a mean over pixels times an
arbitrary KL weight is the usual reason why a VAE cannot be compared with another one.

Source of the formulas: Kingma & Welling 2014, "Auto-Encoding Variational Bayes", arXiv:1312.6114, eq. 7 and
appendices B (KL of two Gaussians) and C (Bernoulli and Gaussian decoders).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LikelihoodName = Literal["bernoulli", "gaussian"]


def gaussian_kl(mean: Float[Tensor, "n d"], logvar: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """KL(q(z|x) || p(z)) of each latent in nats, for q = N(mean, exp(logvar)) and the prior p = N(0, 1).

    Kingma & Welling 2014, appendix B. Sum the last axis for an image's KL.
    """
    # expm1 keeps the digits of a collapsed latent, whose logvar is near zero.
    return 0.5 * (mean.square() + torch.expm1(logvar) - logvar)


@dataclass(frozen=True)
class Likelihood:
    """p(x|z) of an image given the decoder's logits, each pixel independent of the others.

    Args:
        name: `bernoulli`, whose mean is sigmoid(logits) and which takes gray values in [0, 1] as the
            probability of a white pixel (Loaiza-Ganem & Cunningham 2019 on what this leaves out), or
            `gaussian`, whose mean is sigmoid(logits) and whose variance is `noise_variance`.
        noise_variance: variance of the Gaussian observation noise, in units of the pixel range squared.
            `sum of squared errors + KL` is 0.5; `mean of squared errors + 0.001 KL` over 784 pixels is 0.392.
    """

    name: LikelihoodName = "bernoulli"
    noise_variance: float = 0.5

    def __post_init__(self) -> None:
        if self.name not in ("bernoulli", "gaussian"):
            raise ValueError(f"unknown likelihood {self.name!r}: choose bernoulli or gaussian")
        if not (math.isfinite(self.noise_variance) and self.noise_variance > 0):
            raise ValueError(f"noise_variance must be a positive number, not {self.noise_variance}")

    def mean(self, logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The mean of p(x|z): what the app shows as the decoder's image, in [0, 1]."""
        return torch.sigmoid(logits)

    def misfit(self, logits: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """-log p(x|z) without its additive constant: what training minimises, in nats an image.

        For `bernoulli` the constant is zero; for `gaussian` this is the sum of squared errors / (2 variance).
        """
        if self.name == "bernoulli":
            pixels = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
            return pixels.flatten(1).sum(1)
        return (torch.sigmoid(logits) - x).square().flatten(1).sum(1) / (2 * self.noise_variance)

    def constant(self, pixels: int) -> float:
        """What `misfit` leaves out of -log p(x|z), in nats for an image of so many values."""
        if self.name == "bernoulli":
            return 0.0
        return 0.5 * pixels * math.log(2 * math.pi * self.noise_variance)

    def log_prob(self, logits: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """log p(x|z) in nats an image: the reconstruction term of the ELBO for one draw of z."""
        return -self.misfit(logits, x) - self.constant(x.shape[1:].numel())
