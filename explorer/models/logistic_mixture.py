"""The discretised logistic mixture: a probability for each of the 256 values that a pixel of an 8-bit image can have.

Salimans, Karpathy, Chen & Kingma 2017, "PixelCNN++", arXiv:1701.05517, sections 2.1 and 2.2. A pixel chooses one of K
components; its value is then a logistic variable that is rounded to the 8-bit grid, where 0 and 255 take the tails. In
colour all three values are of one component, and the mean of green moves with red, that of blue with both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from explorer.models.likelihoods import Likelihood
from explorer.models.registry import LIKELIHOODS

HALF_STEP = 1 / 255  # of the 8-bit grid, where it is stretched to [-1, 1]
LARGEST_LOG_SCALE = 7.0  # and the least is -7, as in the authors' code: a step of the grid is then nine scales wide


class Components(NamedTuple):
    """What the decoder says of each pixel, on a grid stretched to [-1, 1]."""

    log_weight: Float[Tensor, "n k 1 h w"]
    mean: Float[Tensor, "n k c h w"]
    log_scale: Float[Tensor, "n k c h w"]
    coefficients: tuple[Float[Tensor, "n k h w"], ...]
    """Of red in green, of red in blue, of green in blue; none for gray."""

    def mean_given(self, channel: int, before: list[Tensor]) -> Float[Tensor, "n k h w"]:
        """The mean of a channel by component, given the channels before it, each [N, K or 1, H, W] (eq. 3)."""
        first = channel * (channel - 1) // 2
        pairs = zip(self.coefficients[first : first + channel], before, strict=True)
        return sum((coefficient * value for coefficient, value in pairs), self.mean[:, :, channel])


@LIKELIHOODS.register(
    "logistic-mixture",
    "logistic mixture",
    "gives each of the 256 values of a pixel its chance, in colour one channel after the other",
)
@dataclass(frozen=True)
class LogisticMixture(Likelihood):
    """A mixture of logistics over 8-bit values, whose `nll` is the whole -log p(x|z) of a discrete image.

    Values of images between two steps of the 8-bit grid count as the nearer one.
    """

    name = "logistic-mixture"
    settings = ("mixture_components",)
    eight_bit = True

    def __post_init__(self) -> None:
        if self.output != "sigmoid":
            raise ValueError(
                f"output {self.output} is not for a logistic-mixture likelihood, which has its own: set output to "
                "sigmoid, or likelihood to gaussian or sigma"
            )

    def parameters(self, channels: int) -> int:
        """One weight a component; mean and log scale for each channel, and a coefficient for each pair of channels."""
        return self.mixture_components * (1 + 2 * channels + channels * (channels - 1) // 2)

    def nll(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """-log p(x|z) of the 8-bit image, in nats."""
        at = self._components(logits)
        values = (x * 255).round().unsqueeze(1) * (2 * HALF_STEP) - 1  # [N, 1, C, H, W]
        before = list(values.unbind(2))
        mean = torch.stack([at.mean_given(c, before[:c]) for c in range(len(before))], 2)
        narrow = torch.exp(-at.log_scale)
        upper, lower = (values + HALF_STEP - mean) * narrow, (values - HALF_STEP - mean) * narrow
        # log(F(upper) - F(lower)) without cancellation: 1 - exp(lower - upper) over (1 + exp(-upper)) (1 + exp(lower)).
        inside = torch.log(-torch.expm1(-2 * HALF_STEP * narrow)) - F.softplus(-upper) - F.softplus(lower)
        log_chance = torch.where(values < HALF_STEP - 1, -F.softplus(-upper), inside)
        log_chance = torch.where(values > 1 - HALF_STEP, -F.softplus(lower), log_chance)
        return -torch.logsumexp(at.log_weight[:, :, 0] + log_chance.sum(2), 1).flatten(1).sum(1)

    def location(self, logits: Float[Tensor, "n p h w"]) -> Float[Tensor, "n c h w"]:
        """The mean of p(x|z), in [0, 1] and to within half a step of the grid.

        Of a logistic variable that is cut off at -1 and 1 it is an integral of the distribution function; rounding
        to the grid is that integral's midpoint rule. Green and blue are at the means of the channels before them.
        """
        at = self._components(logits)
        means: list[Tensor] = []
        for c in range(at.mean.shape[2]):
            mean, scale = at.mean_given(c, means), at.log_scale[:, :, c].exp()
            means.append(scale * (F.softplus((mean + 1) / scale) - F.softplus((mean - 1) / scale)) - 1)
        mixed = (at.log_weight.exp() * torch.stack(means, 2)).sum(1)
        return ((mixed + 1) / 2).clamp(0, 1)  # which rounding may leave

    def sample(
        self, logits: Float[Tensor, "n p h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """One of the 256 values for each pixel, green drawn after red and blue after both."""
        at = self._components(logits)
        n, k, c, h, w = at.mean.shape
        uniform = torch.rand(n, k + c, h, w, generator=generator, dtype=logits.dtype).to(logits.device)
        uniform = uniform.clamp(torch.finfo(logits.dtype).tiny, 1 - torch.finfo(logits.dtype).eps)
        gumbel = -torch.log(-torch.log(uniform[:, :k]))
        chosen = (at.log_weight[:, :, 0] + gumbel).argmax(1, keepdim=True)  # [N, 1, H, W]
        values: list[Tensor] = []
        for channel in range(c):
            mean = at.mean_given(channel, values).gather(1, chosen)
            scale = at.log_scale[:, :, channel].gather(1, chosen).exp()
            drawn = mean + scale * torch.logit(uniform[:, k + channel : k + channel + 1])
            values.append(((drawn.clamp(-1, 1) + 1) / (2 * HALF_STEP)).round() * (2 * HALF_STEP) - 1)
        return ((torch.cat(values, 1) + 1) / (2 * HALF_STEP)).round() / 255

    def _components(self, logits: Float[Tensor, "n p h w"]) -> Components:
        k = self.mixture_components
        channels = 1 if logits.shape[1] == self.parameters(1) else 3
        weight, mean, log_scale, coefficients = logits.unflatten(1, (k, -1)).split(
            [1, channels, channels, channels * (channels - 1) // 2], 2
        )
        return Components(
            torch.log_softmax(weight, 1),
            mean,
            log_scale.clamp(-LARGEST_LOG_SCALE, LARGEST_LOG_SCALE),
            torch.tanh(coefficients).unbind(2),
        )
