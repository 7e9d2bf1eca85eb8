"""How well a model describes images that it was not trained on: ELBO, its terms, active units."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from explorer.models import LatentModel, Posterior

ACTIVE_UNIT_VARIANCE = 0.01  # Burda et al. 2016, section 5.2: the field's threshold
_DRAWS, _DRAWS_ON_A_GPU = 256, 16_384  # of z, decoded at a time
_DRAWN = 1024  # of z for an image, made at a time: fixed, since numbers depend on how many a generator is asked for
_AT_ONCE = 100  # images on a CPU: a convolution's results for more leave its caches, and take twice as long


@dataclass(frozen=True)
class Evaluation:
    """Every image's posterior and terms, one draw of z an image, float32 on the CPU.

    `reconstruction` [N] is log p(x|z) in nats (negative for images far from certain), `kl` [N] the KL in nats,
    `kl_by_group` [G] its average over images for each group of latents, `mse` [N] squared errors averaged over pixels;
    `posterior` has mean and logvar [N, D]. `constant` is what the training loss leaves out of -log p(x|z), `extra`
    what else it charges on average, in nats. `figures` are the family's own (`LatentModel.figures`).
    """

    posterior: Posterior
    reconstruction: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
    kl_by_group: Float[Tensor, " g"]
    mse: Float[Tensor, " n"]
    constant: float
    extra: float
    has_prior: bool
    has_elbo: bool
    figures: dict[str, float]
    beta_weighs_kl: bool = True

    def metrics(self, beta: float = 1.0) -> dict[str, float | int | None]:
        """The averages, as a checkpoint stores them.

        `loss` is the training objective without additive constants: for `conv-100`, 784 MSE + KL. A plain
        autoencoder has no prior, so no ELBO and no KL: these are None. Where the likelihood is not known, there is no
        ELBO either, and `reconstruction` is the sum of squared errors, negative.
        """
        reconstruction, kl = self.reconstruction.double().mean().item(), self.kl.double().mean().item()
        weight = beta if self.beta_weighs_kl else 1.0
        return {
            "elbo": reconstruction - kl if self.has_elbo else None,
            "reconstruction": reconstruction,
            "kl": kl if self.has_prior else None,
            "loss": -reconstruction - self.constant + (weight * kl if self.has_prior else 0.0) + self.extra,
            "mse": self.mse.double().mean().item(),
            "active_units": active_units(self.posterior.mean),
            "n": len(self.kl),
        }

    def kl_by_latent(self) -> list[float]:
        """The KL of each group of latents in nats, as files have it: most groups are one latent."""
        return [round(value, 5) for value in self.kl_by_group.tolist()]


class Rows:
    """Columns of so many rows on the CPU, filled block by block.

    Their memory is taken once: blocks that were kept would lie between large tensors that are let go of, whose memory
    could then not be used again.
    """

    def __init__(self, count: int) -> None:
        self.columns: list[Tensor] = []
        self._count, self._done = count, 0

    def add(self, *blocks: Tensor) -> None:
        """Appends a block [n, ...] to each column."""
        if not self.columns:
            self.columns = [torch.empty((self._count, *block.shape[1:]), dtype=block.dtype) for block in blocks]
        end = self._done + len(blocks[0])
        for column, block in zip(self.columns, blocks, strict=True):
            column[self._done : end] = block
        self._done = end


def active_units(mean: Float[Tensor, "n d"]) -> int:
    """How many latents' posterior means vary over the data: Var_x(E[z|x]) > 0.01 (Burda et al. 2016, section 5.2)."""
    if len(mean) < 2:
        return 0
    return int((mean.double().var(dim=0) > ACTIVE_UNIT_VARIANCE).sum())


def check_labels(labels: Int[Tensor, " m"], count: int, classes: int) -> None:
    """Raise ValueError unless there is a label of one of the model's classes for each of so many images or codes."""
    if len(labels) != count:
        raise ValueError(f"there are {len(labels):,} labels for {count:,} images or codes")
    if count and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        raise ValueError(f"labels of this model are whole numbers from 0 to {classes - 1}")


