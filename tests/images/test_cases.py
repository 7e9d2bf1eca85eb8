"""Pictures as people of the trade have them, each with its right pixels: the files are those of tests/cases."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from explorer.errors import ImageError
from explorer.images.decoding import read_one, read_picture
from explorer.images.tasks import ReadSlide
from tests.hostile import saved

CASES = Path(__file__).parents[1] / "cases"


def _read(name):
    return read_picture((CASES / name).read_bytes(), name)


def _pixels(data):
    return np.asarray(read_picture(data, "it").image).astype(int)


def _png(values, colour):
    """A PNG of 16 bits: RGB (2), gray and alpha (4) or RGBA (6)."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    chunks = (header, b"IDAT" + zlib.compress(rows), b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks
    )


def _tiff(values, order="<", photometric=2):
    """An uncompressed TIFF of 16 bits a channel."""
    height, width, channels = values.shape
    data = values.astype(f"{order}u2").tobytes()
    at = 8 + len(data)
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, at), (259, 3, 1, 1), (262, 3, 1, photometric)]
    tags += [(273, 4, 1, 8), (277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, len(data))]

    def field(tag, kind, count, value):
        short = kind == 3 and count == 1
        return struct.pack(f"{order}HHI", tag, kind, count) + struct.pack(
            f"{order}H2x" if short else f"{order}I", value
        )

    directory = struct.pack(f"{order}H", len(tags)) + b"".join(field(*tag) for tag in tags) + bytes(4)
    start = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, at + 6)
    return start + data + struct.pack(f"{order}3H", 16, 16, 16) + directory


def test_colours_of_12_bits_in_16_are_scaled_as_gray_is():
    found = _read("colour_12_bits_in_16.png")
    pixels = np.asarray(found.image)
    assert pixels.max() == 254
    assert pixels.mean(axis=(0, 1)).round().tolist() == [47, 23, 207]
    assert found.notes == ("It has more than 8 bits per channel and was scaled to 8.",)


@pytest.mark.parametrize("most", [200, 3000, 4095])
@pytest.mark.parametrize(
    "write", ["png", "png with alpha", "gray with alpha", "tiff", "tiff, big-endian", "ppm", "ppm, plain"]
)
def test_few_bits_in_16_of_every_kind(write, most):
    values = np.random.default_rng(0).integers(0, most + 1, (9, 7, 3))
    values[0, 0] = most
    expected = np.rint(values * 255 / (255 if most <= 255 else 4095))
    opaque = np.full((9, 7, 1), 65535)
    if write == "png":
        data = _png(values, 2)
    elif write == "png with alpha":
        data = _png(np.concatenate([values, opaque], axis=2), 6)
    elif write == "gray with alpha":
        data, expected = _png(np.concatenate([values[..., :1], opaque], axis=2), 4), np.repeat(expected[..., :1], 3, 2)
    elif write == "ppm":
        data = b"P6 7 9 65535\n" + values.astype(">u2").tobytes()
    elif write == "ppm, plain":
        data = b"P3 7 9 # width, height\n65535\n" + " ".join(map(str, values.ravel())).encode()
    else:
        data = _tiff(values, ">" if "big" in write else "<")
    np.testing.assert_array_equal(_pixels(data), expected)
    if write == "png":  # as gray of the same numbers is
        np.testing.assert_array_equal(
            _pixels(saved(Image.fromarray(values[..., 0].astype(np.uint16)), "PNG")), expected[..., 0]
        )


@pytest.mark.parametrize("most", [200, 3000, 4095])
@pytest.mark.parametrize("magic", [b"P5", b"P6"], ids=["gray", "colour"])
def test_a_declared_maximum_is_white_however_dim_a_picture_is(magic, most):
    values = np.random.default_rng(0).integers(0, most + 1, (9, 7, 3))
    values = values[..., :1] if magic == b"P5" else values
    found = _pixels(magic + b" 7 9 4095\n" + values.astype(">u2").tobytes())
    np.testing.assert_allclose(found.reshape(9, 7, -1), values * 255 / 4095, atol=0.51)


def test_jpeg_2000_is_scaled_by_its_bits():
    """Of files that OpenJPEG wrote by imagecodecs."""
    values = np.random.default_rng(0).integers(0, 4096, (9, 7, 3))
    values[0, 0] = 4095
    dim = np.asarray(_read("dim_gray_of_12_bits.jp2").image)
    np.testing.assert_array_equal(dim, np.rint(values[..., 0] // 16 * 255 / 4095))
    colour = _read("colour_12_bits_in_16.jp2")
    np.testing.assert_allclose(np.asarray(colour.image), values * 255 / 4095, atol=8.5)
    assert [note for note in colour.notes if "upper 4" in note]


def test_colours_that_fill_16_bits_keep_their_upper_8():
    values = np.random.default_rng(0).integers(0, 65536, (9, 7, 3))
    np.testing.assert_array_equal(_pixels(_png(values, 2)), values >> 8)


def test_colours_in_a_profile_are_converted_to_srgb():
    found = _read("adobe_rgb.png")
    difference = np.asarray(found.image).astype(int) - np.asarray(_read("adobe_rgb_as_srgb.png").image)
    assert np.abs(difference).max() <= 1
    assert found.notes == ("Its colours were converted to sRGB by the profile in the file.",)
    slide = read_one((CASES / "adobe_rgb.png").read_bytes(), "it", ReadSlide(64))
    np.testing.assert_array_equal(slide.seen.transpose(1, 2, 0), np.asarray(found.image))


def test_a_profile_that_is_srgb_damaged_or_of_other_colours_changes_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (srgb, lab, b"nonsense", srgb[:100]):
        found = read_picture(saved(Image.fromarray(pixels), "PNG", icc_profile=profile), "it")
        np.testing.assert_array_equal(np.asarray(found.image), pixels)
        assert found.notes == ()


def test_a_long_text_or_profile_is_no_damage():
    assert _read("text_of_3_mb.png").size == (120, 120)
    profile = np.random.default_rng(0).bytes(2 << 20)
    for kind in ("PNG", "JPEG", "TIFF"):
        assert read_picture(saved(Image.new("RGB", (8, 8)), kind, icc_profile=profile), "it").size == (8, 8)
    with pytest.raises(ImageError, match=r"a text or a colour profile of more than 16 MB; save it without"):
        read_picture(saved(Image.new("RGB", (8, 8)), "PNG", icc_profile=bytes(17 << 20)), "it")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_its_end_marker_and_no_more_is_read(progressive):
    found = _read("no_end_marker.jpg")
    assert found.size == (600, 600)
    assert found.notes == ("It lacks its end marker; all of its pixels are there.",)
    noise = np.random.default_rng(0).integers(0, 255, (80, 64, 3)).astype(np.uint8)
    data = saved(Image.fromarray(noise), "JPEG", progressive=progressive)
    np.testing.assert_array_equal(_pixels(data[:-2]), _pixels(data))
    for short in (60, len(data) // 2):
        with pytest.raises(ImageError, match="cut off or damaged"):
            read_picture(data[:-short], "it")


def test_a_photo_of_a_phone():
    pixels = np.asarray(_read("phone.heic").image).astype(int)
    assert pixels.shape == (64, 96, 3)
    for (y, x), colour in {(16, 24): (220, 40, 40), (16, 72): (40, 200, 60), (48, 24): (40, 60, 210)}.items():
        assert np.abs(pixels[y, x] - colour).max() <= 4
    with pytest.raises(ImageError, match=r"it is a HEIC photo, which cannot be decoded; save it as JPEG"):
        _read("damaged_phone.HEIC")
