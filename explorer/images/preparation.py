"""From a picture to what a model sees, in steps that a person can follow and change.

A model knows one kind of picture: MNIST's are white digits on black, centred in a margin. A photo of ink on paper is
none until it is cropped, cleaned and inverted; `suggest` finds out which steps a picture needs, `prepare` takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

from explorer.images.foreground import FRAME, Content, content_of, is_plain, rim
from explorer.images.reading import MAX_SQUARE, check_size, is_gray, to_array

__all__ = ["Prepared", "Steps", "habits", "prepare", "rim", "suggest"]

Crop = Literal["whole", "content", "square"]
Pad = Literal["square", "margin"]
Background = Literal["black", "white", "rim"]

_DARK, _BRIGHT = 0.2, 0.6  # brightness of a rim
_FILLS = 0.85  # of the longer side: content that reaches farther is not worth a crop
_THIN, _THICK = 1.4 / 20, 2.2 / 20  # strokes to the content's longer side; MNIST's are 2 to 3 pixels wide, of 20
_CENTRED = (0.6, 0.83)  # of the side that a digit in MNIST's margin takes, 20/28 or a little more or less
_OFF_CENTRE = 2 / 28  # of the side; MNIST's own digits are half a pixel off at most


@dataclass(frozen=True)
class Steps:
    """What is done to a picture before a model sees it, in the order of the fields but for `background`.

    Attributes:
        turn: quarter turns to the left, 0 to 3.
        gray: whether its colours are taken away; None does so for a model of gray images, which needs it anyway.
        clean: whether what surrounds the content is made plain, which takes shadows and the grain of paper away;
            gray content is then stretched to full contrast.
        crop: `whole`, `content` (the bounding box of what differs from the background) or `square` (the largest
            centred one).
        pad: `square` (centred in the smallest square around it) or `margin`: the longer side is 20/28 of the
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
        """Raise ValueError if a step is none of those that there are."""
        for name, kinds in (("crop", Crop), ("pad", Pad), ("background", Background)):
            if getattr(self, name) not in get_args(kinds):
                raise ValueError(f"{name} is {' or '.join(get_args(kinds))}, not {getattr(self, name)!r}")
        if self.turn not in range(4):
            raise ValueError(f"turn is a number of quarter turns from 0 to 3, not {self.turn!r}")


@dataclass(frozen=True)
class Prepared:
    """A picture as a model sees it.

    Attributes:
        image: uint8 [C, size, size].
        stages: what was done, in words such as "cropped to its content, 212 x 180", with the picture after it; only
            steps that changed something. The last is `image`.
    """

    image: Tensor
    stages: tuple[tuple[str, Image.Image], ...]

    @property
    def words(self) -> str:
        """What was done, as one line; empty if nothing was."""
        return ", ".join(words for words, _ in self.stages)


def prepare(picture: Image.Image, steps: Steps, size: int, channels: int) -> Prepared:
    """Take the steps to `size` x `size` pixels and 1 or 3 channels.

    With `Steps()` the image is `explorer.images.reading.to_array`'s, as a data set would hold it: a picture of that
    size keeps its pixels.

    Args:
        picture: of mode L or RGB, as `decode_image` gives it.

    Raises:
        DatasetError: the size or the number of channels makes no sense.
    """
    check_size(size, channels)
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
            did("colour taken away", picture)
    fill = _fill(picture, steps.background)
    looks = steps.clean or steps.thicken or steps.crop == "content" or steps.pad == "margin"
    seen = content_of(picture) if looks else None
    if steps.clean and seen is not None and seen.found:
        picture = did("background made plain", seen.cleaned(picture, fill))
    box = _box(picture, steps.crop, seen)
    if box != (0, 0, *picture.size):
        words = "content" if steps.crop == "content" else "centred square"
        picture = did(f"cropped to its {words}, {box[2] - box[0]} × {box[3] - box[1]}", picture.crop(box))
    mass = (picture.width / 2, picture.height / 2) if seen is None else seen.mass(box)
    if steps.thicken and seen is not None and seen.found and seen.stroke < _THICK * seen.longest:
        scale = min(1.0, 4 * max(size, 40) / seen.longest, 8 * max(size, 40) / max(picture.size))
        grown, by = _thickened(picture, scale, (_THICK * seen.longest - seen.stroke) / 2, fill, seen.darker)
        picture = did("strokes thickened", grown)
        mass = (mass[0] * scale + by, mass[1] * scale + by)
    if steps.pad == "margin":
        picture = did("centred in a margin", _in_margin(picture, fill, mass))
    elif picture.width != picture.height:
        side = min(max(picture.size), MAX_SQUARE)
        picture = did(f"padded to a square, {side} × {side}", _padded(picture, fill))
    if steps.invert:
        picture = did("inverted", ImageOps.invert(picture))
    pixels = to_array(picture, size, channels)
    if picture.size != (size, size):
        did(f"resized to {size} × {size}", _as_image(pixels))
    return Prepared(torch.from_numpy(pixels), tuple(stages))


