"""From pictures to arrays of one size: centred, antialiased, gray or colour."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer.errors import DatasetError
from explorer.images.arrays import to_array
from explorer.images.batches import resize_batch
from explorer.images.decoding import decode_image
from explorer.images.depth import is_gray


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_to_array_centres_on_black():
    array = to_array(Image.new("RGB", (40, 20), (200, 100, 50)), 40, 3)
    assert array.shape == (3, 40, 40)
    assert array.dtype == np.uint8
    assert array[:, :10].max() == array[:, 30:].max() == 0
    assert (array[:, 10:30] == np.array([200, 100, 50])[:, None, None]).all()


def test_to_array_leaves_the_right_size_alone():
    image = np.random.default_rng(0).integers(0, 256, (28, 28, 3)).astype(np.uint8)
    np.testing.assert_array_equal(to_array(Image.fromarray(image), 28, 3), image.transpose(2, 0, 1))


def test_to_array_does_not_alias():
    """Every second line white: without antialiasing the small picture would be all white or all black."""
    lines = np.zeros((128, 128), np.uint8)
    lines[::2] = 255
    small = to_array(Image.fromarray(lines), 16, 1)
    assert np.abs(small[:, 2:-2].astype(int) - 127).max() <= 2


def test_to_array_of_a_long_thin_picture():
    """Its square would have 8 billion pixels."""
    array = to_array(Image.new("L", (89_000, 3), 255), 32, 1)
    assert array.shape == (1, 32, 32)
    assert array[0, 14:18].max() > 0


@given(width=st.integers(1, 90), height=st.integers(1, 90), size=st.integers(4, 70), channels=st.sampled_from([1, 3]))
def test_to_array_of_any_shape(width, height, size, channels):
    array = to_array(Image.new("RGB", (width, height), (255, 255, 255)), size, channels)
    assert array.shape == (channels, size, size)
    assert array.flags.c_contiguous
    assert array.max() > 200 or max(width, height) / min(width, height) > size / 2


@pytest.mark.unchecked
@pytest.mark.parametrize(("size", "channels"), [(3, 1), (1025, 1), (28, 2), (28, 4), (28.0, 1), ("28", 1)])
def test_impossible_sizes(size, channels):
    with pytest.raises(DatasetError):
        to_array(Image.new("L", (9, 9)), size, channels)


def test_is_gray():
    gray = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8))
    assert is_gray(gray)
    assert is_gray(decode_image(_saved(gray.convert("RGB"), "JPEG", quality=60)))
    assert not is_gray(Image.new("RGB", (9, 9), (100, 130, 100)))
    spots = np.zeros((128, 128, 3), np.uint8)
    spots[60:64, 60:64, 1] = 200  # one green spot on black
    assert not is_gray(Image.fromarray(spots))


def test_resize_batch_agrees_with_pillow():
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (4, 3, 40, 40)).astype(np.uint8)
    small = resize_batch(torch.from_numpy(batch), 16, None)
    assert small.dtype == torch.uint8
    for one, pixels in zip(small, batch, strict=True):
        pillow = to_array(Image.fromarray(pixels.transpose(1, 2, 0)), 16, 3)
        assert np.abs(one.numpy().astype(int) - pillow).max() <= 1
    gray = resize_batch(torch.from_numpy(batch), None, 1)
    for one, pixels in zip(gray, batch, strict=True):
        np.testing.assert_array_equal(one[0], np.asarray(Image.fromarray(pixels.transpose(1, 2, 0)).convert("L")))
    assert torch.equal(resize_batch(gray, None, 3)[:, 2], gray[:, 0])
    same = torch.from_numpy(batch)
    assert resize_batch(same, 40, 3) is same


sides = st.integers(4, 60)


@given(width=st.integers(20, 90), height=st.integers(20, 90), size=st.tuples(sides, sides))
def test_a_picture_of_any_shape_lies_in_the_middle_of_a_frame_of_any_other(width, height, size):
    array = to_array(Image.new("L", (width, height), 255), size, 1)
    assert array.shape == (1, *size)
    scale = min(size[0] / height, size[1] / width)
    assert abs(array.sum() / 255 - height * width * scale**2) <= sum(size)  # to a pixel at its rim
    down, across = (np.arange(side) - (side - 1) / 2 for side in size)
    for place in (array[0] * down[:, None], array[0] * across):
        assert abs(place.sum() / array.sum()) <= max(1, 0.6 * scale)  # half a pixel of the picture


def test_a_square_is_what_both_its_sides_are():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (23, 41, 3)).astype(np.uint8))
    np.testing.assert_array_equal(to_array(picture, 28, 3), to_array(picture, (28, 28), 3))


@given(shape=st.tuples(sides, sides), size=st.tuples(sides, sides))
def test_a_batch_of_any_sides_is_resized_as_pillow_does_it(shape, size):
    batch = np.random.default_rng(0).integers(0, 256, (2, 1, *shape)).astype(np.uint8)
    found = resize_batch(torch.from_numpy(batch), size, None)
    for one, pixels in zip(found, batch, strict=True):
        apart = np.abs(one.numpy().astype(int) - to_array(Image.fromarray(pixels[0]), size, 1))
        assert apart.mean() <= 0.5  # of noise, whose overshoots each cuts off at another moment
