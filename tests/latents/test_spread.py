"""How a selection is spread over groups, against counting pairs one by one and against draws."""

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.latents import spread


def share_of_pairs(ids):
    pairs = list(combinations(ids, 2))
    return sum(a == b for a, b in pairs) / len(pairs)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30), st.data())
def test_it_counts_pairs_of_one_group(ids, data):
    ids = [0, 1, 2, 3, 4, *ids]  # without gaps
    rows = data.draw(st.lists(st.integers(0, len(ids) - 1), min_size=2, unique=True))
    found = spread(torch.tensor(ids), torch.tensor(rows))
    chosen = [ids[row] for row in rows]
    assert found.together == pytest.approx(share_of_pairs(chosen))
    assert found.usual == pytest.approx(share_of_pairs(ids))
    assert found.counts.tolist() == [chosen.count(g) for g in range(5)]
    assert found.everywhere.tolist() == [ids.count(g) for g in range(5)]
    assert found.present == len(set(chosen))


def test_draws_are_as_mixed_as_everything_on_average():
    ids = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    generator = torch.Generator().manual_seed(0)
    draws = [spread(ids, torch.randperm(100, generator=generator)[:8]).together for _ in range(2000)]
    assert sum(draws) / len(draws) == pytest.approx(spread(ids, torch.arange(100)).together, abs=0.01)


def test_one_item_has_no_pairs():
    found = spread(torch.tensor([0, 1]), torch.tensor([1]))
    assert found.present == 1
    assert found.together != found.together  # NaN
