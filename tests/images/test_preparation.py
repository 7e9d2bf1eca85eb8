"""From a picture to what a model sees: real digits as MNIST has them come back out of photos of themselves."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

import explorer
from explorer.errors import DatasetError
from explorer.images.arrays import to_array
from explorer.images.foreground import find_foreground, rim
from explorer.images.habits import habits
from explorer.images.preparation import Steps, prepare
from explorer.images.suggestion import suggest


@pytest.fixture(scope="module")
def digits():
    """Twenty of MNIST's digits, uint8 [20, 28, 28]."""
    return explorer.dataset("mnist-5k", split="test").images[::50, 0].numpy()


def photo(digit, *, side=140, at=(150, 60), size=(400, 300), dark=0.5, noise=0.02, shadow=False, seed=0):
    """Ink on cream paper in uneven light: an RGB picture of mode RGB with the digit's frame somewhere on it."""
    ink = np.zeros((size[1], size[0]), np.float32)
    large = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
    ink[at[1] : at[1] + side, at[0] : at[0] + side] = large
    y, x = np.mgrid[0 : 1 : size[1] * 1j, 0 : 1 : size[0] * 1j]
    light = 0.85 * (1 - dark * (0.7 * x + 0.3 * y))
    if shadow:
        light *= 1 - 0.35 / (1 + np.exp(30 * (x + 0.3 * y - 0.5)))
    picture = (light * (1 - 0.8 * ink))[..., None] * np.array([1, 0.97, 0.9])
    picture = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return Image.fromarray(np.uint8(255 * picture.clip(0, 1)))


def shifted_likeness(a, b):
    """The largest correlation of two images [28, 28] under shifts of at most two pixels."""
    shifts = [np.roll(b, (i, j), (0, 1)) for i in range(-2, 3) for j in range(-2, 3)]
    return max(np.corrcoef(a.ravel(), s.ravel())[0, 1] for s in shifts)


def test_nothing_done_is_what_a_data_set_holds(digits):
    for size, channels in ((28, 1), (28, 3), (32, 1)):
        for picture in (Image.fromarray(digits[0]), photo(digits[1]), Image.new("RGB", (40, 90), (9, 200, 90))):
            image = prepare(picture, Steps(), size, channels).image
            assert image.dtype == torch.uint8
            np.testing.assert_array_equal(image.numpy(), to_array(picture, size, channels))
    as_it_is = prepare(Image.fromarray(digits[0]), Steps(), 28, 1)
    np.testing.assert_array_equal(as_it_is.image[0], digits[0])
    assert as_it_is.stages == ()
    assert as_it_is.words == ""


def test_a_digit_of_mnist_needs_nothing_and_an_inverted_one_inversion(digits):
    for digit in digits:
        picture = Image.fromarray(digit)
        steps, why = suggest(picture, True, True)
        assert steps == Steps(), why
        assert why == ()
        steps, why = suggest(ImageOps.invert(picture), True, True)
        assert [w.split(":")[0] for w in why] == ["Inverted"]
        np.testing.assert_array_equal(prepare(ImageOps.invert(picture), steps, 28, 1).image[0], digit)


@pytest.mark.parametrize(
    "changes",
    [{}, {"dark": 0.75}, {"shadow": True}, {"at": (230, 130)}, {"side": 280, "at": (60, 10)}, {"noise": 0.05}],
)
def test_ink_on_paper_becomes_the_digit(digits, changes):
    for digit in digits[::5]:
        picture = photo(digit, **changes)
        steps, why = suggest(picture, True, True)
        assert steps.invert
        assert steps.clean
        assert len(why) >= 2
        found = prepare(picture, steps, 28, 1).image[0].numpy()
        assert shifted_likeness(found.astype(float), digit.astype(float)) > 0.85
        assert rim(found / 255) == 0
        assert found.max() > 230
        for axis in (0, 1):
            mass = (found.sum(axis) * (np.arange(28) + 0.5)).sum() / found.sum()
            assert abs(mass - 14) < 1.7


