"""How dense the aggregate posterior is at a code: whether real images are encoded near it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from explorer.latents.neighbourhoods import neighbours_of_each
from explorer.latents.traversals import COLLAPSED_NATS
from explorer.models import Posterior

_BLOCK = 4_000_000  # terms of the mixture at a time: 32 MB
_WIDTH_NEIGHBOUR = 15
_WIDTHS = 2.0 ** torch.arange(-3.0, 2.5, 0.5, dtype=torch.float64)
_JUDGES = 300  # codes that judge a width


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
        """Log density in nats; `without` one component for each code, of the mixture of all others."""
        n = len(self.constants)
        kept = n if without is None else n - 1
        rows = max(1, _BLOCK // n)
        parts = []
        for start in range(0, len(codes), rows):
            z = codes[start : start + rows].double() - self.centre
            terms = torch.addmm(self.constants, torch.cat([z.square(), z], 1), self.weights.T)
            if without is not None:
                terms[torch.arange(len(z)), without[start : start + rows]] = -math.inf
            parts.append(terms.logsumexp(1))
        return torch.cat(parts) - math.log(kept) if parts else torch.empty(0, dtype=torch.float64)


class Density:
    """The density of the aggregate posterior q(z) = 1/N sum_n q(z|x_n) over N encoded images.

    Hoffman & Johnson 2016, "ELBO surgery: yet another way to carve up the variational evidence lower bound", name it;
    Tomczak & Welling 2018, arXiv:1705.07120, the aggregated posterior.
    """

    def __init__(
        self, full: _Mixture, informative: _Mixture, used: Bool[Tensor, " d"], reference: Float[Tensor, " r"]
    ) -> None:
        self._full, self._informative, self._used, self._reference = full, informative, used, reference

    @classmethod
    def of(cls, posterior: Posterior, *, reference: int = 1000, seed: int = 0) -> Density:
        """The density of encoded images, and `reference` of them, drawn by `seed`, that `share` compares with.

        A deterministic posterior (logvar -inf) has no density. Its codes then get a Gaussian kernel each, as wide as
        h times the distance to the 15th nearest code, in units of each latent's standard deviation (the variable
        kernel of Breiman, Meisel & Purcell 1977): one width for all codes would blur clusters together, or make
        islands of outlying codes. h is, out of 1/8 to 4, the one under which codes left out are likeliest (Duin 1976,
        "On the choice of smoothing parameters for Parzen estimators of probability density functions").

        Raises:
            ValueError: there are fewer than two images, or the reference is empty.
        """
        mean, logvar = posterior
        n = len(mean)
        if n < 2 or reference < 1:
            raise ValueError(f"a density needs at least 2 codes and 1 to compare with, not {n} and {reference}")
        rows = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:reference]
        if torch.isneginf(logvar).any():
            used = torch.ones(mean.shape[1], dtype=torch.bool)
            informative = full = _kernels(mean, rows[:_JUDGES])
        else:
            # Mutual information of a latent with the image is about half of log(1 + ratio): see COLLAPSED_NATS.
            ratio = mean.double().var(0, correction=0) / logvar.double().exp().mean(0)
            used = ratio > 2 * COLLAPSED_NATS
            if not used.any():
                used = torch.ones_like(used)
            full = _Mixture.of(mean, logvar)
            informative = full if used.all() else _Mixture.of(mean[:, used], logvar[:, used])
        return cls(full, informative, used, informative.log(mean[rows][:, used], rows).sort().values)

    def log(self, codes: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        """log q(z) in nats at each code, over all images and all latents, float64."""
        return self._full.log(codes)

    def share(self, codes: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        """The share of real images, 0 to 1, whose codes lie in a less dense place than each of these, float32.

        An image's code is its posterior mean, and its density that of the mixture of all other images: so an image
        that the mixture does not know has any share equally likely, and 0.05 says that one real image in twenty
        lies as far out. Draws from a posterior would be the wrong measure here: in many latents every draw lies in
        a far less dense place than the mean that it is drawn around, and any mean would seem typical next to them.
        A code of the mixture itself has its own component and lies densely, the more so the more latents there are.

        Latents that are collapsed are left out, which leaves the density of the others: a decoder does not look at
        them, and a draw from the prior would seem far out by its noise in them alone.
        """
        density = self._informative.log(codes[:, self._used])
        return (torch.searchsorted(self._reference, density) / len(self._reference)).float()


def _kernels(codes: Float[Tensor, "n d"], judges: Int[Tensor, " j"]) -> _Mixture:
    """A Gaussian kernel at each code, with the factor of the widths by which the `judges` are likeliest, left out."""
    d = codes.shape[1]
    spread = codes.double().std(0, correction=0)
    # A latent that does not vary would have kernels without width, and so would codes that are all the same.
    spread = spread.clamp_min(1e-3 * float(spread.max())) if spread.max() > 0 else torch.ones_like(spread)
    scaled = codes.double() / spread
    distances, _ = neighbours_of_each(scaled, _WIDTH_NEIGHBOUR)
    widths = distances[:, -1].clamp_min(1e-3)
    at_one = -0.5 * (torch.cdist(scaled[judges], scaled) / widths).square()
    at_one[torch.arange(len(judges)), judges] = -math.inf
    peaks = -d * widths.log()

    def likelihood(h: float) -> float:
        return float(torch.logsumexp(at_one / h**2 + peaks, 1).mean()) - d * math.log(h)

    h = max(_WIDTHS.tolist(), key=likelihood)
    return _Mixture.of(codes, 2 * (h * widths[:, None] * spread).log())
