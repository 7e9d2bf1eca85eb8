"""What is known of images beside their classes: it comes back from a file as it was, and nothing else does."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.latents.items import Items, sorted_places

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBER = st.floats(allow_infinity=False)


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_items_come_back_as_they_were(data):
    n = data.draw(st.integers(1, 6))

    def of(values):
        return data.draw(st.lists(values, min_size=n, max_size=n))

    before = Items(of(TEXT), {"stain": of(TEXT), "age": torch.tensor(of(NUMBER), dtype=torch.float64)})
    after = Items.from_tensor(before.to_tensor())
    assert (after.names, after.columns["stain"]) == (before.names, before.columns["stain"])
    torch.testing.assert_close(after.columns["age"], before.columns["age"], rtol=0, atol=0, equal_nan=True)
    rows = data.draw(st.lists(st.integers(0, n - 1)))
    some = after.pick(rows)
    assert some.names == [before.names[row] for row in rows]
    assert some.columns["stain"] == [before.columns["stain"][row] for row in rows]
    assert len(some.columns["age"]) == len(rows)


def test_a_number_that_is_not_known_stays_one():
    age = Items.from_tensor(Items(["a", "b"], {"age": torch.tensor([math.nan, 3.0]).double()}).to_tensor())
    assert age.columns["age"].isnan().tolist() == [True, False]


def test_a_file_is_called_without_its_folders():
    assert Items(["Parasitized/C12.png", "x_train[3]"]).files == ["C12.png", "x_train[3]"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"names": 3, "columns": {}}',
        b'{"names": [3], "columns": {}}',
        b'{"names": ["a"], "columns": {"b": ["c", "d"]}}',
        b'{"names": ["a"], "columns": {"b": [{}]}}',
        b'{"names": ["a", "b"], "columns": {"b": ["c", 1]}}',
        b'{"names": ["' + b"a" * 6000 + b'"], "columns": {}}',
        '{"names": ["ä"], "columns": {}}'.encode("latin-1"),
    ],
)
def test_what_is_no_items_is_refused(text):
    with pytest.raises(ValueError, match=r"items|values|codec|Expecting"):
        Items.from_tensor(torch.frombuffer(bytearray(text or b" "), dtype=torch.uint8))


def test_names_sort_by_their_numbers_however_long():
    assert sorted_places(["C46", "C5", "C" + "9" * 5000])[0] == ["C5", "C46", "C" + "9" * 5000]
