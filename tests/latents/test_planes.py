"""Planes through the code space agree with closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from explorer.latents import maps
from explorer.latents.planes import latent_plane, plane_through, quantiles, spread_plane


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(n=st.integers(2, 60), outer=st.floats(1e-6, 0.499))
@settings(deadline=None)
def test_quantiles_are_norm_ppf(n, outer):
    np.testing.assert_allclose(quantiles(n, outer), norm.ppf(np.linspace(outer, 1 - outer, n)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n", "outer"), [(1, 0.05), (0, 0.05), (15, 0.0), (15, 0.5), (15, -0.1), (15, math.nan)])
def test_a_grid_that_makes_no_sense(n, outer):
    with pytest.raises(ValueError, match="at least 2 places"):
        quantiles(n, outer)


codes_3 = st.lists(
    st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4).map(torch.tensor), min_size=3, max_size=3
)
CORNERS = torch.tensor([-1.0, 1.0, -1.0]), torch.tensor([-1.0, -1.0, 1.0])


@given(codes=codes_3)
@settings(deadline=None)
def test_three_codes_are_corners_of_their_plane(codes):
    a, b, c = codes
    p, q = (b - a).double(), (c - a).double()
    assume(p.norm() > 1e-3 and q.norm() > 1e-3)
    assume(abs(float(p @ q / (p.norm() * q.norm()))) < 0.999)
    found = plane_through(a, b, c).codes(*CORNERS)
    torch.testing.assert_close(found, torch.stack([a, b, c]), rtol=1e-4, atol=1e-4)


@given(
    codes=codes_3, t=st.just(0.0) | st.floats(0.01, 3) | st.floats(-3, -0.01), scale=st.sampled_from([1e-4, 1.0, 1e4])
)
@settings(deadline=None)
def test_three_codes_on_a_line_are_no_plane(codes, t, scale):
    a, b, _ = codes
    assume((b - a).norm() > 1)
    with pytest.raises(ValueError, match="on a line"):
        plane_through(scale * a, scale * b, scale * (a + t * (b - a)))


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_what_a_line_is_does_not_depend_on_the_scale(scale):
    a, b, c = scale * torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.1]])
    torch.testing.assert_close(plane_through(a, b, c).codes(*CORNERS), torch.stack([a, b, c]))
    with pytest.raises(ValueError, match="on a line"):
        plane_through(a, b, a)


def test_a_plane_of_two_latents():
    origin = torch.tensor([1.0, 2.0, 3.0, 4.0])
    plane = latent_plane(origin, 3, 1, torch.zeros(len(origin)), torch.ones(len(origin)))
    code = plane.codes(torch.tensor([0.5]), torch.tensor([-0.25]))[0]
    assert code.tolist() == [1.0, -0.25, 3.0, 0.5]
    assert origin.tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 4), (-1, 0)])
def test_a_plane_needs_two_latents(a, b):
    with pytest.raises(ValueError, match="two different latents from 0 to 3"):
        latent_plane(torch.zeros(4), a, b, torch.zeros(4), torch.ones(4))


def test_a_grid_runs_as_one_reads():
    grid = latent_plane(torch.zeros(2), 0, 1, torch.zeros(2), torch.ones(2)).grid(torch.tensor([-1.0, 0.0, 1.0]))
    assert grid[0].tolist() == [-1.0, 1.0]  # the upper left
    assert grid[2].tolist() == [1.0, 1.0]
    assert grid[6].tolist() == [-1.0, -1.0]
    assert grid.shape == (9, 2)


def test_the_principal_plane_counts_standard_deviations():
    codes = normal(4000, 3) * torch.tensor([5.0, 2.0, 0.1]) + torch.tensor([7.0, -1.0, 0.0])
    m = maps.pca(codes)
    plane = spread_plane(codes, m.components)
    torch.testing.assert_close(plane.origin, codes.mean(0))
    u = m.place(codes) / torch.stack([plane.across.norm(), plane.up.norm()])
    torch.testing.assert_close(u.std(0), torch.ones(2), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(plane.codes(u[:, 0], u[:, 1]), m.code_at(m.points), rtol=1e-4, atol=1e-4)


def test_the_spread_plane_counts_standard_deviations():
    codes = normal(4000, 2) * torch.tensor([5.0, 2.0]) + torch.tensor([7.0, -1.0])
    plane = spread_plane(codes, torch.eye(2))
    torch.testing.assert_close(plane.codes(torch.zeros(1), torch.zeros(1))[0], codes.mean(0))
    torch.testing.assert_close(torch.stack([plane.across[0], plane.up[1]]), codes.std(0), rtol=1e-3, atol=1e-3)
    assert plane.across[1] == plane.up[0] == 0


def test_planes_of_a_single_code_are_finite():
    code = normal(1, 2)
    torch.testing.assert_close(spread_plane(code, torch.eye(2)).codes(torch.ones(1), torch.ones(1)), code)
