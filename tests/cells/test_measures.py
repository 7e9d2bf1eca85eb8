"""Measures of cells against shapes and colours whose figures are known."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import fit_screening, initialisation, real_cells, screening
from benchmarks.real_cells import summaries
from explorer.cells.measures import HUE_BINS, Summary, measure, real

SIDE = 64
Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2


def drawn(mask, colour=(0.8, 0.6, 0.6), spots=()):
    """A picture [1, 3, 64, 64] of a mask in a colour, with dark discs (y, x, radius) in it."""
    image = np.where(mask, np.array(colour)[:, None, None], 0.0)
    for y, x, radius in spots:
        image[:, (Y - y) ** 2 + (X - x) ** 2 <= radius**2] *= 0.4
    return torch.from_numpy(image[None]).float()


def disc(radius):
    return radius**2 >= Y**2 + X**2


def turned_square(half, angle):
    u, v = X * np.cos(angle) + Y * np.sin(angle), Y * np.cos(angle) - X * np.sin(angle)
    return (np.abs(u) <= half) & (np.abs(v) <= half)


@pytest.mark.parametrize("radius", [12, 20, 28])
def test_a_disc_is_round(radius):
    assert measure(drawn(disc(radius))).roundness.item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("angle", [0, 0.4, np.pi / 4])
def test_a_square_is_less_round(angle):  # by a pixel at each corner rounder than it is
    assert measure(drawn(turned_square(18, angle))).roundness.item() == pytest.approx(
        np.pi / 4, abs=0.045
    )  # corners are cut by a pixel


def test_an_ellipse_by_ramanujans_perimeter():
    a, b = 28.0, 12.0
    perimeter = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
    found = measure(drawn((X / a) ** 2 + (Y / b) ** 2 <= 1)).roundness.item()
    assert found == pytest.approx(4 * np.pi * np.pi * a * b / perimeter**2, abs=0.03)


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.floats(0.2, 1.0)] * 3))
def test_colour_and_hue_are_colorsys(colour):
    found = measure(drawn(disc(20), colour))
    np.testing.assert_allclose(found.colour[0], colour, atol=1e-5)
    hue, saturation, _ = colorsys.rgb_to_hsv(*np.float32(colour).astype(float))
    if saturation < 1e-3:
        return
    near = [int(hue * HUE_BINS + shift) % HUE_BINS for shift in (-1e-4, 1e-4)]  # an edge of a bin may go either way
    assert float(found.hue[near].max()) == pytest.approx(1, abs=1e-5)


def test_saturated_pixels_weigh_more():
    half = drawn(disc(20), (1.0, 0.0, 0.0))
    left = torch.from_numpy(X < 0)
    half[..., left] = drawn(disc(20), (0.6, 0.6, 0.8))[..., left]  # hue 240 degrees, saturation 1/4
    found = measure(half)
    assert float(found.hue[0]) == pytest.approx(0.8, abs=0.02)
    assert float(found.hue[24]) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("spots", [[], [(0, 0, 4)], [(-8, -8, 3), (8, 8, 4)], [(-8, 0, 3), (8, -8, 3), (6, 9, 3)]])
def test_dark_spots_are_counted(spots):
    assert measure(drawn(disc(24), spots=spots)).spots.item() == len(spots)


def test_a_dark_rim_is_no_spot():
    image = drawn(disc(24))
    image[..., torch.from_numpy(disc(24) & ~disc(22))] *= 0.5
    assert measure(image).spots.item() == 0


def test_specks_beside_the_cell_are_no_part_of_it():
    image = drawn(disc(16))
    image[..., 2:5, 2:5] = 1.0
    assert measure(image).roundness.item() == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(measure(image).colour[0], (0.8, 0.6, 0.6), atol=1e-5)


def test_no_cell():
    found = measure(torch.zeros(2, 3, 64, 64))
    assert found.roundness.isnan().all()
    assert found.colour.isnan().all()
    assert found.spots.tolist() == [0, 0]
    assert found.hue.sum() == 0
    assert measure(torch.zeros(0, 3, 64, 64)).colour.shape == (0, 3)


@pytest.mark.unchecked
def test_gray_pictures_are_refused():
    with pytest.raises(ValueError, match="RGB"):
        measure(torch.zeros(2, 1, 64, 64))


def test_a_summary():
    images = torch.cat([drawn(disc(20), spots=[(0, 0, 4)]), drawn(disc(20)), torch.zeros(1, 3, 64, 64)])
    found = Summary.of(measure(images))
    assert found.count == 3
    assert found.spotted == pytest.approx(1 / 3)
    assert found.roundness[1] == pytest.approx(1, abs=0.03)
    assert found.colour[0] == pytest.approx(0.8, abs=0.05)
    assert Summary.of(measure(torch.zeros(0, 3, 64, 64))).count == 0


@pytest.mark.slow
@pytest.mark.data
def test_what_is_said_of_real_cells_is_measured(data_root, monkeypatch):
    """And infected cells have dark spots while healthy ones have none: the measure sees what people see."""
    monkeypatch.setenv("EXPLORER_DATA", str(data_root))
    found = summaries()
    stored = real()
    assert list(found) == list(stored) == ["healthy", "infected"]
    for name, summary in found.items():
        np.testing.assert_allclose(summary.hue, stored[name].hue, atol=1e-3)
        np.testing.assert_allclose(summary.roundness, stored[name].roundness, atol=1e-3)
        assert summary.count == stored[name].count
    assert found["healthy"].spotted < 0.05
    assert found["infected"].spotted > 0.6


def test_benchmarks_write_where_the_package_reads():
    assert real_cells.OUT.is_file()
    assert screening.OUT.is_file()
    for out, names in (
        (initialisation.OUT, ("initialisation.json", "initialisation.safetensors")),
        (fit_screening.OUT, ("cells.safetensors", "detector.safetensors")),
    ):
        assert all((out / name).is_file() for name in names)
