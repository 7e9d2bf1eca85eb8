"""Data sets of a person's own that were damaged, in great number, or in the way: the others can still be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from explorer import datasets
from explorer.datasets import own
from explorer.datasets.base import SPLITS
from explorer.errors import DatasetError, DatasetMissing
from tests.counted import bytes_read
from tests.datasets.own_images import cells


@pytest.fixture
def root(tmp_path, monkeypatch):
    place = tmp_path / "data"
    monkeypatch.setenv("EXPLORER_DATA", str(place))
    return place


def _spoil(path: Path, how: str) -> None:
    data, info = path / "data.safetensors", path / "info.json"
    values = json.loads(info.read_text())
    if how == "cut off":
        data.write_bytes(data.read_bytes()[:-10])
    elif how == "no data":
        data.unlink()
    elif how == "no info":
        info.unlink()
    elif how == "no JSON":
        info.write_text("[[" * 100_000)
    elif how == "other JSON":
        info.write_text("[1, 2]")
    elif how == "newer":
        info.write_text(json.dumps(values | {"schema": 2}))
    elif how == "a number":
        info.write_text(json.dumps(values | {"title": 5}))
    elif how == "classes":
        info.write_text(json.dumps(values | {"classes": ["only"]}))
    elif how == "a folder":
        info.unlink()
        info.mkdir()
    else:
        del values[how]
        info.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("cut off", "data.safetensors has .* bytes instead of"),
        ("no data", "data.safetensors is missing"),
        ("no info", "info.json is missing"),
        ("no JSON", "info.json is damaged"),
        ("other JSON", "info.json is damaged"),
        ("newer", "made by a newer version"),
        ("a number", "info.json is damaged"),
        ("classes", "info.json is damaged"),
        ("a folder", "could not be read"),
        ("created", "info.json is damaged"),
        ("fingerprints", "info.json is damaged"),
    ],
)
def test_a_damaged_one_is_listed_with_its_reason(how, sentence, root, write_tree, picture):
    own.create("cells", write_tree(cells(picture, 10, 5)))
    own.create("sound", write_tree(cells(picture, 11, 5), name="other"))
    _spoil(root / "own" / "cells", how)
    damaged, sound = datasets.available()[-2:]
    assert (damaged.present, sound.present) == (False, True)
    assert damaged.how.startswith("own:cells is damaged: ")
    assert damaged.how.endswith("; remove it and add it again.")
    for ask in (datasets.load, lambda name: own.details("cells")):
        with pytest.raises(DatasetError, match=sentence):
            ask("own:cells")
    own.create("more", write_tree(cells(picture, 10, 5)))  # the damaged one is not in the way
    own.restore(own.remove("cells"))
    own.remove("cells")
    assert own.names() == ["more", "sound"]


def test_a_flipped_bit_is_found_on_loading(root, write_tree, picture):
    own.create("cells", write_tree(cells(picture, 10, 5)))
    data = root / "own" / "cells" / "data.safetensors"
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    with pytest.raises(DatasetError, match=r"own:cells is damaged: data.safetensors is .* remove it and add it again"):
        [datasets.load("own:cells", split) for split in SPLITS]
    content[8:12] = b"\xff\xff\xff\xff"
    data.write_bytes(content)
    with pytest.raises(DatasetError, match="own:cells is damaged"):
        datasets.load("own:cells", "train")


def test_listing_many_reads_no_images(root, write_tree, picture):
    own.create("cells-0", write_tree(cells(picture, 10, 5)))
    for number in range(1, 50):
        shutil.copytree(root / "own" / "cells-0", root / "own" / f"cells-{number}")
    assert (root / "own" / "cells-0" / "data.safetensors").stat().st_size > 3_000
    found = []
    assert bytes_read(lambda: found.extend(datasets.available())) < 50 * 3_000
    assert sum(info.present for info in found if info.name.startswith("own:")) == 50


def test_a_folder_own_that_is_none(root):
    root.mkdir()
    (root / "own").write_text("")
    assert own.names() == []
    assert len(datasets.available()) == len(datasets.SOURCES)
    with pytest.raises(DatasetMissing):
        datasets.load("own:cells")


def test_they_cannot_be_fetched(root):
    with pytest.raises(DatasetError, match=r"own:cells cannot be downloaded\. Add it"):
        datasets.fetch("own:cells")
