"""What the processes that decode can be asked, and how what they made comes back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from PIL import Image

from explorer.images.arrays import Size, sides, to_array
from explorer.images.depth import is_gray
from explorer.images.reading import PICTURE_BYTES, Picture, read
from explorer.images.slides import Slide, slide_of

Result = TypeVar("Result")

Answer = tuple[dict[str, Any], Iterable[bytes]]
"""Values for JSON, and the bytes that follow them, in pieces."""
Take = Callable[[int], bytes]
"""Receives so many of these bytes."""

_STRIP_BYTES = 4 << 20  # of a picture, which are sent at a time


class Task(ABC, Generic[Result]):
    """Something to be made of a file: a dataclass, whose fields are sent as JSON."""

    @abstractmethod
    def do(self, data: bytes, name: str, granted: int) -> Answer:
        """Does it, in the process that decodes, of the file's bytes.

        Raises:
            MemoryNeeded: it takes more memory than is granted.
            ImageError: the file cannot be read.
        """

    @abstractmethod
    def result(self, values: dict[str, Any], take: Take) -> Result:
        """Makes of the answer what was asked for, in the process that asked."""


@dataclass(frozen=True)
class ReadPicture(Task[Picture]):
    """Decodes a picture. The fields are those of `reading.read`."""

    at_least: int | None = None
    at_most: int | None = None
    most_bytes: int = PICTURE_BYTES

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        found = read(data, name, granted, at_least=self.at_least, at_most=self.at_most, most_bytes=self.most_bytes)
        return {"size": found.size, "notes": found.notes, "image": _shape(found.image)}, _sent(found.image)

    def result(self, values: dict[str, Any], take: Take) -> Picture:
        width, height = values["size"]
        return Picture(_received(take, *values["image"]), (width, height), tuple(values["notes"]))


@dataclass(frozen=True)
class ReadArray(Task[np.ndarray]):
    """Decodes a picture as a data set holds it: uint8 [channels, H, W], see `to_array`.

    A JPEG may be shrunk while it is decoded, to `at_least` so many pixels.
    """

    size: Size
    channels: int
    at_least: int | None = None

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        image = read(data, name, granted, at_least=self.at_least, noting=False).image
        return {}, [to_array(image, self.size, self.channels).tobytes()]

    def result(self, values: dict[str, Any], take: Take) -> np.ndarray:
        return _array(self.size, self.channels, take)


@dataclass(frozen=True)
class Look(Task[tuple[tuple[int, int], bool]]):
    """Tells width and height of a picture in pixels, upright, and whether it is gray."""

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        found = read(data, name, granted, at_least=64, noting=False)
        return {"size": found.size, "gray": is_gray(found.image)}, []

    def result(self, values: dict[str, Any], take: Take) -> tuple[tuple[int, int], bool]:
        width, height = values["size"]
        return (width, height), values["gray"]


@dataclass(frozen=True)
class ReadSlide(Task[Slide]):
    """Decodes a picture that may be a whole slide: as an array like `ReadArray`'s, and more of it where it is large.

    Attributes:
        size: of the array, in colour.
        place: the middle of the window, by default that of the picture.
    """

    size: int
    place: tuple[int, int] | None = None

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        found = slide_of(data, name, granted, self.size, self.place)
        values = {"size": found.size, "notes": found.notes, "gray": found.gray}
        if found.window is None or found.overview is None:
            return {**values, "images": []}, [found.seen.tobytes()]
        images = (found.overview, found.window)
        place = {"images": [_shape(image) for image in images], "corner": found.corner, "scale": found.scale}
        return {**values, **place}, (
            piece for pieces in ([found.seen.tobytes()], *map(_sent, images)) for piece in pieces
        )

    def result(self, values: dict[str, Any], take: Take) -> Slide:
        width, height = values["size"]
        seen = _array(self.size, 3, take)
        known = ((width, height), tuple(values["notes"]), values["gray"], seen)
        if not values["images"]:
            return Slide(*known)
        overview, window = (_received(take, *image) for image in values["images"])
        left, top = values["corner"]
        return Slide(*known, overview, window, (left, top), values["scale"])


KINDS: dict[str, type[Task[Any]]] = {kind.__name__: kind for kind in (ReadPicture, ReadArray, Look, ReadSlide)}


def _array(size: Size, channels: int, take: Take) -> np.ndarray:
    shape = (channels, *sides(size))
    return np.frombuffer(take(math.prod(shape)), np.uint8).reshape(shape)


def _shape(image: Image.Image) -> tuple[str, int, int]:
    return image.mode, *image.size


def _strips(mode: str, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Cuts a picture into strips: the first row of each, and the one after its last."""
    rows = max(1, _STRIP_BYTES // (width * len(mode)))
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _sent(image: Image.Image) -> Iterator[bytes]:
    for top, bottom in _strips(*_shape(image)):
        yield image.crop((0, top, image.width, bottom)).tobytes()


def _received(take: Take, mode: str, width: int, height: int) -> Image.Image:
    image = Image.new(mode, (width, height))
    for top, bottom in _strips(mode, width, height):
        rows = bottom - top
        image.paste(Image.frombytes(mode, (width, rows), take(width * rows * len(mode))), (0, top))
    return image
