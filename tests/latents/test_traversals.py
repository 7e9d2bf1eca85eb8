"""Traversals vary one latent a row, the strongest first."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.latents.traversals import COLLAPSED_NATS, LatentRanges, location_and_scale, traversal
from explorer.models.posteriors import gaussian_kl


def standard(kl):
    """The ranges of N(0, I)."""
    kl = torch.as_tensor(kl)
    return LatentRanges(torch.zeros(len(kl)), torch.ones(len(kl)), kl)


@given(
    kl=st.lists(st.floats(0, 5, width=32) | st.just(0.0), min_size=1, max_size=20),
    steps=st.integers(2, 15),
    reach=st.floats(0.1, 6),
    rows=st.none() | st.integers(1, 25),
)
@settings(deadline=None)
def test_each_row_varies_its_latent_and_no_other(kl, steps, reach, rows):
    origin = torch.arange(1.0, len(kl) + 1)
    found = traversal(origin, standard(torch.tensor(kl)), reach=reach, steps=steps, rows=rows)
    order = sorted(range(len(kl)), key=lambda i: -kl[i])[:rows]  # stable, as Python's sort is
    assert found.latents.tolist() == order
    expected = np.broadcast_to(origin.numpy(), (len(order), steps, len(kl))).copy()
    for row, latent in enumerate(order):
        expected[row, :, latent] = np.linspace(-reach, reach, steps)
    np.testing.assert_allclose(found.codes, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.values, [np.linspace(-reach, reach, steps)] * len(order), rtol=1e-5, atol=1e-6)
    assert origin.tolist() == list(range(1, len(kl) + 1))


def test_an_odd_number_of_steps_has_the_priors_mean_in_its_middle():
    assert traversal(torch.ones(2), standard(torch.ones(2)), steps=11).values[:, 5].tolist() == [0.0, 0.0]


def test_without_a_prior_values_follow_the_codes():
    mean, std = torch.tensor([10.0, -5.0, 0.0]), torch.tensor([1.0, 4.0, 0.0])
    ranges = LatentRanges(mean, std)
    found = traversal(torch.zeros(3), ranges, reach=2.0, steps=3)
    assert found.latents.tolist() == [1, 0, 2]
    assert found.values.tolist() == [[-13.0, -5.0, 3.0], [8.0, 10.0, 12.0], [0.0, 0.0, 0.0]]
    assert found.codes[0].tolist() == [[0.0, -13.0, 0.0], [0.0, -5.0, 0.0], [0.0, 3.0, 0.0]]


@given(first=st.integers(0, 6), rows=st.none() | st.integers(1, 9))
@settings(deadline=None)
def test_pages_of_rows_are_those_of_the_whole(first, rows):
    ranges = standard(torch.tensor([0.5, 2.0, 0.5, 3.0, 0.0, 1.0, 7.0]))
    whole, page = traversal(torch.ones(7), ranges), traversal(torch.ones(7), ranges, first=first, rows=rows)
    end = None if rows is None else first + rows
    for name in ("codes", "latents", "values"):
        assert torch.equal(getattr(page, name), getattr(whole, name)[first:end])


@pytest.mark.parametrize("n", [1, 2, 50])
def test_the_range_of_codes_is_never_nothing(n):
    codes = torch.randn(n, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([4.0, 1.0, 0.0]) + 2
    mean, scale = location_and_scale(codes)
    np.testing.assert_allclose(mean, codes.numpy().mean(0), rtol=1e-5)
    std = codes.numpy().std(0)
    np.testing.assert_allclose(scale, np.maximum(std, 1e-3 * std.max()) if n > 1 else np.ones(3), rtol=1e-4)


def test_the_strongest():
    ranges = standard(torch.tensor([0.5, 2.0, 0.5, 3.0]))
    assert ranges.strongest().tolist() == [3, 1, 0, 2]
    assert ranges.strongest(2).tolist() == [3, 1]
    assert ranges.strongest(9).tolist() == [3, 1, 0, 2]


def test_collapsed_latents_have_the_prior_as_posterior():
    mean = torch.tensor([[0.0, 1.0, 0.05], [0.0, -1.0, -0.05]])
    kl = gaussian_kl(mean, torch.zeros(2, 3)).mean(0)
    assert kl.tolist() == pytest.approx([0.0, 0.5, 0.00125])
    assert standard(kl).collapsed.tolist() == [True, False, True]
    edge = torch.tensor([COLLAPSED_NATS, math.nextafter(COLLAPSED_NATS, 0) * 0.999])
    assert standard(edge).collapsed.tolist() == [False, True]
    assert not LatentRanges(torch.zeros(2), torch.zeros(2)).collapsed.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reach": 0.0}, "above 0"),
        ({"reach": -1.0}, "above 0"),
        ({"reach": math.nan}, "above 0"),
        ({"reach": math.inf}, "above 0"),
        ({"steps": 1}, "2 steps"),
        ({"rows": 0}, "one row"),
        ({"first": 3}, "cannot leave out"),
    ],
)
def test_a_traversal_that_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        traversal(torch.zeros(3), standard(torch.ones(3)), **options)
