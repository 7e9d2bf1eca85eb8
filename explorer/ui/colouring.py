"""What colours the points of a map of encoded data: `explorer.latents.colours`, and a person's tags."""

from __future__ import annotations

import numpy as np

from explorer.figures import Groups
from explorer.latents import colours
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import tags


def colors(data: EncodedDataset) -> dict[str, str]:
    """What can colour the map of these data, with its name on the screen."""
    found = colours.colors_of(data.latents, has_prior=data.model.has_prior)
    tag = {"tag": "tag"} if tags.of(data) else {}
    return {"class": found["class"], **tag, **found}


def categories(data: EncodedDataset, color: str) -> Groups | None:
    """The groups, or the categories of a column, that points are of and are coloured by; None for any other colour."""
    return colours.categories(data.latents, color)


def values(data: EncodedDataset, color: str) -> tuple[np.ndarray, str] | None:
    """The numbers that points are coloured by, NaN for what is not known, and what they are; None for classes."""
    return colours.values(data.latents, data.map.points, color, has_likelihood=data.model.has_likelihood)
