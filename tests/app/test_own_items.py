"""A model of a person's own pictures: each can be traced to its file, wherever it is shown."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import explorer
from explorer.datasets import own
from explorer.evaluation import encodings
from explorer.latents.items import Items
from explorer.ui import cache, colouring, encoding, selection, sheets
from explorer.ui.codes.item_files import items_csv, items_npz
from tests.app import screens
from tests.app.screens import texts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs and data of a person who has trained on 20 + 20 pictures of their own."""
    place = tmp_path_factory.mktemp("own-items")
    rng = np.random.default_rng(0)
    for name in ("healthy", "infected"):
        (place / "cells" / name).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(rng.integers(0, 255, (28, 28), dtype=np.uint8)).save(place / "cells" / name / f"C{i}.png")
    with screens.runs_in(place):
        own.create("cells", place / "cells")
        config = explorer.TrainConfig(preset="ae-2d", dataset="own:cells", epochs=1, device="cpu")
        explorer.train(config, place / "runs" / "mine")
        yield place


@pytest.fixture
def stored(folder):
    with screens.runs_in(folder):
        info = next(info for info in cache.all_checkpoints() if info.id == "runs/mine")
        yield cache.encoded_dataset("runs/mine", info.content, "test", "plane")


def test_items_are_called_by_their_files(stored):
    rows = range(len(stored.latents))
    for row in rows:
        label, name = stored.latents.items.names[row].split("/")
        split = " · training image" if row < 32 else ""
        assert selection.row_name(stored, row) == f"{label} · {name} · #{row}{split}"
        assert label == stored.classes[int(stored.latents.labels[row])]
    unnamed = replace(stored, latents=replace(stored.latents, items=Items([""] * len(stored.latents))))
    assert selection.row_name(unnamed, 0) == f"{stored.latents.items.names[0].split('/')[0]} · #0 · training image"
    lines = list(csv.DictReader(io.StringIO(items_csv(stored, torch.tensor(rows)))))
    assert [line["file"] for line in lines] == stored.latents.items.names
    with np.load(io.BytesIO(items_npz(stored, torch.tensor(rows), {}))) as found:
        assert found["file_name"].tolist() == stored.latents.items.names


@pytest.mark.parametrize(("screen", "query"), [("explore", {}), ("reconstruct", {"source": "test"})])
def test_screens_call_a_picked_image_by_its_file(folder, stored, screen, query):
    with screens.runs_in(folder):
        at = screens.page(screen, model="runs/mine", index="0", **query)
    assert stored.latents.items.files[0] in texts(at.html) + texts(at.markdown)


def test_all_images_are_mapped_and_judged_by_the_test_set_alone(stored):
    """The test images' codes are what the checkpoint measured; every image's code is that of its pixels."""
    test = stored.model.latents
    assert (len(stored.latents), len(test), stored.before_test) == (40, 8, 32)
    assert stored.model.info.metrics["n"] == 8
    torch.testing.assert_close(stored.latents.mean[32:], test.mean)
    assert stored.latents.items.names[32:] == test.items.names
    images = stored.originals()
    torch.testing.assert_close(stored.latents.mean, stored.model.encode(images.images).mean)
    assert images.items.names == stored.latents.items.names
    assert stored.latents.items.columns["split"] == ["training"] * 32 + ["test"] * 8


def test_what_is_encoded_now_is_what_was_stored(folder, stored):
    with screens.runs_in(folder):
        now = cache.encoded_dataset("runs/mine", stored.content, "own:cells", "plane")
        assert selection.items_of(now) == selection.items_of(stored)
    torch.testing.assert_close(now.latents.mean, stored.latents.mean)
    assert now.latents.items.names == stored.latents.items.names
    assert now.before_test == 32


def test_the_map_by_split(folder):
    with screens.runs_in(folder):
        at = screens.page("explore", model="runs/mine", color="split")
        assert "40 images of own\\:cells · 32 for training, 8 for testing" in texts(at.caption)
        assert at.selectbox(key="color_by").value == "column:split"
        assert "all images (stored)" in at.selectbox(key="map_data").options


@pytest.mark.parametrize(
    ("query", "said"), [({"index": "31"}, True), ({"index": "32"}, False), ({}, False)], ids=["31", "32", "none"]
)
def test_reconstruct_says_of_a_training_image_that_it_is_one(folder, query, said):
    with screens.runs_in(folder):
        at = screens.page("reconstruct", model="runs/mine", source="test", **query)
    assert ("trained on this image" in texts(at.caption)) is said
    assert ("· training image" in texts(at.markdown)) is said  # the glossary has the words, too


def test_a_model_without_all_of_them_shows_its_test_set(folder, stored):
    """Such as one that an older version has trained."""
    path = stored.model.info.path
    sums, mapped = path / "SHA256SUMS", path / "mapped.safetensors"
    kept = sums.read_text(), mapped.read_bytes()
    try:
        mapped.unlink()
        sums.write_text("".join(line + "\n" for line in kept[0].splitlines() if "mapped" not in line))
        with screens.runs_in(folder):
            at = screens.page("explore", model="runs/mine")
        assert "8 images of own\\:cells" in texts(at.caption)
    finally:
        mapped.write_bytes(kept[1])
        sums.write_text(kept[0])


