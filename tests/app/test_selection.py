"""The pick in session and address, across models and data sets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from explorer.checkpoints.model import load
from explorer.ui import address, cache, selection
from explorer.ui.cache import EncodedDataset
from tests.app.tiny_runs import CONV, PLANE


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
    """`mnist-5k` as a whole counts its items differently from its test split: 4,000 training images come first."""
    selection.choose_row(mapped(PLANE), 12)
    assert selection.current(replace(mapped(CONV, "mnist-5k"), before_test=4000)) is None


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
