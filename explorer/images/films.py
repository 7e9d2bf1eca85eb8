"""Decoded images one after another: animated GIF, MP4 and a strip in one PNG."""

from __future__ import annotations

import io
import math
from itertools import pairwise

import numpy as np
from PIL import Image
from torch import Tensor

from explorer.images.pictures import encode, sheet, to_uint8

_FPS = 12


def gif(images: Tensor, *, size: int = 280) -> bytes:
    """Encodes images [N, C, H, W], float in [0, 1] or uint8, as a GIF of 12 a second that loops for ever.

    Every pixel becomes a square of so many that the longer side has at least `size`. Gray is exact; a colour frame
    has the 256 colours that suit it best. Equal images in a row become one frame that lasts as long as all of them.

    Raises:
        ValueError: there are no images.
    """
    frames, factor = _frames(images), _factor(images, size)
    # A GIF counts hundredths of a second: frames of 8 and 9 together keep 12 a second.
    ends = [round(100 * i / _FPS) for i in range(len(frames) + 1)]
    durations = [10 * (end - start) for start, end in pairwise(ends)]
    pictures = []
    for frame in frames:
        small = Image.fromarray(frame[:, :, 0]) if frame.shape[2] == 1 else _palette(Image.fromarray(frame))
        pictures.append(small.resize((factor * small.width, factor * small.height), Image.Resampling.NEAREST))
    data = io.BytesIO()
    pictures[0].save(data, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return data.getvalue()


def mp4(images: Tensor, *, size: int = 280) -> bytes:
    """Encodes images [N, C, H, W], float in [0, 1] or uint8, as an MP4 (H.264, yuv420p), which plays everywhere.

    As fast as a GIF and scaled as one, to even sides, as the format wants.

    Raises:
        ValueError: there are no images.
        ImportError: PyAV (`av`) is not installed.
    """
    frames, factor = _frames(images), _factor(images, size)
    if factor % 2 and (images.shape[2] % 2 or images.shape[3] % 2):
        factor += 1
    import av

    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=_FPS, options={"crf": "16", "preset": "veryfast"})
        stream.width, stream.height = factor * images.shape[3], factor * images.shape[2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            large = frame.repeat(factor, axis=0).repeat(factor, axis=1)
            rgb = np.broadcast_to(large, (*large.shape[:2], 3))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")))
        film.mux(stream.encode(None))
    return data.getvalue()


def strip(images: Tensor, *, columns: int | None = None) -> bytes:
    """Encodes images [N, C, H, W] as one PNG, pixel by pixel: in one row, or `columns` to a row.

    Raises:
        ValueError: there are no images.
    """
    return encode(sheet(images, columns or len(images)), "PNG")


def _frames(images: Tensor) -> np.ndarray:
    """The images as uint8 [N, H, W, C]."""
    if len(images) == 0:
        raise ValueError("a film needs at least one image")
    return to_uint8(images)


def _factor(images: Tensor, size: int) -> int:
    return max(1, math.ceil(size / max(images.shape[2:])))


def _palette(picture: Image.Image) -> Image.Image:
    return picture.quantize(256, dither=Image.Dither.NONE)
