"""Uploaded pictures of any kind: what the models see of them, what is said of them, and the middle of large ones."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from explorer.errors import ImageError
from explorer.images import slides
from explorer.images.arrays import to_array
from explorer.images.decoding import decode_image, read_one
from explorer.images.large import large_of
from explorer.images.slides import MOST_SCALED, slide_of
from explorer.images.tasks import ReadSlide

SLIDE = (12_000, 9_000)


def read_slide(data: bytes, name: str) -> slides.Slide:
    return read_one(data, name, ReadSlide(32))


def cell(mode: str = "RGB", size: tuple[int, int] = (90, 70)) -> Image.Image:
    """A disc on black, pink where the mode has colours."""
    y, x = np.mgrid[: size[1], : size[0]]
    inside = (x - size[0] / 2) ** 2 + (y - size[1] / 2) ** 2 < (min(size) / 2.4) ** 2
    pixels = np.where(inside[..., None], (220, 140, 170), 0).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def saved(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(cell(), "JPEG", exif=exif)


def transparent() -> bytes:
    picture = cell("RGBA")
    picture.putalpha(cell("L").point(lambda v: 255 * (v > 0)))
    return saved(picture)


def animated() -> bytes:
    return saved(cell(), "GIF", save_all=True, append_images=[cell().rotate(90)])


KINDS = {
    "plain": (saved(cell()), ""),
    "palette": (saved(cell("P")), ""),
    "gray": (saved(cell("L")), ""),
    "deep": (saved(Image.fromarray(np.asarray(cell("L")).astype(np.uint16) * 257)), "more than 8 bits"),
    "cmyk": (saved(cell("CMYK"), "TIFF"), "CMYK"),
    "alpha": (transparent(), "transparent"),
    "exif": (turned(), "upright"),
    "animation": (animated(), "2 frames"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_sees_what_every_other_caller_sees(kind):
    data, remark = KINDS[kind]
    picture = read_slide(data, kind)
    np.testing.assert_array_equal(picture.seen, to_array(decode_image(data), 32, 3))
    assert large_of(picture, data, kind) is None
    assert picture.gray == (kind in ("gray", "deep"))
    assert picture.size == decode_image(data).size
    assert remark in " ".join(picture.notes)
    assert bool(picture.notes) == bool(remark)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"%PDF-1.4 nothing", "not a picture of a known format"),
        (saved(cell())[:200], "cut off or damaged"),
        (saved(cell(), "JPEG")[:40], "damaged"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_one_sentence(data, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        read_slide(data, "x.png")
    assert str(caught.value).startswith("x.png could not be read")


def test_a_large_picture_keeps_its_middle_in_full():
    pixels = np.random.default_rng(0).integers(0, 255, (900, 1400, 3), np.uint8)
    data = saved(Image.fromarray(pixels))
    large = large_of(read_slide(data, "x"), data, "x")
    assert large is not None
    assert (large.size, large.scale, large.largest) == ((1400, 900), 1, 900)
    np.testing.assert_array_equal(np.asarray(large.crop(100)), pixels[400:500, 650:750])
    assert large.outline(100) == pytest.approx((650 / 1400, 400 / 900, 750 / 1400, 500 / 900))
    assert max(large.overview.size) <= 512


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_slide_is_read_at_a_reduced_scale_or_whole(format):
    """108 million pixels, in gray to spare memory; a bright square of 200 pixels lies in the middle."""
    slide = Image.new("L", SLIDE, 90)
    slide.paste(230, (5900, 4400, 6100, 4600))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(slide, format, exif=exif)
    picture = read_slide(data, "slide")
    large = large_of(picture, data, "slide")
    assert large is not None
    assert picture.size == large.size == SLIDE[::-1]  # turned, as the camera noted
    assert large.scale == (2 if format == "JPEG" else 1)
    assert large.overview.width < large.overview.height
    np.testing.assert_allclose(np.asarray(large.crop(190)), 230, atol=6)
    around = np.asarray(large.crop(240))[..., 0]
    np.testing.assert_allclose(around[0], 90, atol=6)
    assert np.abs(picture.seen[:, :, 8:24].mean() - 90) < 5
    moved = large.at((200, 200))
    np.testing.assert_allclose(np.asarray(moved.crop(190)), 90, atol=6)
    with pytest.raises(ImageError):
        decode_image(data)  # other callers take it no more than before


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_square_anywhere_of_a_slide_however_it_was_held(monkeypatch, orientation, format):
    """As of the picture turned upright in full, in the middle, at the edges and in the corners."""
    for name, value in {"MAX_PIXELS": 1000, "MOST_WHOLE": 10_000, "LARGE_SIDE": 50, "_WINDOW": 30}.items():
        monkeypatch.setattr(slides, name, value)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8))
    data = saved(stored, format, exif=exif)
    stored.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored))
    large = large_of(slide_of(data, "x", 1 << 20, 8, None), data, "x")
    assert large is not None
    height, width = upright.shape[:2]
    assert large.size == (width, height)
    for x, y in ((width // 2, height // 2), (0, 0), (width, 13), (20, height), (width, height), (31, 33)):
        there = large_of(slide_of(data, "x", 1 << 20, 8, (x, y)), data, "x")
        assert there is not None
        moved = replace(there, place=(x, y))
        left, top = (min(max(v - 10, 0), most - 20) for v, most in ((x, width), (y, height)))
        np.testing.assert_array_equal(np.asarray(moved.crop(20)), upright[top : top + 20, left : left + 20])
        shares = (left / width, top / height, (left + 20) / width, (top + 20) / height)
        assert moved.outline(20) == pytest.approx(shares)
        assert np.asarray(moved.crop(30)).shape == (30, 30, 3)


def test_a_bomb_is_refused_by_its_header():
    """A JPEG of a few hundred bytes that claims 65,000 x 65,000 pixels."""
    data = bytearray(saved(Image.new("RGB", (64, 64)), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (65_000).to_bytes(2, "big") * 2
    with pytest.raises(ImageError, match=f"{MOST_SCALED:,}"):
        read_slide(bytes(data), "bomb.jpg")
