"""How far two models agree on which images are alike, whatever their codes look like."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.latents.maps import NEIGHBOURS
from explorer.latents.neighbourhoods import neighbours_of_each


def neighbour_overlap(a: Float[Tensor, "n d"], b: Float[Tensor, "n e"], k: int = NEIGHBOURS) -> float:
    """Measures which share of an item's k nearest others by one model are among them by the other, 0 to 1.

    An average over items; codes drawn at random share k / (n - 1).

    Raises:
        ValueError: there are no more than k items.
    """
    n = len(a)
    if n <= k:
        raise ValueError(f"neighbours need more than {k} items, not {n}")
    near_a, near_b = neighbours_of_each(a, k)[1], neighbours_of_each(b, k)[1]
    shared = (near_a[:, :, None] == near_b[:, None, :]).any(2)
    return float(shared.double().mean())


def linear_cka(a: Float[Tensor, "n d"], b: Float[Tensor, "n e"]) -> float:
    """Measures how alike the codes are up to rotation and scale, 0 to 1: linear centred kernel alignment.

    Kornblith, Norouzi, Lee & Hinton 2019, "Similarity of neural network representations revisited",
    arXiv:1905.00414, section 3. NaN where codes of one model are all the same.
    """
    x, y = (codes.double() - codes.double().mean(0) for codes in (a, b))
    shared = (x.T @ y).square().sum()
    alone = torch.linalg.matrix_norm(x.T @ x) * torch.linalg.matrix_norm(y.T @ y)
    return float(shared / alone)
