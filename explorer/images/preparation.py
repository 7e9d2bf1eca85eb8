"""From a picture to what a model sees, in steps that a person can follow and change.

Which steps suit a picture and a model is found out in `suggestion.py`. (Read by processes without PyTorch.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args, no_type_check

import numpy as np
from PIL import Image, ImageOps

from explorer.images.arrays import MAX_SQUARE, Size, check_size, frame_size, in_frame, sides, size_words, to_array
from explorer.images.depth import is_gray
from explorer.images.foreground import FRAME, Foreground, find_foreground

Crop = Literal["whole", "content", "square"]
Pad = Literal["square", "margin"]
Background = Literal["black", "white", "rim"]

if TYPE_CHECKING:
    from torch import Tensor

_THICK = 2.2 / 20  # strokes to the content's longer side; MNIST's are 2 to 3 pixels wide, of 20


@dataclass(frozen=True)
class Steps:
    """What is done to a picture before a model sees it, in the order of the fields but for `background`.

    Attributes:
        turn: quarter turns to the left, 0 to 3.
        gray: whether its colours are taken away; None does so for a model of gray images, which needs it anyway.
        clean: whether what surrounds the content is made plain, which takes shadows and the grain of paper away;
            gray content is then stretched to full contrast.
        crop: `whole`, `content` (the bounding box of what differs from the background) or `square` (the largest
            centred part in the shape of the model's images, which are squares as a rule).
        pad: `square` (centred in the smallest frame in that shape) or `margin`: the longer side is 20/28 of the
            frame's, and the centre of mass its middle, as MNIST's digits are (LeCun, Bottou, Bengio & Haffner 1998,
            "Gradient-based learning applied to document recognition", section III.A).
        background: what padding and cleaning fill with, before inversion: `black`, `white`, or the median colour of
            the picture's `rim`.
        invert: whether dark becomes bright.
        thicken: whether thin strokes are drawn over by ones as thick as MNIST's: a pen's would be a gray shadow in an
            image of 28 pixels.
    """

    crop: Crop = "whole"
    pad: Pad = "square"
    background: Background = "black"
    invert: bool = False
    gray: bool | None = None
    turn: int = 0
    clean: bool = False
    thicken: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError if a step is none of those that there are."""
        for name, kinds in (("crop", Crop), ("pad", Pad), ("background", Background)):
            if getattr(self, name) not in get_args(kinds):
                raise ValueError(f"{name} is {' or '.join(get_args(kinds))}, not {getattr(self, name)!r}")
        if self.turn not in range(4):
            raise ValueError(f"turn is a number of quarter turns from 0 to 3, not {self.turn!r}")


@dataclass(frozen=True)
class Prepared:
    """A picture as a model sees it.

    Attributes:
        pixels: uint8 [C, H, W].
        stages: what was done, in words such as "cropped to its content, 212 x 180", with the picture after it; only
            steps that changed something. The last is `pixels`.
        steps: by which it was prepared.
        why: a sentence on each step that `fit` chose.
    """

    pixels: np.ndarray
    stages: tuple[tuple[str, Image.Image], ...]
    steps: Steps
    why: tuple[str, ...] = ()

    @property
    @no_type_check
    def image(self) -> Tensor:
        """The pixels as a tensor."""
        import torch

        return torch.from_numpy(self.pixels)

    @property
    def words(self) -> str:
        """Lists what was done in one line; empty if nothing was."""
        return ", ".join(words for words, _ in self.stages)


def prepare(
    picture: Image.Image, steps: Steps, size: Size, channels: int, foreground: Foreground | None = None
) -> Prepared:
    """Takes a picture through the steps to the size and 1 or 3 channels.

    With `Steps()` the image is `explorer.images.arrays.to_array`'s, as a data set would hold it: a picture of that
    size keeps its pixels.

    Args:
        picture: of mode L or RGB, as `decode_image` gives it.
        steps: what is done to it.
        size, channels: of the result.
        foreground: of this very picture, where it was found before.

    Raises:
        DatasetError: the size or the number of channels makes no sense.
    """
    check_size(size, channels)
    original, longest = picture, max(sides(size))
    square = len(set(sides(size))) == 1
    stages: list[tuple[str, Image.Image]] = []
    if steps.pad == "margin" and max(picture.size) > MAX_SQUARE:
        picture = picture.copy()
        picture.thumbnail((MAX_SQUARE, MAX_SQUARE))

    def did(words: str, after: Image.Image) -> Image.Image:
        stages.append((words, after))
        return after

    if steps.turn:
        turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
        words = ("turned left", "turned upside down", "turned right")[steps.turn - 1]
        picture = did(words, picture.transpose(turns[steps.turn - 1]))
    if picture.mode != "L" and (channels == 1 or steps.gray):
        coloured = not is_gray(picture)
        picture = picture.convert("L")
        if coloured:
            did("converted to gray", picture)
    fill = _fill(picture, steps.background)
    seen = None
    if steps.clean or steps.thicken or steps.crop == "content" or steps.pad == "margin":
        seen = foreground if foreground is not None and picture is original else find_foreground(picture)
    if steps.clean and seen is not None and seen.found:
        picture = did("background made plain", seen.cleaned(picture, fill))
    box = _box(picture, steps.crop, seen, size)
    if box != (0, 0, *picture.size):
        words = "content" if steps.crop == "content" else "centred square" if square else "middle"
        picture = did(f"cropped to its {words}, {box[2] - box[0]} × {box[3] - box[1]}", picture.crop(box))
    mass = (picture.width / 2, picture.height / 2) if seen is None else seen.mass(box)
    if steps.thicken and seen is not None and seen.found and seen.stroke < _THICK * seen.longest:
        scale = min(1.0, 4 * max(longest, 40) / seen.longest, 8 * max(longest, 40) / max(picture.size))
        grown, by = _thickened(picture, scale, (_THICK * seen.longest - seen.stroke) / 2, fill, seen.darker)
        picture = did("strokes thickened", grown)
        mass = (mass[0] * scale + by, mass[1] * scale + by)
    if steps.pad == "margin":
        picture = did("centred with a margin", _in_margin(picture, fill, mass))
    if frame_size(picture.size, size) != picture.size:
        padded = in_frame(picture, size, fill)
        picture = did(f"padded to {'a square, ' if square else ''}{padded.width} × {padded.height}", padded)
    if steps.invert:
        picture = did("inverted", ImageOps.invert(picture))
    pixels = to_array(picture, size, channels)
    if picture.size != sides(size)[::-1]:
        did(f"resized to {size_words(size)}", _as_image(pixels))
    return Prepared(pixels, tuple(stages), steps)


def _fill(picture: Image.Image, background: Background) -> int | tuple[int, ...]:
    if background == "rim":
        pixels = np.asarray(picture)
        outermost = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        middle = np.median(outermost, axis=0).astype(int)
        return tuple(map(int, middle)) if picture.mode == "RGB" else int(middle)
    value = 255 if background == "white" else 0
    return (value,) * 3 if picture.mode == "RGB" else value


def _box(picture: Image.Image, crop: Crop, seen: Foreground | None, size: Size) -> tuple[int, int, int, int]:
    width, height = picture.size
    if crop == "content" and seen is not None and seen.found:
        return seen.box
    if crop == "square":
        h, w = sides(size)
        scale = min(width / w, height / h)
        across, down = max(1, round(w * scale)), max(1, round(h * scale))
        left, top = (width - across) // 2, (height - down) // 2
        return left, top, left + across, top + down
    return 0, 0, width, height


def _thickened(
    picture: Image.Image, scale: float, by: float, fill: int | tuple[int, ...], darker: bool
) -> tuple[Image.Image, int]:
    """Makes each pixel the darkest, or brightest, of those at most so far from it: gray-scale dilation.

    At a reduced `scale`, since a wide brush on a large picture takes seconds. Returns the picture with a rim around it
    for strokes to grow into, and the rim's width.
    """
    from scipy import ndimage

    width, height = (max(1, round(side * scale)) for side in picture.size)
    reach = max(1, round(by * scale))
    frame = Image.new(picture.mode, (width + 2 * reach, height + 2 * reach), fill)
    frame.paste(picture.resize((width, height), Image.Resampling.BICUBIC), (reach, reach))
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = x**2 + y**2 <= reach**2
    grow = ndimage.grey_erosion if darker else ndimage.grey_dilation
    bands = [Image.fromarray(grow(np.asarray(band), footprint=disc)) for band in frame.split()]
    return Image.merge(picture.mode, bands), reach


def _in_margin(picture: Image.Image, fill: int | tuple[int, ...], mass: tuple[float, float]) -> Image.Image:
    """Puts a picture into a frame 28/20 as large, its centre of mass in the middle, but never beyond the frame."""
    side = max(1, round(max(picture.size) * FRAME))
    x, y = mass
    left = min(max(round(side / 2 - x), 0), side - picture.width)
    top = min(max(round(side / 2 - y), 0), side - picture.height)
    frame = Image.new(picture.mode, (side, side), fill)
    frame.paste(picture, (left, top))
    return frame


def _as_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
