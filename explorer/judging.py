"""How a picture compares with the test set that a model was measured on: its score, its place, its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from explorer.evaluation import check_labels, likeliest_classes, to_float
from explorer.latents import Density
from explorer.loaded import Model
from explorer.maps import nearest
from explorer.models import Posterior
from explorer.objectives import gaussian_kl

DRAWS = 8  # of a code for each picture; even, see `_noise`
_BATCH = 64  # pictures at a time, each decoded DRAWS times

Votes = list[tuple[str, float]]
"""Classes with their shares of the neighbours, the largest first."""


@dataclass(frozen=True)
class Judgement:
    """N pictures under a model, float32 on the CPU.

    Attributes:
        images: what was judged, uint8 [N, C, H, W].
        reconstruction: the decoder's image at the posterior's mean, [N, C, H, W] in [0, 1].
        posterior: mean and logvar [N, D].
        told: the class that a conditional decoder was told of each, int64 [N]; None for other models.
        log_likelihood: E log p(x|z) in nats [N], the ELBO's reconstruction term, averaged over DRAWS draws of z.
        kl: in nats [N]; zero for a plain autoencoder.
        better_than: the share of stored test items whose score is smaller, [N] in [0, 1]; see `score`.
        code_share: the share of stored test codes that lie in a less dense place, [N]; see `Density.share`. None for
            a model with fewer than two stored codes.
        neighbours: rows of the nearest stored codes, int64 [N, k], nearest first.
        class_votes: of each picture the classes among its neighbours; None if the stored codes have no labels.
        has_prior: False for a plain autoencoder, which has no ELBO.
        test_items: how many stored items the shares are of.
    """

    images: UInt8[Tensor, "n c h w"]
    reconstruction: Float[Tensor, "n c h w"]
    posterior: Posterior
    told: Int[Tensor, " n"] | None
    log_likelihood: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
    better_than: Float[Tensor, " n"]
    code_share: Float[Tensor, " n"] | None
    neighbours: Int[Tensor, "n k"]
    class_votes: list[Votes] | None
    has_prior: bool
    test_items: int

    @property
    def code(self) -> Float[Tensor, "n d"]:
        """The posterior's means."""
        return self.posterior.mean

    @property
    def elbo(self) -> Float[Tensor, " n"]:
        """In nats; of a plain autoencoder, which has none, the reconstruction term alone."""
        return self.log_likelihood - self.kl

    def sentence(self, row: int = 0) -> str:
        """How one of the pictures compares, for the screen."""
        return sentence(float(self.better_than[row]), self.test_items)


@dataclass(frozen=True)
class Scores:
    """The terms of the ELBO of N pictures in nats [N], and their posterior [N, D].

    `told` int64 [N] is the class that a conditional decoder was told.
    """

    posterior: Posterior
    log_likelihood: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
    told: Int[Tensor, " n"] | None

    @property
    def elbo(self) -> Float[Tensor, " n"]:
        """In nats; of a plain autoencoder, whose KL is zero, the reconstruction term."""
        return self.log_likelihood - self.kl


def judge(
    model: Model,
    images: UInt8[Tensor, "n c h w"],
    labels: Int[Tensor, " n"] | None = None,
    *,
    seed: int = 0,
    k: int = 15,
    density: Density | None = None,
    without: int | None = None,
) -> Judgement:
    """Judge pictures by what the model's checkpoint stores of its test set.

    Args:
        labels: what a conditional decoder is told; see `score`.
        seed: of the draws of z.
        k: neighbours in code space, fewer where fewer codes are stored.
        density: of the stored codes, for who keeps it; making it takes up to a second.
        without: the row of the stored codes that the picture itself has, which is none of its neighbours.

    Raises:
        ValueError: the shape is not the model's, the images are not uint8, a label is no class, or k is below 1.
        CheckpointError: the stored codes are missing or damaged.
    """
    if k < 1:
        raise ValueError(f"at least one neighbour is needed, not {k}")
    latents = model.latents
    found = score(model, images, labels, seed=seed)
    code = found.posterior.mean
    if density is None and len(latents) > 1:
        density = Density.of(latents.posterior)
    _, rows = nearest(code, latents.mean, k if without is None else k + 1)
    if without is not None:
        rows = torch.stack([row[row != without][:k] for row in rows])
    return Judgement(
        images=images,
        reconstruction=model.decode(code, found.told),
        posterior=found.posterior,
        told=found.told,
        log_likelihood=found.log_likelihood,
        kl=found.kl,
        better_than=better_than(model, found.elbo),
        code_share=None if density is None else density.share(code),
        neighbours=rows,
        class_votes=None if latents.labels is None else [_votes(v, model.classes) for v in latents.labels[rows]],
        has_prior=model.has_prior,
        test_items=len(latents),
    )


