import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from explorer.images.pictures import BRIGHTER, DARKER, difference, encode, mosaic, save_grid, sheet, showcase, to_uint8


def test_rounding_is_to_the_nearest():
    images = torch.tensor([0.0, 0.49 / 255, 0.51 / 255, 1.0, -1.0, 2.0]).reshape(1, 1, 1, 6)
    assert to_uint8(images).flatten().tolist() == [0, 0, 1, 255, 0, 255]


def test_bytes_pass_through():
    images = torch.randint(0, 256, (3, 3, 4, 5), dtype=torch.uint8)
    assert np.array_equal(to_uint8(images), images.numpy().transpose(0, 2, 3, 1))
    assert np.array_equal(to_uint8(images.float() / 255), images.numpy().transpose(0, 2, 3, 1))


@given(
    n=st.integers(1, 30),
    columns=st.none() | st.integers(1, 40),
    c=st.sampled_from([1, 3]),
    h=st.integers(1, 5),
    w=st.integers(1, 5),
)
@settings(deadline=None)
def test_tiles_lie_row_by_row(n, columns, c, h, w):
    images = torch.randint(1, 256, (n, c, h, w), dtype=torch.uint8)
    picture = np.asarray(sheet(images, columns)).reshape(*reversed(sheet(images, columns).size), c)
    across = columns or int(np.ceil(np.sqrt(n)))
    assert picture.shape == (-(-n // across) * h, across * w, c)
    for i in range(n):
        row, column = divmod(i, across)
        tile = picture[row * h : (row + 1) * h, column * w : (column + 1) * w]
        assert np.array_equal(tile, images[i].numpy().transpose(1, 2, 0))
    assert np.count_nonzero(picture.any(-1)) == n * h * w  # what is left is black


def test_no_images_are_no_sheet():
    with pytest.raises(ValueError, match="at least one image"):
        sheet(torch.zeros(0, 1, 2, 2))


@pytest.mark.parametrize("c", [1, 3])
def test_a_png_is_lossless_and_a_webp_is_close(c):
    smooth = torch.linspace(0, 1, 32).expand(4, c, 32, 32)
    picture = sheet(smooth)
    back = Image.open(io.BytesIO(encode(picture, "PNG")))
    assert back.format == "PNG"
    assert np.array_equal(np.asarray(back), np.asarray(picture))
    near = Image.open(io.BytesIO(encode(picture, "WEBP")))
    assert near.format == "WEBP"
    gap = np.asarray(near.convert(picture.mode)).astype(int) - np.asarray(picture)
    assert np.abs(gap).mean() < 5


def test_a_grid_is_saved(tmp_path):
    save_grid(torch.zeros(5, 1, 28, 28), tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (84, 56)
    with pytest.raises(FileNotFoundError):
        save_grid(torch.zeros(5, 1, 28, 28), tmp_path / "nowhere" / "grid.png")


def test_a_difference_with_gain():
    one = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    other = one.clone()
    other[:, 0, 0], other[:, 1, 1] = 103, 0
    found = np.asarray(difference(one, other, gain=10))
    share = 30 / 255
    assert found[0, 0].tolist() == [round(238 + share * (full - 238)) for full in BRIGHTER]
    assert found[1, 1].tolist() == list(DARKER)
    assert found[0, 1].tolist() == [238, 238, 238]  # opaque: what is behind it does not matter


def test_a_mosaic_with_gaps():
    parts = [Image.new("RGB", (3, 2), (10 * i, 0, 0)) for i in range(1, 4)]
    found = np.asarray(mosaic(parts, 2, gap=1))
    assert found.shape == (5, 7, 3)
    assert found[0, 0, 0] == 10
    assert found[0, 4, 0] == 20
    assert found[3, 0, 0] == 30
    assert found[:, 3].max() == found[2].max() == 0
    with pytest.raises(ValueError, match="at least one"):
        mosaic([], 2)


def test_a_showcase_is_on_black_and_enlarged():
    colours = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    images = colours[:, :, None, None].expand(3, 3, 4, 6)
    picture = np.array(showcase(images, 2, times=3, gap=5))
    assert picture.shape == (5 + 12 + 5 + 12 + 5, 5 + 18 + 5 + 18 + 5, 3)
    for i, (top, left) in enumerate(((5, 5), (5, 28), (22, 5))):
        tile = picture[top : top + 12, left : left + 18]
        assert (tile == 255 * colours[i].numpy()).all()
        tile[:] = 0
    assert not picture.any()  # the gaps, the border, and the place that is left over
    with pytest.raises(ValueError, match="at least one"):
        showcase(images[:0], 2)
