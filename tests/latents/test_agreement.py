"""Agreement of two models' codes, against scikit-learn's neighbours and the kernels of the definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from explorer.latents.agreement import linear_cka, neighbour_overlap


def codes(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_overlap_is_what_other_neighbours_give():
    a = codes(200, 3, 0)
    b = a @ codes(3, 5, 1) + 0.3 * codes(200, 5, 2)
    found = [NearestNeighbors(n_neighbors=15).fit(x).kneighbors(return_distance=False) for x in (a.numpy(), b.numpy())]
    shared = np.mean([len({*one} & {*other}) / 15 for one, other in zip(*found, strict=True)])
    assert neighbour_overlap(a, b) == pytest.approx(shared)
    assert neighbour_overlap(a, a) == 1


def test_codes_without_sense_share_what_chance_gives():
    assert neighbour_overlap(codes(1000, 4, 3), codes(1000, 4, 4)) == pytest.approx(15 / 999, abs=0.005)


def test_neighbours_need_items():
    with pytest.raises(ValueError, match="more than 15"):
        neighbour_overlap(codes(15, 2, 0), codes(15, 2, 0))


def test_alignment_is_the_one_of_kernels():
    """tr(KHLH) / sqrt(tr(KHKH) tr(LHLH)) of linear kernels: Kornblith et al. 2019, eq. 1 and 2."""
    a, b = codes(60, 3, 5), codes(60, 4, 6)
    b[:, :3] += a
    centre = np.eye(60) - 1 / 60
    k, kernel = (centre @ x.double().numpy() @ x.double().numpy().T @ centre for x in (a, b))
    expected = np.trace(k @ kernel) / np.sqrt(np.trace(k @ k) * np.trace(kernel @ kernel))
    assert linear_cka(a, b) == pytest.approx(expected, abs=1e-12)


def test_alignment_ignores_rotation_shift_and_scale():
    a = codes(100, 4, 7)
    turn, _ = torch.linalg.qr(codes(4, 4, 8))
    assert linear_cka(a, 3 * a @ turn + 5) == pytest.approx(1, abs=1e-6)
    assert np.isnan(linear_cka(a, torch.ones(100, 2)))