def likeliest_classes(model: LatentModel, x: Float[Tensor, "n c h w"], z: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
    """For images in [0, 1] and their codes the class y of a conditional model with the largest p(x|z, y)."""
    fits = [
        model.likelihood.log_prob(model.logits(z, torch.full((len(z),), y, device=z.device)), x)
        for y in range(model.config.classes)
    ]
    return torch.stack(fits).argmax(0)


def to_float(images: UInt8[Tensor, "n c h w"], device: torch.device) -> Float[Tensor, "n c h w"]:
    """Images as a model takes them: float32 in [0, 1], scaled on the device."""
    return images.to(device, non_blocking=True).float().div_(255)


@torch.inference_mode()
def evaluate(
    model: LatentModel,
    images: UInt8[Tensor, "n c h w"],
    labels: Int[Tensor, " n"] | None = None,
    *,
    seed: int = 0,
    noise: Float[Tensor, "n d"] | None = None,
    batch_size: int = 1000,
) -> Evaluation:
    """Evaluate on images in float32, with a fresh draw of z for each from its own seeded generator.

    The draw is the posterior's mean plus its standard deviations times standard normal `noise`, which is drawn by
    `seed` unless it is given.

    A conditional model is told `labels`, which others do not read: its figures are those of p(x|y). Without labels it
    is told for each image the class under which the image is likeliest (`likeliest_classes`), and its figures
    flatter it by that choice.

    A model that draws its pixels (`LatentModel.observe`) has them drawn by `seed`, one image after another; with
    `noise` given, each image by itself, so that its figures do not depend on its company. `mse` is of the images as
    they are.

    Raises:
        ValueError: the images' shape is not the model's, or there are none; a label is no class of the model.
    """
    if len(images) == 0:
        raise ValueError("there are no images to evaluate on")
    if tuple(images.shape[1:]) != model.config.image_shape:
        raise ValueError(f"the model takes images of {model.config.image_shape}, not {tuple(images.shape[1:])}")
    if labels is not None and model.config.classes:
        check_labels(labels, len(images), model.config.classes)
    device = model.device
    at_once = min(batch_size, _AT_ONCE) if device.type == "cpu" else batch_size
    if noise is None:
        # Drawn on the CPU, so that a figure does not depend on the device that computed it.
        draws = _noise(len(images), model.latent, batch_size, at_once, torch.Generator().manual_seed(seed))
    else:
        draws = _pieces(noise, 0, at_once)
    pixels = torch.Generator().manual_seed(seed + 1)  # not the numbers that z is drawn by
    training = model.training
    model.eval()
    rows, kl_sums, extra = Rows(len(images)), [], 0.0
    try:
        for start, drawn in draws:
            drawn = drawn.to(device)
            gray = to_float(images[start : start + len(drawn)], device)
            x = _observed(model, gray, pixels, None if noise is None else seed + 1)
            condition = None
            if model.config.classes and labels is not None:
                condition = labels[start : start + len(drawn)].to(device)
            elif model.conditional:
                condition = likeliest_classes(model, x, model.posterior(x).sample(drawn))
            terms = model.terms(x, drawn, condition)
            error = (model.likelihood.mean(terms.logits) - gray).square().flatten(1).mean(1)
            mean, logvar = terms.posterior.mean, terms.posterior.logvar
            rows.add(mean, logvar, terms.nll, terms.kl.sum(1), error)
            kl_sums.append(terms.kl.sum(0).tolist())
            extra += 0.0 if terms.extra is None else float(terms.extra.sum())
    finally:
        model.train(training)
    mean, logvar, nll, kl, mse = rows.columns
    constant, posterior = model.likelihood.constant(model.config.pixels), Posterior(mean, logvar)
    return Evaluation(
        posterior=posterior,
        reconstruction=-nll - constant,
        kl=kl,
        kl_by_group=torch.tensor(kl_sums).sum(0) / len(mean),
        mse=mse,
        constant=constant,
        extra=extra / len(mean),
        has_prior=model.has_prior,
        has_elbo=model.has_elbo,
        figures=model.figures(posterior),
        beta_weighs_kl=model.beta_weighs_kl,
    )


def _observed(
    model: LatentModel, x: Float[Tensor, "n c h w"], pixels: torch.Generator, seed: int | None = None
) -> Float[Tensor, "n c h w"]:
    """What the model observes of images, drawn one by one on the CPU: a figure depends on no device and no batch.

    With a seed each image is drawn as if it were the first.
    """
    if not model.config.binarise:
        return x
    parts = []
    for image in x.split(1):
        if seed is not None:
            pixels.manual_seed(seed)
        parts.append(model.observe(image, pixels))
    return torch.cat(parts)


def _noise(
    count: int, latent: int, batch_size: int, at_once: int, generator: torch.Generator
) -> Iterator[tuple[int, Float[Tensor, "m d"]]]:
    """Standard normal draws for so many images, a few at once, and the position of the first of these.

    They are drawn for a whole batch, since what a generator gives depends on how much it is asked for.
    """
    for start in range(0, count, batch_size):
        yield from _pieces(torch.randn(min(batch_size, count - start), latent, generator=generator), start, at_once)


def _pieces(drawn: Float[Tensor, "n d"], start: int, at_once: int) -> Iterator[tuple[int, Float[Tensor, "m d"]]]:
    for first in range(0, len(drawn), at_once):
        yield start + first, drawn[first : first + at_once]


@torch.inference_mode()
def log_likelihood(
    model: LatentModel,
    images: UInt8[Tensor, "n c h w"],
    labels: Int[Tensor, " n"] | None = None,
    *,
    samples: int = 64,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Float[Tensor, " n"]:
    """The importance-weighted bound on log p(x), in nats an image, float32 on the CPU.

    The images are those that `evaluate` would draw by this seed, for a model that draws its pixels.

    log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x) with K draws z_k from the posterior: Burda, Grosse & Salakhutdinov 2016,
    "Importance weighted autoencoders", arXiv:1509.00519, eq. 8. With one sample its mean is the ELBO; it grows with K
    towards log p(x). A conditional model is told `labels`, and bounds log p(x|y).

    Memory holds `batch_size` draws at a time, however many are asked for; it changes figures by rounding alone.
    `progress` is called with the number of images done and of all.

    Raises:
        ValueError: the images' shape is not the model's, there is no prior, fewer than one sample is asked for, or a
            label is no class of the model.
    """
    if samples < 1:
        raise ValueError(f"at least one sample is needed, not {samples}")
    if not model.has_elbo:
        raise ValueError("a model without a prior, or without a known likelihood, gives no probability to an image")
    if images.ndim != 4 or tuple(images.shape[1:]) != model.config.image_shape:
        raise ValueError(f"the model takes images of {model.config.image_shape}, not {tuple(images.shape[1:])}")
    if labels is not None and model.config.classes:
        check_labels(labels, len(images), model.config.classes)
    device = model.device
    at_once = batch_size or (_DRAWS if device.type == "cpu" else _DRAWS_ON_A_GPU)
    together = max(1, at_once // samples) if samples <= _DRAWN else 1
    generator, pixels = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)
    bounds = [torch.empty(0)]
    for start in range(0, len(images), together):
        x = _observed(model, to_float(images[start : start + together], device), pixels)
        condition = labels[start : start + together].to(device) if labels is not None and model.config.classes else None
        total = torch.full((len(x),), -math.inf, dtype=torch.float64, device=device)
        for first in range(0, samples, _DRAWN):
            count = min(_DRAWN, samples - first)
            noise = torch.stack([torch.randn(count, model.latent, generator=generator) for _ in x])
            for part in noise.split(at_once, 1):
                weights = model.log_weight(x, part.shape[1], part.flatten(0, 1).to(device), condition)
                total = torch.logaddexp(total, weights.double().logsumexp(1))
        bounds.append((total - math.log(samples)).float().cpu())
        if progress is not None:
            progress(min(start + together, len(images)), len(images))
    return torch.cat(bounds)