def test_a_damaged_map_is_named(folder, stored):
    mapped = stored.model.info.path / "mapped.safetensors"
    kept = mapped.read_bytes()
    try:
        mapped.write_bytes(kept[:-9] + b"123456789")
        with screens.runs_in(folder):
            (info,) = [info for info in cache.all_checkpoints() if info.id == "runs/mine"]
        assert "mapped.safetensors is damaged" in (info.problem or "")
    finally:
        mapped.write_bytes(kept)


@pytest.fixture
def described(stored):
    """The same with what a table says of the images: an age that is not known of one, a slide, and their donors."""
    n = len(stored.latents)
    age = torch.arange(n, dtype=torch.float64).where(torch.arange(n) > 0, torch.nan)
    donors = [f"D{i // 4}" for i in range(n)]
    items = replace(stored.latents.items, columns={"age": age, "slide": ["a", "b"] * (n // 2), "donor": donors})
    return replace(stored, latents=replace(stored.latents, items=items, group=donors), key="described")


def test_columns_colour_the_map(described):
    offered = colouring.colors(described)
    assert {"group": "donor", "column:age": "age", "column:slide": "slide"}.items() <= offered.items()
    assert "column:donor" not in offered  # it is the group
    values, name = colouring.values(described, "column:age")
    assert (name, np.isnan(values[0]), values[1:].tolist()) == ("age", True, list(range(1, 40)))
    slides = colouring.categories(described, "column:slide")
    assert (slides.names, slides.ids.tolist(), slides.what) == (["a", "b"], [0, 1] * 20, "slide")
    (trace,) = sheets.map_plot(described, "column:age").data
    assert trace.meta["values"][:3] == [None, 1.0, 2.0]
    assert trace.meta["group_what"] == "donor"
    (trace,) = sheets.map_plot(described, "column:slide").data
    assert (trace.meta["by_group"], trace.meta["group_names"]) == (True, ["a", "b"])


def test_values_that_are_missing_and_those_that_say_unknown_are_one_category(described):
    described.latents.items.columns["slide"] = ["", "unknown", "a", "unknown"] * (len(described.latents) // 4)
    slides = colouring.categories(described, "column:slide")
    assert (slides.names, slides.ids.tolist()[:4]) == (["a", "unknown"], [1, 1, 0, 1])


def test_a_column_of_which_nothing_is_known_is_no_colour(described):
    columns = described.latents.items.columns
    columns["weight"] = torch.full((len(described.latents),), torch.nan)
    assert "column:weight" not in colouring.colors(described)
    (trace,) = sheets.map_plot(described, "column:weight").data  # which an address may ask for
    assert trace.meta["values"] == [None] * len(described.latents)


def test_a_selection_is_exported_with_the_columns(described):
    lines = list(csv.DictReader(io.StringIO(items_csv(described, torch.tensor([0, 5])))))
    assert [(line["donor"], line["age"], line["slide"]) for line in lines] == [("D0", "", "a"), ("D1", "5.0", "b")]
    assert list(lines[0]).count("donor") == 1
    assert " · donor D1 · " in selection.row_name(described, 5)


def test_what_takes_long_is_encoded_by_a_job(folder, monkeypatch):
    monkeypatch.setattr(cache, "_MOST_ITEMS", 30)
    cache.encoded_dataset.clear()
    cache._encode.clear()
    with screens.runs_in(folder):
        at = screens.page("explore", model="runs/mine", data="own:cells")
        assert not at.exception
        (job,) = encoding._jobs.values()
        job.join(240)
        at.run()
        assert not at.exception
        assert not at.info
        assert "40 images of own" in texts(at.caption)
        (file,) = (folder / "own" / "cells" / "codes").iterdir()
        info = next(info for info in cache.all_checkpoints() if info.id == "runs/mine")
        whole = explorer.load("runs/mine").encode(cache.encodable("own:cells", (28, 28), 1).images).mean
        found = cache.encoded_dataset("runs/mine", info.content, "own:cells", "plane")
        torch.testing.assert_close(found.latents.mean, whole)
        assert found.before_test == 32
        file.unlink()
        cache.encoded_dataset.clear()
        cache._encode.clear()
        job.join()  # the codes that it wrote are gone by the next look, as the job's end may be missed
        encoding._jobs[str(file)] = job
        at.run()
        (again,) = encoding._jobs.values()
        assert again is not job
        again.join(240)
        at.run()
        assert not at.info
        assert "40 images of own" in texts(at.caption)
    cache.encoded_dataset.clear()
    cache._encode.clear()


def test_of_too_many_images_a_map_has_some_at_random_and_says_so(folder, monkeypatch):
    monkeypatch.setattr(encodings, "MOST_ITEMS", 30)
    cache.encodable.clear()
    with screens.runs_in(folder):
        some = cache.encodable("own:cells", (28, 28), 1)
        cache.encodable.clear()
        assert some.fingerprint == cache.encodable("own:cells", (28, 28), 1).fingerprint
        (note,) = some.notes[-1:]
        assert note.startswith("The map has 30 of the 40 images of own:cells, chosen at random")
        places = [explorer.dataset("own:cells", split=split).items.names for split in ("train", "test")]
        order = [[*places[0], *places[1]].index(name) for name in some.items.names]
        assert order == sorted(order)
        assert order != list(range(30))
    cache.encodable.clear()
