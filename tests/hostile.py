"""Small picture files that ask for much: memory, time, or another program."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(width: int, height: int, *, depth: int = 8, colour: int = 0, rows: int | None = None) -> bytes:
    """A black PNG with gray (0) or RGB (2) pixels, or one that claims its size and has fewer rows."""
    row = bytes(1 + width * depth // 8 * (3 if colour == 2 else 1))
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (header, b"IDAT" + data, b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks
    )


def jpeg_of_scans(count: int, side: int = 1000) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    noise = np.random.default_rng(0).integers(0, 255, (side // 8, side // 8), np.uint8)
    data = saved(Image.fromarray(noise).resize((side, side)), "JPEG", progressive=True, quality=5)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:last] + scan * count + b"\xff\xd9"


def tiff_of_frames(count: int) -> bytes:
    """A TIFF with so many directories, all of which show the same 16 bytes."""
    tags = ((256, 3, 4), (257, 3, 4), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (278, 3, 4), (279, 4, 16))
    size = 2 + 12 * len(tags) + 4
    fields = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    first = 8 + 16

    def directories() -> Iterator[bytes]:
        for i in range(count):
            following = first + (i + 1) * size if i + 1 < count else 0
            yield struct.pack("<H", len(tags)) + fields + struct.pack("<I", following)

    return b"II*\0" + struct.pack("<I", first) + bytes(range(16)) + b"".join(directories())


def gif_of_frames(count: int) -> bytes:
    """A GIF of 1 x 1 pixel and so many frames."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame * count + b";"


def eps_in_iptc(postscript: bytes = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n") -> bytes:
    """An IPTC file, which Pillow's plugin opens as whatever it holds: here EPS, for which it starts `gs`."""

    def field(record: int, dataset: int, data: bytes) -> bytes:
        return bytes((0x1C, record, dataset)) + struct.pack(">H", len(data)) + data

    size = [field(3, 20, struct.pack(">H", 9)), field(3, 30, struct.pack(">H", 9))]
    return b"".join([field(3, 60, b"\x01\0"), *size, field(3, 120, b"\x05"), field(8, 10, postscript)])
