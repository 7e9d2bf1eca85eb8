"""Codes as data: what is stored comes back, and what is asked of codes agrees with closed forms and other libraries."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm
from sklearn.neighbors import NearestNeighbors

from explorer import maps
from explorer.latents import (
    HOLE_RATIO,
    HOLE_REACH,
    Latents,
    find_holes,
    group,
    latent_plane,
    neighbours,
    plane_through,
    principal_plane,
    quantiles,
    spread_plane,
)
from explorer.models import Posterior
from explorer.objectives import gaussian_kl


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(n=50, d=3, *, seed=0, mean=None, logvar=None, labels=True, patients=True, **more):
    mean = normal(n, d, seed=seed) if mean is None else mean
    logvar = normal(n, d, seed=seed + 1) if logvar is None else logvar
    return Latents(
        Posterior(mean, logvar),
        normal(n, seed=seed + 2).abs(),
        -100 + normal(n, seed=seed + 3),
        torch.arange(n),
        torch.arange(n) % 10 if labels else None,
        [f"C{i % 7}" for i in range(n)] if patients else None,
        **more,
    )


def stored(latents):
    """There and back through bytes, as a file holds them."""
    from safetensors.torch import load, save

    tensors, metadata = latents.to_tensors()
    return Latents.from_tensors(
        load(save({k: v.contiguous() for k, v in tensors.items()}, metadata)), json.loads(json.dumps(metadata))
    )


@given(
    n=st.integers(1, 40),
    d=st.integers(1, 6),
    seed=st.integers(0, 1000),
    labels=st.booleans(),
    patients=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_small_latents_come_back_exactly(n, d, seed, labels, patients):
    mean = normal(n, d, seed=seed)
    before = made(n, d, seed=seed, mean=mean, labels=labels, patients=patients, maps={"pca": maps.pca(mean)})
    after = stored(before)
    # A latent that carries nothing by chance is stored as its average: see the test of collapsed ones.
    kept = before.kl_by_latent > 1e-3
    assert torch.equal(after.mean[:, kept], before.mean[:, kept])
    assert torch.equal(after.posterior.logvar[:, kept], before.posterior.logvar[:, kept])
    assert torch.equal(after.kl, before.kl)
    assert torch.equal(after.reconstruction, before.reconstruction)
    assert torch.equal(after.index, before.index)
    assert (after.labels is None) == (not labels)
    if labels:
        assert torch.equal(after.labels, before.labels)
        assert after.labels.dtype == torch.int64
    assert after.group == before.group
    assert len(after) == n
    assert torch.equal(after.maps["pca"].points, before.maps["pca"].points)
    assert torch.equal(after.maps["pca"].components, before.maps["pca"].components)
    assert ("plane" in after.maps) == (d == 2)


def test_a_umap_and_the_qualities_come_back():
    points = normal(50, 2, seed=9)
    before = made(maps={"umap": maps.Map("umap", points, normal(50, 3))}, quality={"umap": {"trustworthiness": 0.5}})
    after = stored(before)
    assert torch.equal(after.maps["umap"].points, points)
    assert torch.equal(after.maps["umap"].codes, after.mean)
    assert after.maps["umap"].mean is None
    assert after.quality == before.quality


def test_two_latents_are_their_own_map_and_are_not_stored_twice():
    before = made(d=2)
    before.maps["plane"] = maps.plane(before.mean)
    assert not [name for name in before.to_tensors()[0] if name.startswith("map_")]
    assert torch.equal(stored(before).maps["plane"].points, before.mean)


def test_collapsed_latents_are_stored_as_their_average():
    n = 1000
    mean, logvar = normal(n, 4), normal(n, 4, seed=1) - 1
    mean[:, 1:3] = 1e-3 * normal(n, 2, seed=2)
    logvar[:, 1:3] = 1e-3 * normal(n, 2, seed=3)
    before = made(n, 4, mean=mean, logvar=logvar)
    tensors, _ = before.to_tensors()
    assert tensors["kept_latents"].tolist() == [0, 3]
    assert tensors["mean"].shape == (n, 2)
    after = stored(before)
    assert torch.equal(after.mean[:, [0, 3]], mean[:, [0, 3]])
    torch.testing.assert_close(after.mean[:, 1:3], mean[:, 1:3].mean(0).expand(n, 2))
    # Each image's KL loses less than the threshold of what is left out, a latent.
    lost = (gaussian_kl(*before.posterior) - gaussian_kl(*after.posterior)).mean(0)
    assert lost.abs().max() < 1e-3


def test_many_codes_are_halved_to_within_half_a_thousandth():
    n, d = 6000, 50
    mean, logvar = 3 * normal(n, d), normal(n, d, seed=1) - 4
    before = made(n, d, mean=mean, logvar=logvar)
    tensors, _ = before.to_tensors()
    assert tensors["mean"].dtype == torch.float16
    after = stored(before)
    assert after.mean.dtype == torch.float32
    # float16 has 11 significant bits: a relative error of 2^-11 for normal numbers, 2^-25 below them.
    assert ((after.mean - mean).abs() <= 2.0**-11 * mean.abs() + 2.0**-25).all()
    assert ((after.posterior.logvar - logvar).abs() <= 2.0**-11 * logvar.abs() + 2.0**-25).all()


def test_codes_beyond_float16_are_not_halved():
    n, d = 6000, 50
    mean = normal(n, d)
    mean[0, 0] = 1e5
    assert torch.equal(stored(made(n, d, mean=mean)).mean, mean)


def test_deterministic_codes_come_back():
    n, d = 6000, 50
    for size in (20, n):
        mean = normal(size, d)
        before = made(size, d, mean=mean, logvar=torch.full((size, d), -torch.inf))
        after = stored(before)
        assert torch.isneginf(after.posterior.logvar).all()
        torch.testing.assert_close(after.mean, mean, rtol=1e-3, atol=1e-6)
        assert after.kl_by_latent.eq(0).all()


def test_kl_by_latent_is_the_average():
    latents = made()
    torch.testing.assert_close(latents.kl_by_latent, gaussian_kl(*latents.posterior).mean(0))


@pytest.mark.parametrize("name", ["kept_latents", "index", "mean", "logvar", "mean_average", "kl", "reconstruction"])
def test_a_missing_tensor_is_a_key_error(name):
    tensors, metadata = made().to_tensors()
    del tensors[name]
    with pytest.raises(KeyError, match=name):
        Latents.from_tensors(tensors, metadata)


@pytest.mark.parametrize("name", ["kl", "labels", "group", "map_umap", "mean"])
def test_rows_that_are_missing_are_noticed(name):
    tensors, metadata = made(maps={"umap": maps.Map("umap", normal(50, 2), normal(50, 3))}).to_tensors()
    tensors[name] = tensors[name][:-1]
    with pytest.raises((ValueError, RuntimeError)):
        Latents.from_tensors(tensors, metadata)


@given(n=st.integers(2, 40), typical=st.integers(1, 50), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_a_group_is_its_mean_and_its_nearest_members(n, typical, seed):
    codes = normal(n, 3, seed=seed)
    rows = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[: 1 + seed % n]
    found = group(codes, rows, typical=typical)
    np.testing.assert_allclose(found.mean, codes[rows].double().mean(0), atol=1e-6)
    wanted = min(typical, len(rows))
    assert len(set(found.typical.tolist()) & set(rows.tolist())) == len(found.typical) == wanted
    search = NearestNeighbors(n_neighbors=wanted).fit(codes[rows].numpy())
    distances, _ = search.kneighbors(found.mean[None].numpy())  # not rows: two members are as far from their mean
    np.testing.assert_allclose((codes[found.typical] - found.mean).norm(dim=1), distances[0], rtol=1e-4, atol=1e-5)


def test_a_group_of_nobody_is_refused():
    with pytest.raises(ValueError, match="at least one member"):
        group(normal(5, 2), torch.tensor([], dtype=torch.int64))


@given(k=st.integers(1, 30), row=st.integers(0, 24), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_neighbours(k, row, seed):
    codes = normal(25, 3, seed=seed)
    _, order = NearestNeighbors(n_neighbors=25).fit(codes.numpy()).kneighbors(codes[row : row + 1].numpy())
    expected = order[0].tolist()
    assert neighbours(codes[row], codes, k=k).tolist() == expected[:k]
    assert neighbours(codes[row], codes, k=k, without=row).tolist() == [i for i in expected if i != row][:k]
    far = expected[-1]
    assert neighbours(codes[row], codes, k=k, without=far).tolist() == expected[:-1][:k]


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
    plane = latent_plane(origin, 3, 1)
    code = plane.codes(torch.tensor([0.5]), torch.tensor([-0.25]))[0]
    assert code.tolist() == [1.0, -0.25, 3.0, 0.5]
    assert origin.tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 4), (-1, 0)])
def test_a_plane_needs_two_latents(a, b):
    with pytest.raises(ValueError, match="two different latents from 0 to 3"):
        latent_plane(torch.zeros(4), a, b)


def test_a_grid_runs_as_one_reads():
    grid = latent_plane(torch.zeros(2), 0, 1).grid(torch.tensor([-1.0, 0.0, 1.0]))
    assert grid[0].tolist() == [-1.0, 1.0]  # the upper left
    assert grid[2].tolist() == [1.0, 1.0]
    assert grid[6].tolist() == [-1.0, -1.0]
    assert grid.shape == (9, 2)


def test_the_principal_plane_counts_standard_deviations():
    codes = normal(4000, 3) * torch.tensor([5.0, 2.0, 0.1]) + torch.tensor([7.0, -1.0, 0.0])
    m = maps.pca(codes)
    plane = principal_plane(codes, m.components)
    torch.testing.assert_close(plane.origin, codes.mean(0))
    u = m.place(codes) / torch.stack([plane.across.norm(), plane.up.norm()])
    torch.testing.assert_close(u.std(0), torch.ones(2), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(plane.codes(u[:, 0], u[:, 1]), m.code_at(m.points), rtol=1e-4, atol=1e-4)


def test_the_spread_plane_counts_standard_deviations():
    codes = normal(4000, 2) * torch.tensor([5.0, 2.0]) + torch.tensor([7.0, -1.0])
    plane = spread_plane(codes)
    torch.testing.assert_close(plane.codes(torch.zeros(1), torch.zeros(1))[0], codes.mean(0))
    torch.testing.assert_close(torch.stack([plane.across[0], plane.up[1]]), codes.std(0), rtol=1e-3, atol=1e-3)
    assert plane.across[1] == plane.up[0] == 0


def test_planes_of_a_single_code_are_finite():
    code = normal(1, 2)
    for plane in (spread_plane(code), principal_plane(code, torch.eye(2))):
        torch.testing.assert_close(plane.codes(torch.ones(1), torch.ones(1)), code)


def test_no_holes_where_every_posterior_is_the_prior():
    found = find_holes(Posterior(torch.zeros(30, 2), torch.zeros(30, 2)), fitted=False)
    assert not found.hole.any()
    assert found.mass == 0


def test_no_holes_where_the_aggregate_posterior_is_the_prior():
    # means N(0, 1 - v) with variance v add up to N(0, 1), in expectation
    v = 0.3
    mean = math.sqrt(1 - v) * normal(5000, 2)
    found = find_holes(Posterior(mean, torch.full((5000, 2), math.log(v))), fitted=False)
    assert found.mass < 1e-3


def test_half_of_the_prior_without_codes_is_half_a_hole():
    mean = normal(20_000, 2)
    mean[:, 0] = mean[:, 0].abs()
    found = find_holes(Posterior(mean, torch.full((20_000, 2), math.log(1e-2))), fitted=False)
    # Twice the prior right of x = 0, blurred by the posteriors' width of 0.1: q / p = 2 Phi(x / 0.1) near the edge.
    # Holes are left of where that is HOLE_RATIO, within the ellipse of HOLE_REACH.
    edge = 0.1 * norm.ppf(HOLE_RATIO / 2)
    assert found.mass == pytest.approx(norm.cdf(edge) - (1 - HOLE_REACH) / 2, abs=0.01)
    inside = found.x[None, :].square() + found.y[:, None].square() < 2**2
    left, right = found.x < -0.5, found.x > 0.1
    assert found.hole[:, left][inside[:, left]].all()
    assert not found.hole[:, right][inside[:, right]].any()


def test_holes_against_densities_of_scipy():
    mean, logvar = normal(6, 2), torch.log(0.02 + 0.1 * torch.rand(6, 2, generator=torch.Generator().manual_seed(1)))
    found = find_holes(Posterior(mean, logvar), fitted=False, size=40)
    at = np.stack(np.meshgrid(found.x.numpy(), found.y.numpy()), -1)
    q = np.mean([multivariate_normal(m, np.diag(v)).pdf(at) for m, v in zip(mean, logvar.exp(), strict=True)], 0)
    p = multivariate_normal(np.zeros(2), np.eye(2)).pdf(at)
    # Within the ellipse that holds HOLE_REACH of the prior: a chi-square with two degrees of freedom.
    inside = (at**2).sum(-1) < -2 * math.log(1 - HOLE_REACH)
    expected = (q < HOLE_RATIO * p) & inside
    sure = np.abs(q / p - HOLE_RATIO) > 1e-3
    assert (found.hole.numpy() == expected)[sure].all()
    cell = float((found.x[1] - found.x[0]) * (found.y[1] - found.y[0]))
    assert found.mass == pytest.approx((p * expected).sum() * cell, rel=0.02)
    assert 0.2 < found.mass < 1


def test_fitted_holes_lie_between_clusters():
    n = 4000
    mean = 0.3 * normal(n, 2) + torch.tensor([50.0, -20.0])
    mean[: n // 2, 0] -= 10
    found = find_holes(Posterior(mean, torch.full((n, 2), -torch.inf)), fitted=True, size=81)
    assert found.x[40].item() == pytest.approx(45, abs=0.1)  # the middle of the fitted Gaussian, between both
    assert found.y[40].item() == pytest.approx(-20, abs=0.1)
    assert found.hole[40, 40]
    for cluster in (40.0, 50.0):
        assert not found.hole[40, (found.x - cluster).abs().argmin()]
    assert 0.1 < found.mass < HOLE_REACH


def test_no_fitted_holes_in_codes_that_are_gaussian():
    mean = normal(5000, 2) * torch.tensor([30.0, 0.5]) + torch.tensor([-100.0, 3.0])
    found = find_holes(Posterior(mean, torch.full((5000, 2), -torch.inf)), fitted=True)
    assert found.mass < 0.005


def test_holes_of_a_single_code_are_finite():
    found = find_holes(Posterior(torch.ones(1, 2), torch.full((1, 2), -torch.inf)), fitted=True)
    assert math.isfinite(found.mass)
