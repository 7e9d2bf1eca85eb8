"""How a picture compares with the test set that a model was measured on: its score, its place, its neighbours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.latents import Density
from explorer.latents.neighbourhoods import nearest
from explorer.models import Posterior
from explorer.models.evaluation import evaluate

Votes = list[tuple[str, float]]
"""Classes with their shares of the neighbours, the largest first; of equal ones that of the nearer neighbour."""


@dataclass(frozen=True)
class Scores:
    """The terms of the ELBO of N pictures.

    Attributes:
        posterior: mean and logvar [N, D].
        log_likelihood: log p(x|z) in nats [N] at one draw of z, the ELBO's reconstruction term; see `score`. Where the
            likelihood is not known, the sum of squared errors, negative.
        kl: in nats [N]; zero for a model without an ELBO.
        condition: the class that a conditional decoder was given for each, int64 [N]; None for other models.
    """

    posterior: Posterior
    log_likelihood: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
    condition: Int[Tensor, " n"] | None

    @property
    def elbo(self) -> Float[Tensor, " n"]:
        """The ELBO in nats [N]; of a model that has none, whose KL is zero here, the reconstruction term."""
        return self.log_likelihood - self.kl


@dataclass(frozen=True)
class Judgement(Scores):
    """N pictures under a model, float32 on the CPU: their scores, and how these compare with those of the test set.

    Attributes:
        images: what was judged, uint8 [N, C, H, W].
        reconstruction: the decoder's image at the posterior's mean, [N, C, H, W] in [0, 1].
        own: of a picture of the test set its row among the stored items, of which all that follows is without that
            one; int64 [N], -1 for others.
        better_than: the share of stored test items whose score is smaller, [N] in [0, 1]; see `score`. NaN where there
            is no other item.
        code_share: the share of stored test codes that lie in a less dense place, [N]; see `Density.share`. None for
            a model with fewer than two stored codes.
        neighbours: rows of the nearest stored codes, int64 [N, k], nearest first.
        class_votes: of each picture the classes among its neighbours; None if the stored codes have no labels.
        test_items: how many stored items there are.
    """

    images: UInt8[Tensor, "n c h w"]
    reconstruction: Float[Tensor, "n c h w"]
    own: Int[Tensor, " n"]
    better_than: Float[Tensor, " n"]
    code_share: Float[Tensor, " n"] | None
    neighbours: Int[Tensor, "n k"]
    class_votes: list[Votes] | None
    test_items: int

    @property
    def code(self) -> Float[Tensor, "n d"]:
        """The posterior's means, [N, D]."""
        return self.posterior.mean

    def sentence(self, row: int = 0) -> str:
        """Says how one of the pictures compares, for the screen."""
        return sentence(float(self.better_than[row]), self.test_items, own=bool(self.own[row] >= 0))


def judge(
    model: Model,
    images: UInt8[Tensor, "n c h w"],
    labels: Int[Tensor, " n"] | None = None,
    *,
    seed: int = 0,
    k: int = 15,
    density: Density | None = None,
    without: int | None = None,
    scored: Scores | None = None,
) -> Judgement:
    """Judges pictures by what the model's checkpoint stores of its test set.

    A picture of that test set is compared with the others alone. It is found by its code, which coincides with its
    stored one (`Density.stored_at`).

    Args:
        labels: the classes that a conditional decoder is given, int64 [N]; see `score`.
        seed: of the draws of z.
        k: neighbours in code space, fewer where fewer codes are stored.
        density: of the stored codes, for who keeps it; making it takes up to a second.
        without: the row of the pictures' own stored code, where it is known: preparation may have moved the code.
        scored: their scores, where they are known, such as the stored ones of test images.

    Raises:
        ValueError: the shape is not the model's, the images are not uint8, a label is no class, or k is below 1.
        CheckpointError: the stored codes are missing or damaged.
    """
    if k < 1:
        raise ValueError(f"at least one neighbour is needed, not {k}")
    latents = model.latents
    found = score(model, images, labels, seed=seed) if scored is None else scored
    code = found.posterior.mean
    if density is None and len(latents) > 1:
        density = Density.of(latents.posterior)
    own = torch.full((len(code),), -1 if without is None else without)
    if without is None and density is not None:
        own = density.stored_at(code)
    rows = _neighbours(code, latents.mean, k, own)
    return Judgement(
        images=images,
        reconstruction=model.decode(code, found.condition),
        **vars(found),
        own=own,
        better_than=better_than(model, found.elbo, own),
        code_share=None if density is None else density.share(code, own),
        neighbours=rows,
        class_votes=None if latents.labels is None else [_votes(v, model.classes) for v in latents.labels[rows]],
        test_items=len(latents),
    )


