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
from hashlib import sha256

from PIL import ExifTags, Image

from explorer.errors import ImageError, about_arrays, about_weights
from explorer.images.depth import eight_bits, is_deep, is_deep_colour, note_white, with_12_bits
from explorer.images.headers import gif_frames, jpeg_end, jpeg_scans, webp_pixels
from explorer.images.profiles import CONVERTED, to_srgb
from explorer.images.stacks import MAX_FRAMES, is_unknown_to_pillow, open_stack

MAX_PIXELS = 89_478_485  # a quarter of a gigabyte of RGB
MAX_FILE_BYTES = 256 << 20

MAX_TEXT_BYTES = 16 << 20
"""Of a text or colour profile in a PNG: those of slide scanners have some megabytes."""

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
UNKNOWN = "it is not a picture of a known format, or damaged"
DEEP = "It has more than 8 bits per channel and was scaled to 8."
UNENDED = "It lacks its end marker; all of its pixels are there."

_JPEG, _END = b"\xff\xd8", b"\xff\xd9"
_MAX_SCANS = 100  # of a JPEG: progressive ones have about ten, and each costs a pass over all of the picture

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
        frames, channels: how many the file has; its colours are no channels.
    """

    image: Image.Image
    size: tuple[int, int]
    notes: tuple[str, ...] = ()
    frames: int = 1
    channels: int = 1


def register_formats() -> None:
    """Lets Pillow know FORMATS and no others, for as long as the process lives."""
    for plugin in _PLUGINS:
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    with contextlib.suppress(ImportError):  # where the program is installed without it
        import pi_heif

        pi_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    for other in set(Image.OPEN) - FORMATS:
        del Image.OPEN[other]
    Image.ID[:] = [name for name in Image.ID if name in Image.OPEN]
    vars(Image)["_initialized"] = 2  # or Pillow would load all its plugins for a file that these do not know
    Image.MAX_IMAGE_PIXELS = None  # judged here
    png = vars(importlib.import_module("PIL.PngImagePlugin"))
    png["MAX_TEXT_CHUNK"], png["MAX_TEXT_MEMORY"] = MAX_TEXT_BYTES, 2 * MAX_TEXT_BYTES
    vars(importlib.import_module("PIL.AvifImagePlugin"))["DEFAULT_MAX_THREADS"] = 1  # each has memory of its own


def read(
    data: bytes,
    name: str,
    granted: int,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    most_bytes: int = PICTURE_BYTES,
    frames: str = "first",
    channel: int = 0,
) -> Picture:
    """Decodes a file's bytes, upright, in mode `L` (gray) or `RGB`, 8 bits.

    Transparency is laid on black; the EXIF orientation is applied. Deeper
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
        frames: of several, which become the picture; see `explorer.images.stacks.FRAMES`. Of `all`, the first.
        channel: from 1; 0 for the colours of a picture that has some, and else the first.

    Raises:
        MemoryNeeded: it takes more than is granted.
        ImageError: it cannot be read, has more than MAX_PIXELS, or takes more than `most_bytes`.
    """
    if frames != "first" or channel or is_unknown_to_pillow(data):
        taken = read_frames(data, name, granted, frames, channel, at_most=at_most, most_bytes=most_bytes)
        return next(taken)
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
            found = _depth_notes(image, data)
            before = turn_of(image) if image.format == "TIFF" else None  # which turns itself while it is decoded
            deep = is_deep_colour(image)
            load(image, name)
            turn = turn_of(image)
            if deep:
                found += with_12_bits(image, data)
            profile = image.info.get("icc_profile")
            printed = to_srgb(image, profile) if image.mode == "CMYK" else None
            result = printed or eight_bits(image)
            converted = printed or to_srgb(result, profile)
            if converted is not None:
                result = converted
                found.append(CONVERTED)
            planes = planes_of(image, data)
            notes += [*planes_notes(*planes), *found]
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
    return Picture(result, size, (*notes, *_shrink(result, size, at_most)), *planes)


def read_frames(
    data: bytes,
    name: str,
    granted: int,
    frames: str,
    channel: int,
    *,
    at_most: int | None = None,
    most_bytes: int = PICTURE_BYTES,
) -> Iterator[Picture]:
    """Decodes the frames of a file, as the arguments of `read` tell: one picture, or of `all` frames one each.

    Raises:
        MemoryNeeded, ImageError: as `read`.
    """
    try:
        with open_stack(data) as stack:
            if stack.size[0] * stack.size[1] > MAX_PIXELS:
                raise too_many(name, stack.size, MAX_PIXELS)
            if stack.plane_bytes > most_bytes:
                raise ImageError(name, f"a frame of it takes {stack.plane_bytes >> 20:,} MB; make it smaller first")
            if stack.plane_bytes > granted:
                raise MemoryNeeded(stack.plane_bytes)
            notes = [*planes_notes(stack.frames, stack.channels, frames, channel), *([DEEP] if stack.deep else [])]
            for image in stack.images(name, frames, channel):
                size = image.size
                shrunk = _shrink(image, size, at_most)
                yield Picture(image, size, (*notes, *shrunk), stack.frames, stack.channels)
    except (ImageError, MemoryNeeded, MemoryError):
        raise
    except Exception as error:  # whatever a malformed file leads Pillow and tifffile to
        reason = about_weights(name) or UNKNOWN
        if "imagecodecs" in str(error):
            reason = "it is a TIFF that is packed in a way that is not read here; save it without compression"
        raise ImageError(name, reason) from error


def _shrink(image: Image.Image, size: tuple[int, int], at_most: int | None) -> list[str]:
    """Shrinks a picture, whose file has that size, in place; a note if it was too large."""
    if at_most is None or max(size) <= at_most:
        return []
    image.thumbnail((at_most, at_most))
    return [f"It has {size[0]:,} × {size[1]:,} pixels and was shrunk to {image.width:,} × {image.height:,}."]


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
    if data[:2] == _JPEG:
        if (scans := jpeg_scans(data)) > _MAX_SCANS:
            raise ImageError(name, f"it has {scans:,} scans, more than the limit of {_MAX_SCANS}")
        if jpeg_end(data) is None:
            data = _ended(data, name, granted)
    try:
        image = Image.open(io.BytesIO(data))
    except Image.UnidentifiedImageError as error:
        heic = data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc")
        how = (
            "cannot be decoded" if "HEIF" in Image.OPEN else "is read where pi-heif is installed (pip install pi-heif)"
        )
        raise ImageError(
            name,
            f"it is a HEIC photo, which {how}; save it as JPEG"
            if heic
            else about_weights(name) or about_arrays(name) or UNKNOWN,
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        much = "text chunk" in str(error) or "TEXT_CHUNK" in str(error)
        reason = f"it holds a text or a colour profile of more than {MAX_TEXT_BYTES >> 20} MB; save it without"
        raise ImageError(name, reason if much else DAMAGED) from error
    with image:
        if image.width * image.height == 0:
            raise ImageError(name, "it has no pixels")
        note_white(image, data)
        yield image


def _ended(data: bytes, name: str, granted: int) -> bytes:
    """Adds the end marker that a JPEG lacks. Raises ImageError where pixels are missing, too, and MemoryNeeded."""
    seen = []
    for rest in (b"", b"\x5a" * 64):  # which is taken for pixels where the decoder still waits for some
        try:
            with Image.open(io.BytesIO(data + rest + _END)) as image:
                needed = memory_needed(image, image.size, data)
                if needed > granted and needed <= PICTURE_BYTES:
                    raise MemoryNeeded(needed)
                image.load()
                seen.append(sha256(image.tobytes()).digest())
        except (MemoryNeeded, MemoryError):
            raise
        except Exception:
            return data  # which says what is wrong when it is read
    if seen[0] != seen[1]:
        raise ImageError(name, DAMAGED)
    return data + _END


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
    if is_deep_colour(image) or ("icc_profile" in image.info and converted == 1):
        needed += (30 if image.format == "PPM" else 4) * pixels  # the lower bits; the colours that a profile leads to
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


def planes_of(image: Image.Image, data: bytes) -> tuple[int, int]:
    """Counts frames and channels of an open file; a phone's map of brightness in a JPEG (MPO) is no frame."""
    frames = 1
    with contextlib.suppress(Exception):  # damage behind the first frame
        if image.format == "GIF":
            return gif_frames(data, MAX_FRAMES), 1
        if image.format == "TIFF":
            # Opened again: the decoded picture would be lost.
            with Image.open(io.BytesIO(data)) as other, contextlib.suppress(EOFError):
                while frames <= MAX_FRAMES:
                    other.seek(frames)
                    frames += 1
            if 1 < frames <= MAX_FRAMES:
                with open_stack(data) as stack:
                    return stack.frames, stack.channels
        elif image.format != "MPO":
            frames = int(getattr(image, "n_frames", 1))
    return frames, 1


def planes_notes(frames: int, channels: int, taken: str = "first", channel: int = 0) -> list[str]:
    """Words what became of the frames and channels of a file: nothing where there is one of each."""
    many = f"more than {MAX_FRAMES:,}" if frames > MAX_FRAMES else f"{frames:,}"
    notes = []
    if channels > 1:
        notes.append(f"It has {channels:,} channels; only {f'number {channel}' if channel else 'the first'} is used.")
    if frames > 1:
        used = {"mean": "their mean", "max": "their maximum", "all": "each of them"}.get(taken, "only the first")
        notes.append(f"It has {many} frames; {used} is used.")
    return notes


def _depth_notes(image: Image.Image, data: bytes) -> list[str]:
    """Notes how a picture that is not decoded yet becomes 8-bit gray or RGB."""
    notes = []
    if data[:2] == _JPEG and jpeg_end(data) is None:
        notes.append(UNENDED)
    if image.has_transparency_data:
        notes.append("Its transparent parts were laid on black.")
    if is_deep(image) or is_deep_colour(image):
        notes.append(DEEP)
    if image.mode == "CMYK":
        notes.append("Its colours are for print (CMYK) and were converted to RGB.")
    return notes
