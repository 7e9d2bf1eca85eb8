"""A picture much larger than a cell, in hand: squares are cut out of it at any place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from explorer.images.decoding import read_one
from explorer.images.slides import Slide, centre, within
from explorer.images.stacks import FIRST, Planes
from explorer.images.tasks import ReadSlide

_UNSEEN = 8  # pixels a side of an array that nobody looks at


@dataclass(frozen=True, eq=False)
class Large:
    """A picture much larger than a cell, as far as it is kept decoded.

    Attributes:
        name, data: its file, which is decoded again for another place.
        size: width and height of the picture, upright, in pixels.
        overview: all of it, at most 512 pixels a side.
        place: the middle of what is cut out of it, in pixels of the picture from its upper left corner.
        window: the largest square around that place that is kept, each of whose pixels is `scale` x `scale` of the
            picture; near an edge the place is not in its middle.
        corner: the window's upper left one, in units of its own pixels.
        planes: which frames and channel of the file are the picture.
    """

    name: str
    data: bytes
    size: tuple[int, int]
    overview: Image.Image
    place: tuple[int, int]
    window: Image.Image
    corner: tuple[int, int]
    scale: int
    planes: Planes = FIRST

    @property
    def largest(self) -> int:
        """The side of the largest crop, in pixels of the picture."""
        return min(*self.size, self.window.width * self.scale)

    def at(self, place: tuple[int, int]) -> Large:
        """Moves the window to another place. Raises ImageError."""
        found = read_one(self.data, self.name, ReadSlide(_UNSEEN, place, **vars(self.planes)))
        assert found.window is not None
        return replace(self, place=place, window=found.window, corner=found.corner)

    def crop(self, side: int) -> Image.Image:
        """Cuts out the square of `side` pixels of the picture around the place, moved inwards at an edge."""
        length = max(1, min(round(side / self.scale), self.window.width))
        left, top = (
            within(int(middle / self.scale - length / 2) - first, self.window.width - length)
            for middle, first in zip(self.place, self.corner, strict=True)
        )
        return self.window.crop((left, top, left + length, top + length))

    def outline(self, side: int) -> tuple[float, float, float, float]:
        """Finds where that crop lies on the overview: left, top, right and bottom as shares of its width and height."""
        left, top = (
            within(middle - side / 2, whole - side) for middle, whole in zip(self.place, self.size, strict=True)
        )
        width, height = self.size
        return left / width, top / height, (left + side) / width, (top + side) / height


def large_of(slide: Slide, data: bytes, name: str, planes: Planes = FIRST) -> Large | None:
    """Gives more of a decoded picture, whose file has those bytes and that name; None where a cell fills it."""
    if slide.overview is None or slide.window is None:
        return None
    place = centre(slide.size)
    return Large(name, data, slide.size, slide.overview, place, slide.window, slide.corner, slide.scale, planes)
