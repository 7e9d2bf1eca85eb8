"""One picture in: a file's bytes become 8-bit gray or RGB.

Files are not trusted, so this runs in a process of its own (`worker.py`), which knows FORMATS and no others, and whose
memory is limited. Sizes are checked before anything is decoded, and whatever a decoder stumbles over becomes an
ImageError of one sentence. The program itself asks through `decoding.py`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import ExifTags, Image

from explorer.errors import ImageError
from explorer.images.depth import eight_bits, is_deep
from explorer.images.headers import gif_frames, jpeg_scans, webp_pixels

MAX_PIXELS = 89_478_485  # a quarter of a gigabyte of RGB
MAX_FILE_BYTES = 256 << 20

PICTURE_BYTES = 1 << 30
"""What decoding one picture may take."""
UPLOAD_BYTES = 250 << 20
"""What decoding one picture may take that somebody hands in by itself."""

# All have decoders in C that open no other file and start no program. (Pillow's IPTC plugin opens what is inside a file
# in any format that Pillow knows, and EPS starts Ghostscript.)
FORMATS = frozenset({"PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "AVIF", "JPEG2000", "HEIF"})
SUFFIXES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".webp",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif", ".avifs", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx",
    ".heic", ".heif", ".hif",
})  # fmt: skip
"""The file endings of those formats, in lower case with the dot."""
_PLUGINS = ("Png", "Jpeg", "Mpo", "Tiff", "Bmp", "Gif", "WebP", "Ppm", "Avif", "Jpeg2K")

DAMAGED = "it is cut off or damaged"

_MAX_SCANS = 100  # of a JPEG: progressive ones have about ten, and each costs a pass over all of the picture
_MAX_FRAMES = 1_000  # that are counted

# Bytes a pixel that decoders take beside the picture, measured.
_DECODERS = {"TIFF": 4, "GIF": 1, "WEBP": 10, "AVIF": 6, "HEIF": 6, "JPEG2000": 14, "PPM": 4}
_BYTES = {"1": 1, "L": 1, "P": 1}  # a pixel of a decoded picture; of other modes 4

# What undoes each EXIF orientation. ImageOps.exif_transpose would also rewrite the EXIF block, and fail on some.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset(TURNS[orientation] for orientation in (5, 6, 7, 8))
"""The turns that swap width and height."""

TURNED = "It was turned upright, as its camera noted (EXIF)."


class MemoryNeeded(Exception):
    """A picture takes more memory than was granted; `bytes` says how much."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.bytes = count


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded file.

    Attributes:
        image: upright, of mode L (gray) or RGB, 8 bits.
        size: width and height in the file, upright, before it was shrunk.
        notes: a sentence on each thing that was done to it: frames left out, transparency, depth, print colours,
            orientation, shrinking.
    """

    image: Image.Image
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


def register_formats() -> None:
    """Lets Pillow know FORMATS and no others, for as long as the process lives."""
    for plugin in _PLUGINS:
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
    for other in set(Image.OPEN) - FORMATS:
        del Image.OPEN[other]
    Image.ID[:] = [name for name in Image.ID if name in Image.OPEN]
    vars(Image)["_initialized"] = 2  # or Pillow would load all its plugins for a file that these do not know
    Image.MAX_IMAGE_PIXELS = None  # judged here
    vars(importlib.import_module("PIL.AvifImagePlugin"))["DEFAULT_MAX_THREADS"] = 1  # each has memory of its own


def read(
    data: bytes,
    name: str,
    granted: int,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    most_bytes: int = PICTURE_BYTES,
    noting: bool = True,
) -> Picture:
    """Decodes a file's bytes, upright, in mode `L` (gray) or `RGB`, 8 bits.

    Of an animation the first frame; transparency is laid on black; the EXIF orientation is applied. Deeper
    pictures are scaled to 8 bits: 16-bit ones by the least of 8, 12 and 16 bits that holds their maximum
    (cameras of microscopes store 12 bits in 16), floating-point ones from [0, 1] or, if they exceed it, from
    their own range.

    Args:
        data: the file's bytes.
        name: what an error calls the picture.
        granted: bytes of memory that decoding may take now.
        at_least: allows a decoder that can do so cheaply (JPEG) to shrink the picture while both sides stay at
            least that many pixels.
        at_most: the picture is shrunk where its longer side has more pixels; a JPEG while it is decoded.
        most_bytes: of memory that decoding may ever take.
        noting: whether to find out what was done to it.

    Raises:
        MemoryNeeded: it takes more than is granted.
        ImageError: it cannot be read, has more than MAX_PIXELS, or takes more than `most_bytes`.
    """
    notes: list[str] = []
    with opened(data, name, granted) as image:
        size = image.size
        width, height = size
        if width * height > MAX_PIXELS:
            raise too_many(name, size, MAX_PIXELS)
        reduced = at_least or at_most
        try:
            if reduced is not None:
                image.draft(None, (reduced, reduced))
            needed = memory_needed(image, size, data)
            if needed > most_bytes:
                most = most_bytes * width * height // needed
                raise ImageError(
                    name,
                    f"it has {width:,} x {height:,} pixels, more than the {most // 1_000_000} million that a picture "
                    "of its kind may have here; make it smaller first",
                )
            if needed > granted:
                raise MemoryNeeded(needed)
            found = _depth_notes(image) if noting else []
            before = turn_of(image) if image.format == "TIFF" else None  # which turns itself while it is decoded
            load(image, name)
            turn = turn_of(image)
            result = eight_bits(image)
            if noting:
                notes += [*frame_notes(image, data), *found]
                if (before, turn) != (None, None):
                    notes.append(TURNED)
        except (ImageError, MemoryNeeded, MemoryError):
            raise
        except Exception as error:  # Pillow's plugins raise whatever a malformed file leads them to
            raise ImageError(name, DAMAGED) from error
        if turn is not None:
            if result is not image:
                image.close()  # which lets go of its pixels
            result = result.transpose(turn)
    size = (height, width) if turn in SIDEWAYS else (width, height)
    if at_most is not None and max(size) > at_most:
        result.thumbnail((at_most, at_most))
        notes.append(f"It has {size[0]:,} × {size[1]:,} pixels and was shrunk to {result.width:,} × {result.height:,}.")
    return Picture(result, size, tuple(notes))


@contextlib.contextmanager
def opened(data: bytes, name: str, granted: int) -> Iterator[Image.Image]:
    """Opens a picture without decoding it.

    Raises:
        MemoryNeeded, ImageError: as `read`.
    """
    if not data:
        raise ImageError(name, "it is empty")
    claimed = webp_pixels(data)
    if claimed * 8 > granted:  # which opening it takes already
        if claimed > MAX_PIXELS:
            raise ImageError(name, f"it has more than the limit of {MAX_PIXELS:,} pixels in all")
        raise MemoryNeeded(claimed * 8)
    try:
        image = Image.open(io.BytesIO(data))
    except Image.UnidentifiedImageError as error:
        photo = "it is a HEIC photo, which is read where pillow-heif is installed; save it as JPEG or install that"
        is_heic = data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc")
        raise ImageError(name, photo if is_heic else "it is not a picture of a known format, or damaged") from error
    except MemoryError:
        raise
    except Exception as error:
        raise ImageError(name, DAMAGED) from error
    with image:
        if image.width * image.height == 0:
            raise ImageError(name, "it has no pixels")
        if image.format in ("JPEG", "MPO") and (scans := jpeg_scans(data)) > _MAX_SCANS:
            raise ImageError(name, f"it has {scans:,} scans, more than the limit of {_MAX_SCANS}")
        yield image


def load(image: Image.Image, name: str) -> None:
    """Decodes an open picture. Raises ImageError if it is larger than its header said."""
    pixels = image.width * image.height
    image.load()
    if image.width * image.height > pixels:
        raise ImageError(name, "it is larger than its header says")


def too_many(name: str, size: tuple[int, int], limit: int) -> ImageError:
    """Words the error on a picture of more pixels than may be."""
    return ImageError(name, f"it has {size[0]:,} x {size[1]:,} pixels, more than the limit of {limit:,} in all")


def memory_needed(image: Image.Image, size: tuple[int, int], data: bytes) -> int:
    """Estimates the bytes of memory at the peak of decoding an open picture and converting it.

    Args:
        image: the picture, which may have been told to shrink while it is decoded.
        size: width and height of all of it.
        data: its file's bytes.
    """
    pixels = image.width * image.height
    decoded = _BYTES.get(image.mode, 4)
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        converted = decoded  # where it is turned
    else:
        converted = 1 if image.mode in ("1", "L", "LA") or is_deep(image) else 4
    needed = pixels * (decoded + converted + _DECODERS.get(image.format or "", 0))
    if image.format in ("JPEG", "MPO") and (image.info.get("progressive") or jpeg_scans(data) > 1):
        # Held as coefficients of two bytes each, in full size, whatever scale it is decoded at.
        needed += 2 * len(image.getbands()) * size[0] * size[1]
    return needed


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Finds what undoes a picture's EXIF orientation; Pillow decodes a PNG to look for it."""
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return None  # a malformed EXIF block spoils no pixels


