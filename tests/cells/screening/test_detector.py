"""The residual score and the detector against scipy, and on drawn cells whose spot is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.special import logsumexp

from explorer.cells.screening import Detector, pooled, residual_channels, residual_score, screener
from explorer.cells.screening.detector import BACKGROUND, OUTSIDE

Y, X = np.mgrid[:64, :64]
PINK, PURPLE = (0.8, 0.65, 0.7), (0.55, 0.3, 0.6)


def cell(*spots, radius=26):
    """A pink disc [1, 3, 64, 64] on black with purple discs (y, x, radius) in it."""
    image = np.where(radius**2 >= (Y - 32) ** 2 + (X - 32) ** 2, np.array(PINK)[:, None, None], 0.0)
    for y, x, r in spots:
        image = np.where((Y - y) ** 2 + (X - x) ** 2 <= r**2, np.array(PURPLE)[:, None, None], image)
    return torch.from_numpy(image[None]).float()


def random_pair(seed, size=64):
    """A textured cell with ragged edges, and another in place of its reconstruction."""
    generator = np.random.default_rng(seed)
    image, other = (ndimage.gaussian_filter(generator.random((3, size, size)), (0, 2, 2)) for _ in range(2))
    image[:, generator.random((size, size)) < 0.02] = 0
    image[:, : size // 6] = 0
    return torch.from_numpy(image[None]).float(), torch.from_numpy(other[None]).float()


def score_by_scipy(image, reconstruction):
    image, left = image[0].double().numpy(), (image - reconstruction)[0].double().numpy()
    inside = ndimage.binary_erosion(np.pad(image.mean(0) > BACKGROUND, 2), np.ones((5, 5)))[2:-2, 2:-2]

    def blur(values, sigma):
        return ndimage.gaussian_filter(values, sigma, mode="constant", truncate=3)

    purple = (left[2] - left[1]) * inside
    local = (purple - blur(purple, 6) / (blur(inside.astype(float), 6) + 1e-3)) * inside
    return max(0.0, blur(local, 1)[inside].max(initial=-np.inf))


@pytest.mark.parametrize("seed", range(6))
def test_residual_score_is_scipys(seed):
    image, other = random_pair(seed)
    expected = score_by_scipy(image, other)
    assert expected > 0
    assert residual_score(image, other).item() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("spot", [(32, 32, 3), (20, 40, 2), (44, 26, 4)])
def test_a_purple_spot_scores_and_a_plain_cell_does_not(spot):
    plain = cell()
    assert residual_score(plain, plain).item() == 0
    assert residual_score(plain * 0.9, plain).item() < 0.01  # darker everywhere: no place stands out
    found = residual_score(cell(spot), plain).item()
    assert found == pytest.approx(score_by_scipy(cell(spot), plain), abs=2e-6)
    assert found > 0.05


def test_a_rim_and_a_spot_off_the_cell_are_left_out():
    plain = cell()
    assert residual_score(plain, cell(radius=27)).item() < 0.01
    assert residual_score(cell((3, 3, 2)), plain).item() == pytest.approx(0, abs=1e-6)
    assert residual_score(torch.zeros(2, 3, 64, 64), plain.expand(2, -1, -1, -1)).tolist() == [0, 0]


def test_the_shipped_detector_finds_a_spot_at_its_place():
    detector, plain = screener("cpu").detector, cell()

    def evidence(image):
        return detector(residual_channels(image, (plain, plain)))[0]

    nothing = pooled(evidence(plain)[None])
    for y, x in ((32, 32), (20, 40), (46, 26)):
        seen = evidence(cell((y, x, 3)))
        assert pooled(seen[None]) > nothing + 3
        row, column = divmod(int(seen.argmax()), seen.shape[1])
        assert np.hypot(2 * row + 0.5 - y, 2 * column + 0.5 - x) <= 6  # a place sees 13 x 13 pixels


def test_pooling_is_scipys():
    evidence = torch.randn(5, 7, 9, generator=torch.Generator().manual_seed(0)) * 6
    np.testing.assert_allclose(pooled(evidence), logsumexp(evidence.numpy(), axis=(1, 2)), rtol=1e-5)


def test_off_the_cell_is_no_evidence():
    image = cell()
    seen = Detector(1)(residual_channels(image, (torch.rand(1, 3, 64, 64),)))[0]
    distance = np.hypot(2 * Y[:32, :32] + 0.5 - 32, 2 * X[:32, :32] + 0.5 - 32)
    assert (seen[torch.from_numpy(distance > 28)] == OUTSIDE).all()
    assert (seen[torch.from_numpy(distance < 24)] > OUTSIDE).all()
    empty = Detector(1)(residual_channels(torch.zeros(1, 3, 64, 64), (image,)))
    assert (empty == OUTSIDE).all()


def test_channels_are_scaled_residuals_and_the_mask():
    image, one = random_pair(0)
    two = one.flip(3)
    found = residual_channels(image, (one, two))[0].numpy()
    mask = image[0].numpy().mean(0) > BACKGROUND
    np.testing.assert_array_equal(found[6], mask)
    for i, other in enumerate((one, two)):
        expected = 8 * (image - other)[0].numpy() * mask
        np.testing.assert_allclose(found[3 * i : 3 * i + 3], expected, atol=1e-6)
    assert mask.any()
    assert not mask.all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 4), st.integers(1, 3), st.integers(4, 20), st.integers(4, 20), st.integers(0, 2**32 - 1))
def test_shapes(n, models, rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (n, 3, 2 * rows, 2 * columns)
    images, *others = (torch.rand(shape, generator=generator) for _ in range(models + 1))
    channels = residual_channels(images, others)
    assert channels.shape == (n, 3 * models + 1, *shape[2:])
    evidence = Detector(models, width=2).eval()(channels)
    assert evidence.shape == (n, rows, columns)
    assert pooled(evidence).shape == (n,)
    score = residual_score(images, others[0])
    assert score.shape == (n,)
    assert (score >= 0).all()
    assert torch.isfinite(evidence).all()
