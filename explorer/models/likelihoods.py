"""Likelihoods p(x|z) of an image given the decoder's logits, in nats an image.

Everything here is summed over pixels and never averaged over them: a mean over pixels times an arbitrary KL weight is
the usual reason why a VAE cannot be compared with another one.

Source of the formulas: Kingma & Welling 2014, "Auto-Encoding Variational Bayes", arXiv:1312.6114, appendix C
(Bernoulli and Gaussian decoders); others where they are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from explorer.models.registry import LIKELIHOODS, OUTPUTS
from explorer.models.whole_batch import batch_mean

_BYTE = 1 / 255  # the distance of two values of a byte on the scale of an image
LEAST_NOISE = math.exp(-12)  # variance: Rybkin et al. clamp the log of the standard deviation at -6


def _linear(logits: Tensor) -> Tensor:
    return logits


OUTPUTS.register("sigmoid", "sigmoid", "squeezes it into [0, 1]")(torch.sigmoid)
OUTPUTS.register("linear", "linear", "leaves it as it is, for the gaussian and sigma likelihoods")(_linear)


@dataclass(frozen=True)
class Likelihood:
    """p(x|z) of an image given the decoder's logits, each pixel independent of the others.

    Attributes:
        settings: the names of the options besides `output` that it reads.
        learns_noise: whether training sets the noise variance, by `noise_of`.
        eight_bit: whether it is of 8-bit values, so that nats can be told as bits a dimension.
        binary: whether it is a probability of pixels that are 0 or 1.
        known: whether it is a likelihood at all, so that there are nats to tell.
        noise_variance: variance of the observation noise, in units of the pixel range squared, where there is one. A
            0-d tensor where it is learnt, so that nothing waits for the device.
        output: what the location of p(x|z) is of the logits, a name in `OUTPUTS`.
        mixture_components: how many distributions a pixel's values are a mixture of, where they are one.
    """

    name: ClassVar[str]
    settings: ClassVar[tuple[str, ...]] = ()
    learns_noise: ClassVar[bool] = False
    eight_bit: ClassVar[bool] = False
    binary: ClassVar[bool] = False
    known: ClassVar[bool] = True

    noise_variance: float | Float[Tensor, ""] = 0.5
    output: str = "sigmoid"
    mixture_components: int = 5

    def parameters(self, channels: int) -> int:
        """How many channels the decoder puts out for an image of so many: what p(x|z) takes to know of each pixel."""
        return channels

    def location(self, logits: Float[Tensor, "n p h w"]) -> Float[Tensor, "n c h w"]:
        """The mean of p(x|z), which a linear output may put outside [0, 1]."""
        return OUTPUTS[self.output](logits)

    def mean(self, logits: Float[Tensor, "n p h w"]) -> Float[Tensor, "n c h w"]:
        """What the app shows as the decoder's image: the location, in [0, 1]."""
        return self.location(logits) if self.output == "sigmoid" else self.location(logits).clamp(0, 1)

    def sample(
        self, logits: Float[Tensor, "n p h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """One draw x ~ p(x|z) of every pixel: what the likelihood claims that images look like.

        The noise is made on the CPU, by a generator of the CPU, whatever the logits' device: a seed means the same
        everywhere.
        """
        raise NotImplementedError

    def nll(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """-log p(x|z) without its additive constant: what training minimises, in nats an image."""
        raise NotImplementedError

    def constant(self, pixels: int) -> float:
        """What `nll` leaves out of -log p(x|z), in nats for an image of so many values."""
        return 0.0

    def log_prob(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """log p(x|z) in nats an image: the reconstruction term of the ELBO for one draw of z."""
        return -self.nll(logits, x) - self.constant(x.shape[1:].numel())

    def log_prob_of_bytes(self, log_prob: float, pixels: int) -> float | None:
        """A lower bound on the log-probability of an image's 8-bit values, from log p(x) of it, or a bound on that.

        None for a likelihood that gives 8-bit values no probability.
        """
        return log_prob if self.eight_bit else None


@LIKELIHOODS.register("bernoulli", "Bernoulli", "takes gray as the chance of white")
@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Pixels that are on or off; gray values in [0, 1] count as the probability of a white pixel.

    Loaiza-Ganem & Cunningham 2019, "The continuous Bernoulli", on what this leaves out.
    """

    name = "bernoulli"
    binary = True

    def __post_init__(self) -> None:
        if self.output != "sigmoid":
            raise ValueError(
                f"output {self.output} cannot be a probability, which a bernoulli likelihood needs: set output to "
                "sigmoid, or likelihood to gaussian or sigma"
            )

    def sample(
        self, logits: Float[Tensor, "n p h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """0 or 1, for each channel by itself: a colour comes out as one of eight."""
        chance = torch.rand(logits.shape, generator=generator, dtype=logits.dtype).to(logits.device)
        return (chance < self.location(logits)).to(logits.dtype)

    def nll(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The cross-entropy, which is the whole -log p(x|z)."""
        return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


@LIKELIHOODS.register("gaussian", "Gaussian", "counts squared errors against a noise that you set")
@dataclass(frozen=True)
class Gaussian(Likelihood):
    """Gaussian noise of a variance that a person chose.

    `sum of squared errors + KL` is a variance of 0.5; `mean of squared errors + 0.001 KL` over 784 pixels is 0.392.
    """

    name = "gaussian"
    settings: ClassVar[tuple[str, ...]] = ("noise_variance",)

    def __post_init__(self) -> None:
        if isinstance(self.noise_variance, Tensor):
            return  # a look at it would wait for the device
        if not (math.isfinite(self.noise_variance) and self.noise_variance > 0):
            raise ValueError(f"noise_variance must be a positive number, not {self.noise_variance}")

    def sample(
        self, logits: Float[Tensor, "n p h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """The location plus noise of standard deviation sqrt(noise_variance), which may leave [0, 1]."""
        noise = torch.randn(logits.shape, generator=generator, dtype=logits.dtype).to(logits.device)
        return self.location(logits) + noise * self.noise_variance**0.5

    def nll(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The sum of squared errors / (2 variance)."""
        return (self.location(logits) - x).square().flatten(1).sum(1) / (2 * self.noise_variance)

    def constant(self, pixels: int) -> float:
        return 0.5 * pixels * math.log(2 * math.pi * float(self.noise_variance))

    def log_prob_of_bytes(self, log_prob: float, pixels: int) -> float:
        """By uniform dequantisation, Theis et al. 2016, arXiv:1511.01844, section 3.1, in closed form.

        A value has the probability of its interval, of width w = 1/255 around it. By Jensen's inequality its logarithm
        is at least E[log p(x + u)] + log w with u uniform in (-w/2, w/2), and of a Gaussian E[log p(x + u)] is
        log p(x) - w² / (24 variance), since u has the variance w² / 12.
        """
        return log_prob + pixels * (math.log(_BYTE) - _BYTE**2 / (24 * float(self.noise_variance)))


@LIKELIHOODS.register("sigma", "sigma", "learns that noise and so the balance with the KL")
@dataclass(frozen=True)
class Sigma(Gaussian):
    """Gaussian noise of a variance that was learnt (`noise_of`)."""

    name = "sigma"
    settings, learns_noise = (), True

    def noise_of(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """The noise variance that makes these images likeliest, one for all pixels: the mean squared error.

        Rybkin, Daniilidis & Levine 2021, "Simple and effective VAE training with calibrated decoders",
        arXiv:2006.13202, the "optimal sigma". Detached: where a variance is at its optimum the gradient
        through it is zero (envelope theorem), so `nll` has the same gradient with it as a constant.
        """
        return batch_mean((self.location(logits.detach()) - x).square()).clamp(min=LEAST_NOISE)

    def nll(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The whole -log p(x|z), since nothing is constant where the variance moves."""
        errors = super().nll(logits, x)
        variance = torch.as_tensor(self.noise_variance, dtype=errors.dtype, device=errors.device)
        return errors + 0.5 * x.shape[1:].numel() * torch.log(2 * math.pi * variance)

    def constant(self, pixels: int) -> float:
        return 0.0


@LIKELIHOODS.register("unknown", "unknown", "was not told: images are compared by squared errors", listed=False)
@dataclass(frozen=True)
class Unknown(Likelihood):
    """What a model that was trained elsewhere has where nobody says more: an image, and no noise around it.

    Its `nll` is the sum of squared errors, which is no number of nats.
    """

    name = "unknown"
    known = False

    def sample(
        self, logits: Float[Tensor, "n p h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        return self.location(logits)

    def nll(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return (self.location(logits) - x).square().flatten(1).sum(1)
