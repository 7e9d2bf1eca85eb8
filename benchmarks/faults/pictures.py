"""Pictures of every format and mode that Pillow writes, damaged or whole: read, or refused in a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from benchmarks.faults.sound import assert_one_sentence
from explorer.errors import DatasetError
from explorer.images.decoding import read_picture

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F", "HSV", "LAB")
_SIDES = (1, 2, 7, 28, 64, 300)
_NO_PICTURES = {"PDF", "XVTHUMB"}  # writers that only make documents


def prepare(place: Path) -> None:
    """Lets Pillow know all that it can write."""
    Image.init()


def attempt(place: Path, rng: Random) -> str:
    """Writes a picture, damages it as a rule, and reads it."""
    kind, data = _written(rng) if rng.random() < 0.9 else _claiming_png(rng)
    damaged, how = (data, "whole") if rng.random() < 0.15 else _damaged(data, rng)
    said = f"{kind}, {len(data):,} bytes, {how}"
    try:
        picture = read_picture(damaged, "odd.png")
    except DatasetError as error:
        assert_one_sentence(str(error))
        return f"{said}: {error}"
    except Exception as error:
        error.add_note(said)
        raise
    assert picture.image.mode in ("L", "RGB"), f"{said}: mode {picture.image.mode}"
    picture.image.load()
    for note in picture.notes:
        assert_one_sentence(note)
    return f"{said}: read, {picture.image.width}x{picture.image.height}"


def _written(rng: Random) -> tuple[str, bytes]:
    """A picture in a format and mode that go together."""
    while True:
        kind, mode = rng.choice(sorted(set(Image.SAVE) - _NO_PICTURES)), rng.choice(_MODES)
        size = rng.choice(_SIDES), rng.choice(_SIDES)
        pixels = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        try:
            picture = Image.fromarray(pixels).convert("L").convert("I").convert(mode) if mode == "I;16" else None
            picture = picture or Image.fromarray(pixels).convert(mode)
            file = io.BytesIO()
            frames = [picture.copy() for _ in range(rng.choice((0, 0, 0, 3)))]
            picture.save(file, kind, **({"save_all": True, "append_images": frames} if frames else {}))
        except Exception:  # this format has no such mode or size
            continue
        return f"{kind} {mode} {size[0]}x{size[1]}", file.getvalue()


def _claiming_png(rng: Random) -> tuple[str, bytes]:
    """A small PNG that claims to be a large one, with a checksum that agrees."""
    width, height = rng.choice(((89_478_485, 1), (1, 89_478_485), (9000, 9000), (2**31 - 1, 2**31 - 1), (0, 5)))
    depth, colour = rng.choice(((8, 0), (8, 2), (16, 0), (16, 6), (1, 3)))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(bytes(rng.choice((0, 100, 10_000_000))))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(*part) for part in ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    )
    return f"PNG that claims {width}x{height}, {depth} bits, type {colour}", data


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _damaged(data: bytes, rng: Random) -> tuple[bytes, str]:
    """The bytes with something wrong, near their beginning as a rule."""
    changed = bytearray(data)
    place = rng.randrange(min(len(data), rng.choice((32, 256, len(data)))))
    how = rng.choice(("flipped", "overwritten", "left out", "cut off", "twice", "huge number"))
    if how == "flipped":
        changed[place] ^= 1 << rng.randrange(8)
    elif how == "overwritten":
        changed[place : place + 4] = rng.randbytes(4)
    elif how == "left out":
        del changed[place : place + rng.choice((1, 4, 50))]
    elif how == "cut off":
        del changed[place:]
    elif how == "twice":
        changed += data
    else:
        changed[place : place + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\x00\x00\x01\x00", b"\x7f\xff\xff\xff"))
    return bytes(changed), f"{how} at {place}"
