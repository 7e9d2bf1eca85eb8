"""Text for the address: exact on the way back, and harmless whoever wrote it."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from explorer.latents import compact

VALUES = some.floats(-1e6, 1e6, width=32)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1,2", [1, 2]),
        ("-0.5,1e-3", [-0.5, 0.001]),
        (" 1 , 2 ", [1, 2]),
        ("1000000,-1000000", [1e6, -1e6]),
        ("1000001,0", None),
        ("1e400,0", None),
        ("nan,0", None),
        ("0,-inf", None),
        ("1", None),
        ("1,2,3", None),
        ("1,,2", None),
        ("1;2", None),
        ("", None),
        ("one,two", None),
        ("0x10,1", None),
    ],
)
def test_a_code_of_few_values_is_numbers(text, code):
    assert compact.read_code(text, 2) == code


def test_a_code_of_many_values_may_be_numbers_too():
    """As addresses had them before."""
    assert compact.read_code("1,2,3,4,5,6.5", 6) == [1, 2, 3, 4, 5, 6.5]


def test_a_code_of_a_hundred_latents_is_short():
    assert len(compact.code_text(torch.randn(100))) == 534


@given(some.lists(VALUES, min_size=1, max_size=40))
def test_a_code_comes_back_to_the_bit(values):
    code = torch.tensor(values, dtype=torch.float32)
    again = compact.read_code(compact.code_text(code), len(values))
    assert torch.tensor(again, dtype=torch.float32).numpy().tobytes() == code.numpy().tobytes()


@given(some.dictionaries(some.integers(0, 10**6), some.floats(-1e6, 1e6)))
def test_moves_come_back(moves):
    assert compact.read_moves(compact.moves_text(moves)) == moves


@given(some.integers(1, 2000).flatmap(lambda n: some.tuples(some.just(n), some.sets(some.integers(0, n - 1)))))
def test_ids_come_back(case):
    count, ids = case
    assert compact.read_ids(compact.ids_text(ids, count), count) == sorted(ids)
    assert compact.read_ids(compact.ids_text(ids, count), count + 8) is None


@given(some.lists(some.tuples(VALUES, VALUES), min_size=1, max_size=300))
def test_an_outline_comes_back_to_what_is_seen(corners):
    found = np.array(compact.read_outline(compact.outline_text(corners)))
    whole = np.array(corners)
    assert len(found) == min(len(whole), 64)
    span = np.ptp(whole, 0)
    kept = whole[np.unique(np.linspace(0, len(whole) - 1, len(found)).round().astype(int))]
    assert (np.abs(found - kept) <= span / 500 + 1e-6 * np.abs(whole).max(0) + 1e-6).all()


def test_a_box_comes_back_as_it_was():
    box = [[-1.5, 2.25], [3.0, 2.25], [3.0, 7.5], [-1.5, 7.5]]
    assert compact.read_outline(compact.outline_text(box)) == box


@given(some.text(max_size=60) | some.from_regex(r"[A-Za-z0-9_-]{0,60}", fullmatch=True), some.integers(1, 40))
def test_whatever_an_address_says_is_read_or_left(text, length):
    code = compact.read_code(text, length)
    assert code is None or (len(code) == length and all(math.isfinite(v) and abs(v) <= 1e6 for v in code))
    ids = compact.read_ids(text, length)
    assert ids is None or all(0 <= i < length for i in ids)
    outline = compact.read_outline(text)
    assert outline is None or np.isfinite(outline).all()
    assert all(math.isfinite(value) for value in compact.read_moves(text).values())


def test_a_small_text_does_not_become_gigabytes():
    bomb = compact._text(zlib.compress(bytes(10**7), 9))
    assert compact.read_ids(bomb, 1000) is None
