"""That types and shapes are checked while the tests run, and how often."""

import jaxtyping
import pytest
import torch

from explorer.latents import maps
from explorer.latents.neighbourhoods import nearest
from tests import shapes


def test_a_wrong_shape_does_not_pass_the_door():
    with pytest.raises(jaxtyping.TypeCheckError, match="codes"):
        maps.plane(torch.zeros(3, 3))
    with pytest.raises(jaxtyping.TypeCheckError, match="among"):
        nearest(torch.zeros(3, 2), torch.zeros(3, 4), 1)


def test_a_dataclass_is_checked():
    with pytest.raises(jaxtyping.TypeCheckError):
        maps.Map("plane", torch.zeros(3), torch.zeros(3, 2))


def test_the_first_calls_of_each_test_are_checked():
    for _ in range(shapes._OFTEN):
        maps.plane(torch.zeros(3, 2))
    maps.plane(torch.zeros(3, 3))  # and no more
