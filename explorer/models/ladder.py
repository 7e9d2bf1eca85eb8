"""A VAE with several layers of latents and ladder inference.

Sønderby, Raiko, Maaløe, Sønderby & Winther 2016, "Ladder variational autoencoders", arXiv:1602.02282: a pass up from
the image says what it can of each layer, and on the way down each layer's posterior is the product of that and of its
prior given the layers above (eqs. 17 to 19).

A code holds each latent's place within its prior: z = (latent - mean) / standard deviation, both as the layers above
have them, top layer first. So p(z) is N(0, I), whatever the layers say to each other, and a density, KL or weight of z
is that of the latents: the change of variables is the same for p and q. Codes can be drawn, cut, blended and moved as
those of any VAE; where an upper layer moves, the lower ones move along with their priors.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from explorer.models.base import MOST_GROUPS, LatentGroup, LatentModel, place_name, register
from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.ladder_networks import DenseLadder, Ladder, ResidualLadder
from explorer.models.networks import initialise
from explorer.models.objectives import Terms
from explorer.models.posteriors import GaussianPosterior, Noise, Posterior, gaussian_kl


class Descent(NamedTuple):
    """A way down: the codes that were taken, the moments that each layer's were drawn from, the decoder's output."""

    z: Float[Tensor, "n d"]
    mean: Float[Tensor, "n d"]
    logvar: Float[Tensor, "n d"]
    logits: Float[Tensor, "n p h w"]

    @property
    def taken_from(self) -> GaussianPosterior:
        """What z was drawn from, each layer's as the draws above it have it."""
        return GaussianPosterior(self.mean, self.logvar)


