"""What Pillow does not tell of a file before it decodes it, or only at the cost of reading all of it."""

from __future__ import annotations


def jpeg_scans(data: bytes) -> int:
    """Counts the scans of a JPEG up to its end; another picture may follow in the same file."""
    return data.count(b"\xff\xda", _first_scan(data), jpeg_end(data) or len(data))


def jpeg_end(data: bytes) -> int | None:
    """Finds the end marker of a JPEG; None where it has none."""
    end = data.find(b"\xff\xd9", _first_scan(data))
    return None if end < 0 else end


def _first_scan(data: bytes) -> int:
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":  # segments before it
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def webp_pixels(data: bytes) -> int:
    """Reads how many pixels a WebP has; 0 of other files, and where that is not where it should be."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return 0
    if data[12:16] == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    elif data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = bits & 0x3FFF, (bits >> 14) & 0x3FFF
    else:
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return (width + 1) * (height + 1)


def gif_frames(data: bytes, most: int) -> int:
    """Counts the frames of a GIF from block to block, up to one more than `most`; Pillow would count them all."""
    frames, at = 0, 13 + _palette(data[10])
    while frames <= most and at < len(data) and data[at] in b",!":
        if data[at] == ord(","):
            frames += 1
            at += 11 + _palette(data[at + 9])
        else:
            at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return frames


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
