"""A family that only tests know: it trains in two stages, has figures to watch, a warning and options of its own."""

from __future__ import annotations

import torch

from explorer.models import ModelSettings, Noise, Posterior, Terms, register
from tests.families.bits import BitModel


@register
class StagedBits(BitModel):
    """The bit model whose prior is trained after the rest, in the last third of the epochs."""

    family = "staged-bits"
    label = "staged bit model"
    help = "an autoencoder of bits, and then its prior"
    settings = ("noise_variance",)
    idle = ("free_bits",)

    @classmethod
    def check(cls, settings: ModelSettings) -> None:
        if settings.latent == 13:
            raise ValueError("latent must not be 13, which these bits are afraid of")

    def stages(self, epochs: int) -> tuple[int, ...]:
        return epochs - epochs // 3, epochs // 3

    def terms(self, x: torch.Tensor, noise: Noise = None, labels: torch.Tensor | None = None) -> Terms:
        terms = super().terms(x, noise, labels)
        if not self.training:
            return terms
        if self.stage == 0:
            return terms._replace(kl=torch.zeros_like(terms.kl))
        return terms._replace(nll=terms.nll.detach(), extra=None)

    def figures(self, posterior: Posterior) -> dict[str, float]:
        return {"bits that are on": float((posterior.mean > 0).float().mean())}

    def warning(self, figures: dict[str, float]) -> str:
        return "Every bit is a bit of a worry." if figures["bits that are on"] >= 0 else ""
