"""Files of several frames or channels, and TIFFs whose numbers Pillow does not know, as planes and images of them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from explorer.errors import ImageError
from explorer.images.depth import eight_bits, is_deep, shown_range

FRAMES = ("first", "mean", "max", "all")
"""What is made of the frames of a file: an image of the first, of their mean or their maximum, or one of each."""
MAX_FRAMES = 1_000  # that are looked at


@dataclass(frozen=True)
class Planes:
    """Which planes of files become images.

    Attributes:
        frames: one of FRAMES.
        channel: from 1; 0 for the colours of a picture that has some, and else the first.
    """

    frames: str = "first"
    channel: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError unless they can be."""
        if self.frames not in FRAMES:
            raise ValueError(f"frames are {', '.join(FRAMES)}, not {self.frames!r}")
        if not 0 <= self.channel <= MAX_FRAMES:
            raise ValueError(f"channels are counted from 1, and there is none {self.channel}")


FIRST = Planes()

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _EXTRA = 258, 262, 277, 284, 338  # tags; planar: each colour by itself


@dataclass(frozen=True)
class Stack:
    """The planes of a file.

    Attributes:
        frames, channels: how many there are; the colours of a picture are no channels.
        size: width and height of each plane.
        deep: whether their numbers have more than 8 bits.
        plane_bytes: of memory that reading one takes.
        plane: reads one by its frame and its channel, from 0: numbers [H, W] or, in colour, [H, W, 3].
    """

    frames: int
    channels: int
    size: tuple[int, int]
    deep: bool
    plane_bytes: int
    plane: Callable[[int, int], np.ndarray]

    def images(self, name: str, frames: str, channel: int) -> Iterator[Image.Image]:
        """Makes images of mode L or RGB, 8 bits, of the frames of a channel, all in one range of numbers.

        Args:
            name: what an error calls the picture.
            frames: one of FRAMES.
            channel: from 1; 0 for the colours of a picture that has some, and else the first.

        Raises:
            ImageError: there is no such channel.
        """
        count = 1 if frames == "first" else min(self.frames, MAX_FRAMES)

        def planes() -> Iterator[np.ndarray]:
            for frame in range(count):
                found = self.plane(frame, max(channel - 1, 0) if channel <= self.channels else 0)
                if channel and self.channels == 1:
                    found = np.atleast_3d(found)
                    check(found.shape[2])
                    found = found[..., channel - 1]
                yield np.nan_to_num(found, copy=False, nan=0.0, posinf=0.0, neginf=0.0)

        def check(channels: int) -> None:
            if channel > channels:
                there = "1 channel" if channels == 1 else f"{channels:,} channels"
                raise ImageError(name, f"it has {there}, so there is no channel {channel}")

        if self.channels > 1:
            check(self.channels)

        def wanted() -> Iterator[np.ndarray]:
            if frames not in ("mean", "max") or count == 1:
                yield from planes()
                return
            total: Any = None
            for plane in planes():
                if total is None:
                    total = plane.astype(np.float64) if frames == "mean" else plane.copy()
                else:
                    (np.add if frames == "mean" else np.maximum)(total, plane, out=total)
            yield total / count if frames == "mean" else total

        ranges = [(float(plane.min()), float(plane.max()), plane.dtype.kind == "f") for plane in planes()]
        low, high = shown_range(min(r[0] for r in ranges), max(r[1] for r in ranges), ranges[0][2])
        scale = 255.0 / (high - low) if high > low else 0.0
        for plane in wanted():
            yield Image.fromarray(np.rint((plane.astype(np.float64) - low) * scale).astype(np.uint8))


def is_unknown_to_pillow(data: bytes) -> bool:
    """Tells whether a file is a TIFF that Pillow does not open or would read wrongly.

    It takes a second channel for transparency, a first one for all, and 16 bits that are stored colour by colour for
    pixels of 8.
    """
    if data[:4] not in _TIFF:
        return False
    try:
        with Image.open(io.BytesIO(data)) as image:
            tags: Any = getattr(image, "tag_v2", {})
            samples, is_planar = tags.get(_SAMPLES, 1), tags.get(_PLANAR) == 2
            if tags.get(_PHOTOMETRIC) in (0, 1) and samples > 1:
                return samples > 2 or is_planar or tags.get(_EXTRA, (0,))[0] == 0
            return is_planar and max(tags.get(_BITS, (1,))) > 8 and image.tile[0].codec_name == "raw"
    except MemoryError:
        raise
    except Exception:
        return True


@contextlib.contextmanager
def open_stack(data: bytes) -> Iterator[Stack]:
    """Opens a file as planes. Raises what Pillow and tifffile raise for what they cannot read."""
    if data[:4] in _TIFF:
        with _tiff(data) as stack:
            yield stack
        return
    with Image.open(io.BytesIO(data)) as image:
        pixels = image.width * image.height
        frames = min(int(getattr(image, "n_frames", 1)), MAX_FRAMES)

        def plane(frame: int, _: int) -> np.ndarray:
            image.seek(frame)
            return np.asarray(eight_bits(image.copy()))

        yield Stack(frames, 1, image.size, False, 12 * pixels, plane)


@contextlib.contextmanager
def _tiff(data: bytes) -> Iterator[Stack]:
    import tifffile

    # Of several files a TIFF may only name the others: they are not looked for.
    with tifffile.TiffFile(io.BytesIO(data), _multifile=False) as file, contextlib.ExitStack() as opened:
        series = file.series[0]
        key: Any = series.keyframe
        lead = [(axis, n) for axis, n in zip(series.axes, series.shape, strict=True) if axis not in "YXS"]
        count = len(series.pages)
        if int(np.prod([n for _, n in lead])) != count:
            lead = [("Q", count)]
        order = np.arange(count).reshape([n for _, n in lead])
        channel_axis = next((i for i, (axis, _) in enumerate(lead) if axis == "C"), None)
        order = order.reshape(1, -1) if channel_axis is None else np.moveaxis(order, channel_axis, 0)
        order = order.reshape(len(order), -1)
        samples = key.samplesperpixel
        as_channels = samples > 1 and key.photometric in (0, 1)
        pillow = None if is_unknown_to_pillow(data) else opened.enter_context(Image.open(io.BytesIO(data)))

        def plane(frame: int, channel: int) -> np.ndarray:
            page: Any = series.pages[int(order[0 if as_channels else channel, frame])]
            if pillow is not None:
                pillow.seek(page.index)
                if is_deep(pillow):
                    return np.array(pillow)
                if not as_channels:
                    return np.asarray(eight_bits(pillow.copy()))
            found = page.asarray(maxworkers=1)
            if found.ndim == 3 and key.planarconfig == 2:
                found = np.moveaxis(found, 0, -1)
            if found.dtype.kind not in "uif":
                raise ValueError(f"numbers of type {found.dtype}")
            return found if found.ndim == 2 else found[..., channel] if as_channels else found[..., :3]

        size = key.imagewidth, key.imagelength
        plane_bytes = size[0] * size[1] * samples * (key.dtype.itemsize + 20)
        channels = samples if as_channels else len(order)
        yield Stack(order.shape[1], channels, size, key.dtype.itemsize > 1, plane_bytes, plane)
