"""How dense the aggregate posterior is at a code: whether real images are encoded near it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.latents.neighbourhoods import neighbours_of_each
from explorer.latents.traversals import COLLAPSED_NATS, location_and_scale
from explorer.models import Posterior

_BLOCK = 4_000_000  # numbers at a time: 32 MB
_MOST = 4_000_000  # numbers in the codes of all components, twice as many weights: 64 MB
_WIDTH_NEIGHBOUR = 15
_WIDTHS = 2.0 ** torch.arange(-3.0, 2.5, 0.5, dtype=torch.float64)
_JUDGES = 300  # codes that judge a width
_REFERENCE = 1000  # codes that `share` compares with
# A code coincides with a stored one where each of its latents does, to within the digits that a checkpoint stores
# (half precision, 11 bits) and, near zero, what two ways of encoding an image may differ by.
_SAME, _SAME_NEAR_ZERO = 1e-3, 1e-4  # of the latent's value, of its standard deviation


@dataclass(frozen=True)
class _Mixture:
    """A mixture of N equally likely diagonal Gaussians: log term n of a code z is (z², z) · weights[n] + constants[n].

    The Mahalanobis distance written out, so that a matrix product gives all terms; float64 and codes `centre`d,
    since its parts are large and nearly cancel.
    """

    weights: Float[Tensor, "n dd"]
    constants: Float[Tensor, " n"]
    centre: Float[Tensor, " d"]

    @classmethod
    def of(cls, mean: Float[Tensor, "n d"], logvar: Float[Tensor, "n d"]) -> _Mixture:
        centre = mean.double().mean(0)
        mean, logvar = mean.double() - centre, logvar.double()
        precision = torch.exp(-logvar)
        constants = -0.5 * (precision * mean.square() + logvar + math.log(2 * math.pi)).sum(1)
        return cls(torch.cat([-0.5 * precision, precision * mean], 1), constants, centre)

    def log(self, codes: Float[Tensor, "m d"], without: Int[Tensor, " m"] | None = None) -> Float[Tensor, " m"]:
        """Computes log densities in nats; of all other components where a code is `without` one (-1 for none)."""
        n, width = self.weights.shape
        if without is None:
            without = torch.full((len(codes),), -1)
        parts = [torch.empty(0, dtype=torch.float64)]
        for z, left_out in zip(*(x.split(max(1, _BLOCK // max(n, width))) for x in (codes, without)), strict=True):
            z = z.double() - self.centre
            terms = torch.addmm(self.constants, torch.cat([z.square(), z], 1), self.weights.T)
            rows = torch.nonzero(left_out >= 0).flatten()
            terms[rows, left_out[rows]] = -math.inf
            parts.append(terms.logsumexp(1) - (n - (left_out >= 0).long()).log())
        return torch.cat(parts)


class Density:
    """The density of the aggregate posterior q(z) = 1/N sum_n q(z|x_n) over N encoded images.

    Hoffman & Johnson 2016, "ELBO surgery: yet another way to carve up the variational evidence lower bound", name it;
    Tomczak & Welling 2018, arXiv:1705.07120, the aggregated posterior.
    """

    def __init__(self, posterior: Posterior, rows: Int[Tensor, " n"]) -> None:
        mean, logvar = (x if len(rows) == len(x) else x[rows] for x in posterior)
        if torch.isneginf(logvar).any():
            used = torch.ones(mean.shape[1], dtype=torch.bool)
            logvar = _kernels(mean, _drawn(len(mean), _JUDGES))
        else:
            # Mutual information of a latent with the image is about half of log(1 + ratio): see COLLAPSED_NATS.
            used = mean.double().var(0, correction=0) / logvar.double().exp().mean(0) > 2 * COLLAPSED_NATS
            if not used.any():
                used = torch.ones_like(used)
        self._mean, self._logvar, self._used, self._stored = mean, logvar, used, posterior.mean
        self._component = torch.full((len(posterior.mean) + 1,), -1)  # of each stored code; the last one for none
        self._component[rows] = torch.arange(len(rows))
        self._informative = _Mixture.of(mean[:, used], logvar[:, used])
        compared = _drawn(len(posterior.mean), _REFERENCE)
        density = self._informative.log(posterior.mean[compared][:, used], self._component[compared])
        self._reference = density.sort().values
        self._compared = torch.full((len(posterior.mean) + 1,), math.inf, dtype=torch.float64)  # as `_component`
        self._compared[compared] = density

    @classmethod
    def of(cls, posterior: Posterior) -> Density:
        """Makes the density of encoded images, of which `share` compares codes with up to 1,000, always the same.

        A deterministic posterior (logvar -inf) has no density. Its codes then get a Gaussian kernel each, as wide as
        h times the distance to the 15th nearest code, in units of each latent's standard deviation (the variable
        kernel of Breiman, Meisel & Purcell 1977): one width for all codes would blur clusters together, or make
        islands of outlying codes. h is, out of 1/8 to 4, the one under which codes left out are likeliest (Duin 1976,
        "On the choice of smoothing parameters for Parzen estimators of probability density functions").

        The mixture is of all images up to 4 million numbers in their codes (10,000 codes of 400 latents); of more, of
        a sample so large.

        Raises:
            ValueError: there are fewer than two images.
        """
        n, d = posterior.mean.shape
        if n < 2:
            raise ValueError(f"a density needs at least 2 codes, not {n}")
        most = max(2, _MOST // d)
        rows = torch.arange(n)
        if n > most:
            rows = _drawn(n, most, seed=1)
        return cls(posterior, rows)

    @cached_property
    def _full(self) -> _Mixture:
        return self._informative if self._used.all() else _Mixture.of(self._mean, self._logvar)

    def log(self, codes: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        """Computes log q(z) in nats at each code, over all images and all latents, float64."""
        return self._full.log(codes)

    def share(self, codes: Float[Tensor, "m d"], without: Int[Tensor, " m"] | None = None) -> Float[Tensor, " m"]:
        """Measures the share of real images, 0 to 1, whose codes lie in a less dense place than each code, float32.

        An image's code is its posterior mean, and its density that of the mixture of all other images: so an image
        that the mixture does not know has any share equally likely, and 0.05 says that one real image in twenty
        lies as far out. Draws from a posterior would be the wrong measure here: in many latents every draw lies in
        a far less dense place than the mean that it is drawn around, and any mean would seem typical next to them.

        An image that the mixture does know is judged by all the others, too, or it would seem dense by its own
        component alone: `without` gives the row of the stored code that each code is compared without, -1 for none.
        The share is of the others then.
        Where it is not given, each code is compared without the stored one that it coincides with (`stored_at`).

        Latents that are collapsed are left out, which leaves the density of the others: a decoder does not look at
        them, and a draw from the prior would seem far out by its noise in them alone.
        """
        if without is None:
            without = self.stored_at(codes)
        density = self._informative.log(codes[:, self._used], self._component[without])
        own = self._compared[without]
        smaller = torch.searchsorted(self._reference, density) - (own < density).long()
        return (smaller / (len(self._reference) - (own < math.inf).long())).float()

    def share_along(
        self, path: Float[Tensor, "m d"], stops: Float[Tensor, "s d"], at: Sequence[int]
    ) -> Float[Tensor, " m"]:
        """Measures the `share` of each code of a path through stops, which lie on it `at` those steps.

        Each code is compared without the stored code that its nearest stop coincides with: next to a stop that is an
        image, a step would seem dense by that image alone.
        """
        nearest = (torch.arange(len(path))[:, None] - torch.tensor(at)).abs().argmin(1)
        return self.share(path, self.stored_at(stops)[nearest])

    def stored_at(self, codes: Float[Tensor, "m d"]) -> Int[Tensor, " m"]:
        """Finds the row of the stored code that each code coincides with, to within the error of storing it, or -1."""
        centre, used = self._informative.centre, self._used
        spread = (self._mean[:, used].double() - centre).square().mean(0).sqrt()
        found = torch.full((len(codes),), -1)
        for first in range(0, len(self._stored), at_a_time := max(2, _MOST // used.numel())):
            stored = self._stored[first : first + at_a_time, used].double() - centre
            squares, size = stored.square().sum(1), max(1, _BLOCK // max(stored.shape))
            for z, rows in zip(codes[:, used].split(size), found.split(size), strict=True):
                z = z.double() - centre
                nearest = torch.addmm(squares, z, stored.T, alpha=-2).argmin(1)
                near = _SAME * (stored[nearest] + centre).abs() + _SAME_NEAR_ZERO * spread
                same = ((z - stored[nearest]).abs() <= near).all(1)
                rows[same] = nearest[same] + first
        return found


def _drawn(n: int, most: int, *, seed: int = 0) -> Int[Tensor, " m"]:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:most]


def _kernels(codes: Float[Tensor, "n d"], judges: Int[Tensor, " j"]) -> Float[Tensor, "n d"]:
    """Finds log variances of a kernel at each code, by the factor under which the `judges`, left out, are likeliest."""
    d = codes.shape[1]
    _, spread = location_and_scale(codes.double())  # above 0: else there would be kernels without width
    scaled = codes.double() / spread
    distances, _ = neighbours_of_each(scaled, _WIDTH_NEIGHBOUR)
    widths = distances[:, -1].clamp_min(1e-3)
    at_one = -0.5 * (torch.cdist(scaled[judges], scaled) / widths).square()
    at_one[torch.arange(len(judges)), judges] = -math.inf
    peaks = -d * widths.log()

    def likelihood(h: float) -> float:
        return float(torch.logsumexp(at_one / h**2 + peaks, 1).mean()) - d * math.log(h)

    h = max(_WIDTHS.tolist(), key=likelihood)
    return 2 * (h * widths[:, None] * spread).log()
