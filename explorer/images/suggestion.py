"""Which steps make a picture look like the images that a model knows.

A model knows one kind of picture: MNIST's are white digits on black, centred in a margin. A photo of ink on paper is
none until it is cropped, cleaned and inverted. (Read by processes without PyTorch.)
"""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from explorer.images.arrays import Size, frame_size, sides
from explorer.images.depth import is_gray
from explorer.images.foreground import Foreground, find_foreground, is_plain, rim
from explorer.images.preparation import Background, Crop, Pad, Prepared, Steps, prepare

DARK, _BRIGHT = 0.2, 0.6  # brightness of a rim
_FILLS = 0.85  # of the longer side: content that reaches farther is not worth a crop
_THIN = 1.4 / 20  # strokes to the content's longer side; MNIST's are 2 to 3 pixels wide, of 20
_CENTRED = (0.6, 0.83)  # of the side that a digit in MNIST's margin takes, 20/28 or a little more or less
OFF_CENTRE = 2 / 28  # of the side; MNIST's own digits are half a pixel off at most


def fit(picture: Image.Image, model_habits: tuple[bool, bool], size: Size, channels: int) -> Prepared:
    """Prepares a picture by the steps that suit it and a model, and says why; see `suggest` and `prepare`.

    Args:
        picture: of mode L or RGB.
        model_habits: what the model's own images are like, by `habits`.
        size, channels: of the model's images.
    """
    steps, why, found = _suggested(picture, *model_habits, channels, size)
    return replace(prepare(picture, steps, size, channels, found), why=why)


def suggest(picture: Image.Image, dark_rim: bool, centred: bool, channels: int = 1) -> tuple[Steps, tuple[str, ...]]:
    """Chooses the steps that suit a picture and a model, with a sentence on each that says why.

    Args:
        picture: of mode L or RGB.
        dark_rim, centred: what the model's own images are like, by `habits`.
        channels: of the model's images. A coloured picture is not inverted for a model of colours: a pink cell
            would become a green one.
    """
    return _suggested(picture, dark_rim, centred, channels)[:2]


def _suggested(
    picture: Image.Image, dark_rim: bool, centred: bool, channels: int, size: Size = 1
) -> tuple[Steps, tuple[str, ...], Foreground | None]:
    """Chooses the steps; returns the picture's foreground, too, where it was looked for."""
    if not dark_rim:
        if frame_size(picture.size, size) == picture.size:
            return Steps(), (), None
        middle = "the central square" if len(set(sides(size))) == 1 else "its middle"
        why = f"Cropped to {middle}: this model's images fill their frame, so padding would mislead it."
        return Steps(crop="square"), (why,), None
    seen = find_foreground(picture)
    around = rim(picture)
    coloured = channels == 3 and not is_gray(picture)
    bright = around > _BRIGHT or (seen.found and around > DARK and seen.darker)
    reasons = []
    invert = bright and not coloured
    if invert:
        reasons.append("Inverted: its edges are bright, and this model's images are dark there.")
    # With colours the surroundings must become black themselves; with gray ones inversion makes them so.
    fill: Background = "white" if invert else "black"
    clean = seen.found and not is_plain(picture, seen, fill)
    if clean:
        reasons.append("Background made plain: in this model's images it is one even colour.")
    thicken = seen.found and centred and seen.stroke < _THIN * seen.longest
    if thicken:
        reasons.append("Strokes thickened: at this size they would be thinner than in any digit the model has seen.")
    crop: Crop = "whole"
    pad: Pad = "square"
    if seen.found and centred:
        if not _sits_in_margin(picture, seen):
            crop, pad = "content", "margin"
            reasons.append("Centred with a margin, as the images this model was trained on were.")
    elif seen.found and seen.longest < _FILLS * max(picture.size):
        crop = "content"
        reasons.append("Cropped to its content, which fills the frame in this model's images.")
    steps = Steps(crop=crop, pad=pad, background=fill, invert=invert, clean=clean, thicken=thicken)
    return steps, tuple(reasons), seen


def _sits_in_margin(picture: Image.Image, seen: Foreground) -> bool:
    """Tells whether a picture is square with its content centred in a margin, as MNIST's digits are."""
    if picture.width != picture.height:
        return False
    left, top, right, bottom = seen.box
    x, y = seen.mass((0, 0, *picture.size))
    side = picture.width
    off = max(abs(x / side - 0.5), abs(y / side - 0.5))
    return _CENTRED[0] <= max(right - left, bottom - top) / side <= _CENTRED[1] and off <= OFF_CENTRE
