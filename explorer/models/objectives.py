"""The terms of a training objective, in nats an image, and their sum."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.models.posteriors import Posterior
from explorer.models.whole_batch import batch_mean, total


class Terms(NamedTuple):
    """What a model's objective charges for each image of a batch, at one draw of z.

    Attributes:
        nll: -log p(x|z) less its constant, [N].
        kl: the KL of each group of latents' posterior from the prior, [N, G]; sum the last axis for an image's KL.
        posterior: of each image, that the draw is from.
        logits: the decoder's output for that draw, [N, P, H, W], P parameters a pixel.
        extra: what else the objective charges, [N], such as a codebook's terms; None for nothing.
    """

    nll: Float[Tensor, " n"]
    kl: Float[Tensor, "n g"]
    posterior: Posterior
    logits: Float[Tensor, "n p h w"]
    extra: Float[Tensor, " n"] | None = None

    def loss(self, beta: float | Tensor = 1.0, free_bits: float = 0.0) -> Float[Tensor, ""]:
        """What training minimises: the batch's mean, the KL weighted by beta."""
        loss = batch_mean(self.nll) + beta * kl_penalty(self.kl, free_bits)
        return loss if self.extra is None else loss + batch_mean(self.extra)

    def sums(self) -> Float[Tensor, 3]:
        """The batch's sums of nll, KL and the extra, without a gradient."""
        nll, kl = self.nll.detach().sum(), self.kl.detach().sum()
        extra = torch.zeros_like(nll) if self.extra is None else self.extra.detach().sum()
        return total(torch.stack([nll, kl, extra]))


def kl_penalty(kl: Float[Tensor, "n g"], free_bits: float = 0.0) -> Float[Tensor, ""]:
    """The KL as training counts it, in nats an image: the batch's mean, of each group at least `free_bits` nats.

    Kingma et al. 2016, "Improved variational inference with inverse autoregressive flow", arXiv:1606.04934, eq. 15:
    below the floor a group's KL has no gradient, so nothing is gained by switching it off.
    """
    if free_bits == 0:
        return batch_mean(kl.sum(1))
    return batch_mean(kl, 0).clamp(min=free_bits).sum()
