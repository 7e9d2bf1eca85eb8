"""How far codes lie from the origin, next to those of real images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.models import Posterior


def distances(posterior: Posterior) -> Float[Tensor, " n"]:
    """Measures how far from the origin each image's code lies: sqrt(E |z|²) under q(z|x), in the prior's units.

    E |z|² = |mean|² + the sum of the variances. The posterior's mean alone would lie nearer than any draw does: draws
    of the prior in D latents are about sqrt(D) out, and so are these where the aggregate posterior is the prior.
    """
    return (posterior.mean.square() + posterior.logvar.exp()).sum(1).sqrt()


@dataclass(frozen=True)
class OriginDistances:
    """Codes next to real images: the distance from the origin of the `nearest` and the `middle` (median) code, and of
    the `furthest` of `count` real ones, and the `share` of those, 0 to 1, that lie as far out as the nearest code.
    """

    nearest: float
    middle: float
    furthest: float
    share: float
    count: int

    @classmethod
    def of(cls, codes: Float[Tensor, "m d"], *posteriors: Posterior) -> OriginDistances:
        """Compares codes with the images of one model or several.

        Raises:
            ValueError: there are no codes, or no images.
        """
        real = torch.cat([distances(posterior) for posterior in posteriors]) if posteriors else torch.empty(0)
        if len(codes) == 0 or len(real) == 0:
            raise ValueError("a comparison of distances needs at least one code and one image")
        out = codes.norm(dim=1)
        nearest = out.min()
        share = (real >= nearest).float().mean()
        return cls(float(nearest), float(out.median()), float(real.max()), float(share), len(real))
