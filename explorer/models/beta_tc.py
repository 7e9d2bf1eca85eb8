"""The beta-TCVAE of Chen et al. 2018, "Isolating sources of disentanglement in VAEs", arXiv:1802.04942.

It takes the average KL from the prior apart (eq. 2), with q(z) the posteriors' average over all images:
the mutual information of image and code, E log q(z|x) / q(z); the total correlation of the latents,
E log q(z) / prod_j q(z_j); and the dimension-wise KL, E log prod_j q(z_j) / p(z). Each has a weight of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.models.base import register
from explorer.models.objectives import Terms
from explorer.models.posteriors import Noise, Posterior
from explorer.models.registry import SAMPLINGS
from explorer.models.vae import VAE
from explorer.models.whole_batch import gathered, own, rows_of_all

FIGURE_IMAGES, FIGURE_DRAWS = 5000, 500  # posteriors that make q(z) on the Train screen, and draws of them: a second
_AT_ONCE = 10  # of these draws: with ten latents they take 2 MB


class Parts(NamedTuple):
    """The KL of each image in three parts, nats at one draw of z, [N] each."""

    mutual_information: Float[Tensor, " n"]
    total_correlation: Float[Tensor, " n"]
    dimension_wise: Float[Tensor, " n"]


@SAMPLINGS.register("stratified", "stratified", "weights the images of a batch so that q(z) is right on average")
def _stratified(batch: int, images: int) -> Float[Tensor, "b b"]:
    """Eq. S3: an image itself, 1/N; another stands for those that are not in the batch; the rest, 1/M each."""
    others = batch - 1  # M, of a batch of M + 1
    own = torch.eye(batch)
    absent = own.roll(1, dims=1)
    return torch.log(own / images + absent * (images - others) / (images * others) + (1 - own - absent) / others)


@SAMPLINGS.register("weighted", "weighted", "counts all images of a batch alike, which makes q(z) too small by far")
def _weighted(batch: int, images: int) -> Float[Tensor, "b b"]:
    """Section 3.1: 1/(NM) each."""
    return torch.full((batch, batch), -math.log(images * batch))


@register
class BetaTCVAE(VAE):
    """The VAE that weights the total correlation of its latents by beta."""

    family = "beta-tc"
    label = "beta-TCVAE"
    help = "a VAE that makes its latents independent of each other, so that each may stand for something of its own"
    settings = (
        *(name for name in VAE.settings if name != "target_mse"),
        "sampling",
        "information_weight",
        "dimension_weight",
    )
    beta_weighs_kl = False
    meanings: ClassVar[Mapping[str, tuple[str, str]]] = {
        "mutual information": (
            "nats",
            "How much a code tells of which image it is of, among up to 5,000 test images: at most the logarithm of "
            "their number, 8.5.",
        ),
        "total correlation": (
            "nats",
            "How far the latents are from being independent of each other, over all test images together: what beta "
            "weighs. Lower means that each latent varies by itself.",
        ),
        "dimension-wise KL": (
            "nats",
            "How far each latent's codes, over all test images together, are from the prior, summed over latents. The "
            "three add up to the KL.",
        ),
    }

    def terms(self, x: Float[Tensor, "n c h w"], noise: Noise = None, labels: Int[Tensor, " n"] | None = None) -> Terms:
        """In training the extra gives each part of the KL its weight, less the one that the KL has given it.

        The parts are estimates from the batch at the draw of z. Evaluation charges the KL as it is.
        """
        posterior = self.posterior(x)
        z = posterior.sample(noise)
        logits = self.logits(z, labels)
        terms = Terms(self.nll(logits, x), self.kl(posterior, z), posterior, logits)
        images = rows_of_all(len(x))
        if not self.training or images < 2:  # one image says nothing of the others
            return terms
        with x.device:  # a captured step cannot wait for a copy
            weights = SAMPLINGS[self.config.sampling](images, max(self.train_images, images))
        among = type(posterior)(*map(gathered, posterior))
        parts = self.parts(z, posterior, among, own(weights))
        extra = (
            (self.config.information_weight - 1) * parts.mutual_information
            + (self.beta - 1) * parts.total_correlation
            + (self.config.dimension_weight - 1) * parts.dimension_wise
        )
        return terms._replace(extra=extra)

    def parts(
        self, z: Float[Tensor, "n d"], own: Posterior, among: Posterior, log_weights: Float[Tensor, "#n m"]
    ) -> Parts:
        """Takes log q(z|x) - log p(z) apart at codes.

        Args:
            z: a draw of each image's posterior.
            own: these posteriors.
            among: the M posteriors that q(z) is estimated from.
            log_weights: what each of them counts for at each code.
        """
        each = among.log_prob(z[:, None])  # [N, M, D]
        joint = torch.logsumexp(each.sum(2) + log_weights, 1)
        marginals = torch.logsumexp(each + log_weights[..., None], 1).sum(1)
        return Parts(own.log_prob(z).sum(1) - joint, joint - marginals, marginals - self.log_prior(z))

    def figures(self, posterior: Posterior) -> dict[str, float]:
        """The parts of the KL with the posteriors' own average as q(z), of some thousand images.

        Of N images no code tells more than log N nats, whatever the model: 8.5 of 5,000.
        """
        shape = self.posterior_type
        among = shape(*(_evenly(field, FIGURE_IMAGES) for field in posterior))
        alike = torch.full((1, len(among.mean)), -math.log(len(among.mean)))
        draws = shape(*(_evenly(field, FIGURE_DRAWS) for field in among))
        z = draws.sample(torch.Generator().manual_seed(0))
        rows = [
            self.parts(z[i : i + _AT_ONCE], shape(*(field[i : i + _AT_ONCE] for field in draws)), among, alike)
            for i in range(0, len(z), _AT_ONCE)
        ]
        found = (float(torch.cat(part).mean()) for part in zip(*rows, strict=True))
        return dict(zip(self.meanings, found, strict=True))


def _evenly(rows: Float[Tensor, "n d"], most: int) -> Float[Tensor, "m d"]:
    """At most so many rows, from all over."""
    return rows[:: -(-len(rows) // most)]
