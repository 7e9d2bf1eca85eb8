"""A .zip from anywhere: opened with its size bounded, its names checked, its files read one at a time, never unpacked.

What a zip says of itself is not believed: not how many files it has, nor how large they are. Links in it are not
followed, and names that lead out of it are refused.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from explorer.errors import DatasetError, DatasetMissing, about_arrays, about_weights
from explorer.files.zip_names import read_names

_PIECE = 1 << 20  # bytes that are inflated at a time
MAX_DIRECTORY_BYTES = 128 << 20  # of the list of files, which is read into memory as a whole

Member = tuple[tuple[str, ...], zipfile.ZipInfo]
"""The parts of a file's path within the zip, and what zipfile knows it by."""

# The others, bz2 and lzma, unpack a few kilobytes to gigabytes in one step that cannot be bounded.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OTHERS = {9: "Deflate64, as Windows does above 2 GB", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}
_ENTRY = b"PK\x01\x02"  # what each entry of a zip's directory begins with
_ENCRYPTED = 0x1
_UNKNOWN = re.compile("[\udc80-\udcff]")  # how Python keeps a byte of a name that is no UTF-8
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # control characters, changes of direction


@contextmanager
def open_zip(path: Path | bytes, label: str, limit: int) -> Iterator[zipfile.ZipFile]:
    """Opens the zip at `path`, or of these bytes, which sentences call `label`.

    Raises DatasetMissing if there is nothing at `path`, DatasetError if it is no zip, cannot be read, is damaged
    or lists more than `limit` files.
    """
    if reason := about_weights(label):  # PyTorch's are zips
        raise DatasetError(f"{label} could not be read: {reason}.")
    try:
        file = _Bounded(path, limit)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL in the path
        raise DatasetMissing(f"There is nothing at {path!s}; name a folder of images or a .zip of one.") from error
    except OSError as error:
        raise DatasetError(f"{label} could not be read: {error.strerror or error}.") from error
    with file:
        try:
            if not zipfile.is_zipfile(file):
                if (reason := about_arrays(label)) and not label.lower().endswith(".npz"):  # which is a zip
                    raise DatasetError(f"{label} is no picture: {reason}.")
                raise DatasetError(f"{label} is neither a folder nor an intact .zip; zip the images again.")
            archive = zipfile.ZipFile(file)
        except _TooMuch as error:
            raise DatasetError(f"{label} lists {error} files, more than the limit of {limit:,}.") from error
        except DatasetError:
            raise
        except OSError as error:
            raise DatasetError(f"{label} could not be read: {error.strerror or error}.") from error
        except Exception as error:  # a malformed directory of entries makes zipfile raise errors of many kinds
            raise DatasetError(f"{label} is a damaged .zip ({error}); zip the images again.") from error
        file.limit = None
        with archive:
            yield archive


def members(archive: zipfile.ZipFile, label: str, limit: int) -> tuple[list[Member], list[str]]:
    """Lists the files of a zip in the order of its directory, and notes on what was left out.

    Of files of one name the last counts, as when unpacking. Raises DatasetError if they would unpack to more than
    `limit` bytes or if a name leads out of the zip.
    """
    infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
    total = sum(info.file_size for info in infos)
    if total > limit:
        raise DatasetError(
            f"{label} would unpack to {total / 2**30:,.1f} GB, more than the limit of {limit / 2**30:.2g}: "
            "make the pictures smaller first, or add a part of them."
        )
    found: dict[tuple[str, ...], zipfile.ZipInfo] = {}
    links, twice = [], []
    names, notes = read_names(infos)
    for info, name in zip(infos, names, strict=True):
        path = printable(name)
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        if path.startswith("/") or ".." in re.split(r"[/\\]", path) or path[1:2] == ":":
            raise DatasetError(
                f"{label} holds a name that leads out of it, {printable(info.filename)!r}; nothing was read."
            )
        if not parts:
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            links.append("/".join(parts))
            continue
        if found.pop(parts, None) is not None:
            twice.append("/".join(parts))
        found[parts] = info
    if links:
        notes.append(
            f"Left out: {_count(links, 'link')}; links in a zip are not followed, so put the files themselves into it."
        )
    if twice:
        notes.append(f"Left out: {_count(twice, 'file')}, whose name comes again in the zip; the last one counts.")
    return list(found.items()), notes


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Reads the bytes of one file in no more memory than the size it declares; from several threads if need be.

    Raises as `copy_member` does.
    """
    data = io.BytesIO()
    copy_member(archive, info, data)
    return data.getvalue()


def copy_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, out: io.BufferedIOBase) -> None:
    """Writes one file out piece by piece, and never more than the size it declares.

    Raises RuntimeError if it is encrypted, NotImplementedError for a method that cannot be bounded, and whatever
    zipfile and zlib raise for damage: a size that is not the declared one is damage.
    """
    if is_encrypted(info):
        raise RuntimeError("encrypted")
    if info.compress_type not in _METHODS:
        method = _OTHERS.get(info.compress_type, f"method {info.compress_type}")
        raise NotImplementedError(
            f"it is packed by {method}: zip the folder again with the usual Deflate, such as with 7-Zip, or unpack the "
            "zip and name its folder"
        )
    # Without a number, `read` would inflate all that there is before it cuts it to the declared size; and at once, it
    # would put the pieces that it reads together in twice the memory.
    done = 0
    with archive.open(info) as stream:
        while piece := stream.read(min(_PIECE, info.file_size - done)):
            out.write(piece)
            done += len(piece)
    if done != info.file_size:
        raise zipfile.BadZipFile("shorter than declared")


def is_encrypted(info: zipfile.ZipInfo) -> bool:
    """Tells whether a file needs a password."""
    return bool(info.flag_bits & _ENCRYPTED)


def printable(name: str) -> str:
    """Makes a name in no known encoding, or with control characters, safe for what prints it later."""
    if name.isascii() and name.isprintable():
        return name
    shown = _UNKNOWN.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", name)  # names that differ stay different
    return _UNSEEN.sub("?", shown.encode("utf-8", "replace").decode())


class _TooMuch(Exception):
    """How many files a zip lists, when that is too many."""


class _Bounded(io.BufferedReader):
    """A file that refuses to hand over the directory of a zip of millions of files: gigabytes of objects.

    `limit` is the most files; with None, once the zip is open, it reads on as any file does.
    """

    def __init__(self, path: Path | bytes, limit: int) -> None:
        super().__init__(cast(io.RawIOBase, io.BytesIO(path)) if isinstance(path, bytes) else io.FileIO(path))
        self.limit: int | None = limit

    def read(self, size: int | None = -1, /) -> bytes:
        if self.limit is None:
            return super().read(size)
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise _TooMuch("millions of")
        data = super().read(size)
        count = data.count(_ENTRY)
        if count > self.limit:
            raise _TooMuch(f"{count:,}")
        return data


def _count(paths: list[str], what: str) -> str:
    return f"1 {what}, {paths[0]}" if len(paths) == 1 else f"{len(paths):,} {what}s, such as {paths[0]}"