class LadderPosterior(Posterior):
    """q(z|x), layer by layer: what is stored of it is the way down along the means; a draw goes its own way.

    Made of moments alone, as of stored codes, it has no features: only its KL is known then.
    """

    ladder: LadderVAE
    features: tuple[Tensor, ...] = ()

    @classmethod
    def of(cls, ladder: LadderVAE, features: tuple[Tensor, ...], descent: Descent) -> LadderPosterior:
        """Gives the posteriors of images by their features, with the moments of a way down."""
        made = cls(descent.mean, descent.logvar)
        made.ladder, made.features = ladder, features
        return made

    @property
    def independent(self) -> bool:
        """A layer depends on what was drawn above it."""
        return False

    def sample(self, noise: Noise = None) -> Float[Tensor, "n d"]:
        return self._descend(_standard(noise, self.mean), draw=True).z

    def _descend(self, given: Float[Tensor, "n d"], *, draw: bool) -> Descent:
        if not self.features:
            raise NotImplementedError("moments do not say how the lower layers follow the upper ones")
        return self.ladder.descend(given, self.features, draw=draw)

    def kl(self) -> Float[Tensor, "n d"]:
        """Along the means; that of the objective is along a draw (`LadderVAE.terms`)."""
        return gaussian_kl(self.mean, self.logvar)

    def log_prob(self, z: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape2 d"]:
        """Of each latent given those of the layers above it, which are z's: the sum is log q(z|x)."""
        if z.ndim > 2:  # codes and images that broadcast: every pair has a way down of its own
            return torch.stack([self.log_prob(codes) for codes in z])
        z = z.expand_as(self.mean)
        return self._descend(z, draw=False).taken_from.log_prob(z)

    def repeat(self, k: int) -> LadderPosterior:
        made = type(self)(*(field.repeat_interleave(k, 0) for field in self))
        made.ladder, made.features = self.ladder, tuple(f.repeat_interleave(k, 0) for f in self.features)
        return made


_KINDS: dict[str, type[DenseLadder] | type[ResidualLadder]] = {"dense": DenseLadder, "residual": ResidualLadder}


@register
class LadderVAE(LatentModel):
    """Layers of latents, each under those above it."""

    family = "ladder"
    label = "ladder VAE"
    help = "a VAE with several layers of latents, of which the upper ones say what is drawn and the lower ones how"
    settings = ("layers", "grids")
    idle = ("latent",)

    @classmethod
    def check(cls, settings: ModelSettings) -> None:
        super().check(settings)
        if not settings.layers:
            raise ValueError(
                "layers must be a list of one or more whole numbers for a ladder, such as 4, 8, 16, 32, 64, the top "
                "layer first"
            )
        if settings.network not in _KINDS:
            raise ValueError(f"network must be {' or '.join(_KINDS)} for a ladder, not {settings.network}")
        _KINDS[settings.network].check(settings)

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.body: Ladder = _KINDS[config.network](config)
        if (latents := sum(self.body.sizes)) > MOST_GROUPS:
            raise ValueError(f"layers and grids make {latents:,} latents: take at most {MOST_GROUPS:,}")
        initialise(self, config.init)

    @property
    def layers(self) -> tuple[LatentGroup, ...]:
        count = len(self.body.sizes)
        return tuple(LatentGroup(f"layer {i} of {count}", size) for i, size in enumerate(self.body.sizes, 1))

    @property
    def groups(self) -> tuple[LatentGroup, ...]:
        return tuple(LatentGroup(f"latent {i}", 1) for i in range(sum(self.body.sizes)))

    def latent_name(self, i: int) -> str:
        for layer, (size, (channels, rows, columns)) in enumerate(
            zip(self.body.sizes, self.body.grids, strict=False), 1
        ):
            if i < size:
                alone = rows * columns == 1
                name = f"latent {i}" if alone else place_name(i, (rows, columns, channels), channels_last=False)
                return f"layer {layer}, {name}"
            i -= size
        return super().latent_name(i)

    def descend(
        self, given: Float[Tensor, "n d"], features: tuple[Tensor, ...] | None = None, *, draw: bool = True
    ) -> Descent:
        """Goes from the top layer to the image.

        Args:
            given: codes; or, with features, the standard normal noise that codes are drawn with.
            features: what the pass up says of each image.
            draw: with features, false for `given` to be codes: the moments are then those of q at them.
        """
        body, state = self.body, self.body.top(given)
        means, logvars, codes = [], [], []
        for layer, part in enumerate(given.split(body.sizes, 1)):
            prior = body.prior(layer, state)
            if features is not None:
                posterior = with_prior(*body.evidence(layer, state, features[layer], prior))
                part = posterior.sample(part) if draw else part
                means.append(posterior.mean)
                logvars.append(posterior.logvar)
            codes.append(part)
            state = body.below(layer, state, GaussianPosterior(*prior).sample(part))
        z = torch.cat(codes, 1)
        moments = (torch.cat(means, 1), torch.cat(logvars, 1)) if means else (z, z)
        return Descent(z, *moments, body.pixels(state))

    def posterior(self, x: Float[Tensor, "n c h w"]) -> LadderPosterior:
        features = self.body.upward(x)
        along = self.descend(torch.zeros(x.shape[0], self.latent, device=x.device), features)
        return LadderPosterior.of(self, features, along)

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n p h w"]:
        return self.descend(z).logits

    def terms(self, x: Float[Tensor, "n c h w"], noise: Noise = None, labels: Int[Tensor, " n"] | None = None) -> Terms:
        """The KL of each latent is that of its posterior along the draw; in training, so is the posterior."""
        features = self.body.upward(x)
        empty = torch.empty(len(x), self.latent, device=x.device)
        drawn = self.descend(_standard(noise, empty), features)
        along = drawn if self.training else self.descend(torch.zeros_like(empty), features)
        posterior = LadderPosterior.of(self, features, along)
        return Terms(self.nll(drawn.logits, x), drawn.taken_from.kl(), posterior, drawn.logits)

    def log_weight(
        self,
        x: Float[Tensor, "n c h w"],
        k: int,
        noise: Noise = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n k"]:
        features = tuple(feature.repeat_interleave(k, 0) for feature in self.body.upward(x))
        drawn = self.descend(_standard(noise, torch.empty(len(x) * k, self.latent, device=x.device)), features)
        fit = self.likelihood.log_prob(drawn.logits, x.repeat_interleave(k, 0))
        ratio = self.log_prior(drawn.z) - drawn.taken_from.log_prob(drawn.z).sum(1)
        return (fit + ratio).unflatten(0, (len(x), k))


def _standard(noise: Noise, like: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Standard normal noise: what is given, or drawn."""
    if isinstance(noise, Tensor):
        return noise
    return torch.randn(like.shape, generator=noise, device=like.device, dtype=like.dtype)


def with_prior(mean: Float[Tensor, "n d"], logvar: Float[Tensor, "n d"]) -> GaussianPosterior:
    """The product of N(0, I) and what an image says, N(mean, exp(logvar)): precisions add (eqs. 17 to 19)."""
    # The variance is 1 / (1 + exp(-logvar)), and in these forms nothing overflows.
    return GaussianPosterior(mean * torch.sigmoid(-logvar), -F.softplus(-logvar))
