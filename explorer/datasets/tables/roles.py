"""Which array or column of a table is the image, the label, the group and the split: guessed, or as a person says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from explorer.datasets.tables.fields import MOST_LABELS, Field, split_of
from explorer.errors import DatasetError

NONE = ""
"""A role that no field has."""
_CHANNELS = (1, 3, 4)
_IMAGE = ("image", "images", "img", "x", "data", "pixels", "pixel", "picture")
_LABEL = {
    *("label", "labels", "y", "target", "targets", "class", "classes", "cls", "category", "diagnosis", "dx", "emotion"),
    *("digit", "species", "variety", "condition", "status"),
}
_GROUP = {
    *("patient", "patients", "subject", "subjects", "donor", "participant", "slide", "animal", "mouse", "person"),
    *("individual", "specimen", "lesion", "plate"),
}
_SPLIT = {"split", "usage", "subset", "partition", "set", "phase", "fold"}
_LEAST_FLAT = 64  # numbers side by side that are taken for pixels: 8 x 8 digits


@dataclass(frozen=True)
class Roles:
    """The names of fields by what they are; None is guessed, NONE is no field. `turned` swaps rows and columns."""

    image: str | None = None
    label: str | None = None
    group: str | None = None
    split: str | None = None
    turned: bool | None = None


def guess(fields: Sequence[Field], asked: Roles, called: str) -> Roles:
    """Fills in what was not asked for.

    Raises:
        DatasetError: a field that was asked for is not there, or none of them can be images.
    """
    _check(fields, asked, called)
    image = asked.image or _image(fields, called)
    columns = [field for field in fields if field.is_column and field.name not in (image, asked.group)]
    turned = "emnist" in called.lower() if asked.turned is None else asked.turned
    label = _label(columns, fields) if asked.label is None else asked.label
    return _filled(columns, asked, image, label, turned)


def describing(fields: Sequence[Field], asked: Roles, called: str, *, classes: bool) -> Roles:
    """The same of a table beside pictures: without an image, and with a label only where folders are no `classes`."""
    _check(fields, replace(asked, image=NONE), f"The table of {called}")
    columns = [field for field in fields if field.is_column and field.name != asked.group]
    label = (NONE if classes else _label(columns, columns)) if asked.label is None else asked.label
    return _filled(columns, asked, NONE, label, False)


def _check(fields: Sequence[Field], asked: Roles, called: str) -> None:
    names = [field.name for field in fields]
    for name in (asked.image, asked.label, asked.group, asked.split):
        if name and name not in names:
            listed = ", ".join(dict.fromkeys(names))
            raise DatasetError(f"{called} has no array or column {name!r}: it has {listed[:500]}.")


def _filled(columns: Sequence[Field], asked: Roles, image: str, label: str, turned: bool) -> Roles:
    group = next((field.name for field in columns if field.words & _GROUP and field.name != label), NONE)
    return Roles(
        image,
        label,
        group if asked.group is None else asked.group,
        _split(columns) if asked.split is None else asked.split,
        turned,
    )


def image_shape(field: Field) -> tuple[str, tuple[int, int]] | None:
    """The order of an array's axes, such as `HWC`, and height and width; None where it does not hold images."""
    if field.kind == "picture":
        return "file", (0, 0)
    shape = field.shape[1:]
    if field.kind != "number" or 0 in field.shape:
        return None
    if len(shape) == 2 and min(shape) >= 2:
        return "HW", (shape[0], shape[1])
    if len(shape) == 3 and shape[2] in _CHANNELS:
        return "HWC", (shape[0], shape[1])
    if len(shape) == 3 and shape[0] in _CHANNELS:
        return "CHW", (shape[1], shape[2])
    if len(shape) == 1:
        for channels in (1, 3):
            side = math.isqrt(shape[0] // channels)
            if side * side * channels == shape[0] and shape[0] >= 16:
                return ("HW" if channels == 1 else "CHW"), (side, side)
    return None


def _image(fields: Sequence[Field], called: str) -> str:
    def rank(field: Field) -> tuple[bool, int, int]:
        known = next((i for i, name in enumerate(_IMAGE) if name in field.words), len(_IMAGE))
        return field.kind == "picture" or len(field.shape) > 2, -known, math.prod(field.shape)

    fit = [f for f in fields if image_shape(f) and (len(f.shape) != 2 or f.shape[1] >= _LEAST_FLAT)]
    if not fit:
        listed = ", ".join(f"{f.source} {list(f.shape)}" for f in fields[:10])
        raise DatasetError(
            f"{called} holds no images: it has {listed or 'nothing'}. Images are an array [N, H, W], [N, H, W, 3] or "
            "[N, 3, H, W], or a row of pixels each."
        )
    return max(fit, key=rank).name


def _label(columns: Sequence[Field], fields: Sequence[Field]) -> str:
    """By its name; one-hot arrays too; or else the one column of few whole numbers or words that there is."""
    found = [f.name for f in columns if f.words & _LABEL and (f.classes or f.is_category)]
    found += [f.name for f in fields if f.words & _LABEL and len(f.shape) == 2 and 1 < f.shape[1] <= MOST_LABELS]
    if found:
        return found[0]
    others = list(dict.fromkeys(f.name for f in columns if not f.words & (_SPLIT | _GROUP) and f.is_category))
    return others[0] if len(others) == 1 else NONE


def _split(columns: Sequence[Field]) -> str:
    for field in columns:
        if field.words & _SPLIT and field.kind == "text":
            values = {split_of(value) for value in set(field.texts())}
            if "" not in values and "train" in values and len(values) > 1:
                return field.name
    return NONE
