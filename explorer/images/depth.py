"""Pictures of any mode as 8-bit gray or RGB, converted a tile at a time: memory holds no second copy in more bytes."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

COARSE = "It has 12 bits in 16, of which the upper 4 could be read; save it as PNG or TIFF for all of them."

_TILE = 1 << 18  # pixels that are converted at a time
_JPEG_2000 = b"\xff\x4f\xff\x51"  # begins what tells of a picture
_WHITE = "explorer_white"  # among what Pillow knows of a picture: the number that is white, where the file says so


def is_deep(image: Image.Image) -> bool:
    """Tells whether a picture has more than 8 bits a pixel in its one channel."""
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def is_deep_colour(image: Image.Image) -> bool:
    """Tells whether a picture that is not decoded yet has colours, or gray and alpha, of 16 bits each.

    Pillow keeps the upper 8 bits of them: the mode does not say so, what the decoder is told does.
    """
    if image.format in ("PPM", "JPEG2000"):
        return not is_deep(image) and image.info.get(_WHITE) == 65535
    return not is_deep(image) and any("16" in _told(tile.args) for tile in getattr(image, "tile", ()))


def note_white(image: Image.Image, data: bytes) -> None:
    """Notes which number is white, in what Pillow decodes, where a file that is not decoded yet declares it.

    PPM declares a maximum, JPEG 2000 its bits, and Pillow scales both to 16 bits, or colours to 8.
    """
    if image.format == "PPM":
        args = vars(image)["tile"][0].args
        most = args[-1] if isinstance(args, tuple) else 0
        if most > 255 and is_deep(image) != (most == 65535):  # gray of 16 bits may as well hold 12
            image.info[_WHITE] = 65535
    elif image.format == "JPEG2000":
        at = data.find(_JPEG_2000) + 42
        bits = (int.from_bytes(data[at : at + 1]) & 0x7F) + 1
        if is_deep(image) and bits < 16:
            image.info[_WHITE] = ((1 << bits) - 1) << (16 - bits)
        elif image.mode == "RGB" and bits == 16:
            image.info[_WHITE] = 65535


def with_12_bits(image: Image.Image, data: bytes) -> list[str]:
    """Scales colours of 12 bits in 16 as gray ones are, in place; leaves brighter ones as they are.

    Args:
        image: a decoded picture, which was of `is_deep_colour`.
        data: its file's bytes, which are decoded again for the lower 8 bits.

    Returns:
        A note where these could not be read.
    """
    extrema: list[Any] = [image.getchannel(band).getextrema() for band in range(3)]
    highest = max(most for _, most in extrema)
    if highest > 16:
        return []
    if image.format == "JPEG2000":
        image.paste(image.point(lambda value: min(255, round(value * 256 * 255 / 4095))))
        return [COARSE] if highest else []
    if image.format == "PPM":
        _with_12_bits_of_ppm(image, data)
        return []
    if highest > 15:
        return []
    scale = 255 / (4095 if highest else 255)
    with Image.open(io.BytesIO(data)) as lower:
        gray = _told(lower.tile[0].args) == "LA;16B"
        lower.tile = [tile._replace(args=_lower(tile.args)) for tile in lower.tile]
        lower.load()
        for (left, top), tile in _tiles(image):
            pixels = np.array(tile)
            low = np.asarray(lower.crop((left, top, left + tile.width, top + tile.height)))
            values = 256.0 * pixels[..., :3] + (low[..., 1:2] if gray else low[..., :3])
            pixels[..., :3] = np.rint(values * scale)
            image.paste(Image.fromarray(pixels), (left, top))
    return []


def _with_12_bits_of_ppm(image: Image.Image, data: bytes) -> None:
    """Does the same for a PPM, whose colours are decoded as a gray picture of three times the width."""
    width, height = image.size
    with Image.open(io.BytesIO(data)) as wide:
        vars(wide).update(_mode="I", _size=(3 * width, height))
        wide.tile = [wide.tile[0]._replace(extents=(0, 0, 3 * width, height))]
        wide.load()
        values = np.asarray(wide).reshape(height, width, 3)
    if values.max() <= 4095:
        scale = 255 / (255 if values.max() <= 255 else 4095)
        image.paste(Image.fromarray(np.rint(values * scale).astype(np.uint8)))


def _told(args: object) -> str:
    """Reads how the bytes of pixels are laid out from what a decoder is told."""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _lower(args: Any) -> Any:
    """Tells a decoder to keep the lower 8 bits of 16 where it was told to keep the upper ones."""
    layout = _told(args)
    if layout == "LA;16B":
        return "RGBA"  # all bytes as they are: the second is the lower one of gray
    big = layout[-1] == "B" or (layout[-1] == "N" and sys.byteorder == "big")
    layout = layout[:-1] + ("L" if big else "B")
    return (layout, *args[1:]) if isinstance(args, tuple) else layout


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


def shown_range(low: float, high: float, is_float: bool) -> tuple[float, float]:
    """Chooses which numbers become black and white, by the least and the highest of a picture."""
    if is_float:
        return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    if low >= 0:
        return 0.0, next((top for top in (255.0, 4095.0, 65535.0) if high <= top), high)
    return low, high


def _scaling(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Finds how the numbers of a deep picture become 8 bits: by the range of all of them."""

    def numbers(tile: Image.Image) -> np.ndarray:
        values = np.asarray(tile).astype(np.float64)  # a tile's: in float32 some of 32 bits would be rounded twice
        if not np.isfinite(values).all():
            np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return values

    ranges = [(float(values.min()), float(values.max())) for values in (numbers(tile) for _, tile in _tiles(image))]
    low, high = min(least for least, _ in ranges), max(most for _, most in ranges)
    low, high = (0.0, white) if (white := image.info.get(_WHITE)) else shown_range(low, high, image.mode == "F")
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
