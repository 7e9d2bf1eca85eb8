"""Paths through encoded data against a brute force shortest path, and on shapes whose way is known."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import floyd_warshall
from sklearn.neighbors import NearestNeighbors

from explorer.latents.density import Density
from explorer.latents.interpolation import lerp
from explorer.latents.neighbourhoods import neighbours_of_each
from explorer.latents.paths import NeighbourGraph
from explorer.models import Posterior


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def spacing(path):
    return (path[1:] - path[:-1]).norm(dim=1)


@given(
    n=st.integers(1, 60),
    d=st.integers(1, 6),
    k=st.integers(1, 20),
    seed=st.integers(0, 99),
    offset=st.sampled_from([0, 1000]),
)
@settings(deadline=None, max_examples=30)
def test_neighbours_are_scikit_learns(n, d, k, seed, offset):
    codes = normal(n, d, seed=seed) + offset
    distances, index = neighbours_of_each(codes, k)
    k = min(k, n - 1)
    assert index.shape == distances.shape == (n, k)
    if k:
        expected, _ = NearestNeighbors(n_neighbors=k).fit(codes.double().numpy()).kneighbors()
        np.testing.assert_allclose(distances, expected, rtol=1e-3, atol=1e-3)
    assert all(row not in found for row, found in enumerate(index.tolist()))


def test_neighbours_in_more_than_one_block_of_rows():
    codes = normal(1100, 3)
    distances, index = neighbours_of_each(codes, 5)
    expected = NearestNeighbors(n_neighbors=5).fit(codes.numpy()).kneighbors()
    np.testing.assert_allclose(distances, expected[0], rtol=1e-4)
    np.testing.assert_array_equal(index, expected[1])


@given(n=st.integers(4, 30), k=st.integers(1, 30), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=60)
def test_the_way_is_the_shortest_by_squared_lengths(n, k, seed):
    codes, ends = normal(n, 2, seed=seed), 3 * normal(2, 2, seed=seed + 1)
    everything = torch.cat([codes, ends]).double().numpy()
    squares = ((everything[:, None] - everything) ** 2).sum(2)
    near = np.argsort(squares[:, :n] + np.eye(n + 2, n) * 1e9, axis=1)[:, : min(k, n - 1)]
    near_ends = np.argsort(squares[n:, :n], axis=1)[:, : min(k, n)]
    links = np.full((n + 2, n + 2), np.inf)
    for row, found in [*enumerate(near[:n]), (n, near_ends[0]), (n + 1, near_ends[1])]:
        links[row, found] = links[found, row] = squares[row, found]
    shortest = floyd_warshall(links)[n, n + 1]

    way = NeighbourGraph.of(codes, k=k)._between(*ends)
    if not way:  # the ends are neighbours of each other
        assert squares[n, n + 1] <= max(squares[n, near_ends[0][-1]], squares[n + 1, near_ends[1][-1]]) * 1.001
        return
    cost = sum(squares[i, j] for i, j in itertools.pairwise([n, *way, n + 1]))
    if np.isfinite(floyd_warshall(links[:n, :n])).all():
        assert cost == pytest.approx(shortest)
    else:  # links that join parts may have made a shorter way
        assert cost <= shortest * 1.000001


@given(n=st.integers(1, 40), d=st.integers(1, 5), steps=st.integers(2, 64), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_a_path_has_exact_ends_and_even_steps(n, d, steps, seed):
    codes = normal(n, d, seed=seed)
    a, b = normal(2, d, seed=seed + 1)
    path = NeighbourGraph.of(codes).path(a, b, steps)
    assert path.shape == (steps, d)
    assert path.dtype == torch.float32
    assert torch.equal(path[0], a)
    assert torch.equal(path[-1], b)
    assert torch.isfinite(path).all()
    # Steps are even along the way, so none is longer than an even one of the whole way, and that of the ends.
    assert spacing(path).max() <= spacing(path).sum() * 4 / (steps - 1) + 1e-6


def test_a_path_follows_a_ring():
    angle = torch.linspace(0, 2 * torch.pi, 401)[:-1]
    ring = 5 * torch.stack([angle.cos(), angle.sin()], 1)
    ring = ring[torch.randperm(400, generator=torch.Generator().manual_seed(0))]
    a, b = torch.tensor([5.0, 0.0]), torch.tensor([-5.0, 0.5]) * 5 / torch.tensor([-5.0, 0.5]).norm()
    path = NeighbourGraph.of(ring).path(a, b, 40)
    assert (path.norm(dim=1) - 5).abs().max() < 0.25  # smoothing cuts the bend a little
    assert (path[:, 1] > -0.1).all()  # the shorter way round
    torch.testing.assert_close(spacing(path), spacing(path).mean().expand(39), rtol=0.05, atol=0)


def test_parts_that_no_neighbours_join_have_a_path():
    """Three clusters far apart: the way from the first to the third is through the second, which lies between."""
    clusters = torch.cat([normal(50, 4, seed=i) + 100 * i for i in range(3)])
    graph = NeighbourGraph.of(clusters, k=3)
    way = graph._between(torch.zeros(4), torch.full((4,), 200.0))
    visited = [row // 50 for row in way]
    assert visited == sorted(visited)
    assert set(visited) == {0, 1, 2}


def test_many_parts_are_joined():
    pairs = (100 * normal(40, 3)).repeat_interleave(2, 0) + 0.01 * normal(80, 3, seed=1)
    graph = NeighbourGraph.of(pairs, k=1)
    for row in (0, 13, 41):
        assert torch.isfinite(graph.path(pairs[row], pairs[79], 10)).all()


def test_codes_that_are_all_the_same():
    codes = torch.ones(30, 2)
    graph = NeighbourGraph.of(codes, k=3)
    assert torch.equal(graph.path(codes[0], codes[1], 5), torch.ones(5, 2))
    away = graph.path(torch.zeros(2), torch.full((2,), 2.0), 5)
    torch.testing.assert_close(away, lerp(torch.zeros(2), torch.full((2,), 2.0), 5), rtol=0, atol=1e-5)


def test_a_path_from_a_code_to_itself_stays():
    codes = normal(100, 3)
    assert torch.equal(NeighbourGraph.of(codes).path(codes[7], codes[7], 6), codes[7].repeat(6, 1))


def test_a_path_stays_where_other_data_are():
    """Around an empty middle, judged by the density of data that the graph has not seen."""
    angle = 2 * torch.pi * torch.rand(3000, generator=torch.Generator().manual_seed(3))
    codes = 4 * torch.stack([angle.cos(), angle.sin(), 0 * angle], 1) + 0.4 * normal(3000, 3)
    density = Density.of(Posterior(codes[1500:], torch.full((1500, 3), -3.0)))
    graph = NeighbourGraph.of(codes[:1500])
    wins = 0
    for a, b in zip(codes[:20], codes[20:40], strict=True):
        path, line = density.share(graph.path(a, b, 32)), density.share(lerp(a, b, 32))
        wins += bool(path.min() >= line.min())
    assert wins >= 18


@pytest.mark.parametrize("steps", [1, 0, -1])
def test_a_path_needs_two_steps(steps):
    with pytest.raises(ValueError, match=f"at least 2 steps, not {steps}"):
        NeighbourGraph.of(normal(10, 2)).path(torch.zeros(2), torch.ones(2), steps)


@pytest.mark.parametrize(("n", "k"), [(0, 3), (5, 0)])
def test_a_graph_needs_codes_and_neighbours(n, k):
    with pytest.raises(ValueError, match="a graph needs codes"):
        NeighbourGraph.of(normal(n, 2), k=k)
