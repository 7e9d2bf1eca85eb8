"""Ways between codes against NumPy, SciPy and closed forms."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import geometric_slerp

from explorer.latents.interpolation import lerp, slerp, stop_steps, walk

steps_of = st.integers(2, 64)
LENGTHS = st.integers(1, 40)


def codes_of(count, d=LENGTHS):
    """`count` codes of one length, with zeros, equal values and large ones among them."""
    value = st.floats(-1e4, 1e4, width=32)
    return d.flatmap(lambda d: st.lists(st.lists(value, min_size=d, max_size=d), min_size=count, max_size=count)).map(
        lambda rows: torch.tensor(rows, dtype=torch.float32)
    )


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(codes=codes_of(2), steps=steps_of)
@settings(deadline=None)
def test_the_straight_line_is_numpys(codes, steps):
    a, b = codes
    found = lerp(a, b, steps)
    assert torch.equal(found[0], a)
    assert torch.equal(found[-1], b)
    assert found.dtype == torch.float32
    expected = np.linspace(a.double().numpy(), b.double().numpy(), steps)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@given(codes=codes_of(2, st.integers(2, 20)), steps=steps_of)
@settings(deadline=None)
def test_the_great_circle_of_unit_codes_is_scipys(codes, steps):
    norms = codes.double().norm(dim=1, keepdim=True)
    assume(norms.min() > 1e-3)
    a, b = (codes.double() / norms).float()
    angle = math.acos(max(-1.0, min(1.0, float(a.double() @ b.double()))))
    assume(1e-3 < angle < math.pi - 1e-3)
    ends = [(x.double() / x.double().norm()).numpy() for x in (a, b)]
    expected = geometric_slerp(*ends, np.linspace(0, 1, steps))
    np.testing.assert_allclose(slerp(a, b, steps), expected, atol=2e-6)


@given(
    angle=st.floats(0.01, math.pi - 0.01),
    length_a=st.floats(1e-3, 1e3),
    length_b=st.floats(1e-3, 1e3),
    steps=steps_of,
    d=st.integers(2, 30),
    seed=st.integers(0, 100),
)
@settings(deadline=None)
def test_the_great_circle_turns_evenly_and_changes_its_norm_evenly(angle, length_a, length_b, steps, d, seed):
    axes = torch.linalg.qr(normal(d, 2, seed=seed).double()).Q.T
    t = torch.linspace(0, 1, steps, dtype=torch.float64)
    directions = torch.cos(t * angle)[:, None] * axes[0] + torch.sin(t * angle)[:, None] * axes[1]
    expected = (length_a + t * (length_b - length_a))[:, None] * directions
    found = slerp(expected[0].float(), expected[-1].float(), steps)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4 * max(length_a, length_b))


@given(codes=codes_of(2, st.integers(1, 10)), steps=steps_of)
@settings(deadline=None)
def test_a_great_circle_has_exact_ends_and_norms_between_theirs(codes, steps):
    a, b = codes
    try:
        found = slerp(a, b, steps)
    except ValueError:
        return
    assert torch.equal(found[0], a)
    assert torch.equal(found[-1], b)
    norms, ends = found.double().norm(dim=1), codes.double().norm(dim=1)
    assert norms.min() >= ends.min() * (1 - 1e-6)
    assert norms.max() <= ends.max() * (1 + 1e-6)


@given(codes=codes_of(1), factor=st.sampled_from([0.25, 1.0, 8.0]), steps=steps_of)
@settings(deadline=None)
def test_parallel_codes_have_the_line_between_them(codes, factor, steps):
    assume(codes.norm() > 0.01)
    torch.testing.assert_close(slerp(codes[0], factor * codes[0], steps), lerp(codes[0], factor * codes[0], steps))


@given(codes=codes_of(1), factor=st.sampled_from([0.3, 1.0, 7.0]))
@settings(deadline=None)
def test_opposite_codes_have_no_great_circle(codes, factor):
    assume(codes.norm() > 0.01)
    with pytest.raises(ValueError, match="opposite sides of the origin"):
        slerp(codes[0], -factor * codes[0], 5)


def test_the_origin_has_no_direction():
    for ends in ((torch.zeros(3), torch.ones(3)), (torch.ones(3), torch.zeros(3))):
        with pytest.raises(ValueError, match="origin has no direction"):
            slerp(*ends, 5)


@pytest.mark.parametrize("way", [lerp, slerp])
@pytest.mark.parametrize("steps", [1, 0, -3])
def test_a_way_needs_two_steps(way, steps):
    with pytest.raises(ValueError, match=f"at least 2 steps, not {steps}"):
        way(torch.ones(2), torch.tensor([1.0, 2.0]), steps)


@given(stops=st.integers(2, 20), extra=st.integers(0, 80))
@settings(deadline=None)
def test_stops_are_spread_evenly(stops, extra):
    places = stop_steps(stops, stops + extra)
    legs = np.diff(places)
    assert len(places) == stops
    assert (places[0], places[-1]) == (0, stops + extra - 1)
    assert legs.min() >= 1
    assert legs.max() - legs.min() <= 1


@given(stops=st.integers(2, 8), extra=st.integers(0, 30), way=st.sampled_from(["line", "circle"]))
@settings(deadline=None)
def test_a_walk_is_its_legs(stops, extra, way):
    codes = normal(stops, 6, seed=stops)
    found = walk(codes, stops + extra, way=way)
    places = stop_steps(stops, stops + extra)
    assert found.shape == (stops + extra, 6)
    assert torch.equal(found[places], codes)
    go = {"line": lerp, "circle": slerp}[way]
    for i, (start, end) in enumerate(pairwise(places)):
        torch.testing.assert_close(found[start : end + 1], go(codes[i], codes[i + 1], end - start + 1))


def test_a_walk_goes_the_way_that_it_is_given():
    found = walk(torch.tensor([[0.0], [1.0], [0.0]]), 7, way=lambda a, b, steps: lerp(a, b, steps) ** 2)
    torch.testing.assert_close(found[:, 0], torch.tensor([0, 1 / 9, 4 / 9, 1, 4 / 9, 1 / 9, 0]))


def test_a_loop_ends_where_it_began():
    codes = normal(4, 3)
    found = walk(torch.cat([codes, codes[:1]]), 40, way="circle")
    assert torch.equal(found[0], found[-1])


@pytest.mark.parametrize(("stops", "steps", "message"), [(1, 5, "two stops"), (0, 5, "two stops"), (4, 3, "4 steps")])
def test_a_walk_that_makes_no_sense(stops, steps, message):
    with pytest.raises(ValueError, match=message):
        walk(torch.ones(stops, 2), steps)
