"""An uploaded picture goes through the steps that suit each model, and those that a person has chosen for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import explorer
from explorer.images.preparation import Steps
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.codes.upload import Upload


def mapped(name: str, **changes: object) -> EncodedDataset:
    model = explorer.load(name, device="cpu")
    latents = model.latents
    place = next(iter(latents.maps.values()))
    return EncodedDataset(name, f"{name}-test", STORED, "x", latents, place, model.classes, model, **changes)


@pytest.fixture(scope="module")
def digits() -> EncodedDataset:
    return mapped("mnist-mlp-2d")


@pytest.fixture(scope="module")
def cells() -> EncodedDataset:
    return mapped("cells-healthy-conv")


@pytest.fixture(scope="module")
def pink(cells: EncodedDataset) -> Image.Image:
    """A cell on the bright ground of a slide."""
    decoded = cells.model.decode(cells.latents.mean[:1])[0].permute(1, 2, 0).numpy()
    pixels = (255 * decoded).astype(np.uint8)
    on_paper = np.where(pixels.mean(2, keepdims=True) < 30, 235, pixels).astype(np.uint8)
    return Image.fromarray(on_paper).resize((160, 160))


def test_steps_are_suggested_for_each_model_anew(
    digits: EncodedDataset, cells: EncodedDataset, pink: Image.Image
) -> None:
    upload = Upload("cell.png", pink)
    assert upload.seen_by(digits).prepared.steps.invert
    assert not upload.seen_by(cells).prepared.steps.invert
    red, green, _ = upload.seen_by(cells).prepared.image[:, 24:40, 24:40].float().mean((1, 2))
    assert red > green
    torch.testing.assert_close(upload.seen_by(cells).code, Upload("cell.png", pink).seen_by(cells).code)


def test_what_a_person_changes_holds_for_the_model_that_was_looked_at(
    digits: EncodedDataset, cells: EncodedDataset, pink: Image.Image
) -> None:
    upload = Upload("cell.png", pink)
    turned = upload.turned(digits)
    assert turned.seen_by(digits).prepared.steps == replace(upload.seen_by(digits).prepared.steps, invert=False)
    assert turned.seen_by(cells).prepared.steps == upload.seen_by(cells).prepared.steps
    assert turned.turned(digits).seen_by(digits).prepared.steps == upload.seen_by(digits).prepared.steps
    chosen = Upload("cell.png", pink, {cells.content: Steps(turn=1)})
    assert chosen.seen_by(cells).prepared.steps == Steps(turn=1)
    assert chosen.seen_by(digits).prepared.steps == upload.seen_by(digits).prepared.steps


def test_a_conditional_model_draws_it_as_its_likeliest_class() -> None:
    data = mapped("cells-both", drawn_as=0)
    model = data.model
    codes, labels = data.latents.mean[:40], data.latents.labels[:40]
    pictures = (255 * model.decode(codes, labels)).to(torch.uint8)
    drawn_as = set()
    for pixels in pictures[:: len(pictures) // 8]:
        upload = Upload("x.png", Image.fromarray(pixels.permute(1, 2, 0).numpy()), {data.content: Steps()})
        seen = upload.seen_by(data)
        errors = [(model.decode(seen.code[None], y)[0] - pixels / 255).square().sum() for y in (0, 1)]
        assert seen.condition == int(errors[1] < errors[0])
        torch.testing.assert_close(seen.reconstruction, model.decode(seen.code[None], seen.condition)[0])
        drawn_as.add(seen.condition)
    assert drawn_as == {0, 1}


def test_what_a_conditional_models_images_are_like_is_told_by_each_ones_own_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = explorer.load("cells-both", device="cpu")
    network, asked = model.network, []
    decode = network.decode
    monkeypatch.setattr(network, "decode", lambda z, y: asked.append(y) or decode(z, y))
    assert model.habits == (True, False)
    assert model.habits == (True, False)
    (labels,) = asked
    torch.testing.assert_close(labels, model.latents.labels[:: len(model.latents) // 64])
