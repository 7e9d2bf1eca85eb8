"""Pictures of any mode as 8-bit gray or RGB, converted a tile at a time: memory holds no second copy in more bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

_TILE = 1 << 18  # pixels that are converted at a time


def is_deep(image: Image.Image) -> bool:
    """Tells whether a picture has more than 8 bits a pixel in its one channel."""
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def eight_bits(image: Image.Image) -> Image.Image:
    """Converts a picture to mode `L` or `RGB`, a tile at a time; itself where it is of one of them."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if is_deep(image):
        mode, convert = "L", _scaling(image)
    elif image.has_transparency_data:
        mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"

        def convert(tile: Image.Image) -> Image.Image:
            tile = tile.convert("RGBA")
            flat = Image.new("RGBA", tile.size, (0, 0, 0, 255))
            flat.alpha_composite(tile)
            return flat.convert(mode)
    else:
        mode = "L" if image.mode == "1" else "RGB"

        def convert(tile: Image.Image) -> Image.Image:
            return tile.convert(mode)

    if image.width * image.height <= _TILE:
        return convert(image)
    result = Image.new(mode, image.size)
    for box, tile in _tiles(image):
        result.paste(convert(tile), box)
    return result


def _tiles(image: Image.Image) -> Iterator[tuple[tuple[int, int], Image.Image]]:
    """Cuts a picture into parts of _TILE pixels at most, each with its upper left corner."""
    wide = min(image.width, _TILE)
    high = max(1, _TILE // wide)
    for top in range(0, image.height, high):
        for left in range(0, image.width, wide):
            box = (left, top, min(left + wide, image.width), min(top + high, image.height))
            yield (left, top), image.crop(box)


def _scaling(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Finds how the numbers of a deep picture become 8 bits: by the range of all of them."""

    def numbers(tile: Image.Image) -> np.ndarray:
        values = np.asarray(tile).astype(np.float64)  # a tile's: in float32 some of 32 bits would be rounded twice
        if not np.isfinite(values).all():
            np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return values

    ranges = [(float(values.min()), float(values.max())) for values in (numbers(tile) for _, tile in _tiles(image))]
    low, high = min(least for least, _ in ranges), max(most for _, most in ranges)
    if image.mode == "F":
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
    elif low >= 0:
        low, high = 0.0, next((top for top in (255.0, 4095.0, 65535.0) if high <= top), high)
    if high == low:
        return lambda tile: Image.new("L", tile.size)
    return lambda tile: Image.fromarray(np.rint((numbers(tile) - low) * (255.0 / (high - low))).astype(np.uint8))


def is_gray(image: Image.Image) -> bool:
    """Tells whether a picture has no colour to speak of; JPEG leaves a trace of it in gray pictures."""
    if image.mode == "L":
        return True
    # Reduced first, which averages noise away; then the most coloured place counts, not the mean: the picture
    # of a fluorescence microscope is black but for a few spots.
    small = image.convert("RGB")
    small.thumbnail((64, 64))
    pixels = np.asarray(small)
    return int((pixels.max(axis=2) - pixels.min(axis=2)).max()) <= 8
