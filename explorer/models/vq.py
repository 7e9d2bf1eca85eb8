"""The VQ-VAE: a grid of codes from a codebook, and a prior over the grid that is trained after it.

van den Oord, Vinyals & Kavukcuoglu 2017, "Neural discrete representation learning", arXiv:1711.00937. The prior is a
causal transformer (`explorer.models.vq_prior`) in the place of their PixelCNN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from explorer.models.base import LatentGroup, LatentModel, place_name, register
from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.networks import initialise
from explorer.models.objectives import Terms
from explorer.models.posteriors import Noise, PointPosterior, Posterior
from explorer.models.residual import Block
from explorer.models.vq_codebook import Codebook, perplexity
from explorer.models.vq_prior import HEAD, GridPrior
from explorer.models.whole_batch import rows_of_all

_COLLAPSED = 0.03  # of the codebook's entries in use, were they used evenly: below, nothing much can be said with them
_SMALL = 9  # pixels: what is narrower counts as small


@register
class VQVAE(LatentModel):
    """Convolutions around a grid [H, W] of codebook entries, and a prior that draws such grids.

    A code is the grid's entries, row by row, as numbers [N, H * W * D]. Any other numbers may be decoded as well: each
    place takes the entry nearest to them. So codes may be added and blended, before they are quantised.

    Training has two stages: the autoencoder, while the prior is uniform; then the prior, while nothing else moves.
    """

    family = "vq"
    label = "VQ-VAE"
    help = "a grid of entries of a codebook, and a transformer that learns to draw such grids"
    settings: ClassVar[tuple[str, ...]] = (
        "codebook",
        "entry_size",
        "grid_blocks",
        "commitment",
        "dark_detail",
        "prior_share",
        "prior_layers",
        "prior_width",
        "class_prior",
        "guidance",
    )
    grid: tuple[int, int]
    idle: ClassVar[tuple[str, ...]] = ("latent", "beta", "warmup_epochs", "warmup_share", "free_bits")
    meanings: ClassVar[Mapping[str, tuple[str, str]]] = {
        "perplexity": (
            "entries",
            "How many entries of the codebook the test images use, as if all were used alike: 1 is a codebook that has "
            "collapsed, and its size is the most.",
        )
    }

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if config.class_prior and config.classes < 1:
            raise ValueError("a prior that is told the class needs images with classes: untick “Tell the class”")
        self.grid = _grid(config)
        self.codebook = Codebook(config.codebook, config.entry_size)
        self.encoder, self.decoder = _encoder(config), _decoder(config)
        self.prior = GridPrior(
            config.codebook, self.grid, config.classes, layers=config.prior_layers, width=config.prior_width
        )
        initialise(self.encoder, config.init)
        initialise(self.decoder, config.init)

    @classmethod
    def check(cls, settings: ModelSettings) -> None:
        super().check(settings)
        if settings.network != "conv":
            raise ValueError("a VQ-VAE has a grid of codes, which convolutions make: set network to conv")
        if len(settings.encoder) != len(settings.decoder):
            raise ValueError(
                "encoder and decoder must have the same number of layers in a conv network, "
                f"not {len(settings.encoder)} and {len(settings.decoder)}"
            )
        if settings.prior_width % HEAD:
            raise ValueError(f"prior_width must be a multiple of {HEAD}, not {settings.prior_width}")

    @classmethod
    def reads_classes(cls, settings: ModelSettings) -> bool:
        return settings.class_prior

    @property
    def entries(self) -> Float[Tensor, "c e"]:
        return self.codebook.entries

    @property
    def groups(self) -> tuple[LatentGroup, ...]:
        rows, columns = self.grid
        return tuple(LatentGroup(f"row {i + 1}", columns * self.config.entry_size) for i in range(rows))

    def latent_name(self, i: int) -> str:
        return place_name(i, (*self.grid, self.config.entry_size), channels_last=True)

    def stages(self, epochs: int) -> tuple[int, ...]:
        """The autoencoder's epochs and the prior's: at least one each, where there are two."""
        if epochs < 2:
            return (epochs,)
        prior = min(max(round(epochs * self.config.prior_share), 1), epochs - 1)
        return epochs - prior, prior

    # --- images, grids, codes -----------------------------------------------------------------------------------

    def _encode(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n rows columns d"]:
        return self.encoder(x).float().permute(0, 2, 3, 1)

    def _decode(self, entries: Float[Tensor, "n rows columns d"]) -> Float[Tensor, "n p h w"]:
        return self.decoder(entries.permute(0, 3, 1, 2)).float()

    def _code(self, index: Int[Tensor, "n l"]) -> Float[Tensor, "n d"]:
        return self.codebook.entries[index].flatten(1)

    def indices(self, z: Float[Tensor, "n d"]) -> Int[Tensor, "n l"]:
        """The nearest entry at each place of the grid, row by row, of codes or any numbers in their shape."""
        return self.codebook.nearest(z.unflatten(1, (-1, self.config.entry_size)))

    def posterior(self, x: Float[Tensor, "n c h w"]) -> PointPosterior:
        code = self._code(self.codebook.nearest(self._encode(x)).flatten(1))
        return PointPosterior(code, torch.full_like(code, -torch.inf))

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n p h w"]:
        """Of the entries that are nearest to `z`."""
        return self._decode(self._code(self.indices(z)).unflatten(1, (*self.grid, -1)))

    # --- the objective ------------------------------------------------------------------------------------------

    def terms(self, x: Float[Tensor, "n c h w"], noise: Noise = None, labels: Int[Tensor, " n"] | None = None) -> Terms:
        """The KL is -log p(code), since an image has one code and q(z|x) no spread.

        In the first stage it is that of the uniform prior, a constant. `extra` is what the encoder pays for outputs
        that are far from their entries, eq. 3, and what `dark_detail` adds.
        """
        generator = noise if isinstance(noise, torch.Generator) else None
        if self.training and self.stage:
            return self._prior_terms(x, generator, labels)
        given = self._encode(x)
        if self.training:
            index = self.codebook.follow(given.flatten(0, 2), generator).view(given.shape[:-1])
        else:
            index = self.codebook.nearest(given)
        entries = self.codebook.entries[index]
        logits = self._decode(given + (entries - given).detach())  # the gradient passes as if there were no codebook
        far = (given - entries).square().flatten(1).mean(1)
        extra = self.config.commitment * self.config.pixels * far
        if self.config.dark_detail:
            extra = extra + self.config.dark_detail * self._dark_errors(logits, x)
        code = entries.detach().flatten(1)
        posterior = PointPosterior(code, torch.full_like(code, -torch.inf))
        index = index.flatten(1)
        return Terms(
            self.nll(logits, x), self._kl(None if self.training else index, x, labels), posterior, logits, extra
        )

    def _prior_terms(self, x: Tensor, generator: torch.Generator | None, labels: Tensor | None) -> Terms:
        self.encoder.eval()  # batch norm stays as it is
        self.decoder.eval()
        with torch.no_grad():
            posterior = self.posterior(x)
            logits = self.logits(posterior.mean)
            nll = self.nll(logits, x)
        kl = self.prior(self.indices(posterior.mean), labels, generator).unflatten(1, self.grid).sum(2)
        return Terms(nll, kl, posterior, logits)

    def _kl(self, index: Tensor | None, x: Tensor, labels: Tensor | None) -> Float[Tensor, "n rows"]:
        """-log p of the grid's rows in nats; the uniform prior's where there is no index."""
        rows, columns = self.grid
        if index is None or self.prior.uniform:
            return torch.full((len(x), rows), columns * math.log(self.config.codebook), device=x.device)
        return self.prior(index, labels).unflatten(1, self.grid).sum(2)

    def _dark_errors(self, logits: Tensor, x: Tensor) -> Float[Tensor, " n"]:
        """Squared errors where the image has something small and dark, as the likelihood counts errors.

        Each is weighted by how much darker it is: the image closed (a minimum of maxima) less the image, the black
        top-hat transform (Serra 1982, "Image analysis and mathematical morphology").
        """
        gray = x.mean(1, keepdim=True)
        closed = -_highest(-_highest(gray))
        noise = self.likelihood.noise_variance
        errors = (self.likelihood.mean(logits) - x).square() * (closed - gray)
        return errors.flatten(1).sum(1) / (2 * noise)

    def log_weight(
        self, x: Float[Tensor, "n c h w"], k: int, noise: Noise = None, labels: Int[Tensor, " n"] | None = None
    ) -> Float[Tensor, "n k"]:
        """The same for every draw, since an image has one code."""
        terms = self.terms(x, None, labels)
        weight = self.likelihood.log_prob(terms.logits, x) - terms.kl.sum(1)
        return weight[:, None].expand(-1, k)

    # --- the prior ----------------------------------------------------------------------------------------------

    def sample_prior(
        self,
        n: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n d"]:
        """Codes on the CPU; the temperature is the softmax's, and 0 draws the likeliest entry at each place."""
        return self._draw(torch.rand(n, self.prior.places, generator=generator), labels, temperature)

    def complete(
        self,
        codes: Float[Tensor, "n d"],
        rows: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n d"]:
        """Codes with the first `rows` rows of the grid as given, and the rest drawn by the prior; on the CPU."""
        chance = torch.rand(len(codes), self.prior.places, generator=generator)
        given = self.indices(codes.to(self.codebook.entries.device))[:, : rows * self.grid[1]]
        return self._draw(chance, labels, temperature, given)

    def _draw(
        self, chance: Tensor, labels: Tensor | None, temperature: float, given: Tensor | None = None
    ) -> Float[Tensor, "n d"]:
        told = labels if self.config.classes else None
        guidance = self.config.guidance
        index = self.prior.draw(chance, told, temperature=temperature, guidance=guidance, given=given)
        return self._code(index).cpu()

    def log_prior(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """log p of the entries nearest to `z`, in nats, whatever the class."""
        return -self.prior(self.indices(z)).sum(1)

    def prior_spread(self) -> None:
        return None

    @property
    def prior_name(self) -> str:
        return f"a transformer over a grid of {self.grid[0]} × {self.grid[1]} entries"

    @property
    def learns_prior(self) -> bool:
        return True

    # --- what to watch ------------------------------------------------------------------------------------------

    def figures(self, posterior: Posterior) -> dict[str, float]:
        return {
            "perplexity": perplexity(
                self.indices(posterior.mean.to(self.codebook.entries.device)), self.config.codebook
            )
        }

    def warning(self, figures: dict[str, float]) -> str:
        used, size = figures["perplexity"], self.config.codebook
        if used >= max(1.5, _COLLAPSED * size):
            return ""
        return (
            f"The codebook has collapsed: codes use about {used:.0f} of its {size} entries; try another commitment, or "
            "a lower learning rate."
        )


def _grid(config: ModelConfig) -> tuple[int, int]:
    """Rows and columns of the grid. Raises ValueError where the sides do not divide into it."""
    _, h, w = config.image_shape
    shrink = 2 ** len(config.encoder)
    if h % shrink or w % shrink:
        raise ValueError(f"{len(config.encoder)} halvings need sides divisible by {shrink}, not {h} x {w}")
    return h // shrink, w // shrink


def _encoder(config: ModelConfig) -> nn.Sequential:
    """Images [N, C, H, W] to a grid [N, D, H / 2^L, W / 2^L]: a halving a width, blocks at the last."""
    layers: list[nn.Module] = []
    for before, width in pairwise((config.image_shape[0], *config.encoder)):
        layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.SiLU()]
    last = config.encoder[-1]
    layers += [Block(config, last) for _ in range(config.grid_blocks)]
    return nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(last, config.entry_size, 1), _Standardised(config.entry_size))