def test_a_digit_drawn_in_a_corner_is_centred_as_mnists_are(digits):
    canvas = Image.new("L", (280, 280))
    canvas.paste(Image.fromarray(digits[3]).resize((84, 84), Image.Resampling.BICUBIC), (180, 10))
    steps, _ = suggest(canvas, True, True)
    assert (steps.crop, steps.pad, steps.invert, steps.clean) == ("content", "margin", False, False)
    found = prepare(canvas, steps, 28, 1)
    assert shifted_likeness(found.image[0].numpy().astype(float), digits[3].astype(float)) > 0.85
    assert [words.split()[0] for words, _ in found.stages] == ["cropped", "centred", "resized"]
    assert found.stages[-1][1].size == (28, 28)


def test_the_margin_is_lecuns():
    """The longer side takes 20 of 28 pixels, and the middle is the centre of mass."""
    bar = Image.new("L", (300, 300))
    ImageDraw.Draw(bar).rectangle((20, 40, 59, 239), fill=255)
    found = prepare(bar, Steps(crop="content", pad="margin"), 28, 1).image[0].numpy()
    rows, columns = np.flatnonzero(found.max(1) > 127), np.flatnonzero(found.max(0) > 127)
    assert (rows[0], rows[-1]) == (4, 23)
    assert (columns[0], columns[-1]) == (12, 15)


def test_pen_strokes_become_as_thick_as_mnists():
    paper = Image.new("L", (300, 400), 235)
    ImageDraw.Draw(paper).line([(110, 140), (190, 140), (140, 260)], fill=30, width=3)
    steps, why = suggest(paper, True, True)
    assert steps.thicken
    assert any(w.startswith("Strokes thickened") for w in why)
    thin = prepare(paper, replace(steps, thicken=False), 28, 1).image
    thick = prepare(paper, steps, 28, 1).image
    assert thick.float().mean() > 2 * thin.float().mean()
    assert thick.max() > 240
    assert find_foreground(paper).stroke == pytest.approx(3, abs=1)
    wide = Image.new("L", (300, 300))
    ImageDraw.Draw(wide).line([(60, 150), (240, 150)], fill=255, width=24)
    assert find_foreground(wide).stroke == pytest.approx(24, rel=0.25)


def test_a_cell_on_a_bright_slide_is_cut_out_and_keeps_its_colours():
    slide = Image.new("RGB", (200, 160), (225, 215, 205))
    ImageDraw.Draw(slide).ellipse((60, 30, 139, 109), fill=(200, 120, 140))
    steps, _ = suggest(slide, True, False, channels=3)
    assert (steps.invert, steps.clean, steps.crop) == (False, True, "content")
    found = prepare(slide, steps, 64, 3).image
    assert (found[:, 0, 0] == 0).all()
    assert found[:, 32, 32].tolist() == pytest.approx([200, 120, 140], abs=2)
    gray, _ = suggest(slide, True, False, channels=1)
    assert gray.invert


def test_photos_for_a_model_of_photos_fill_the_frame():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 100, 3)).astype(np.uint8))
    steps, why = suggest(picture, False, False, channels=3)
    assert steps == Steps(crop="square")
    assert len(why) == 1
    np.testing.assert_array_equal(
        prepare(picture, steps, 60, 3).image.numpy().transpose(1, 2, 0), np.asarray(picture)[:, 20:80]
    )
    assert suggest(picture.crop((0, 0, 60, 60)), False, False, channels=3) == (Steps(), ())


def test_what_models_images_have_in_common(digits):
    white_on_black = torch.from_numpy(digits)[:, None] / 255
    assert habits(white_on_black) == (True, True)
    assert habits(1 - white_on_black) == (False, False)
    clothes = torch.zeros(8, 1, 28, 28)
    clothes[:, :, :, 6:22] = 0.7  # as tall as the frame
    assert habits(clothes) == (True, False)
    assert habits(torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))) == (False, False)


