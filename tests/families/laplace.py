"""A family that only tests know: a VAE whose posterior and prior are Laplace distributions, so its KL is another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from explorer.models import VAE, Noise, Posterior, register

SPREAD = math.sqrt(2)  # standard deviation of Laplace(0, 1)


def standard_laplace(noise: Tensor) -> Tensor:
    """Standard normal noise as draws of Laplace(0, 1), by the quantiles of the two."""
    share = torch.special.ndtr(noise)
    return torch.where(share < 0.5, torch.log(2 * share), -torch.log(2 * (1 - share)))


class LaplacePosterior(Posterior):
    """Laplace(mean, b) by its mean and the logarithm of its variance, 2 b²."""

    @property
    def scale(self) -> Tensor:
        return torch.exp(0.5 * self.logvar) / SPREAD

    def sample(self, noise: Noise = None) -> Tensor:
        if not isinstance(noise, Tensor):
            noise = torch.randn(self.mean.shape, generator=noise, device=self.mean.device)
        return self.mean + self.scale * standard_laplace(noise)

    def kl(self) -> Tensor:
        """Of Laplace(m, b) from Laplace(0, 1): |m| + b exp(-|m| / b) - 1 - log b."""
        far = self.mean.abs()
        return far + self.scale * torch.exp(-far / self.scale) - 1 - self.scale.log()

    def log_prob(self, z: Tensor) -> Tensor:
        return -(z - self.mean).abs() / self.scale - (2 * self.scale).log()


@register
class LaplaceVAE(VAE):
    """The VAE with another posterior and prior."""

    family = "laplace"
    label = "Laplace VAE"
    help = "a VAE whose posteriors and prior are Laplace distributions"

    def posterior(self, x: Tensor) -> LaplacePosterior:
        return LaplacePosterior(*super().posterior(x))

    def sample_prior(
        self,
        n: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        return temperature * standard_laplace(torch.randn(n, self.latent, generator=generator))

    def log_prior(self, z: Tensor) -> Tensor:
        return -(z.abs() + math.log(2)).sum(1)

    def prior_spread(self) -> tuple[Tensor, Tensor]:
        return torch.zeros(self.latent), torch.full((self.latent,), SPREAD)
