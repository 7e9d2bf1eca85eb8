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

from explorer.models.base import register
from explorer.models.config import ModelConfig
from explorer.models.vae import VAE


@register
class ConditionalVAE(VAE):
    """The VAE with a decoder that takes the class as well."""

    family = "cvae"
    label = "conditional VAE"
    help = "a conditional VAE, which tells its decoder the class, so that one code can be drawn as any class"
    conditional = True

    def __init__(self, config: ModelConfig) -> None:
        if config.classes < 1:
            raise ValueError("a conditional model needs images with classes")
        super().__init__(config)

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n p h w"]:
        if labels is None:
            labels = torch.zeros(len(z), dtype=torch.int64, device=z.device)
        condition = F.one_hot(labels, self.config.classes).to(z.dtype)
        return self.decoder(torch.cat([z, condition], dim=1)).float()


def cycle_labels(count: int, classes: int) -> Int[Tensor, " n"]:
    """Labels for so many draws: the classes one after another, again and again."""
    return torch.arange(count) % classes
