"""What people call the numbers of a code: by their places where codes are grids."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.checkpoints.model import load
from explorer.models.base import place_name


@pytest.mark.parametrize("last", [True, False], ids=["channels last", "channels first"])
def test_places_of_a_grid_are_counted_as_arrays_are(last):
    shape = (2, 3, 5) if last else (5, 2, 3)  # rows and columns are 2 and 3
    for i in range(30):
        place = [int(at) + 1 for at in np.unravel_index(i, shape)]
        row, column, channel = place if last else (*place[1:], place[0])
        assert place_name(i, (2, 3, 5), channels_last=last) == f"row {row}, column {column}, channel {channel}"


def test_a_vq_code_goes_row_by_row():
    network = load("textures-vq").network
    rows, columns = network.grid
    assert network.latent_name(0) == "row 1, column 1, channel 1"
    assert network.latent_name(network.latent - 1).startswith(f"row {rows}, column {columns}, channel ")
    assert network.latent_name(network.latent // rows).startswith("row 2, column 1, channel 1")


def test_a_ladder_names_the_layer():
    network = load("mnist-ladder").network
    names = [network.latent_name(i) for i in range(network.latent)]
    assert names[0] == "layer 1, latent 0"
    assert "layer 3, row 1, column 2, channel 1" in names
    assert len(set(names)) == len(names)
