"""Posteriors of another shape than the Gaussian's: heavy tails, or none."""

from __future__ import annotations

import functools
import math
from typing import ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.models.config import ModelSettings
from explorer.models.posteriors import Noise, Posterior, gaussian_kl
from explorer.models.registry import POSTERIORS

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
_GAUSSIAN_ENTROPY = 0.5 + _HALF_LOG_TAU  # nats, at variance 1


class LocationScale(Posterior):
    """Latents that are mean + spread * u, where u has mean 0, variance 1 and one shape for all of them.

    Attributes:
        negentropy: by how many nats u is less random than a Gaussian of its variance.
    """

    negentropy: ClassVar[float]

    @classmethod
    def standard(cls, noise: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """u at the quantiles of standard normal noise."""
        raise NotImplementedError

    @classmethod
    def standard_log_prob(cls, u: Float[Tensor, "*shape"], slack: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """log p(u) in nats; u may be off by `slack`, for it is computed of a code."""
        raise NotImplementedError

    def sample(self, noise: Noise = None) -> Float[Tensor, "n d"]:
        if not isinstance(noise, Tensor):
            noise = torch.randn(self.mean.shape, generator=noise, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + torch.exp(0.5 * self.logvar) * self.standard(noise)

    def kl(self) -> Float[Tensor, "n d"]:
        """E log p(z) of the prior N(0, 1) depends on mean and variance alone: only the entropy is not a Gaussian's."""
        return gaussian_kl(self.mean, self.logvar) + self.negentropy

    def log_prob(self, z: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape2 d"]:
        narrow = torch.exp(-0.5 * self.logvar)
        slack = 4 * torch.finfo(z.dtype).eps * (1 + (z.abs() + self.mean.abs()) * narrow)
        return self.standard_log_prob((z - self.mean) * narrow, slack) - 0.5 * self.logvar


class StudentT(LocationScale):
    """Student's t, whose heavy tails let a code lie far out at little cost.

    Attributes:
        degrees: of freedom, more than 2 for a variance.
    """

    degrees: ClassVar[float]

    @classmethod
    def standard(cls, noise: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """By a table, cubic between its places."""
        value, slope = _student_table(cls.degrees, noise.device)
        at = noise.abs().clamp(max=_LAST - _STEP) / _STEP
        i = at.floor().long()
        x = at - i
        y0, y1, s0, s1 = value[i], value[i + 1], slope[i] * _STEP, slope[i + 1] * _STEP
        cubic = y0 + x * (s0 + x * (3 * (y1 - y0) - 2 * s0 - s1 + x * (2 * (y0 - y1) + s0 + s1)))
        return cubic.to(noise.dtype) * noise.sign()

    @classmethod
    def standard_log_prob(cls, u: Float[Tensor, "*shape"], slack: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        nu = cls.degrees
        constant = _log_peak(nu) + 0.5 * math.log(nu / (nu - 2))
        return constant - 0.5 * (nu + 1) * torch.log1p(u.square() / (nu - 2))


class TruncatedNormal(LocationScale):
    """A Gaussian that ends at some widths on either side of its mean, so that a code is never far from it.

    Attributes:
        width: where it ends, in standard deviations of the Gaussian that was cut.
        inside: the share of that Gaussian which is left.
        spread: the standard deviation of what is left, in those of the Gaussian.
    """

    width: ClassVar[float]
    inside: ClassVar[float]
    spread: ClassVar[float]

    @classmethod
    def standard(cls, noise: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Computed in the lower tail, where a share near 0 keeps its digits and one near 1 would not."""
        outside = math.erfc(cls.width / math.sqrt(2))
        share = 0.5 * (torch.erfc(noise.abs() / math.sqrt(2)) * cls.inside + outside)
        return -torch.special.ndtri(share) * noise.sign() / cls.spread

    @classmethod
    def standard_log_prob(cls, u: Float[Tensor, "*shape"], slack: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        cut = u * cls.spread
        found = -0.5 * cut.square() - _HALF_LOG_TAU - math.log(cls.inside / cls.spread)
        return found.masked_fill(cut.abs() > cls.width + slack, -torch.inf)


@functools.cache
def _student(degrees: float) -> type[StudentT]:
    entropy = 0.5 * (degrees + 1) * (_digamma(0.5 * degrees + 0.5) - _digamma(0.5 * degrees)) - _log_peak(degrees)
    negentropy = _GAUSSIAN_ENTROPY - (entropy - 0.5 * math.log(degrees / (degrees - 2)))
    return _made(StudentT, degrees=degrees, negentropy=negentropy)


@functools.cache
def _truncated(width: float) -> type[TruncatedNormal]:
    inside = math.erf(width / math.sqrt(2))
    slope = width * math.exp(-0.5 * width**2 - _HALF_LOG_TAU) / inside  # width times the density at an end
    spread = math.sqrt(1 - 2 * slope)
    entropy = _GAUSSIAN_ENTROPY + math.log(inside) - slope
    negentropy = _GAUSSIAN_ENTROPY - (entropy - math.log(spread))
    return _made(TruncatedNormal, width=width, inside=inside, spread=spread, negentropy=negentropy)


Shape = TypeVar("Shape", bound=LocationScale)


def _made(shape: type[Shape], **values: float) -> type[Shape]:
    """The class of posteriors of one shape, which all of a model's have."""
    made: type[Shape] = type(shape.__name__, (shape,), values)
    return made


@POSTERIORS.register("student-t", "Student-t", "a cloud with heavy tails, which forgives codes that lie far out")
def _student_t(settings: ModelSettings) -> type[Posterior]:
    return _student(settings.degrees)


@POSTERIORS.register("truncated-normal", "truncated normal", "a cloud that ends, so that a code is never far off")
def _truncated_normal(settings: ModelSettings) -> type[Posterior]:
    return _truncated(settings.truncation)


def _log_peak(degrees: float) -> float:
    """The logarithm of the t distribution's density at 0."""
    return math.lgamma(0.5 * degrees + 0.5) - math.lgamma(0.5 * degrees) - 0.5 * math.log(degrees * math.pi)


def _digamma(x: float) -> float:
    return float(torch.digamma(torch.tensor(x, dtype=torch.float64, device="cpu")))


_STEP, _LAST = 1 / 64, 12.0  # of standard normal noise: float64 draws end near 8.5


@functools.cache
def _student_table(degrees: float, device: torch.device) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """u at standard normal noise of 0, 1/64 .. 12, and its slope.

    By the differential equation of one distribution's quantiles in terms of another's, du/dn = phi(n) / p(u) (Shaw &
    Brickman 2009, "Quantile mechanics II", arXiv:0903.1592), from the tail inward, where errors die out; Runge-Kutta
    of order 4.
    """
    peak = _log_peak(degrees)

    def slope(n: float, t: float) -> float:
        return math.exp(-0.5 * n * n - _HALF_LOG_TAU - peak + 0.5 * (degrees + 1) * math.log1p(t * t / degrees))

    def log_tail(t: float) -> float:  # nearly: to a factor that goes to 1
        return peak - 0.5 * (degrees + 1) * math.log1p(t * t / degrees) + math.log((degrees + t * t) / (degrees * t))

    target, low, high = math.log(0.5 * math.erfc(_LAST / math.sqrt(2))), 0.0, 100.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if log_tail(math.exp(middle)) > target else (low, middle)
    n, t, h = _LAST, math.exp(low), -_STEP
    rows = [(t, slope(n, t))]
    while n > 0:
        a = slope(n, t)
        b = slope(n + h / 2, t + h / 2 * a)
        c = slope(n + h / 2, t + h / 2 * b)
        d = slope(n + h, t + h * c)
        n, t = n + h, t + h / 6 * (a + 2 * b + 2 * c + d)
        rows.append((t, slope(n, t)))
    values, slopes = (torch.tensor(rows[::-1], device=device).T * math.sqrt(1 - 2 / degrees)).unbind()
    return values.contiguous(), slopes.contiguous()
