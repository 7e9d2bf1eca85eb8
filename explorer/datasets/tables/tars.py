"""A `.tar` of pictures, read in place and never unpacked: a folder of them, or samples as WebDataset writes them."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from explorer.datasets.tables.fields import Blobs, Field
from explorer.errors import DatasetError
from explorer.files.entries import CLUTTER, MAX_ENTRIES
from explorer.files.zips import printable
from explorer.images.reading import SUFFIXES

_ABOUT = ("cls", "json", "txt")  # what a sample holds beside its picture
_MOST_TEXT = 1 << 20


def is_tar(name: str) -> bool:
    """Tells by its name whether a file is one."""
    return name.lower().endswith((".tar", ".tar.gz", ".tgz"))


def read_tar(name: str, data: bytes, limit: int) -> list[Field]:
    """Reads a tar, in at most `limit` bytes: as WebDataset's, or else as one field without a name, of its files.

    Raises:
        DatasetError: as `_list`.
    """
    paths, files = _list(name, data, limit)
    shown = ["/".join(parts) for parts in paths]
    return _samples(name, paths, files) or [Field("", "", (len(paths),), "picture", lambda: files, name, paths=shown)]


def _list(name: str, data: bytes, limit: int) -> tuple[list[tuple[str, ...]], Blobs]:
    """Lists the files of a tar, gzipped or not, but for links and clutter: their paths, and their bytes.

    Raises:
        DatasetError: it is damaged, has a name that leads out of it, or more than MAX_ENTRIES files.
    """
    paths: dict[tuple[str, ...], tuple[int, int]] = {}
    try:
        if data.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                data = stream.read(limit + 1)
            if len(data) > limit:
                raise DatasetError(f"{name} would unpack to more than {limit / 1e6:,.0f} MB: unpack it, or add a part.")
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if member.size < 0:  # which leads tarfile back to where it was
                    raise tarfile.ReadError
                if not member.isreg() or member.issparse():
                    continue
                path = printable(member.name).replace("\\", "/")
                parts = tuple(part for part in path.split("/") if part not in ("", "."))
                if path.startswith("/") or ".." in parts:
                    raise DatasetError(f"{name} holds a name that leads out of it, {path!r}; nothing was read.")
                if not parts or any(part.startswith(".") or part.lower() in CLUTTER for part in parts):
                    continue
                if member.offset_data + member.size > len(data):
                    raise DatasetError(f"{name} is cut off: make it again.")
                paths[parts] = member.offset_data, member.size
                if len(paths) > MAX_ENTRIES:
                    raise DatasetError(f"{name} has more than the {MAX_ENTRIES:,} files that are allowed.")
    except DatasetError:
        raise
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise DatasetError(f"{name} is no intact .tar: make it again.") from error
    order = sorted(paths)
    starts, lengths = np.array([paths[parts] for parts in order], np.int64).reshape(-1, 2).T
    return order, Blobs(data, starts, lengths)


def _samples(name: str, paths: Sequence[tuple[str, ...]], members: Blobs) -> list[Field]:
    """Reads a tar as WebDataset's: files whose names are the same up to the first dot are one sample.

    Returns no fields where no picture has a class, numbers or a text beside it.
    """
    samples: dict[str, dict[str, int]] = {}
    for i, parts in enumerate(paths):
        stem, _, extension = parts[-1].partition(".")
        samples.setdefault("/".join((*parts[:-1], stem)), {})[extension.lower()] = i
    pictures, rows = [], []
    for sample in samples.values():
        image = next((i for extension, i in sample.items() if f".{extension.rpartition('.')[2]}" in SUFFIXES), None)
        if image is not None:
            pictures.append(image)
            rows.append(_row({kind: members[sample[kind]] for kind in _ABOUT if kind in sample}))
    names = list(dict.fromkeys(key for row in rows for key in row))
    if not names:
        return []
    shown = members.pick(pictures)
    n = len(pictures)
    fields = [
        Field("image", "", (n,), "picture", lambda: shown, name, paths=["/".join(paths[i]) for i in pictures]),
    ]
    for key in names[:100]:
        values = [row.get(key) for row in rows]
        numeric = all(isinstance(value, int | float | None) and not isinstance(value, bool) for value in values)
        found = (
            np.array([np.nan if v is None else float(cast(float, v)) for v in values])
            if numeric
            else np.array(["" if value is None else str(value) for value in values], object)
        )
        fields.append(Field(key, "", (n,), "number" if numeric else "text", partial(np.asarray, found), name))
    return fields


def _row(about: dict[str, bytes]) -> dict[str, Any]:
    """What a sample says: its class, its text, and the numbers and texts of its JSON."""
    found: dict[str, Any] = {}
    for kind, data in about.items():
        text = data[:_MOST_TEXT].decode("utf-8", "replace").strip()
        if kind != "json":
            found[kind] = text
            continue
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            found |= {
                printable(k): v
                for k, v in values.items()
                if k and (isinstance(v, str) or (_is_number(v) and abs(v) < 1e300))
            }
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
