"""A checkpoint opened for use: the network behind plain calls on images and codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from explorer.checkpoints.folder import MAPPED, CheckpointInfo, find, read_tensors, read_tensors_and_metadata
from explorer.checkpoints.schema import check_kl, check_latents, check_weights
from explorer.errors import CheckpointError, ModelGone, first_line
from explorer.images import pictures
from explorer.images.habits import habits
from explorer.images.preparation import Prepared, Steps, prepare
from explorer.images.suggestion import fit
from explorer.latents import Latents, fitted_draws, location_and_scale
from explorer.models import LatentGroup, LatentModel, ModelConfig, Posterior, build
from explorer.models.conditional import cycle_labels
from explorer.models.devices import choose_device
from explorer.models.evaluation import Evaluation, check_labels, evaluate, likeliest_classes, to_float
from explorer.models.networks import laid_out

_BATCH = 1024  # images at a time: bounds the memory of a decode of any size
_LOOKED_AT = 64  # stored codes, about, that are decoded to tell what a model's images are like
_ATTEMPTS = 6  # at opening while another process saves
_DRAWN = 12  # samples that a notebook shows
_TRIED = 1  # stored codes that are decoded, and encoded again, when a model is opened
_PIXELS = 0x9E3779B9  # flips bits of a seed: PyTorch's generator reads 32, and noise must not repeat the codes'


class Model:
    """A trained model. Calls are thread-safe: they change nothing.

    Attributes:
        info: the checkpoint's name, config and metrics.
        classes: names of the labels, in order.
        image_shape: (C, H, W).
        latent: D, the length of a code.
    """

    def __init__(self, info: CheckpointInfo, network: LatentModel, device: torch.device) -> None:
        self.info, self.network, self.device = info, network, device
        self.config: ModelConfig = network.config
        self.classes: list[str] = list(info.config.get("classes") or [])
        self.image_shape, self.latent = self.config.image_shape, network.latent

    def __repr__(self) -> str:
        return f"<Model {self.info.id}: {self.info.summary}>"

    def _repr_html_(self) -> str:
        """In a notebook: what it is, and some of its samples."""
        said = f"<b>{escape(self.info.id)}</b><br>{escape(self.info.summary)}<br>"
        drawn = self.has_prior or self.continuous
        return said + (pictures.inline(self.sample(_DRAWN), _DRAWN) if drawn else "")

    @property
    def has_prior(self) -> bool:
        """Whether codes follow a prior as a whole; a plain autoencoder's follow none."""
        return self.network.has_prior

    @property
    def has_elbo(self) -> bool:
        """Whether there is a bound on log p(x): that takes a prior, and a likelihood that is known."""
        return self.network.has_elbo

    @property
    def has_likelihood(self) -> bool:
        """Whether p(x|z) is known; else images are compared by squared errors."""
        return self.network.likelihood.known

    @property
    def continuous(self) -> bool:
        """Whether codes may be added and blended, and what lies between them decoded."""
        return self.network.continuous

    @property
    def has_plane(self) -> bool:
        """Whether its codes are a plane as they are."""
        return self.network.has_plane

    @property
    def layers(self) -> tuple[LatentGroup, ...]:
        """Its layers of latents, the top one first; most models have a single one."""
        return self.network.layers

    @cached_property
    def spread(self) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
        """Mean and standard deviation of codes by latent: the prior's, or of the stored codes where none is known."""
        return self.network.prior_spread() or location_and_scale(self.latents.mean)

    @cached_property
    def latents(self) -> Latents:
        """The stored codes of the test set, with their maps. Raises CheckpointError."""
        stored = self._stored("latents.safetensors", self.info.metrics)
        if stored.kl_by_group is None:  # of a version that did not store it
            stored = replace(stored, kl_by_group=self.network.stored_kl(stored.posterior))
        check_kl(stored.kl_by_group, self.info.metrics)
        return stored

    @cached_property
    def mapped(self) -> Latents:
        """The stored codes that maps show: of all images of a person's own set, or else those of the test set.

        Their `index` counts the images of the training set first. Raises CheckpointError.
        """
        return self._stored(MAPPED, {}) if (self.info.path / MAPPED).exists() else self.latents

    def _stored(self, file: str, metrics: dict[str, Any]) -> Latents:
        tensors, metadata = read_tensors_and_metadata(self.info.path / file)
        try:
            check_latents(tensors, metadata, self.info.config, metrics, file)
            return Latents.from_tensors(tensors, metadata)
        except CheckpointError:
            raise
        except (KeyError, ValueError, IndexError, TypeError, RuntimeError) as error:  # its header was another one
            raise CheckpointError(f"{file} was replaced while it was read") from error

    def check(self) -> None:
        """Reads the stored codes, and encodes and decodes some. Raises CheckpointError where that gives no numbers."""
        codes = self.latents.mean[:_TRIED]
        try:
            images = self.decode(codes)
        except ModelGone:  # its map and its codes are here
            return
        if not (images.isfinite().all() and self.encode(images.clamp(0, 1)).mean.isfinite().all()):
            raise CheckpointError("model.safetensors is damaged: its images or codes are no finite numbers")

    @cached_property
    def habits(self) -> tuple[bool, bool]:
        """What its images are like, for `explorer.images.suggestion.suggest`: by what it decodes of some stored codes.

        A conditional decoder is told the class of each. Raises CheckpointError.
        """
        stored = self.latents
        some = slice(None, None, max(1, len(stored) // _LOOKED_AT))
        return habits(self.decode(stored.mean[some], None if stored.labels is None else stored.labels[some]))

    def prepare(self, picture: Image.Image, steps: Steps | None = None) -> Prepared:
        """Prepares a picture of mode L or RGB for this model: by `steps`, or by those that suit both.

        Raises:
            CheckpointError: what suits was asked for, and the stored codes are missing or damaged.
        """
        channels, size = self.image_shape[0], self.image_shape[1:]
        return fit(picture, self.habits, size, channels) if steps is None else prepare(picture, steps, size, channels)

    @torch.inference_mode()
    def encode(self, images: Tensor | np.ndarray) -> Posterior:
        """The posterior of images: mean and logvar, float32 [N, D] on the CPU.

        Args:
            images: uint8 [N, C, H, W], or float in [0, 1].

        Raises:
            ValueError: the shape is not the model's, or values lie outside [0, 1].
        """
        tensor = self._images(images)
        parts = [self.network.posterior(self._to_float(b)) for b in tensor.split(_BATCH)]
        return Posterior(torch.cat([p.mean for p in parts]).cpu(), torch.cat([p.logvar for p in parts]).cpu())

    @property
    def class_prior(self) -> bool:
        """Whether the prior is told a class, so that `draw` gives codes of each of `classes`."""
        return self.config.classes > 0 and not self.conditional

    @property
    def conditional(self) -> bool:
        """Whether the decoder is told a class: a code can then be decoded as each of `classes`."""
        return self.network.conditional

    @torch.inference_mode()
    def decode(
        self, codes: Tensor | np.ndarray, labels: Tensor | Sequence[int] | int | None = None
    ) -> Float[Tensor, "n c h w"]:
        """The decoder's images of codes [N, D]: the mean of p(x|z), float32 [N, C, H, W] in [0, 1] on the CPU.

        Args:
            codes: float [N, D].
            labels: the class of each as a position in `classes`, or one for all. None is the first class. Only a
                conditional model reads them.

        Raises:
            ValueError: the codes' shape is not [N, D], one is not finite, or a label is no class of the model.
        """
        return self._pixels(codes, labels, self.network.decode)

    @torch.inference_mode()
    def draw_pixels(
        self, codes: Tensor | np.ndarray, labels: Tensor | Sequence[int] | int | None = None, *, seed: int = 0
    ) -> Float[Tensor, "n c h w"]:
        """Images x ~ p(x|z) of codes [N, D]: `decode`'s with the noise that the likelihood claims, float32 on the CPU.

        A Gaussian's draws may leave [0, 1]; a Bernoulli's are 0 or 1 in each channel (`Likelihood.sample`). The same
        seed gives the same noise on any device; it is other noise than that of the codes that `draw` gives for it.

        Args:
            codes, labels: as for `decode`.
            seed: of the noise.

        Raises:
            ValueError: as `decode`.
        """
        generator = torch.Generator().manual_seed((seed ^ _PIXELS) % 2**32)
        return self._pixels(codes, labels, partial(self.network.draw_pixels, generator=generator))

    def _pixels(
        self,
        codes: Tensor | np.ndarray,
        labels: Tensor | Sequence[int] | int | None,
        make: Callable[[Tensor, Tensor | None], Tensor],
    ) -> Float[Tensor, "n c h w"]:
        """What `make` makes of codes and labels, a batch at a time on the device; raises as `decode`."""
        z = torch.as_tensor(codes, dtype=torch.float32)
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"codes of this model are [N, {self.latent}], not {list(z.shape)}")
        if not torch.isfinite(z).all():
            raise ValueError("a code has a value that is not a finite number")
        if len(z) == 0:
            return torch.empty(0, *self.image_shape)
        condition = self._condition(labels, len(z))
        if condition is None:
            return torch.cat([make(b.to(self.device), None).cpu() for b in z.split(_BATCH)])
        pairs = zip(z.split(_BATCH), condition.split(_BATCH), strict=True)
        return torch.cat([make(b.to(self.device), y.to(self.device)).cpu() for b, y in pairs])

    @torch.inference_mode()
    def reconstruct(
        self, images: Tensor | np.ndarray, labels: Tensor | Sequence[int] | int | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Images encoded and decoded at the posterior's mean: float32 [N, C, H, W] in [0, 1].

        A conditional model decodes each as its label says, and without labels as the class that explains it best.

        Raises:
            ValueError: as `encode` and `decode`.
        """
        tensor = self._images(images)
        codes = self.encode(tensor).mean
        return self.decode(codes, self.likeliest(tensor, codes) if labels is None else labels)

    @torch.inference_mode()
    def likeliest(self, images: Tensor | np.ndarray, codes: Float[Tensor, "n d"]) -> Int[Tensor, " n"] | None:
        """The class that explains each image best, drawn from its code: what `reconstruct` tells a conditional decoder.

        None for a model whose decoder is told no class.

        Raises:
            ValueError: the images are none of this model's.
        """
        if not self.conditional:
            return None
        pairs = zip(self._images(images).split(_BATCH), codes.split(_BATCH), strict=True)
        found = [likeliest_classes(self.network, self._to_float(x), z.to(self.device)) for x, z in pairs]
        return torch.cat(found).cpu()

    def draw(
        self,
        n: int,
        *,
        temperature: float = 1.0,
        seed: int = 0,
        labels: Tensor | Sequence[int] | int | None = None,
    ) -> Float[Tensor, "n d"]:
        """Codes from the prior, as spread as the temperature says; without one from the Gaussian fitted to the codes.

        A prior that is told the class (`class_prior`) draws codes of the classes in `labels`, or of none in particular.

        Raises:
            ValueError: n or the temperature is negative, or a label is no class of the model.
        """
        if n < 0 or not 0 <= temperature < float("inf"):
            raise ValueError(f"cannot draw {n} codes at temperature {temperature}")
        generator = torch.Generator().manual_seed(seed)
        if self.has_prior:
            return self.network.sample_prior(n, temperature, generator, self._condition(labels, n))
        return fitted_draws(self.latents.mean, temperature * torch.randn(n, self.latent, generator=generator))

    def redraw_below(
        self, codes: Float[Tensor, "n d"], layer: int, *, temperature: float = 1.0, seed: int = 0
    ) -> Float[Tensor, "n d"]:
        """Codes [N, D] that keep their first so many layers; those below are drawn from the prior given these."""
        return self.network.redraw_below(codes, layer, temperature, torch.Generator().manual_seed(seed))

    def sample(
        self,
        n: int,
        *,
        temperature: float = 1.0,
        seed: int = 0,
        labels: Tensor | Sequence[int] | int | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """Images of codes drawn as `draw` does; of a model that is told a class, without labels, each in its turn."""
        if self.config.classes and labels is None:
            labels = cycle_labels(n, self.config.classes)
        return self.decode(self.draw(n, temperature=temperature, seed=seed, labels=labels), labels)

    @torch.inference_mode()
    def complete(
        self,
        image: Tensor | np.ndarray,
        rows: int,
        n: int,
        *,
        temperature: float = 1.0,
        seed: int = 0,
        label: int | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """Draws n pictures that go on from the upper part of an image [1, C, H, W], decoded: float32 in [0, 1].

        Of the image only the pixels of the first `rows` rows of the grid are looked at: below, the encoder is given
        their mirror image.

        Args:
            image: as for `encode`.
            rows: how many rows of the grid are given, at least one, and not all.
            n: how many pictures.
            temperature, seed: as for `draw`.
            label: a class for a prior that is told one; None for none in particular.

        Raises:
            ValueError: the model's prior cannot go on from a part, or the rows, the image or the label cannot be.
        """
        grid = self.network.grid
        if grid is None:
            raise ValueError("the prior of this model draws codes as a whole: it cannot go on from a part of one")
        if not 0 < rows < grid[0]:
            raise ValueError(f"from 1 to {grid[0] - 1} rows of the grid can be given, not {rows}")
        tensor = self._images(image)
        height = tensor.shape[2]
        given = height * rows // grid[0]
        place = torch.arange(height) % (2 * given)
        code = self.encode(tensor[:, :, torch.minimum(place, 2 * given - 1 - place)]).mean
        generator = torch.Generator().manual_seed(seed)
        codes = self.network.complete(code.repeat(n, 1), rows, temperature, generator, self._condition(label, n))
        return self.decode(codes)

    def evaluate(
        self, images: Tensor | np.ndarray, labels: Tensor | Sequence[int] | int | None = None, *, seed: int = 0
    ) -> Evaluation:
        """Terms of the ELBO for uint8 images [N, C, H, W]; see `explorer.models.evaluation.evaluate`.

        Raises:
            ValueError: the shape is not the model's, the images are not uint8, or a label is no class of the model.
        """
        tensor = self._images(images)
        if tensor.dtype != torch.uint8:
            raise ValueError("a model is evaluated on uint8 images, as a data set holds them")
        return evaluate(self.network, tensor, self._condition(labels, len(tensor)), seed=seed)

    def _condition(self, labels: Tensor | Sequence[int] | int | None, count: int) -> Tensor | None:
        """The class of each code or image, int64 [count]; None for a model that takes none, and without labels."""
        if labels is None or not self.config.classes:
            return None
        given = torch.full((count,), labels) if isinstance(labels, int) else torch.as_tensor(labels, dtype=torch.int64)
        check_labels(given, count, self.config.classes)
        return given

    def _images(self, images: Tensor | np.ndarray) -> Tensor:
        if isinstance(images, np.ndarray) and not images.flags.writeable:
            images = images.copy()  # np.asarray of a picture; PyTorch warns of tensors over read-only memory
        tensor = torch.as_tensor(images)
        if tensor.ndim != 4 or tuple(tensor.shape[1:]) != self.image_shape:
            raise ValueError(
                f"this model takes images of [N, {', '.join(map(str, self.image_shape))}], not {list(tensor.shape)}"
            )
        if len(tensor) == 0:
            raise ValueError("there are no images")
        if tensor.dtype != torch.uint8:
            tensor = tensor.float()
            if not (tensor.min() >= 0 and tensor.max() <= 1):
                raise ValueError("images are uint8, or floating point in [0, 1]")
        return tensor

    def _to_float(self, batch: Tensor) -> Tensor:
        return to_float(batch, self.device) if batch.dtype == torch.uint8 else batch.to(self.device)


def load(name: str | Path, device: str = "auto") -> Model:
    """Open a checkpoint by its id (`mnist-mlp-2d`, `runs/first`) or by the path of its folder.

    Raises:
        CheckpointError: there is none, or it is damaged, foreign or too new; the message says which.
        ValueError: the device is unknown or not on this machine.
    """
    where = choose_device(device)
    info = find(name)
    for _ in range(_ATTEMPTS):
        try:
            return _open(info, where)
        except (CheckpointError, RuntimeError, MemoryError) as error:
            known, info = info, find(name)
            if info is known:
                reason = error if isinstance(error, CheckpointError) else f"it cannot be run ({first_line(error)})"
                raise CheckpointError(f"checkpoint {str(name)[:200]!r} cannot be opened: {reason}") from error
            # Else a run has saved meanwhile, and what was read is of two saves.
    raise CheckpointError(f"checkpoint {str(name)[:200]!r} cannot be opened: it is saved again and again")


def _open(info: CheckpointInfo, where: torch.device) -> Model:
    # Built without memory: a foreign config may claim sizes that its weights do not have.
    with torch.device("meta"):
        network = build(ModelConfig.from_json(info.config["model"]))
    weights = read_tensors(info.path / "model.safetensors")
    check_weights(weights)
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()}, assign=True)
    model = Model(info, laid_out(network.to(where)).eval().requires_grad_(False), where)
    model.check()
    return model
