"""Names of files in a zip that does not say how they are written: which code page they are in."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

_UTF8 = 0x800  # the flag of a name in UTF-8
_UNICODE_PATH = 0x7075  # the extra field of one


@dataclass(frozen=True)
class _Page:
    """A code page: the bytes of its letters beyond ASCII, and those of its common ones."""

    codec: str
    called: str
    letters: bytes
    common: bytes


# Tried in turn. Double bytes come before single ones, which take any bytes; Korean is the part of the bytes of Chinese
# that its syllables take up.
_PAGES = (
    _Page(
        "cp932",
        "Japanese (Shift-JIS)",
        rb"[\x82\x83\x88-\x9f\xe0-\xea][\x40-\xfc]|\x81[\x40-\xfc]",
        rb"[\x82\x83\x88-\x97]",
    ),
    _Page("cp949", "Korean", rb"[\xb0-\xc8][\xa1-\xfe]", rb"[\xb0-\xc8]"),
    _Page("gbk", "simplified Chinese (GBK)", rb"[\xb0-\xf7][\xa1-\xfe]", rb"[\xb0-\xd7]"),
    _Page("cp950", "traditional Chinese (Big5)", rb"[\xa4-\xc6\xc9-\xf9][\x40-\x7e\xa1-\xfe]", rb"[\xa4-\xc6]"),
    _Page("cp866", "Cyrillic (code page 866)", rb"[\x80-\xaf\xe0-\xf1]", rb"."),
    _Page("cp1251", "Cyrillic (code page 1251)", rb"[\xa8\xb8\xc0-\xff]", rb"."),
)


def read_names(infos: Sequence[zipfile.ZipInfo]) -> tuple[list[str], list[str]]:
    """Reads the names of a zip's files as their paths, with `/`, in order; and a note where their encoding was guessed.

    A backslash is a separator only where no name has a slash: it is also the second byte of letters in Shift-JIS.
    """
    unmarked = {
        info.orig_filename: _field(info) or info.orig_filename.encode("cp437")
        for info in infos
        if not (info.flag_bits & _UTF8 or info.orig_filename.isascii())
    }
    others = [raw for raw in unmarked.values() if not _decodes(raw, "utf-8")]  # which macOS writes without the flag
    codec, notes = _guess({part for raw in others for part in raw.split(b"/") if not part.isascii()})
    read = {name: raw.decode("utf-8" if _decodes(raw, "utf-8") else codec) for name, raw in unmarked.items()}
    names = [read.get(info.orig_filename, info.orig_filename).split("\0")[0] for info in infos]
    if not any("/" in name for name in names):
        names = [name.replace("\\", "/") for name in names]
    return names, notes


def _field(info: zipfile.ZipInfo) -> bytes:
    """Finds the name in UTF-8 that some programs add to one in another code page; nothing where there is none."""
    extra = info.extra
    while len(extra) >= 4:
        kind, length = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        if kind == _UNICODE_PATH:
            checksum, name = int.from_bytes(extra[5:9], "little"), extra[9 : 4 + length]
            return (
                name if checksum == zlib.crc32(info.orig_filename.encode("cp437")) and _decodes(name, "utf-8") else b""
            )
        extra = extra[4 + length :]
    return b""


def _guess(parts: set[bytes]) -> tuple[str, list[str]]:
    """Guesses the code page of names that are neither ASCII nor UTF-8; words a note on any but a Western one."""
    raw = b"/".join(sorted(parts))
    ascii_letters = len(re.findall(rb"[A-Za-z]", re.sub(rb"\.\w+(?=/|$)", b"", raw)))
    for page in _PAGES:
        found = re.findall(page.letters, raw)
        common = [letter for letter in found if re.match(page.common, letter)]
        # German in code page 437 is mostly ASCII: an umlaut and the letter after it look like one letter of Japanese.
        if (
            found
            and len(found) >= ascii_letters
            and 2 * len(common) >= len(found)
            and re.fullmatch(rb"(?:[\x00-\x7f]|%b)*" % page.letters, raw)
            and _decodes(raw, page.codec)
        ):
            return page.codec, [
                f"The zip does not say how its names are written; they were read as {page.called}. If they look wrong, "
                "zip the folder again with names in UTF-8, as 7-Zip writes them."
            ]
    return "cp437", []


def _decodes(raw: bytes, codec: str) -> bool:
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