@torch.inference_mode()
def score(
    model: Model, images: UInt8[Tensor, "n c h w"], labels: Int[Tensor, " n"] | None = None, *, seed: int = 0
) -> Scores:
    """The terms of the ELBO, E log p(x|z) and KL(q(z|x) || p(z)), of pictures; a higher ELBO is better.

    Kingma & Welling 2014, arXiv:1312.6114, eq. 3: the KL in closed form, the expectation over q(z|x) as the mean of
    DRAWS draws. Every picture gets the same noise, so that its figures depend neither on its company nor on whether it
    is looked at twice. A plain autoencoder has one code for a picture and no KL: it is scored by its reconstruction
    term alone.

    A conditional decoder is told `labels`, as `evaluate` is for the stored figures; without them it is told for each
    picture the class that is likeliest at the posterior's mean, which flatters the picture by that choice.

    Raises:
        ValueError: the shape is not the model's, the images are not uint8, or a label is no class of the model.
    """
    if images.dtype != torch.uint8:
        raise ValueError("pictures are judged as uint8 images, as a data set holds them")
    if labels is not None and model.conditional:
        check_labels(labels, len(images), model.config.classes)
    posterior = model.encode(images)
    network, likelihood = model.network, model.network.likelihood
    told = labels if model.conditional else None
    noise = _noise(model.latent, seed) if model.has_prior else torch.zeros(1, model.latent)
    draws = len(noise)
    terms, chosen = [], []
    for start in range(0, len(images), _BATCH):
        rows = slice(start, start + _BATCH)
        x = to_float(images[rows], model.device)
        mean, logvar = (t[rows].to(model.device) for t in posterior)
        z = (mean + noise[:, None].to(model.device) * torch.exp(0.5 * logvar)).flatten(0, 1)  # [draws * B, D]
        if model.conditional:
            y = likeliest_classes(network, x, mean) if told is None else told[rows].to(model.device)
            chosen.append(y.cpu())
            logits = network.logits(z, y.repeat(draws))
        else:
            logits = network.logits(z)
        fits = likelihood.log_prob(logits, x.repeat(draws, 1, 1, 1))
        terms.append(fits.reshape(draws, -1).mean(0).cpu())
    kl = gaussian_kl(*posterior).sum(1) if model.has_prior else torch.zeros(len(images))
    return Scores(posterior, torch.cat(terms), kl, torch.cat(chosen) if chosen else None)


def better_than(model: Model, elbo: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The share of the model's stored test items with a smaller ELBO than each of these, 0 to 1.

    Of a plain autoencoder the stored KL is zero too, and so the reconstruction terms are compared.
    """
    stored = (model.latents.reconstruction - model.latents.kl).sort().values
    return (torch.searchsorted(stored, elbo.contiguous()) / len(stored)).float()


def sentence(share: float, items: int) -> str:
    """What `better_than` says, for the screen: a share of so many test images."""
    measured = f"the {items:,} test images that the model was measured on"
    if share <= 0:
        return f"Reconstructs worse than every one of {measured}."
    if share >= 1:
        return f"Reconstructs better than every one of {measured}."
    percent = "less than 1%" if share < 0.01 else "more than 99%" if share > 0.99 else f"{share:.0%}"
    return f"Reconstructs better than {percent} of {measured}."


def _noise(latent: int, seed: int) -> Float[Tensor, "draws d"]:
    """Standard normal draws in pairs e and -e (antithetic variates), whose mean is exactly zero."""
    half = torch.randn(DRAWS // 2, latent, generator=torch.Generator().manual_seed(seed))
    return torch.cat([half, -half])


def _votes(labels: Int[Tensor, " k"], classes: list[str]) -> Votes:
    found, counts = labels.unique(return_counts=True)
    shares = [(classes[y], n / len(labels)) for y, n in zip(found.tolist(), counts.tolist(), strict=True)]
    return sorted(shares, key=lambda vote: -vote[1])
