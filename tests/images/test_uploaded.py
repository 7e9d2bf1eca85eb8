"""What people hand in: a sentence for each thing that was made of a file, one error for a bad one, bounded memory."""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from explorer.errors import ImageError
from explorer.images.decoding import decode_image, read_picture
from tests.hostile import png, saved


def photo(side=48):
    y, x = np.mgrid[0:side, 0:side]
    return Image.fromarray(np.stack([x * 5, y * 5, (x + y) * 2], 2).astype(np.uint8))


def turned_photo(orientation=6):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return saved(photo(), "JPEG", exif=exif)


def deep_tiff():
    return saved(Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000), "TIFF")


def clear_palette():
    return saved(photo().quantize(8), "PNG", transparency=0)


def png_16_bits_a_colour():
    return png(2, 2, depth=16, colour=2)


def animation(kind="GIF"):
    frames = [Image.new("RGB", (9, 9), (80 * i, 20, 20)) for i in range(3)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (saved(photo(), "PNG"), []),
        (saved(photo(), "JPEG"), []),
        (animation("GIF"), ["3 frames"]),
        (animation("WEBP"), ["3 frames"]),
        (turned_photo(), ["upright"]),
        (turned_photo(1), []),
        (deep_tiff(), ["8 bits"]),
        (png_16_bits_a_colour(), ["8 bits"]),
        (saved(photo().convert("CMYK"), "JPEG"), ["CMYK"]),
        (clear_palette(), ["transparent"]),
        (saved(photo().convert("RGBA"), "PNG"), ["transparent"]),
    ],
)
def test_what_was_made_of_a_file_is_said(data, said):
    found = read_picture(data, "x")
    assert len(found.notes) == len(said)
    assert all(part in note for part, note in zip(said, found.notes, strict=True))
    np.testing.assert_array_equal(np.asarray(found.image), np.asarray(decode_image(data)))
    assert found.size == found.image.size


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>'


def zip_bomb():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(30 << 20))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("torn.png", saved(photo(200), "PNG")[:500], "cut off or damaged"),
        ("half.jpg", saved(photo(200), "JPEG")[:2000], "cut off or damaged"),
        ("huge.png", png(50_000, 50_000, colour=2, rows=1), "more than the limit of 89,478,485 in all"),
        ("large.png", png(8_000, 8_000, colour=2, rows=1), "8,000 x 8,000 pixels, more than the 32 million"),
        ("drawing.png", SVG, "not a picture of a known format"),
        ("setup.png", Path(sys.executable).read_bytes()[:100_000], "not a picture of a known format"),
        ("bomb.png", zip_bomb(), "not a picture of a known format"),
        ("nothing.png", b"", "it is empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_files_get_one_sentence(name, data, said):
    with pytest.raises(ImageError, match=said) as caught:
        read_picture(data, name, at_most=1024)
    assert str(caught.value).startswith(f"{name} could not be read: it ")
    assert "\n" not in str(caught.value)


WHOLE = [
    saved(photo(), "PNG"), turned_photo(), animation(), deep_tiff(), clear_palette(), png_16_bits_a_colour(),
    saved(photo().convert("CMYK"), "JPEG"), saved(photo(), "WEBP"), saved(photo(), "BMP"), animation("TIFF"),
]  # fmt: skip


@given(
    data=st.sampled_from([b"", *WHOLE]),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), max_size=5),
    cut=st.floats(0, 1),
    tail=st.binary(max_size=64),
)
@settings(max_examples=80, deadline=None)
def test_mutated_files_are_a_picture_or_an_image_error(data, changes, cut, tail):
    mutated = bytearray(data)
    for at, new in changes:
        at %= len(mutated) + 1
        mutated[at : at + len(new)] = new
    mutated = bytes(mutated[: max(int(cut * 1.3 * len(mutated)), 0)] + tail)
    try:
        found = read_picture(mutated, "x", at_most=16)
    except ImageError:
        return
    assert found.image.mode in ("L", "RGB")
    assert max(found.image.size) <= 16
    assert all(note.endswith(".") for note in found.notes)


def test_a_photograph_is_shrunk_and_says_so():
    stream = io.BytesIO()
    Image.new("RGB", (2400, 1800), (90, 120, 60)).save(stream, "JPEG")
    found = read_picture(stream.getvalue(), "photo.jpg", at_most=1024)
    assert found.image.size == (1024, 768)
    assert found.notes == ("It has 2,400 × 1,800 pixels and was shrunk to 1,024 × 768.",)
    whole = read_picture(stream.getvalue(), "photo.jpg").image
    assert whole.size == found.size == (2400, 1800)
    held = Image.Exif()
    held[ExifTags.Base.Orientation] = 6
    for kind in ("JPEG", "PNG", "TIFF"):
        found = read_picture(saved(whole, kind, exif=held), "photo", at_most=1024)
        assert found.image.size == (768, 1024)
        assert found.size == (1800, 2400)
        assert found.notes == (
            "It was turned upright, as its camera noted (EXIF).",
            "It has 1,800 × 2,400 pixels and was shrunk to 768 × 1,024.",
        )