def test_each_step_by_itself():
    array = np.zeros((30, 50, 3), np.uint8)
    array[:, :] = (10, 200, 90)
    array[5:15, 20:30] = (250, 20, 20)
    picture = Image.fromarray(array)
    turned = prepare(picture, Steps(turn=1), 50, 3)
    assert turned.stages[0][0] == "turned left"
    np.testing.assert_array_equal(np.asarray(turned.stages[0][1]), np.rot90(array))
    assert prepare(picture, Steps(turn=2), 50, 3).stages[0][0] == "turned upside down"
    np.testing.assert_array_equal(np.asarray(prepare(picture, Steps(turn=3), 50, 3).stages[0][1]), np.rot90(array, -1))
    gray = prepare(picture, Steps(gray=True), 50, 3)
    assert gray.stages[0][0] == "converted to gray"
    assert (gray.image[0] == gray.image[2]).all()
    assert prepare(picture, Steps(crop="content"), 10, 3).stages[0] == (
        "cropped to its content, 10 × 10",
        picture.crop((20, 5, 30, 15)),
    )
    for background, corner in (("black", (0, 0, 0)), ("white", (255, 255, 255)), ("rim", (10, 200, 90))):
        padded = prepare(picture, Steps(background=background), 50, 3).image
        assert tuple(padded[:, 0, 0].tolist()) == corner
        np.testing.assert_array_equal(padded[:, 10:40].numpy().transpose(1, 2, 0), array)
    inverted = prepare(picture, Steps(invert=True, background="white"), 50, 3)
    np.testing.assert_array_equal(inverted.image[:, 10:40].numpy().transpose(1, 2, 0), 255 - array)
    assert (inverted.image[:, 0] == 0).all()
    assert inverted.words == "padded to a square, 50 × 50, inverted"


def test_rims():
    picture = Image.new("L", (40, 30), 51)
    picture.paste(255, (1, 1, 39, 29))
    assert rim(picture) == pytest.approx(0.2)
    assert rim(np.array(picture) / 255) == pytest.approx(0.2)


@pytest.mark.unchecked
def test_steps_are_plain_data_and_checked():
    steps = Steps(crop="content", pad="margin", background="rim", invert=True, gray=True, turn=3, clean=True)
    assert Steps(**json.loads(json.dumps(asdict(steps)))) == steps
    assert len({steps, replace(steps), Steps()}) == 2
    for wrong in ({"crop": "tight"}, {"pad": "none"}, {"background": "red"}, {"turn": 4}, {"turn": "left"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Steps(**wrong)
    with pytest.raises(DatasetError, match="channels"):
        prepare(Image.new("L", (9, 9)), Steps(), 28, 2)


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    mode=st.sampled_from(["L", "RGB"]),
    kind=st.sampled_from(["noise", "flat", "spot"]),
    crop=st.sampled_from(["whole", "content", "square"]),
    pad=st.sampled_from(["square", "margin"]),
    background=st.sampled_from(["black", "white", "rim"]),
    switches=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, True, False])),
    turn=st.integers(0, 3),
    model=st.sampled_from([(28, 1), (64, 3)]),
)
@settings(max_examples=25, deadline=None)
def test_any_picture_by_any_steps(width, height, mode, kind, crop, pad, background, switches, turn, model):
    shape = (height, width) if mode == "L" else (height, width, 3)
    array = np.random.default_rng(0).integers(0, 256, shape) if kind == "noise" else np.full(shape, 90)
    if kind == "spot":
        array[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = 230
    picture = Image.fromarray(array.astype(np.uint8))
    invert, clean, thicken, gray = switches
    for steps in (
        Steps(crop, pad, background, invert, gray, turn, clean, thicken),
        suggest(picture, True, True, model[1])[0],
        suggest(picture, True, False, model[1])[0],
    ):
        found = prepare(picture, steps, *model)
        assert found.image.shape == (model[1], model[0], model[0])
        if found.stages:
            assert found.stages[-1][1].size == (model[0], model[0])


def test_long_thin_and_large_pictures():
    thin = Image.new("L", (20_000, 3), 200)
    thin.paste(10, (9_000, 0, 9_100, 3))
    for steps in (Steps(), suggest(thin, True, True)[0], Steps(crop="content", pad="margin", thicken=True)):
        assert prepare(thin, steps, 28, 1).image.shape == (1, 28, 28)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (2, 1), (3, 2), (1, 1)])
@pytest.mark.parametrize("low", range(0, 250, 31))
def test_pictures_of_two_levels_are_prepared(width, height, low):
    pixels = np.full((height, width), 255, np.uint8)
    pixels[:, : width // 2] = low
    picture = Image.fromarray(pixels)
    for dark_rim in (True, False):
        steps, _ = suggest(picture, dark_rim, True)
        assert prepare(picture, steps, 28, 1).image.shape == (1, 28, 28)