def score(
    model: Model,
    images: UInt8[Tensor, "n c h w"],
    labels: Int[Tensor, " n"] | None = None,
    *,
    seed: int = 0,
    noise_of: UInt8[Tensor, "n c h w"] | None = None,
) -> Scores:
    """Computes the ELBO's terms of pictures, log p(x|z) at one draw of z and KL(q(z|x) || p(z)); higher is better.

    Kingma & Welling 2014, arXiv:1312.6114, eq. 3 with L = 1, by `explorer.models.evaluation.evaluate`: just as the
    figures of the test set that a checkpoint stores. An average of several draws varies less from picture to picture
    than these do, and its place among them is no percentile: of mnist-conv-100's own test images 4% instead of 5%
    come out below the 5th percentile with 8 draws, and 0.3% instead of 1% below the first. The price is that an ELBO
    has the spread of a draw, 3 nats there and 4 for mnist-mlp-2d. A plain autoencoder has one code for a picture and
    no KL: it is scored by its reconstruction term alone. So is a model whose likelihood is not known, by its squared
    errors.

    The draw is a picture's own: by a hash of its pixels and `seed`, so that its figures depend neither on its company
    nor on whether it is looked at twice, and no draw shifts a whole set of pictures. `noise_of` gives the pictures
    whose draws are taken instead: see `rescore`.

    A conditional decoder is given `labels`, as by `evaluate` for the stored figures; without them it is given for each
    picture the class that is likeliest at the posterior's mean, which flatters the picture by that choice.

    Raises:
        ValueError: the shape is not the model's, the images are not uint8, or a label is no class of the model.
    """
    if images.dtype != torch.uint8:
        raise ValueError("pictures are judged as uint8 images, as a data set holds them")
    condition = labels if model.conditional else None
    if model.conditional and labels is None:
        condition = model.likeliest(images, model.encode(images).mean)
    noise = _noise(images if noise_of is None else noise_of, model.latent, seed)
    found = evaluate(model.network, images, condition, noise=noise)
    kl = found.kl if model.has_elbo else torch.zeros_like(found.kl)
    return Scores(found.posterior, found.reconstruction, kl, condition)


def rescore(
    model: Model, judged: Judgement, versions: UInt8[Tensor, "n c h w"], drawn: Float[Tensor, " n"] | None = None
) -> Float[Tensor, " n"]:
    """Computes the ELBO [N] of other versions of judged pictures, under these pictures' draws of z and classes.

    So it differs from `judged.elbo` by what was done to the pictures alone.

    Args:
        model: the model.
        judged: the pictures.
        versions: what became of them.
        drawn: the pictures' own ELBO by `score`, for who keeps it: the judgement's may be a stored one, whose draws
            are not known.

    Raises:
        ValueError: the shape is not the model's, or the images are not uint8.
    """
    now = score(model, versions, judged.condition, noise_of=judged.images)
    if drawn is None:
        drawn = score(model, judged.images, judged.condition).elbo
    return judged.elbo + now.elbo - drawn


def better_than(model: Model, elbo: Float[Tensor, " n"], own: Int[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
    """Computes the share of the model's stored test items with a smaller ELBO than each of these, 0 to 1.

    Where `own` gives a picture's row among the items, the share is of the others, and NaN if there are none. Of a plain
    autoencoder the stored KL is zero too, and so the reconstruction terms are compared. For ELBOs of `score` this is a
    percentile: those of images like the test set's are spread evenly from 0 to 1.
    """
    stored = model.latents.reconstruction - model.latents.kl if model.has_elbo else model.latents.reconstruction
    smaller = torch.searchsorted(stored.sort().values, elbo.contiguous())
    itself = torch.zeros_like(smaller) if own is None else (own >= 0).long()
    if own is not None:
        smaller = smaller - itself * (stored[own] < elbo).long()
    return (smaller / (len(stored) - itself)).float()


def compared(share: float) -> tuple[str, str]:
    """Puts `better_than` in words that claim no more than it can tell: ("better", "12%").

    A picture below the first percentile is ("worse", "almost all"), or even ("worse", "every one").
    """
    if share < 0.01:
        return "worse", "almost all" if share > 0 else "every one"
    if share > 0.99:
        return "better", "almost all" if share < 1 else "every one"
    return "better", f"{share:.0%}"


def sentence(share: float, items: int, *, own: bool = False) -> str:
    """Puts `better_than`, a share of so many test images, in a sentence for the screen; `own` for one of these."""
    if own and items == 1:
        return "It is the model's only test image: there is no other to compare it with."
    how, which = compared(share)
    other = "other " if own else ""
    if items - own == 1:
        return f"The model explains it {how} than its only {other}test image."
    return f"The model explains it {how} than {which} of its {items - own:,} {other}test images."


def _noise(images: UInt8[Tensor, "n c h w"], latent: int, seed: int) -> Float[Tensor, "n d"]:
    """Draws from N(0, I) for each picture, by its pixels: [N, D]."""
    noise = torch.empty(len(images), latent)
    for row, image in zip(noise, images, strict=True):
        digest = sha256(f"{seed}".encode() + image.numpy().tobytes()).digest()
        row.normal_(generator=torch.Generator().manual_seed(int.from_bytes(digest[:4], "big")))
    return noise


def _neighbours(
    code: Float[Tensor, "n d"], stored: Float[Tensor, "m d"], k: int, own: Int[Tensor, " n"]
) -> Int[Tensor, "n k"]:
    """Finds the rows of the k stored codes that are nearest to each code, without its `own` (-1 for none)."""
    _, rows = nearest(code, stored, k + 1)
    k = min(k, len(stored) - int((own >= 0).any()))
    return torch.stack([row[row != mine][:k] for row, mine in zip(rows, own, strict=True)])


def _votes(labels: Int[Tensor, " k"], classes: list[str]) -> Votes:
    counts = Counter(labels.tolist())  # which keeps the order of equal ones: that of the neighbours
    return [(classes[y], n / len(labels)) for y, n in counts.most_common()]
