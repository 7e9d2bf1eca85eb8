"""Files of arrays and tables, read by the processes that decode pictures: one that is hostile costs only these.

What comes back is arrays, texts and the bytes of pictures, in as many bytes as the file's size explains.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np

from explorer.datasets.tables.fields import FREE, MOST_BYTES, MOST_GROWTH, Blobs, Field
from explorer.datasets.tables.formats import read_fields
from explorer.datasets.tables.tars import is_tar, read_tar
from explorer.errors import DatasetError, ImageError
from explorer.images.decoding import decode
from explorer.images.processes import Effort
from explorer.images.reading import MemoryNeeded
from explorer.images.tasks import Answer, Take, Task

_FEW, _LEAST = 100_000, 8  # images that any file may hold; bytes of a file for each of more
_USUAL = 24  # bytes of memory for a byte of the file: a digit and a comma become several numbers of eight


def read_table(name: str, data: bytes, effort: Effort) -> list[Field]:
    """Lists what a file holds: of a tar of pictures that is no WebDataset a field without a name.

    Raises:
        DatasetError: it is damaged, holds what cannot be read, or takes too much memory or time.
    """
    (found,) = decode([(name, data)], ReadTable(), effort)
    if isinstance(found, ImageError):
        raise DatasetError(f"{name} could not be read: {found.reason}.")
    if isinstance(found, DatasetError):
        raise found
    return found


@dataclass(frozen=True)
class ReadTable(Task[list[Field] | DatasetError]):
    """Reads all that a file of arrays or a table holds, or a tar; or says in a sentence why it cannot."""

    seconds_per_megabyte: ClassVar[float] = 0.1

    def prepare(self) -> None:
        if importlib.util.find_spec("pyarrow") is not None:
            import pyarrow.compute
            import pyarrow.csv
            import pyarrow.parquet  # noqa: F401 - its own memory is not the file's

    def do(self, data: bytes, name: str, granted: int) -> Answer:
        limit = min(MOST_BYTES, max(FREE, MOST_GROWTH * len(data)))
        needed = min(_USUAL * len(data), max(limit, 8 * len(data)))
        if granted < needed:
            raise MemoryNeeded(needed)
        try:
            with contextlib.ExitStack() as stack:
                fields = read_tar(name, data, limit) if is_tar(name) else read_fields(name, data, stack, limit)
                _check_count(name, fields, len(data))
                sent = [_sent(field) for field in fields]
                if sum(field["bytes"] for field, _ in sent) > max(limit, 8 * len(data)):
                    raise DatasetError(
                        f"{name} would take more than the limit of {limit / 1e6:,.0f} MB: add a part of it."
                    )
        except DatasetError as error:
            return {"refused": str(error)}, []
        except MemoryError:
            most = 2 * (limit + len(data)) + FREE
            if granted < most:
                raise MemoryNeeded(most) from None
            raise
        return {"fields": [field for field, _ in sent]}, (piece for _, pieces in sent for piece in pieces)

    def result(self, values: dict[str, Any], take: Take) -> list[Field] | DatasetError:
        if "refused" in values:
            return DatasetError(values["refused"])
        return [_received(field, take) for field in values["fields"]]


def _check_count(name: str, fields: list[Field], size: int) -> None:
    """Raises DatasetError for more images than a file can hold: each takes objects of the program itself."""
    count = max((len(field) for field in fields if field.kind == "picture" or len(field.shape) > 1), default=0)
    if count > max(_FEW, size // _LEAST):
        raise DatasetError(f"{name} claims {count:,} images in {size / 1e6:,.1f} MB: add a part of them.")


def _sent(field: Field) -> tuple[dict[str, Any], Iterator[bytes]]:
    """What is said of a field, and its values, which are in memory by now. Those of no use are not sent."""
    about: dict[str, Any] = {
        "name": field.name,
        "split": field.split,
        "shape": field.shape,
        "kind": field.kind,
        "source": field.source,
        "classes": list(field.classes),
        "paths": list(field.paths),
        "bytes": 0,
    }
    try:
        if field.kind == "picture":
            lengths = np.asarray(field.values.lengths, np.int64)
            about["bytes"] = int(lengths.sum())
            return about, (part for parts in ([lengths.tobytes()], field.values) for part in parts)
        if field.is_column:
            about["category"] = field.is_category
        if field.kind == "text":
            text = "\n".join(field.texts()).encode("utf-8", "replace") if field.is_column else b""
            about["bytes"] = len(text)
            return about, iter([text])
        array = _small(np.asarray(field.values))
    except DatasetError as error:  # which is told where the field is made use of
        return {**about, "problem": str(error)}, iter([])
    about |= {"bytes": array.nbytes, "dtype": array.dtype.str}
    return about, iter([cast(bytes, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)])


def _small(array: np.ndarray) -> np.ndarray:
    """Stores whole numbers from 0 to 255, several an item, in a byte each."""
    if array.ndim == 1 or array.dtype.kind not in "iuf" or array.dtype.itemsize < 2 or not array.size:
        return array
    if not (array.min() >= 0 and array.max() <= 255):
        return array
    found = array.astype(np.uint8)
    return found if (found == array).all() else array


def _received(about: dict[str, Any], take: Take) -> Field:
    kind, shape, size = about["kind"], tuple(about["shape"]), about["bytes"]
    known = {"classes": about["classes"], "paths": about["paths"], "category": about.get("category", False)}

    def made(load: Any) -> Field:
        return Field(about["name"], about["split"], shape, kind, load, about["source"], **known)

    if problem := about.get("problem"):
        return made(partial(_raise, problem))
    if kind == "picture":
        lengths = np.frombuffer(take(8 * shape[0]), np.int64)
        return made(partial(Blobs, take(size), np.cumsum(lengths) - lengths, lengths))
    data = take(size)
    if kind == "text":
        return made(lambda: np.array(data.decode().split("\n") if shape[0] else [], object))
    array = np.frombuffer(data, about["dtype"]).reshape(shape)
    return made(lambda: array)


def _raise(problem: str) -> None:
    raise DatasetError(problem)
