"""Models of sets that say little: all images equal, one class, one image. What is undefined of them is left out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer.ui import cache
from tests.app.screens import PAGES, TIMEOUT, sound

pytestmark = pytest.mark.slow

SCREENS = [
    ("explore", {"item": "0"}),
    ("reconstruct", {}),
    ("reconstruct", {"source": "test"}),
    ("train", {"run": "few"}),
] + [("arithmetic", {"tool": tool}) for tool in ("expression", "walk", "traversal", "sliders", "directions")]


def folder_of(place, images, *, classes, equal):
    """A folder of random 28 x 28 pictures, `images` of each class."""
    pixels = np.random.default_rng(0).integers(0, 255, (images, 28, 28), dtype=np.uint8)
    for name in classes:
        (place / name).mkdir(parents=True)
        for i in range(images):
            Image.fromarray(pixels[0 if equal else i]).save(place / name / f"{i}.png")
    return f"folder:{place}"


def words(at):
    """What the screen says, without the code of its components."""
    kinds = (at.caption, at.markdown, at.html, at.info, at.warning, at.error, at.metric)
    return [str(element.value) for elements in kinds for element in elements]


@pytest.mark.parametrize(
    ("preset", "images", "classes", "equal"),
    [
        ("ae-2d", 20, ("a", "b"), True),
        ("conv-100", 20, ("a", "b"), True),
        ("conv-100", 40, ("a",), False),
        ("ae-2d", 2, ("a",), False),
        ("conv-100", 2, ("a",), False),
    ],
    ids=["all equal, plane", "all equal", "one class", "one test image, plane", "one test image"],
)
def test_no_screen_shows_what_is_undefined(tmp_path, monkeypatch, preset, images, classes, equal):
    data = folder_of(tmp_path / "pictures", images, classes=classes, equal=equal)
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))
    explorer.train(explorer.TrainConfig(preset=preset, dataset=data, epochs=1, device="cpu"), tmp_path / "runs" / "few")
    cache.all_checkpoints.clear()
    for page, query in SCREENS:
        at = AppTest.from_file(PAGES / f"{page}.py", default_timeout=TIMEOUT)
        for name, value in {"model": "runs/few", **query}.items():
            at.query_params[name] = value
        said = words(sound(at.run()))
        undefined = r"\b(nan|inf)\b|\b[01] (nearest )?test images"
        assert not [text for text in said if re.search(undefined, text, re.IGNORECASE)]
        if query == {"source": "test"} and (images, classes) == (2, ("a",)):
            assert any("the model's only test image" in text for text in said)
    cache.all_checkpoints.clear()
