"""Noise, blur, a patch and a rotation against scipy.ndimage and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from explorer.images.corruptions import Corruption, corrupt


def images(n=2, channels=3, side=20, seed=0):
    return torch.randint(
        0, 256, (n, channels, side, side), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
    )


def test_nothing_is_the_identity_and_a_seed_repeats():
    x = images()
    assert torch.equal(corrupt(x, Corruption()), x)
    c = Corruption(noise=0.2, blur=1, patch=0.3, turn=20, seed=3)
    before = x.clone()
    assert torch.equal(corrupt(x, c), corrupt(x, c))
    assert torch.equal(x, before)
    assert not torch.equal(corrupt(x, c), corrupt(x, Corruption(noise=0.2, blur=1, patch=0.3, turn=20, seed=4)))
    assert not Corruption(seed=4).changes
    assert c.changes


@pytest.mark.parametrize("degrees", [-30, 7.5, 45, 90, 180])
def test_a_rotation_is_scipys(degrees):
    x = images(n=1, channels=1, side=21)
    padded = np.pad(x[0, 0].numpy().astype(float), 1)  # scipy interpolates with black beyond the edge only so
    expected = ndimage.rotate(padded, degrees, reshape=False, order=1, mode="constant")[1:-1, 1:-1]
    found = corrupt(x, Corruption(turn=degrees))[0, 0].numpy()
    assert np.abs(found - expected).max() <= 1


def test_a_quarter_turn_goes_to_the_left():
    x = images()
    assert torch.equal(corrupt(x, Corruption(turn=90)), torch.rot90(x, 1, (2, 3)))
    assert torch.equal(corrupt(x, Corruption(turn=-90)), torch.rot90(x, -1, (2, 3)))


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_a_blur_is_scipys(sigma):
    x = images(n=2, channels=1)
    expected = ndimage.gaussian_filter(x.numpy().astype(float), (0, 0, sigma, sigma), mode="nearest", truncate=4)
    assert np.abs(corrupt(x, Corruption(blur=sigma)).numpy() - expected).max() <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_patch_is_a_black_square_inside(seed):
    x = torch.full((2, 3, 20, 20), 200, dtype=torch.uint8)
    found = corrupt(x, Corruption(patch=0.35, seed=seed))
    black = (found == 0).all(1)
    assert torch.equal(black[0], black[1])
    rows, columns = black[0].any(1).nonzero().flatten(), black[0].any(0).nonzero().flatten()
    assert len(rows) == len(columns) == 7
    assert int(black[0].sum()) == 49
    assert (found[:, :, ~black[0]] == 200).all()
    assert (corrupt(x, Corruption(patch=1, seed=seed)) == 0).all()


def test_patches_lie_anywhere():
    x = torch.full((1, 1, 12, 12), 255, dtype=torch.uint8)
    covered = sum((corrupt(x, Corruption(patch=0.25, seed=s)) == 0).int() for s in range(300))
    assert (covered > 0).all()


def test_noise_has_its_deviation_and_is_clipped():
    gray = torch.full((1, 3, 64, 64), 128, dtype=torch.uint8)
    noise = (corrupt(gray, Corruption(noise=0.1)).float() - 128) / 255
    assert noise.std().item() == pytest.approx(0.1, rel=0.03)
    assert abs(noise.mean().item()) < 0.003
    black = corrupt(torch.zeros(1, 1, 64, 64, dtype=torch.uint8), Corruption(noise=0.1))
    assert (black == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_an_image_does_not_depend_on_its_company():
    x = images(n=4)
    c = Corruption(noise=0.3, patch=0.2, blur=0.7, turn=12, seed=1)
    torch.testing.assert_close(corrupt(x, c)[2:3], corrupt(x[2:3], c), atol=1, rtol=0)


@given(
    n=st.integers(0, 3),
    channels=st.sampled_from([1, 3]),
    side=st.integers(1, 30),
    noise=st.floats(0, 2),
    blur=st.floats(0, 8),
    patch=st.floats(0, 1),
    turn=st.floats(-720, 720),
)
@settings(max_examples=30, deadline=None)
def test_any_figures_give_images_of_the_same_shape(n, channels, side, noise, blur, patch, turn):
    x = images(n, channels, side)
    found = corrupt(x, Corruption(noise, blur, patch, turn))
    assert found.shape == x.shape
    assert found.dtype == torch.uint8


@pytest.mark.parametrize(
    "figures",
    [{"noise": -0.1}, {"blur": -1}, {"patch": 1.1}, {"patch": -0.1}, {"turn": float("nan")}, {"noise": float("inf")}],
)
def test_figures_out_of_range(figures):
    with pytest.raises(ValueError, match=r"noise|figures"):
        Corruption(**figures)