class _Standardised(nn.BatchNorm2d):
    """Gives each number of the grid's vectors mean 0 and variance 1.

    The encoder cannot run away from the codebook, which follows it slowly: without it most entries die at the start.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, affine=False)
        assert self.running_var is not None
        self.running_var.zero_()  # at 1, which is far too much, all codes are the same in evaluation at first

    def forward(self, input: Tensor) -> Tensor:
        if self.training and rows_of_all(input[:, 0].numel()) == 1:  # which has no variance
            return F.batch_norm(input, self.running_mean, self.running_var, eps=self.eps)
        return super().forward(input)


def _decoder(config: ModelConfig) -> nn.Sequential:
    """A grid to logits [N, C, H, W]: blocks at the first width, a doubling a width."""
    first = config.decoder[0]
    layers: list[nn.Module] = [nn.Conv2d(config.entry_size, first, 3, padding=1)]
    layers += [Block(config, first) for _ in range(config.grid_blocks)]
    for before, width in pairwise((*config.decoder, config.logits_shape[0])):
        layers += [nn.SiLU(), nn.ConvTranspose2d(before, width, 4, stride=2, padding=1)]
    return nn.Sequential(*layers)


def _highest(gray: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """The maximum over a square around each pixel."""
    across = F.max_pool2d(gray, (1, _SMALL), 1, (0, _SMALL // 2))
    return F.max_pool2d(across, (_SMALL, 1), 1, (_SMALL // 2, 0))
