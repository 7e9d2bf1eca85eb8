"""What a person calls images of a data set, kept in `own/.tags` beside their own data sets.

A file has one person's tags of one data set: `{"owner": "…", "items": "mnist/test", "tags": {"odd": [3, 17]}}`.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from explorer.datasets.own.catalog import folder
from explorer.errors import DatasetError
from explorer.files import json_schema as must_be
from explorer.files.journal import replace_file
from explorer.files.regular import read_json

MOST = 40  # characters
_CHECK_NAME = must_be.text(MOST)
_CHECK_ROWS = must_be.listed(must_be.whole(0, 1 << 40), 1 << 24)
_NONE: Mapping[int, str] = MappingProxyType({})
_lock = threading.Lock()  # a server is one process


def items_name(source: str, digest: str, *, with_training: bool) -> str:
    """Names images that an index counts: the same for a stored test set and for the same set encoded now.

    Args:
        source: their data set.
        digest: of the images.
        with_training: whether the index counts the training images first.
    """
    # A person's own set can be made anew under its name, of other images.
    own = f"@{digest[:16]}" if source.startswith("own:") else ""
    return f"{source}{own}/{'all' if with_training else 'test'}"


def read_tags(owner: str, items: str, root: str | os.PathLike[str] | None = None) -> Mapping[int, str]:
    """Reads a person's tags of some images, by the images' index.

    Args:
        owner: the person's ident; empty on a server with one person.
        items: as `items_name` gives it.
        root: where data sets lie.

    Raises:
        DatasetError: the file is damaged.
    """
    file = _file(owner, items, root)
    try:
        found = file.stat()
        return _read(file, (found.st_ino, found.st_size, found.st_mtime_ns))
    except FileNotFoundError:
        return _NONE
    except (OSError, ValueError) as error:
        raise DatasetError(f"The file of your tags is damaged: move {file} away to begin anew.") from error


def change_tags(
    owner: str, items: str, changes: Mapping[int, str], root: str | os.PathLike[str] | None = None
) -> dict[int, str]:
    """Gives images other tags, or none where they are empty; returns what they had, by which it is undone.

    Raises:
        DatasetError: a tag or an image cannot be one, or the file is damaged or cannot be written.
    """
    with _lock:
        before, file = read_tags(owner, items, root), _file(owner, items, root)
        kept: dict[str, list[int]] = {}
        for index, tag in sorted({**before, **changes}.items()):
            if tag:
                kept.setdefault(tag, []).append(index)
        try:
            _check(kept)
            file.parent.mkdir(parents=True, exist_ok=True)
            if kept:
                text = json.dumps({"owner": owner, "items": items, "tags": kept}, separators=(",", ":"))
                replace_file(file, text.encode())
            else:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise DatasetError(f"The tags could not be kept: {error.strerror or error}.") from error
        except ValueError as error:
            raise DatasetError(f"The tags could not be kept: {error}.") from error
    return {index: before.get(index, "") for index in changes}


def _file(owner: str, items: str, root: str | os.PathLike[str] | None) -> Path:
    name = hashlib.sha256(json.dumps([owner, items]).encode()).hexdigest()[:32]
    return folder(root) / ".tags" / f"{name}.json"


@lru_cache(maxsize=32)
def _read(file: Path, stamp: tuple[int, int, int]) -> Mapping[int, str]:
    """As it is while its stamp is the same. Raises OSError, ValueError."""
    found = read_json(file).get("tags")
    if not isinstance(found, dict):
        raise ValueError("tags must be an object")
    _check(found)
    return MappingProxyType({index: name for name, rows in found.items() for index in rows})


def _check(tags: Mapping[str, Any]) -> None:
    for name, rows in tags.items():
        _CHECK_NAME("a tag", name)
        _CHECK_ROWS("images", rows)
