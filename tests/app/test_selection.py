"""The pick in session and address: codes as text, picks across models and data sets."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from explorer.checkpoints.model import load
from explorer.ui import address, cache, html, selection
from explorer.ui.cache import EncodedDataset
from explorer.ui.selection import Pick
from tests.app.tiny_runs import CONV, PLANE


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
def test_parse(text, code):
    assert address._parse(text, 2) == code


@given(some.text(max_size=40), some.integers(1, 5))
def test_parse_never_fails(text, length):
    code = address._parse(text, length)
    assert code is None or (len(code) == length and all(math.isfinite(v) for v in code))


@given(some.lists(some.floats(-1e6, 1e6, width=32), min_size=1, max_size=8))
def test_a_picked_code_comes_back_from_the_address_to_six_digits(values):
    picked = Pick("m", selection._bounded(torch.tensor(values)))
    assert picked.tensor().tolist() == torch.tensor(values).tolist()  # only the address rounds
    again = address._parse(html.code_text(picked.tensor()), len(values))
    torch.testing.assert_close(torch.tensor(again), torch.tensor(values), rtol=1e-5, atol=0)


class Session(dict):
    """What `st.session_state` is to the view."""


@pytest.fixture
def session(monkeypatch):
    state = Session()
    monkeypatch.setattr(address.st, "session_state", state)
    return state


@pytest.fixture(scope="module")
def mapped(runs):
    """`mapped(ident, data)`: stored codes of a tiny model, as a page has them; the data set may be renamed."""

    def of(ident: str, name: str = cache.STORED, source: str = "mnist-5k") -> EncodedDataset:
        model = load(runs / ident.removeprefix("runs/"))
        model.info = replace(model.info, id=ident)
        kind = "plane" if model.latent == 2 else "pca"
        return EncodedDataset("", "key", name, source, model.latents, model.latents.maps[kind], model.classes, model)

    return of


def test_no_pick(session, mapped):
    assert selection.current(mapped(PLANE)) is None


def test_a_picked_row(session, mapped):
    data = mapped(PLANE)
    selection.choose_row(data, 12)
    pick = selection.current(data)
    assert (pick.index, pick.items, selection.row_of(data, pick)) == (12, "mnist-5k/test", 12)
    torch.testing.assert_close(pick.tensor(), data.latents.mean[12], rtol=1e-5, atol=1e-6)
    selection.clear()
    assert selection.current(data) is None


def test_a_picked_item_is_encoded_anew_for_another_model(session, mapped):
    selection.choose_row(mapped(PLANE), 12)
    other = mapped(CONV)
    pick = selection.current(other)
    assert (pick.model, pick.index) == (CONV, 12)
    torch.testing.assert_close(pick.tensor(), other.latents.mean[12], rtol=1e-5, atol=1e-6)


def test_a_picked_item_of_other_data_keeps_its_code_only(session, mapped):
    selection.choose_row(mapped(PLANE), 12)
    pick = selection.current(mapped(PLANE, "fashion-mnist", "fashion-mnist"))
    assert pick.index is None
    torch.testing.assert_close(pick.tensor(), mapped(PLANE).latents.mean[12], rtol=1e-5, atol=1e-6)


def test_the_same_index_of_other_data_is_another_item(session, mapped):
    """`mnist-5k` as a whole counts its items differently from its test split."""
    selection.choose_row(mapped(PLANE), 12)
    assert selection.current(mapped(CONV, "mnist-5k")) is None


def test_a_spot_of_the_plane_is_its_code(session, mapped):
    data = mapped(PLANE)
    selection.choose_spot(data, 0.5, -1.25)
    pick = selection.current(data)
    assert (pick.code, pick.xy, pick.approximate) == ((0.5, -1.25), (0.5, -1.25), False)
    assert selection.current(mapped(CONV)) is None  # a bare code belongs to its model


def test_a_spot_of_a_projection_is_an_estimate(session, mapped):
    data = mapped(CONV)
    selection.choose_spot(data, 0.5, -1.25)
    pick = selection.current(data)
    assert pick.approximate
    torch.testing.assert_close(data.map.place(pick.tensor()[None])[0], torch.tensor([0.5, -1.25]), rtol=0, atol=1e-3)


def test_a_spot_of_one_projection_lies_elsewhere_on_another(session, mapped):
    first = mapped(CONV)
    other = replace(first, map=first.model.latents.maps["umap"])
    selection.choose_spot(first, 0.5, -1.25)
    assert selection.current(first).place(first) == (0.5, -1.25)
    pick = selection.current(other)
    assert pick.place(other) == tuple(other.map.place(pick.tensor()[None])[0].tolist()) != (0.5, -1.25)


def test_a_choice_that_is_gone_is_dropped(session, monkeypatch):
    monkeypatch.setattr(address.st, "query_params", {"color": "kl"})
    address.restore_choice("color", "color_by", ["class", "kl"], "the colouring")
    assert session["color_by"] == "kl"
    session["color_by"] = "class"
    address.restore_choice("color", "color_by", ["class", "kl"], "the colouring")
    assert session["color_by"] == "class"  # the address counts once, at the session's start
    address.restore_choice("color", "color_by", ["kl"], "the colouring")
    assert "color_by" not in session
    assert address.notices() == []
