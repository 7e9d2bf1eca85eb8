"""Odd and damaged archives: a data set of one's own, or a sentence; nothing outside of its folder, nothing left."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from benchmarks.faults.sound import assert_one_sentence, empty
from explorer.datasets import own
from explorer.errors import DatasetError

_MOST_ON_DISK = 64 << 20  # bytes: more than any of these archives' pictures could need
_ODD_NAMES = (
    *("../../climbs.png", "/etc/passwd.png", "C:\\windows\\a.png", "a" * 300 + ".png", "cats\\b\\c.png", "con/aux.png"),
    *("\u202egnp.a/x.png", "ca\x00ts/a.png", "cats/", "cats/../dogs/x.png", "é/ü.png", "train/train/train/x.png"),
    *("__MACOSX/cats/._a.png", "cats/Thumbs.db", "cats/.hidden.png", "~/x.png", "cats/x.png/y.png", "\n/x.png"),
)


def prepare(place: Path) -> None:
    """Makes the folder that the data sets go to."""
    (place / "data").mkdir(exist_ok=True)


def attempt(place: Path, rng: Random) -> str:
    """Makes an archive, looks into it, and adds it."""
    empty(place / "data")
    said = _make(place / "odd.zip", rng)
    before = {path.name for path in place.iterdir()}
    try:
        seen = own.preview(place / "odd.zip")
        for note in seen.notes:
            assert_one_sentence(note)
        own.create("odd", place / "odd.zip")
        outcome = f"added, {sum(own.details('odd').counts.values())} images"
    except DatasetError as error:
        assert_one_sentence(str(error))
        outcome = str(error)
    except Exception as error:
        error.add_note(said)
        raise
    assert {path.name for path in place.iterdir()} == before, f"{said}: something was written beside the data"
    used = sum(path.lstat().st_size for path in (place / "data").rglob("*"))
    assert used < _MOST_ON_DISK, f"{said}: {used / 1e6:,.0f} MB on disk"
    if not outcome.startswith("added"):
        left = [path.name for path in (place / "data").rglob("*") if path.is_file() and path.name != "lock"]
        assert not left, f"{said}: refused, and left {left[:3]}"
    return f"{said}: {outcome}"


def _picture(rng: Random) -> bytes:
    side = rng.choice((1, 8, 28, 64))
    pixels = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(rng.choice(("L", "RGB"))).save(file, rng.choice(("PNG", "JPEG", "BMP")))
    return file.getvalue()


def _make(path: Path, rng: Random) -> str:
    """Writes an archive with something odd about it, and says what."""
    method = rng.choice((*[zipfile.ZIP_STORED] * 3, *[zipfile.ZIP_DEFLATED] * 6, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    odd = []
    with zipfile.ZipFile(path, "w", method) as archive:
        for split in rng.choice((("",), ("train/", "test/"), ("training/", "validation/"), ("a/b/c/",))):
            for name in ("cats", "dogs"):
                for number in range(rng.choice((1, 2, 5))):
                    archive.writestr(f"{split}{name}/{number}.png", _picture(rng))
        if rng.random() < 0.5:
            odd.append(rng.choice(_ODD_NAMES))
            archive.writestr(zipfile.ZipInfo(odd[-1].replace("\x00", "\x01")), _picture(rng), method)
        if rng.random() < 0.2:
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as nested:
                nested.writestr("cats/a.png", _picture(rng))
            archive.writestr("cats/nested.zip", inner.getvalue())
            odd.append("a zip in it")
        if rng.random() < 0.2:
            link = zipfile.ZipInfo("cats/link.png")
            link.create_system, link.external_attr = 3, 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
            odd.append("a link")
        if rng.random() < 0.2:
            archive.writestr("cats/zeros.png", bytes(20_000_000), zipfile.ZIP_DEFLATED)
            odd.append("20 MB of zeros")
        if rng.random() < 0.2:
            archive.writestr("dogs/text.png", b"no picture")
            odd.append("text for a picture")
    if rng.random() < 0.6:
        odd.append(_damage(path, rng))
    return ", ".join(odd) or "nothing odd"


def _damage(path: Path, rng: Random) -> str:
    """Damages the bytes of an archive, its directory at the end as a rule."""
    data = bytearray(path.read_bytes())
    near_end = rng.random() < 0.6
    place = len(data) - 1 - rng.randrange(min(len(data), 400)) if near_end else rng.randrange(len(data))
    how = rng.choice(("flipped", "overwritten", "left out", "cut off", "huge number", "bytes before it"))
    if how == "flipped":
        data[place] ^= 1 << rng.randrange(8)
    elif how == "overwritten":
        data[place : place + 4] = rng.randbytes(4)
    elif how == "left out":
        del data[place : place + 4]
    elif how == "cut off":
        del data[place:]
    elif how == "huge number":
        data[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\xf0"))
    else:
        data[0:0] = rng.randbytes(100)
    path.write_bytes(data)
    return f"bytes {how} at {place} of {len(data)}"
