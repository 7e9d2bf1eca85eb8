"""Decoded images as pictures: uint8 arrays, sheets of tiles, PNG and WebP bytes."""

from __future__ import annotations

import io
import math
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor


def to_uint8(images: Tensor) -> np.ndarray:
    """Turns images, float [N, C, H, W] in [0, 1], into uint8 [N, H, W, C], rounded; uint8 passes through."""
    if images.dtype != torch.uint8:
        images = images.clamp(0, 1).mul(255).round().to(torch.uint8)
    return images.permute(0, 2, 3, 1).cpu().numpy()


def sheet(images: Tensor, columns: int | None = None) -> Image.Image:
    """Joins images [N, C, H, W], row by row, `columns` to a row (default: a square); black where none is left.

    Raises:
        ValueError: there are no images.
    """
    if len(images) == 0:
        raise ValueError("a sheet needs at least one image")
    tiles = to_uint8(images)
    n, h, w, c = tiles.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    canvas = np.zeros((rows * columns, h, w, c), np.uint8)
    canvas[:n] = tiles
    canvas = canvas.reshape(rows, columns, h, w, c).transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, c)
    return Image.fromarray(canvas[:, :, 0] if c == 1 else canvas)


TILE = 40  # pixels a side at most: sheets are for looking, and exact images are shown one by one


def tile_size(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Width and height of images [C, H, W] as tiles of a sheet for looking."""
    _, height, width = shape
    shrink = min(1.0, TILE / max(height, width))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def tiles(images: Tensor) -> Tensor:
    """Shrinks images [N, C, H, W] to tiles, float in [0, 1] or uint8 where they are small."""
    _, channels, height, width = images.shape
    tile = tile_size((channels, height, width))
    if tile == (width, height):
        return images
    if images.dtype == torch.uint8:
        images = images.float() / 255
    return F.interpolate(images, tile[::-1], mode="bilinear", antialias=True)


def mosaic(parts: Sequence[Image.Image], columns: int, *, gap: int = 0) -> Image.Image:
    """Joins pictures of one size and mode, row by row, `gap` clear or black pixels apart.

    Raises:
        ValueError: there are none.
    """
    if not parts:
        raise ValueError("a mosaic needs at least one picture")
    width, height = parts[0].size
    rows = math.ceil(len(parts) / columns)
    across = min(columns, len(parts))
    canvas = Image.new(parts[0].mode, (across * (width + gap) - gap, rows * (height + gap) - gap))
    for i, part in enumerate(parts):
        canvas.paste(part, (i % columns * (width + gap), i // columns * (height + gap)))
    return canvas


def showcase(images: Sequence[Tensor] | Tensor, columns: int, *, times: int = 2, gap: int = 16) -> Image.Image:
    """Lays images [C, H, W] of one size on black, `columns` to a row, enlarged smoothly, `gap` pixels apart and around.

    Raises:
        ValueError: there are no images.
    """
    parts = [single(image) for image in images]
    parts = [part.resize((times * part.width, times * part.height), Image.Resampling.LANCZOS) for part in parts]
    return ImageOps.expand(mosaic(parts, columns, gap=gap), gap)


def encode(picture: Image.Image, format: str, *, lossless: bool = False, quality: int = 82) -> bytes:
    """Encodes a picture as `PNG`, or as `WEBP`, which is small unless `lossless`, for what is only looked at."""
    data = io.BytesIO()
    # method 0: a sheet is encoded while somebody waits for it, and 4 would take five times as long.
    options = {"quality": quality, "method": 0, "lossless": lossless} if format == "WEBP" else {}
    picture.save(data, format, **options)
    return data.getvalue()


def inline(images: Tensor, columns: int | None = None) -> str:
    """A sheet of images, or nothing for none, as HTML with the picture in it: what notebooks show."""
    if len(images) == 0:
        return ""
    data = b64encode(encode(sheet(images, columns), "PNG")).decode()
    return f'<img src="data:image/png;base64,{data}" alt="" style="image-rendering: pixelated">'


def save_grid(images: Tensor, path: Path) -> None:
    """Saves images as one PNG. Raises OSError when the file cannot be written."""
    Path(path).write_bytes(encode(sheet(images), "PNG"))


def single(image: Tensor) -> Image.Image:
    """Turns one image [C, H, W] into a picture, pixel by pixel."""
    return sheet(image[None], 1)


BRIGHTER, DARKER = (200, 70, 0), (0, 60, 220)
"""The orange and the blue of `difference`."""
_AGREED = 238  # a light gray, which differs from both, and on which both are seen on a light page and on a dark one


def difference(original: Tensor, reconstruction: Tensor, *, gain: float = 1.0) -> Image.Image:
    """Shows where a reconstruction is brighter (orange) or darker (blue) than its original; light gray for neither.

    Both are [C, H, W], uint8 or float in [0, 1]; channels are averaged, and the difference is multiplied by `gain`.
    """
    a, b = (torch.from_numpy(to_uint8(t[None]).copy()).float()[0].mean(-1) / 255 for t in (original, reconstruction))
    signed = (b - a).numpy()[..., None]  # [H, W, 1]
    share = (gain * np.abs(signed)).clip(0, 1)
    full = np.where(signed > 0, np.array(BRIGHTER, np.float32), np.array(DARKER, np.float32))
    return Image.fromarray(np.rint(_AGREED * (1 - share) + full * share).astype(np.uint8))


def left_over(original: Tensor, reconstruction: Tensor, *, gain: float = 1.0, background: float = 0.0) -> Image.Image:
    """Shows original minus reconstruction in colour, on a middle gray: what the reconstruction lacks.

    Both are RGB [3, H, W], uint8 or float in [0, 1]; the difference is multiplied by `gain`. Where the original's
    channels have less than `background` on average, in [0, 1], all is gray.
    """
    a, b = (to_uint8(t[None])[0].astype(np.float32) for t in (original, reconstruction))
    inside = a.mean(2, keepdims=True) >= 255 * background
    return Image.fromarray(np.rint((127.5 + gain * (a - b) * inside).clip(0, 255)).astype(np.uint8))


EVIDENCE = (226, 12, 44)
"""The red of `evidence`'s strongest places."""


def evidence(original: Tensor, values: Tensor, *, low: float, high: float, edge: float) -> Image.Image:
    """Lays a map of values [h, w] on an RGB image [3, H, W]: red from `low`, where it is clear, to `high`.

    The image is paler than it was, so that no stain is taken for the red, and a line goes around places above `edge`.
    Places that are NaN stay clear; between places values are interpolated. 256 pixels wide and high.
    """
    size = (256, 256)
    spread = Image.fromarray(values.nan_to_num(low).clamp(low, high).numpy().astype(np.float32))
    shown = np.asarray(spread.resize(size, Image.Resampling.BILINEAR))
    alpha = (0.85 * (shown - low) / (high - low))[..., None]
    picture = np.asarray(single(original).convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    pale = 0.4 * picture + 0.6 * picture.mean(2, keepdims=True)
    mixed = pale * (1 - alpha) + np.array(EVIDENCE, np.float32) * alpha
    above = np.pad(shown > edge, 2)
    inner = np.logical_and.reduce([np.roll(above, (y, x), (0, 1)) for y in (-2, 0, 2) for x in (-2, 0, 2)])
    mixed[(above & ~inner)[2:-2, 2:-2]] = EVIDENCE
    return Image.fromarray(np.rint(mixed).astype(np.uint8))
