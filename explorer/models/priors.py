"""Priors p(z) that a VAE learns, each a mixture of as many components as its settings say."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from explorer.models.config import ModelConfig
from explorer.models.posteriors import GaussianPosterior, Posterior
from explorer.models.registry import PRIORS

_AT_ONCE = 4_000_000  # numbers of a table of codes by components
_DARKEST = 0.02  # of a pseudo-input at the start: nearer to 0 or 1 a sigmoid hardly moves

PRIORS.register("normal", "N(0, I)", "a standard normal distribution, which is the same for all models")(None)


class Mixture(NamedTuple):
    """Components of the posterior's or another kind, with the logarithms of their weights [K]."""

    components: Posterior
    log_weights: Float[Tensor, " k"]

    def log_prob(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """log p(z) in nats, a block of codes at a time, on their device."""
        table = self.components.mean.numel()
        parts = []
        for codes in z.split(max(1, _AT_ONCE // table)):
            each = self.components.log_prob(codes[:, None].to(self.log_weights.device)).sum(2)  # [n, K]
            parts.append(torch.logsumexp(each + self.log_weights, 1).to(z.device))
        return torch.cat(parts) if len(parts) != 1 else parts[0]

    def sample(self, n: int, temperature: float, generator: torch.Generator | None) -> Float[Tensor, "n d"]:
        """Draws codes on the CPU, by its generator; the temperature scales the spread of every component."""
        which = torch.multinomial(self.log_weights.exp().cpu(), n, replacement=True, generator=generator)
        drawn = type(self.components)(*(field.cpu()[which] for field in self.components))
        noise = torch.randn(drawn.mean.shape, generator=generator)
        return drawn.mean + temperature * (drawn.sample(noise) - drawn.mean)

    def moments(self) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
        """Mean and standard deviation by latent, on the CPU."""
        weights = self.log_weights.exp()[:, None]
        mean = (weights * self.components.mean).sum(0)
        within, between = self.components.logvar.exp(), (self.components.mean - mean).square()
        return mean.cpu(), (weights * (within + between)).sum(0).sqrt().cpu()


class Prior(nn.Module):
    """What a learnt prior's mixture is made of.

    Attributes:
        title: what it is in a sentence, with a place for the number of components.
        of_posteriors: whether components are posteriors, and so of their shape.
    """

    title: ClassVar[str]
    of_posteriors: ClassVar[bool] = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def start(self, images: UInt8[Tensor, "n c h w"]) -> None:
        """Takes what it needs of the training images before the first step."""

    def mixture(self, encode: Callable[[Tensor], Posterior]) -> Mixture:
        """Makes the mixture as it is by now; `encode` gives the posterior of images in [0, 1]."""
        raise NotImplementedError


@PRIORS.register("vamp", "VampPrior", "a mixture of the posteriors of made-up images that training changes at will")
class VampPrior(Prior):
    """The mixture of the posteriors of K pseudo-inputs: Tomczak & Welling 2018, arXiv:1705.07120, eq. 9.

    A pseudo-input is the sigmoid of a parameter, so that it is learnt as an image in [0, 1], and starts as a training
    image.
    """

    title = "a VampPrior of {} pseudo-inputs"
    of_posteriors = True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.pseudo_inputs = nn.Parameter(torch.randn(config.components, *config.image_shape))  # log odds

    @torch.no_grad()
    def start(self, images: UInt8[Tensor, "n c h w"]) -> None:
        """Takes images at equal distances in the set."""
        count = len(self.pseudo_inputs)
        chosen = images[torch.arange(count) * len(images) // count]
        self.pseudo_inputs.copy_(torch.logit(chosen / 255, eps=_DARKEST))

    def mixture(self, encode: Callable[[Tensor], Posterior]) -> Mixture:
        components = encode(torch.sigmoid(self.pseudo_inputs))
        equal = torch.zeros(len(self.pseudo_inputs), device=self.pseudo_inputs.device)
        return Mixture(components, equal.log_softmax(0))


@PRIORS.register(
    "mixture", "mixture of Gaussians", "a mixture whose centres, spreads and weights are learnt as numbers"
)
class MixturePrior(Prior):
    """K diagonal Gaussians with weights of their own."""

    title = "a mixture of {} Gaussians"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.mean = nn.Parameter(torch.randn(config.components, config.latent))
        self.logvar = nn.Parameter(torch.zeros(config.components, config.latent))
        self.log_odds = nn.Parameter(torch.zeros(config.components))

    def mixture(self, encode: Callable[[Tensor], Posterior]) -> Mixture:
        return Mixture(GaussianPosterior(self.mean, self.logvar), self.log_odds.log_softmax(0))
