"""What colours the points of a map: classes, groups, the columns of a table, figures of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from explorer import figures
from explorer.latents.items import Column, sorted_places
from explorer.latents.stored import Latents

COLORS = {"class": "class", "kl": "KL", "error": "reconstruction error", "density": "density"}  # of any map
GROUP = "patient"  # what a data set's groups are called where no column is them: malaria's are the only ones so far
UNTAGGED = "no tag"
_COLUMN = "column:"
_MOST_CATEGORIES = 200  # of a column: more have no colours of their own


def group_name(latents: Latents) -> str:
    """What the groups of the codes are called: the column that they are, or patients."""
    columns = {} if latents.items is None else latents.items.columns
    return next((name for name, column in columns.items() if column == latents.group), GROUP)


def columns_of(latents: Latents) -> dict[str, Column]:
    """The columns of the items, but for the one of their groups."""
    columns = {} if latents.items is None else latents.items.columns
    return {name: column for name, column in columns.items() if name != group_name(latents)}


def colors_of(latents: Latents, *, has_prior: bool) -> dict[str, str]:
    """What can colour a map of the codes, with its name on the screen."""
    group = {} if latents.group is None else {"group": group_name(latents)}
    columns = {
        f"{_COLUMN}{name}": name
        for name, column in columns_of(latents).items()
        if (not column.isnan().all() if isinstance(column, Tensor) else 1 < len(set(column)) <= _MOST_CATEGORIES)
    }
    found = {"class": COLORS["class"], **group, **columns, **COLORS}
    if not has_prior:
        del found["kl"]  # there is none
    return found


def categories(latents: Latents, color: str) -> figures.Groups | None:
    """The groups, or the categories of a column, that points are of and are coloured by; None for any other colour."""
    if color == "group":
        names, ids = latents.groups
        return figures.Groups(names, ids.numpy(), group_name(latents), colored=True)
    column = _column(latents, color)
    if column is None or isinstance(column, Tensor):
        return None
    names, ids = sorted_places([value or "unknown" for value in column])
    return figures.Groups(names, ids.numpy(), color.removeprefix(_COLUMN), colored=True)


def tag_groups(tags: Mapping[int, str], index: Sequence[int]) -> figures.Groups:
    """What points are of by the tags of the images at `index`, those without one last."""
    names = [*sorted(set(tags.values())), UNTAGGED]
    place = {name: i for i, name in enumerate(names)}
    ids = [place[tags.get(i, UNTAGGED)] for i in index]
    return figures.Groups(names, np.array(ids, np.int64), "tag", colored=True)


def values(
    latents: Latents, points: Float[Tensor, "n 2"], color: str, *, has_likelihood: bool
) -> tuple[np.ndarray, str] | None:
    """The numbers that points are coloured by, NaN for what is not known, and what they are; None for classes."""
    if color == "kl":
        return latents.kl.numpy(), "KL, nats"
    if color == "error":
        unit = "reconstruction error, nats" if has_likelihood else "squared error"
        return -latents.reconstruction.numpy(), unit
    if color == "density":
        return figures.density(points.numpy()), "density, times the average"
    column = _column(latents, color)
    return (column.numpy(), color.removeprefix(_COLUMN)) if isinstance(column, Tensor) else None


def _column(latents: Latents, color: str) -> list[str] | Tensor | None:
    return columns_of(latents).get(color.removeprefix(_COLUMN)) if color.startswith(_COLUMN) else None
