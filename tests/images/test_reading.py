"""Any picture in, 8-bit gray or RGB out; a bad one is one sentence."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from explorer.errors import ImageError
from explorer.images import decoding
from explorer.images.arrays import to_array
from explorer.images.decoding import decode_image, read_one
from explorer.images.tasks import ReadArray, ReadPicture


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _from_array(array: np.ndarray, kind: str, **options) -> bytes:
    return _saved(Image.fromarray(array), kind, **options)


def _arrow() -> np.ndarray:
    """A picture that every turn and every flip changes: uint8 [8, 12, 3] of flat blocks."""
    array = np.zeros((8, 12, 3), np.uint8)
    array[:4, :6], array[:4, 6:], array[4:, :6] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return array


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF", "JPEG2000", "AVIF"])
def test_lossless_formats_keep_their_pixels(kind):
    array = np.zeros((16, 16, 3), np.uint8)
    array[:, 8:] = (0, 255, 0)
    options = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}.get(kind, {})
    image = decode_image(_from_array(array, kind, **options))
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image).astype(int) - array).max() <= (3 if kind == "AVIF" else 0)


def test_a_path_and_bytes_are_the_same(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(_from_array(_arrow(), "PNG"))
    np.testing.assert_array_equal(np.asarray(decode_image(path)), np.asarray(decode_image(path.read_bytes())))
    np.testing.assert_array_equal(np.asarray(decode_image(str(path))), _arrow())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    # As the EXIF standard defines the tag: which side of the stored picture is up.
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, 1)),
        (99, lambda a: a),
    ],
)
def test_exif_orientation(kind, orientation, turn):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    big = np.kron(_arrow(), np.ones((8, 8, 1), np.uint8))  # whole JPEG blocks, so that hardly anything is lost
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    image = np.asarray(decode_image(_from_array(big, kind, exif=exif, **options))).astype(int)
    expected = turn(big).astype(int)
    assert image.shape == expected.shape
    assert np.abs(image - expected).max() <= 3


def test_damaged_exif_spoils_no_pixels():
    data = _from_array(_arrow(), "PNG")
    chunk = b"eXIf" + b"II*\0\xff\xff\xff\xff garbage"
    at = data.index(b"IDAT") - 4
    block = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    np.testing.assert_array_equal(np.asarray(decode_image(data[:at] + block + data[at:])), _arrow())


@pytest.mark.parametrize(
    ("image", "mode", "expected"),
    [
        (Image.new("1", (9, 9), 1), "L", 255),
        (Image.new("L", (9, 9), 77), "L", 77),
        (Image.new("LA", (9, 9), (200, 128)), "L", 100),
        (Image.new("RGBA", (9, 9), (200, 100, 50, 128)), "RGB", (100, 50, 25)),
        (Image.new("RGBA", (9, 9), (200, 100, 50, 0)), "RGB", (0, 0, 0)),
        (Image.new("P", (9, 9), 0), "RGB", (0, 0, 0)),
    ],
)
def test_modes(image, mode, expected):
    decoded = decode_image(_saved(image, "PNG"))
    assert decoded.mode == mode
    assert np.abs(np.asarray(decoded.getpixel((4, 4))).astype(int) - np.asarray(expected)).max() <= 1


def test_a_transparent_colour_is_black():
    for mode, clear in (("L", 200), ("RGB", (1, 200, 3))):
        decoded = decode_image(_saved(Image.new(mode, (9, 9), clear), "PNG", transparency=clear))
        assert decoded.mode == mode
        assert np.asarray(decoded).max() == 0
    palette = Image.new("RGB", (9, 9), (200, 9, 9)).quantize(4)
    clear = palette.getpixel((0, 0))
    assert np.asarray(decode_image(_saved(palette, "PNG", transparency=clear))).max() == 0
    assert np.asarray(decode_image(_saved(palette, "PNG", transparency=bytes([0] * 4)))).max() == 0


def test_cmyk_is_not_inverted():
    decoded = decode_image(_saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert decoded.mode == "RGB"
    red, green, blue = decoded.getpixel((8, 8))
    assert red > 200 > 60 > max(green, blue)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1000, 65535], [0, 4, 255]),  # all 16 bits
        ([0, 2048, 4095], [0, 128, 255]),  # a 12-bit camera
        ([0, 7, 255], [0, 7, 255]),  # 8 bits that were stored as 16
    ],
)
def test_sixteen_bits(kind, values, expected):
    decoded = decode_image(_from_array(np.tile(np.uint16(values), (3, 1)), kind))
    assert decoded.mode == "L"
    np.testing.assert_array_equal(np.asarray(decoded)[0], expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.25, 1.0], [0, 64, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([5.0, 5.0, 5.0], [0, 0, 0]),
        ([float("nan"), 0.0, 1.0], [0, 0, 255]),
        ([float("-inf"), 0.0, float("inf")], [0, 0, 0]),
    ],
)
def test_floating_point(values, expected):
    decoded = decode_image(_from_array(np.tile(np.float32(values), (3, 1)), "TIFF"))
    np.testing.assert_array_equal(np.asarray(decoded)[0], expected)


def test_thirty_two_bits():
    decoded = decode_image(_from_array(np.tile(np.int32([-100, 0, 100]), (3, 1)), "TIFF"))
    np.testing.assert_array_equal(np.asarray(decoded)[0], [0, 127, 255])


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (9, 9), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = _saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert decode_image(data).getpixel((4, 4)) == (255, 0, 0), kind


def _png_header(width: int, height: int) -> bytes:
    """A PNG that is nothing but a claim of its size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0")
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("size", [(9_500, 9_500), (13_000, 13_000), (60_000, 60_000)])
def test_pixels_are_counted_before_decoding(size):
    with pytest.raises(ImageError, match="89,478,485") as caught:
        decode_image(_png_header(*size), name="bomb.png")
    assert str(caught.value).startswith("bomb.png could not be read: ")