def frame_notes(image: Image.Image, data: bytes) -> list[str]:
    """Counts frames after the first; phones add a map of brightness to a JPEG (MPO), which is no frame."""
    frames = 1
    with contextlib.suppress(Exception):  # damage behind the first frame
        if image.format == "GIF":
            frames = gif_frames(data, _MAX_FRAMES)
        elif image.format == "TIFF":
            with Image.open(io.BytesIO(data)) as other:  # the decoded picture would be lost
                while frames <= _MAX_FRAMES:
                    other.seek(frames)
                    frames += 1
        elif image.format != "MPO":
            frames = int(getattr(image, "n_frames", 1))
    many = f"more than {_MAX_FRAMES:,}" if frames > _MAX_FRAMES else f"{frames:,}"
    return [f"It has {many} frames; only the first is used."] if frames > 1 else []


def _depth_notes(image: Image.Image) -> list[str]:
    """Notes how a picture that is not decoded yet becomes 8-bit gray or RGB."""
    notes = []
    if image.has_transparency_data:
        notes.append("Its transparent parts were laid on black.")
    # Pillow keeps the upper 8 bits of each colour: the mode does not say so, what the decoder is told does.
    if is_deep(image) or any("16" in str(tile[3]) for tile in getattr(image, "tile", ()) if len(tile) > 3):
        notes.append("It has more than 8 bits per channel and was scaled to 8.")
    if image.mode == "CMYK":
        notes.append("Its colours are for print (CMYK) and were converted to RGB.")
    return notes
