"""What a session keeps of uploads, without a page."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import streamlit as st

from explorer.ui.uploads.intake import _Inside
from explorer.ui.uploads.store import Item, Store


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store[Item]:
    monkeypatch.setattr(st, "session_state", {})
    return Store("uploads", "picture")


@pytest.mark.parametrize("all_of_them", [False, True])
def test_undo_brings_back_items_but_no_problem_that_was_dismissed(store, all_of_them):
    store.add([Item(0, "a.png", "a"), Item(0, "b.png", "b")], ["c.png could not be read: it is empty."])
    store.clear() if all_of_them else store.remove(store.state.items[0])
    store.dismiss()
    store.undo()
    assert [item.name for item in store.state.items] == ["a.png", "b.png"]
    assert store.state.problems == ()


def test_undo_leaves_the_problems_of_a_later_upload(store):
    store.add([Item(0, "a.png", "a")], ["old"])
    store.remove(store.state.items[0])
    store.add([], ["new"])
    store.undo()
    assert store.state.problems == ("new",)


def test_what_is_dropped_in_folders_is_taken_without_clutter():
    with ExitStack() as zips:
        names = ["pics/cats/0.png", "pics/@eaDir/0.png/thumb.jpg", "pics/notes.txt", "single.png"]
        found = _Inside.of([(name, b"x") for name in names], zips, 1 << 20)
    assert [name for name, _ in found.files] == ["pics/cats/0.png", "single.png"]
    assert found.problems == [
        "Left out: 1 picture in folders of a system or network disk (thumbnails, deleted files), such as "
        "pics/@eaDir/0.png/thumb.jpg.",
        "Left out: 1 file that is no picture, such as pics/notes.txt.",
    ]
