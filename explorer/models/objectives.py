"""Likelihoods and KL terms of the ELBO, in nats an image.

Everything here is summed over pixels and latents and never averaged over them: a mean over pixels times an
arbitrary KL weight is the usual reason why a VAE cannot be compared with another one.

Source of the formulas: Kingma & Welling 2014, "Auto-Encoding Variational Bayes", arXiv:1312.6114, eq. 7 and
appendices B (KL of two Gaussians) and C (Bernoulli and Gaussian decoders); others where they are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LikelihoodName = Literal["bernoulli", "gaussian", "sigma"]
OutputName = Literal["sigmoid", "linear"]

LEAST_NOISE = math.exp(-12)  # variance: Rybkin et al. clamp the log of the standard deviation at -6


def gaussian_kl(mean: Float[Tensor, "n d"], logvar: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """KL(q(z|x) || p(z)) of each latent in nats, for q = N(mean, exp(logvar)) and the prior p = N(0, 1).

    Kingma & Welling 2014, appendix B. Sum the last axis for an image's KL.
    """
    # expm1 keeps the digits of a collapsed latent, whose logvar is near zero.
    return 0.5 * (mean.square() + torch.expm1(logvar) - logvar)


def kl_penalty(kl: Float[Tensor, "n d"], free_bits: float = 0.0) -> Float[Tensor, ""]:
    """The KL as training counts it, in nats an image: the batch's mean, of each latent at least `free_bits` nats.

    Kingma et al. 2016, "Improved variational inference with inverse autoregressive flow", arXiv:1606.04934, eq. 15,
    with a group a latent: below the floor a latent's KL has no gradient, so nothing is gained by switching it off.
    """
    if free_bits == 0:
        return kl.sum(1).mean()
    return kl.mean(0).clamp(min=free_bits).sum()


@dataclass(frozen=True)
class Likelihood:
    """p(x|z) of an image given the decoder's logits, each pixel independent of the others.

    Args:
        name: `bernoulli`, whose mean is sigmoid(logits) and which takes gray values in [0, 1] as the
            probability of a white pixel (Loaiza-Ganem & Cunningham 2019 on what this leaves out);
            `gaussian`, whose variance is `noise_variance`, a number that a person chose;
            `sigma`, the same with a variance that was learnt (`noise_of`).
        noise_variance: variance of the Gaussian observation noise, in units of the pixel range squared. A 0-d
            tensor where it is learnt, so that nothing waits for the device.
            `sum of squared errors + KL` is 0.5; `mean of squared errors + 0.001 KL` over 784 pixels is 0.392.
        output: the location of p(x|z) is `sigmoid` of the logits, or the logits themselves (`linear`).
    """

    name: LikelihoodName = "bernoulli"
    noise_variance: float | Float[Tensor, ""] = 0.5
    output: OutputName = "sigmoid"

    def __post_init__(self) -> None:
        if self.name not in get_args(LikelihoodName):
            raise ValueError(f"unknown likelihood {self.name!r}: choose {', '.join(get_args(LikelihoodName))}")
        if self.output not in get_args(OutputName):
            raise ValueError(f"unknown output {self.output!r}: choose {' or '.join(get_args(OutputName))}")
        if self.name == "bernoulli" and self.output == "linear":
            raise ValueError("a bernoulli likelihood needs the output sigmoid: a linear one is no probability")
        if isinstance(self.noise_variance, Tensor):
            return  # a look at it would wait for the device
        if not (math.isfinite(self.noise_variance) and self.noise_variance > 0):
            raise ValueError(f"noise_variance must be a positive number, not {self.noise_variance}")

    def location(self, logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The mean of p(x|z), which a linear output may put outside [0, 1]."""
        return torch.sigmoid(logits) if self.output == "sigmoid" else logits

    def mean(self, logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """What the app shows as the decoder's image: the location, in [0, 1]."""
        return torch.sigmoid(logits) if self.output == "sigmoid" else logits.clamp(0, 1)

    def sample(
        self, logits: Float[Tensor, "*shape"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*shape"]:
        """One draw x ~ p(x|z) of every pixel: what the likelihood claims that images look like.

        Of `bernoulli` 0 or 1, for each channel by itself: a colour comes out as one of eight. Of the Gaussians the
        location plus noise of standard deviation sqrt(noise_variance), which may leave [0, 1]. The noise is made on
        the CPU, by a generator of the CPU, whatever the logits' device: a seed means the same everywhere.
        """
        if self.name == "bernoulli":
            chance = torch.rand(logits.shape, generator=generator, dtype=logits.dtype).to(logits.device)
            return (chance < self.location(logits)).to(logits.dtype)
        noise = torch.randn(logits.shape, generator=generator, dtype=logits.dtype).to(logits.device)
        return self.location(logits) + noise * self.noise_variance**0.5

    def noise_of(self, logits: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """The noise variance that makes these images likeliest, one for all pixels: the mean squared error.

        Rybkin, Daniilidis & Levine 2021, "Simple and effective VAE training with calibrated decoders",
        arXiv:2006.13202, the "optimal sigma". Detached: where a variance is at its optimum the gradient
        through it is zero (envelope theorem), so `misfit` has the same gradient with it as a constant.
        """
        return (self.location(logits.detach()) - x).square().mean().clamp(min=LEAST_NOISE)

    def misfit(self, logits: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """-log p(x|z) without its additive constant: what training minimises, in nats an image.

        For `bernoulli` the constant is zero; for `gaussian` this is the sum of squared errors / (2 variance). For
        `sigma` it is the whole -log p(x|z), since nothing is constant where the variance moves.
        """
        if self.name == "bernoulli":
            pixels = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
            return pixels.flatten(1).sum(1)
        misfit = (self.location(logits) - x).square().flatten(1).sum(1) / (2 * self.noise_variance)
        if self.name == "gaussian":
            return misfit
        variance = torch.as_tensor(self.noise_variance, dtype=misfit.dtype, device=misfit.device)
        return misfit + 0.5 * x.shape[1:].numel() * torch.log(2 * math.pi * variance)

    def constant(self, pixels: int) -> float:
        """What `misfit` leaves out of -log p(x|z), in nats for an image of so many values."""
        if self.name != "gaussian":
            return 0.0
        return 0.5 * pixels * math.log(2 * math.pi * float(self.noise_variance))

    def log_prob(self, logits: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """log p(x|z) in nats an image: the reconstruction term of the ELBO for one draw of z."""
        return -self.misfit(logits, x) - self.constant(x.shape[1:].numel())
