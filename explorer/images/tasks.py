"""What the processes that decode can be asked, and how what they made comes back."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from explorer.images.arrays import Size, sides, to_array
from explorer.images.depth import is_gray
from explorer.images.preparation import Steps, prepare
from explorer.images.reading import PICTURE_BYTES, Picture, read, read_frames
from explorer.images.slides import Slide, slide_of
from explorer.images.stacks import Planes
from explorer.images.suggestion import fit

Result = TypeVar("Result")

Answer = tuple[dict[str, Any], Iterable[bytes]]
"""Values for JSON, and the bytes that follow them, in pieces."""
Take = Callable[[int], bytes]
"""Receives so many of these bytes."""

_STRIP_BYTES = 4 << 20  # of a picture, which are sent at a time


class Task(ABC, Generic[Result]):
    """Something to be made of a file: a dataclass, whose fields are sent as JSON."""

    seconds_per_megabyte: ClassVar[float] = 0.0
    """That a file may take beside those that each may."""

    def prepare(self) -> None:
        """Imports what it takes, in the process that decodes, before its memory is limited."""

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
    frames: str = "first"
    channel: int = 0

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        found = read(data, name, granted, **vars(self))
        return {**_said(found), "size": found.size, "image": _shape(found.image)}, _sent(found.image)

    def result(self, values: dict[str, Any], take: Take) -> Picture:
        width, height = values["size"]
        return Picture(_received(take, *values["image"]), (width, height), *_heard(values))


@dataclass(frozen=True, eq=False)
class Arrays:
    """A decoded file as a data set holds it.

    Attributes:
        pixels: uint8 [n, channels, H, W], see `to_array`; more than one only of `all` frames.
        notes, frames, channels: as of `Picture`.
    """

    pixels: np.ndarray
    notes: tuple[str, ...]
    frames: int
    channels: int


@dataclass(frozen=True)
class ReadArray(Task[Arrays]):
    """Decodes a picture as a data set holds it.

    A JPEG may be shrunk while it is decoded, to `at_least` so many pixels. `frames` and `channel` are as of `read`.
    """

    size: Size
    channels: int
    at_least: int | None = None
    frames: str = "first"
    channel: int = 0

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        if self.frames == "all":
            pictures: Iterable[Picture] = read_frames(data, name, granted, self.frames, self.channel)
        else:
            pictures = [read(data, name, granted, at_least=self.at_least, frames=self.frames, channel=self.channel)]
        pixels: list[bytes] = []
        for picture in pictures:  # of which memory holds one or two
            pixels.append(to_array(picture.image, self.size, self.channels).tobytes())
        return {**_said(picture), "count": len(pixels)}, pixels

    def result(self, values: dict[str, Any], take: Take) -> Arrays:
        pixels = np.stack([_array(self.size, self.channels, take) for _ in range(values["count"])])
        return Arrays(pixels, *_heard(values))


@dataclass(frozen=True)
class PreparePicture(Task[Arrays]):
    """Decodes a picture and prepares it for a model; what that takes is not counted as decoding.

    Attributes:
        size, channels, habits: of the model's images, see `explorer.images.suggestion.fit`.
        steps: the fields of `Steps`; None for those that suit the picture and the model.
        at_most, most_bytes, frames, channel: as of `reading.read`.
    """

    size: Size
    channels: int
    habits: tuple[bool, bool]
    steps: dict[str, Any] | None
    at_most: int
    most_bytes: int
    frames: str = "first"
    channel: int = 0

    def prepare(self) -> None:
        import scipy.ndimage  # noqa: F401

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        began = time.process_time()
        limits = {"at_most": self.at_most, "most_bytes": self.most_bytes}
        picture = read(data, name, granted, frames=self.frames, channel=self.channel, **limits)
        seconds = time.process_time() - began
        if self.steps is None:
            made = fit(picture.image, self.habits, self.size, self.channels)
        else:
            made = prepare(picture.image, Steps(**self.steps), self.size, self.channels)
        return {**_said(picture), "seconds": seconds}, [made.pixels.tobytes()]

    def result(self, values: dict[str, Any], take: Take) -> Arrays:
        return Arrays(_array(self.size, self.channels, take)[None], *_heard(values))


class Looked(NamedTuple):
    """What there is to see of a file: width and height in pixels, upright, whether it is gray, and as of `Picture`."""

    size: tuple[int, int]
    gray: bool
    notes: tuple[str, ...]
    frames: int
    channels: int


@dataclass(frozen=True)
class Look(Task[Looked]):
    """Looks at a picture, decoded as coarsely as will do. `frames` and `channel` are as of `read`."""

    frames: str = "first"
    channel: int = 0

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        found = read(data, name, granted, at_least=64, **vars(self))
        return {**_said(found), "size": found.size, "gray": is_gray(found.image)}, []

    def result(self, values: dict[str, Any], take: Take) -> Looked:
        width, height = values["size"]
        return Looked((width, height), values["gray"], *_heard(values))


@dataclass(frozen=True)
class ReadSlide(Task[Slide]):
    """Decodes a picture that may be a whole slide: as an array like `ReadArray`'s, and more of it where it is large.

    Attributes:
        size: of the array, in colour.
        place: the middle of the window, by default that of the picture.
        frames, channel: as of `read`.
    """

    size: int
    place: tuple[int, int] | None = None
    frames: str = "first"
    channel: int = 0

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        found = slide_of(data, name, granted, self.size, self.place, Planes(self.frames, self.channel))
        values = {**_said(found), "size": found.size, "gray": found.gray}
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
        known = ((width, height), *_heard(values), values["gray"], seen)
        if not values["images"]:
            return Slide(*known)
        overview, window = (_received(take, *image) for image in values["images"])
        left, top = values["corner"]
        return Slide(*known, overview, window, (left, top), values["scale"])


def _said(found: Picture | Slide) -> dict[str, Any]:
    return {"notes": found.notes, "frames": found.frames, "channels": found.channels}


def _heard(values: dict[str, Any]) -> tuple[tuple[str, ...], int, int]:
    return tuple(values["notes"]), values["frames"], values["channels"]


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
