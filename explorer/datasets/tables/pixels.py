"""Pictures of arrays: each image as the bytes of a file, so that what reads pictures reads these, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from explorer.datasets.tables.fields import Blobs, Field
from explorer.datasets.tables.roles import image_shape
from explorer.errors import DatasetError

Scale = tuple[float, float]
"""What becomes black and what becomes white."""
_TOPS = (255.0, 4095.0, 65535.0)
_PART = 1024  # images that are looked at together
_DIM = 16  # the brightest of 255 that is no picture of 8 bits but one of fewer levels, such as scikit-learn's digits


def scale_of(fields: Sequence[Field]) -> tuple[Scale, list[str]]:
    """Finds which values of all arrays together become 0 and 255, and notes on it where they are others."""
    arrays = [np.asarray(field.values) for field in fields if field.kind == "number"]
    if not arrays:
        return (0.0, 255.0), []
    ends = [end for array in arrays for end in _ends(array)]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    if not low < high:
        low, high = min(low, 0.0), max(high, 1.0)
    if low >= 0 and high <= 1:
        scale = 0.0, 1.0
    elif low >= -1 and high <= 1 and any(a.dtype.kind == "f" for a in arrays):
        scale = -1.0, 1.0
    elif low >= 0 and high > _DIM:
        scale = 0.0, next((top for top in _TOPS if high <= top), high)
    else:
        scale = (0.0 if low >= 0 else low), high
    if scale == (0.0, 255.0):
        return scale, []
    return scale, [f"Values from {low:g} to {high:g}: {scale[0]:g} is shown as black, {scale[1]:g} as white."]


def _ends(array: np.ndarray) -> Iterator[float]:
    """The least and the largest finite value of parts of an array."""
    for i in range(0, len(array), _PART):
        part = array[i : i + _PART]
        if part.dtype.kind == "f":
            part = part[np.isfinite(part)]
        if part.size:
            yield from (float(part.min()), float(part.max()))


def picture_maker(field: Field, scale: Scale, turned: bool) -> tuple[Callable[[int], bytes], int]:
    """Gives what makes the file of each image, by its position, and about how many bytes one has.

    Raises:
        DatasetError: the field does not hold images.
    """
    found = image_shape(field)
    if found is None:
        raise DatasetError(f"{field.source} of shape {list(field.shape)} does not hold images.")
    axes, (height, width) = found
    if axes == "file":
        blobs: Blobs = field.values
        return blobs.__getitem__, int(blobs.lengths[:: max(1, len(field) // 20)].max(initial=0))
    sides = {"HW": (height, width), "HWC": (height, width, -1), "CHW": (-1, height, width)}[axes]
    array = np.asarray(field.values).reshape(len(field), *sides)
    black, white = scale

    def drawn(i: int) -> bytes:
        image = array[i]
        if axes == "CHW":
            image = image.transpose(1, 2, 0)
        image = image.reshape(height, width, -1)
        if turned:
            image = image.transpose(1, 0, 2)
        if image.dtype != np.uint8 or scale != (0.0, 255.0):
            values = np.nan_to_num(image.astype(np.float64), nan=black, posinf=white, neginf=black)
            image = np.rint((values - black) * (255.0 / (white - black))).clip(0, 255).astype(np.uint8)
        if image.shape[2] == 4:  # laid on black, as pictures with transparency are
            image = np.rint(image[..., :3] * (image[..., 3:] / 255.0)).astype(np.uint8)
        head = f"P{5 if image.shape[2] == 1 else 6} {image.shape[1]} {image.shape[0]} 255\n"
        return head.encode() + np.ascontiguousarray(image).tobytes()

    return drawn, len(drawn(0)) if len(field) else 0