def suggest(picture: Image.Image, dark_rim: bool, centred: bool, channels: int = 1) -> tuple[Steps, tuple[str, ...]]:
    """The steps that suit a picture and a model, and a sentence on each that says why.

    Args:
        dark_rim, centred: what the model's own images are like, by `habits`.
        channels: of the model's images. A coloured picture is not inverted for a model of colours: a pink cell
            would become a green one.
    """
    if not dark_rim:
        if picture.width == picture.height:
            return Steps(), ()
        return Steps(crop="square"), (
            "Cropped to its middle: the images of this model fill their frame, and padding would be a part of it.",
        )
    seen = content_of(picture)
    around = rim(picture)
    coloured = channels == 3 and not is_gray(picture)
    bright = around > _BRIGHT or (seen.found and around > _DARK and seen.darker)
    why = []
    invert = bright and not coloured
    if invert:
        why.append("Inverted: the rim is bright, and the images of this model are dark there.")
    # With colours the surroundings must become black themselves; with gray ones inversion makes them so.
    fill: Background = "white" if invert else "black"
    clean = seen.found and not is_plain(picture, seen, fill)
    if clean:
        why.append(
            "Background made plain: around the content it is neither all black nor all white, as it is for this model."
        )
    thicken = seen.found and centred and seen.stroke < _THIN * seen.longest
    if thicken:
        why.append("Strokes thickened: they would be thinner than a pixel or two, as no digit of this model is.")
    crop: Crop = "whole"
    pad: Pad = "square"
    if seen.found and centred:
        if not _sits_in_margin(picture, seen):
            crop, pad = "content", "margin"
            why.append("Centred in a margin: that is how the images that this model was trained on were made.")
    elif seen.found and seen.longest < _FILLS * max(picture.size):
        crop = "content"
        why.append("Cropped to its content: in the images of this model it fills the frame.")
    return Steps(crop=crop, pad=pad, background=fill, invert=invert, clean=clean, thicken=thicken), tuple(why)


def habits(images: Float[Tensor, "n c h w"]) -> tuple[bool, bool]:
    """What a model's own images have in common: (dark_rim, centred), see `suggest`.

    Args:
        images: in [0, 1], some of them, or what the model decodes from some of its stored codes.

    `dark_rim`: the median brightness of the outermost pixels is below 0.2 in most. `centred`: besides, nothing much
    is in the outer 1/14 of the frame, and most centres of mass are close to the middle, as MNIST's are.
    """
    gray = images.float().mean(1)
    height, width = gray.shape[1:]
    rims = gray.new_tensor([rim(image[None]) for image in gray])
    dark = bool(rims.median() < _DARK)
    mass = gray.sum((1, 2))
    edge = max(1, round(min(height, width) / 14))
    outside = 1 - gray[:, edge:-edge, edge:-edge].sum((1, 2)) / mass.clamp_min(1e-6)
    y = (gray.sum(2) * (torch.arange(height) + 0.5)).sum(1) / mass.clamp_min(1e-6) / height - 0.5
    x = (gray.sum(1) * (torch.arange(width) + 0.5)).sum(1) / mass.clamp_min(1e-6) / width - 0.5
    close = (x.abs() < _OFF_CENTRE) & (y.abs() < _OFF_CENTRE) & (outside < 0.02)
    return dark, dark and bool(close.float().mean() > 0.5)


def _fill(picture: Image.Image, background: Background) -> int | tuple[int, ...]:
    if background == "rim":
        pixels = np.asarray(picture)
        outermost = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        middle = np.median(outermost, axis=0).astype(int)
        return tuple(map(int, middle)) if picture.mode == "RGB" else int(middle)
    value = 255 if background == "white" else 0
    return (value,) * 3 if picture.mode == "RGB" else value


def _box(picture: Image.Image, crop: Crop, seen: Content | None) -> tuple[int, int, int, int]:
    width, height = picture.size
    if crop == "content" and seen is not None and seen.found:
        return seen.box
    if crop == "square":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side
    return 0, 0, width, height


def _sits_in_margin(picture: Image.Image, seen: Content) -> bool:
    """Whether a picture is square and its content in the middle of it in a margin, as MNIST's digits are."""
    if picture.width != picture.height:
        return False
    left, top, right, bottom = seen.box
    x, y = seen.mass((0, 0, *picture.size))
    side = picture.width
    off = max(abs(x / side - 0.5), abs(y / side - 0.5))
    return _CENTRED[0] <= max(right - left, bottom - top) / side <= _CENTRED[1] and off <= _OFF_CENTRE


def _thickened(
    picture: Image.Image, scale: float, by: float, fill: int | tuple[int, ...], darker: bool
) -> tuple[Image.Image, int]:
    """Each pixel the darkest, or brightest, of those at most so far from it: gray-scale dilation.

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


def _padded(picture: Image.Image, fill: int | tuple[int, ...]) -> Image.Image:
    """In the middle of the smallest square around it; see `to_array` for MAX_SQUARE."""
    longest = max(picture.size)
    if longest > MAX_SQUARE:
        width, height = (max(1, round(side * MAX_SQUARE / longest)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        longest = max(picture.size)
    square = Image.new(picture.mode, (longest, longest), fill)
    square.paste(picture, ((longest - picture.width) // 2, (longest - picture.height) // 2))
    return square


def _in_margin(picture: Image.Image, fill: int | tuple[int, ...], mass: tuple[float, float]) -> Image.Image:
    """In a frame 28/20 as large, with its centre of mass in the middle, but never beyond the frame."""
    side = max(1, round(max(picture.size) * FRAME))
    x, y = mass
    left = min(max(round(side / 2 - x), 0), side - picture.width)
    top = min(max(round(side / 2 - y), 0), side - picture.height)
    frame = Image.new(picture.mode, (side, side), fill)
    frame.paste(picture, (left, top))
    return frame


def _as_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
