"""Tags: put by a word, undone, on the map, in the CSV, and as data sets to train on."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch

import explorer
from explorer.datasets import own
from explorer.errors import DatasetError
from explorer.ui import access, cache, selection
from explorer.ui.codes.item_files import items_csv
from explorer.ui.components.latent_map.component import Selected
from tests.app.screens import explore, keys, press, sound, texts
from tests.app.tiny_runs import PLANE

pytestmark = [pytest.mark.usefixtures("own_runs"), pytest.mark.slow]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def tagged():
    """Explore with the first thirty images selected and tagged `odd`."""
    at = explore()
    at.selectbox(key="explore_model").select(PLANE).run()
    info = next(info for info in cache.checkpoints() if info.id == PLANE)
    data = cache.encoded_dataset(PLANE, info.content, cache.STORED, "plane")
    at.session_state["explore_selection"] = Selected(list(range(30)), "lasso", [[0.0, 0.0]], data.map_key, 1)
    sound(at.run())
    at.text_input(key="tag_text").input("  odd  one ")
    sound(at.run())
    return at, data


def test_a_tag_colours_the_map_and_is_undone(tagged):
    at, data = tagged
    assert "**odd one** 30" in texts(at.markdown)
    assert at.selectbox(key="color_by").value == "tag"
    at.session_state["explore_selection"] = Selected([0, 1], "lasso", [[0.0, 0.0]], data.map_key, 2)
    at.run()
    at.text_input(key="tag_text").input("")
    sound(at.run())
    assert "**odd one** 28" in texts(at.markdown)
    press(at, "tag_undo")
    assert "**odd one** 30" in texts(at.markdown)
    press(at, "tag_undo")
    sound(at.run())
    assert "odd one" not in texts(at.markdown)
    assert at.selectbox(key="color_by").value == "class"


def test_tags_survive_a_reload_and_get_other_names(tagged):
    _, data = tagged
    at = explore()  # another session
    at.selectbox(key="explore_model").select(PLANE).run()
    assert "**odd one** 30" in texts(at.markdown)
    at.text_input(key="tag_new").input("strange").run()
    press(at, "tag_rename")
    assert "**strange** 30" in texts(at.markdown)
    press(at, "tag_delete")
    sound(at.run())
    assert "strange" not in texts(at.markdown)
    press(at, "tag_undo")
    press(at, "tag_undo")
    assert own.read_tags("", selection.items_of(data)) == dict.fromkeys(data.latents.index[:30].tolist(), "odd one")


def test_to_tag_again_is_nothing_to_undo(tagged):
    at, _ = tagged
    sound(at.run())
    press(at, "tag_put")
    sound(at.run())
    press(at, "tag_undo")
    sound(at.run())
    assert "odd one" not in texts(at.markdown)


def test_the_map_of_other_images_has_nothing_to_undo(tagged):
    at, _ = tagged
    sound(at.run())
    at.selectbox(key="explore_model").select("fashion-mlp-2d")
    sound(at.run())
    assert "tag_undo" not in keys(at)
    at.selectbox(key="explore_model").select(PLANE)
    sound(at.run())
    assert "**odd one** 30" in texts(at.markdown)
    press(at, "tag_undo")
    sound(at.run())
    assert "odd one" not in texts(at.markdown)


def test_one_image_is_one(tagged):
    at, data = tagged
    at.session_state["explore_selection"] = Selected([3], "lasso", [[0.0, 0.0]], data.map_key, 2)
    sound(at.run())
    assert "##### 1 image selected" in texts(at.markdown)


def test_a_tag_with_control_characters_is_refused(tagged):
    at, data = tagged
    at.session_state["explore_selection"] = Selected([0, 1], "lasso", [[0.0, 0.0]], data.map_key, 2)
    at.run()
    at.text_input(key="tag_text").input("a\x08b")
    sound(at.run())
    assert "without control characters" in texts(at.error)
    assert "**odd one** 30" in texts(at.markdown)


def test_everybody_has_their_own_tags(place):
    assert own.change_tags("b-1", "mnist/test", {3: "odd", 4: "odd"}) == {3: "", 4: ""}
    assert own.read_tags("b-2", "mnist/test") == own.read_tags("b-1", "mnist/all") == {}
    assert own.change_tags("b-1", "mnist/test", {3: "even"}) == {3: "odd"}
    assert own.read_tags("b-1", "mnist/test") == {3: "even", 4: "odd"}
    own.change_tags("b-1", "mnist/test", {3: "", 4: ""})
    assert not list((place / "own" / ".tags").iterdir())


@pytest.mark.parametrize("changes", [{3: "o" * 41}, {3: "a\0"}, {-1: "odd"}])
def test_tags_that_could_not_be_read_again_are_refused(place, changes):
    own.change_tags("", "mnist/test", {4: "odd"})
    with pytest.raises(DatasetError, match=r"The tags could not be kept: .*(tag|images) must be"):
        own.change_tags("", "mnist/test", changes)
    assert own.read_tags("", "mnist/test") == {4: "odd"}


@pytest.mark.parametrize("text", ["", "[]", '{"tags": 3}', '{"tags": {"a": [-1]}}', '{"tags": {"a\\u0000": [1]}}'])
def test_damaged_tags_are_said_and_not_written_over(place, text):
    own.change_tags("", "mnist/test", {3: "odd"})
    (file,) = (place / "own" / ".tags").iterdir()
    file.write_text(text)
    with pytest.raises(DatasetError, match="damaged: move"):
        own.change_tags("", "mnist/test", {4: "odd"})
    assert file.read_text() == text


def test_tags_are_a_column(tagged):
    _, data = tagged
    index = int(data.latents.index[7])
    lines = list(csv.DictReader(io.StringIO(items_csv(data, torch.tensor([6, 7]), {index: "odd one"}))))
    assert [line["tag"] for line in lines] == ["", "odd one"]
    assert "tag" not in next(csv.reader(io.StringIO(items_csv(data, torch.tensor([6])))))


def test_a_data_set_of_classes_by_tags_can_be_trained_on(tagged):
    at, data = tagged
    at.session_state["tag_how"] = "relabel"
    at.text_input(key="tag_name").input("mine")
    at.run()
    press(at, "tag_make")
    assert "own:mine" in texts(at.markdown)
    splits = [explorer.dataset("own:mine", split) for split in ("train", "test")]
    assert splits[0].classes == sorted([*data.classes, "odd one"])
    counts = sum(np.bincount(split.labels, minlength=len(split.classes)) for split in splits)
    assert counts[splits[0].classes.index("odd one")] == 30
    assert counts.sum() == len(data.latents)
    press(at, "tag_train")


def test_a_data_set_that_was_removed_is_not_here(tagged):
    at, _ = tagged
    at.text_input(key="tag_name").input("mine").run()
    press(at, "tag_make")
    assert "own:mine" in texts(at.markdown)
    access.remove_data("mine")
    sound(at.run())
    assert "own:mine" not in texts(at.markdown)


def images(n: int = 20) -> explorer.ImageDataset:
    pixels = torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(n, 1, 8, 8).contiguous()
    return explorer.ImageDataset("some", "test", pixels, torch.arange(n) % 2, ["even", "odd"])


def values(name: str) -> dict[str, list[int]]:
    """The first pixel of each image, which says which one it is, by split."""
    return {split: explorer.dataset(name, split).images[:, 0, 0, 0].tolist() for split in ("train", "test")}


def test_keeping_leaving_out_and_relabelling(place):
    data, few = images(), torch.arange(20) < 10
    own.derive("few", data, keep=few, classes={})
    found = values("own:few")
    assert sorted(found["train"] + found["test"]) == list(range(10))
    assert len(found["test"]) == 2  # a fifth of each class
    marked = torch.arange(20) < 15
    own.derive("marked", data, keep=torch.ones(20, dtype=torch.bool), classes={}, training=marked)
    assert values("own:marked") == {"train": list(range(15)), "test": list(range(15, 20))}
    own.derive("dealt", data, keep=few, classes={}, training=marked)
    assert len(values("own:dealt")["test"]) == 2
    own.derive("named", data, keep=few, classes={0: "zero", 2: "two", 4: "two"})
    named = [explorer.dataset("own:named", split) for split in ("train", "test")]
    assert named[0].classes == ["even", "odd", "two", "zero"]
    by_value = {int(i[0, 0, 0]): d.classes[k] for d in named for i, k in zip(d.images, d.labels, strict=True)}
    assert by_value == {
        0: "zero",
        1: "odd",
        2: "two",
        3: "odd",
        4: "two",
        5: "odd",
        6: "even",
        7: "odd",
        8: "even",
        9: "odd",
    }
    own.derive("odd", data, keep=data.labels == 1, classes={})
    assert explorer.dataset("own:odd", "train").classes == ["odd"]
    with pytest.raises(DatasetError, match="Too few images"):
        own.derive("one", data, keep=torch.arange(20) == 0, classes={})
    with pytest.raises(DatasetError, match="There is a data set own:few already"):
        own.derive("few", data, keep=few, classes={})