def test_the_pixel_limit_holds_where_are_not_errors(recwarn):

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ImageError, match="9,500 x 9,500"):
            decode_image(_png_header(9_500, 9_500))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_cut_off_files(kind):
    rng = np.random.default_rng(0)
    whole = _from_array(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8), kind)
    decode_image(whole)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(ImageError) as caught:
            decode_image(whole[: int(len(whole) * share)])
        assert str(caught.value).startswith("The image could not be read: it ")


def test_no_picture_at_all(tmp_path, monkeypatch):
    with pytest.raises(ImageError, match="it is empty"):
        decode_image(b"")
    with pytest.raises(ImageError, match="not a picture"):
        decode_image(b"a,b\n1,2\n")
    with pytest.raises(ImageError, match=r"missing\.png could not be read: No such file"):
        decode_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="Is a directory"):
        decode_image(tmp_path)
    with pytest.raises(ImageError, match="null"):
        decode_image("a\0b.png")
    monkeypatch.setattr(decoding, "MAX_FILE_BYTES", 1 << 20)
    with pytest.raises(ImageError, match="it has 2 MB, more than the limit of 1"):
        decode_image(bytes(2 << 20))


def test_eps_is_refused():
    """Pillow would run Ghostscript on it."""
    data = _saved(Image.new("L", (4, 4)), "EPS")
    with pytest.raises(ImageError, match="not a picture"):
        decode_image(data)


HEADS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"RIFF\x20\0\0\0WEBPVP8 ",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"BM",
    b"P6\n",
    b"8BPS\0\1",
    b"\0\0\1\0\1\0",
    b"DDS \x7c\0\0\0",
    b"qoif",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\x59\xa6\x6a\x95",
    b"SIMPLE  =",
    b"icns",
    b"\x01\xda",
]


@given(data=st.binary(max_size=300), head=st.sampled_from(HEADS))
@example(data=b"", head=b"P6\n")
def test_random_bytes_are_never_a_traceback(data, head):
    for candidate in (data, head + data):
        message = None
        try:
            assert decode_image(candidate).mode in ("L", "RGB")
        except ImageError as error:
            message = str(error)
        assert message is None or message.startswith("The image could not be read: ")


WRITABLE = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "TGA", "ICO", "PCX", "SGI", "DDS", "AVIF", "JPEG2000"]


@given(
    kind=st.sampled_from(WRITABLE),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8),
)
def test_damaged_files_are_never_a_traceback(kind, changes):
    data = bytearray(_from_array(_arrow(), kind))
    for position, value in changes:
        data[position % len(data)] = value
    try:
        array = read_one(bytes(data), "x", ReadArray(8, 3, at_least=16)).pixels[0]
    except ImageError:
        return
    assert array.shape == (3, 8, 8)


def test_jpeg_shrinks_while_decoding_and_looks_the_same():
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)).resize((800, 800), 3)
    data = _saved(smooth, "JPEG", quality=95)
    small = read_one(data, "x", ReadPicture(at_least=64)).image
    assert small.size == (100, 100)
    difference = to_array(small, 28, 3).astype(int) - to_array(decode_image(data), 28, 3)
    assert np.abs(difference).mean() < 2
