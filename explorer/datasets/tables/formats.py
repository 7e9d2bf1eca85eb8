"""What files of arrays and tables hold. Headers are compared with the file's size before memory is taken for them."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
import json
import math
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from explorer.datasets.idx import read_stream
from explorer.datasets.tables.fields import MOST_ROWS, Blobs, Field, make_field, split_off
from explorer.errors import DatasetError, about_arrays, first_line
from explorer.files.zips import members, open_zip, printable, read_member

_MAGIC, _PARQUET = b"\x93NUMPY", b"PAR1"
_MOST_HEADER = 10_000  # bytes of an array's header, as NumPy has it
_MOST_COLUMNS = 20_000
_LEAST_PIXELS = 16
_BLOCK = 8 << 20  # bytes of a table that are parsed at a time, which one row must fit
_NUMBERED = re.compile(r"(.*?)(\d+x\d+|\d+)")


def is_table(name: str, head: bytes) -> bool:
    """Tells by its name and first bytes whether a file holds arrays or a table."""
    idx = head[:2] == b"\0\0" and len(head) > 3 and head[2] in range(8, 15) and head[3] in range(1, 5)
    return bool(about_arrays(name)) or idx or head.startswith((_MAGIC, _PARQUET))


def read_fields(name: str, data: bytes, stack: contextlib.ExitStack, limit: int) -> list[Field]:
    """Lists what a file holds, in at most `limit` bytes; what stays open for it is closed with `stack`.

    Raises:
        DatasetError: it is damaged, or holds what cannot be read.
    """
    stem = re.sub(r"\.(npy|npz|csv|tsv|parquet|gz|idx)$", "", name, flags=re.IGNORECASE)
    if data.startswith(_MAGIC):
        return [_npy(stem, name, lambda: io.BytesIO(data), len(data), limit)]
    table = re.search(r"\.(csv|tsv)$", name.lower())
    if (table or data.startswith(_PARQUET)) and importlib.util.find_spec("pyarrow") is None:
        raise DatasetError(f"{name} cannot be read without pyarrow: `pip install pyarrow`.")
    if data.startswith(_PARQUET):
        return _parquet(name, data, limit)
    if data.startswith(b"PK"):
        return list(_npz(name, data, stack, limit))
    if data[:2] in (b"\0\0", b"\x1f\x8b"):
        array = read_stream(io.BytesIO(data), name, limit)
        return [make_field(stem, array.shape, "number", lambda: array)]
    if table:
        return _csv(name, data, limit)
    raise DatasetError(f"{name} holds no arrays and no table, or is damaged.")


def _npz(name: str, data: bytes, stack: contextlib.ExitStack, limit: int) -> Iterator[Field]:
    archive = stack.enter_context(open_zip(data, name, 10_000))
    found, _ = members(archive, name, limit)
    for parts, info in found:

        def load(info: zipfile.ZipInfo = info) -> io.BufferedIOBase:
            try:
                return io.BytesIO(read_member(archive, info))
            except MemoryError:
                raise
            except Exception as error:  # whatever a malformed member leads zipfile and zlib to
                raise DatasetError(f"{name} is damaged at {info.filename!r}.") from error

        if parts[-1].endswith(".npy"):
            try:
                with archive.open(info) as stream:
                    head = io.BytesIO(stream.read(_MOST_HEADER + 12))
            except MemoryError:
                raise
            except Exception as error:  # as above
                raise DatasetError(f"{name} is damaged at {info.filename!r}.") from error
            key = "/".join(parts).removesuffix(".npy")
            yield _npy(key, f"{name}, {key}", load, info.file_size, limit, head)


def _npy(
    key: str,
    called: str,
    load: Callable[[], io.BufferedIOBase],
    size: int,
    limit: int,
    head: io.BufferedIOBase | None = None,
) -> Field:
    shape, fortran, dtype, start = _npy_header(head or load(), called)
    needed = math.prod(shape) * dtype.itemsize
    if start + needed != size:
        raise DatasetError(f"{called} is damaged: it has {size:,} bytes, and its header claims {start + needed:,}.")
    if needed > limit:
        raise DatasetError(f"{called} would take {needed / 1e6:,.0f} MB, more than the limit of {limit / 1e6:,.0f} MB.")

    def values() -> np.ndarray:
        data = load().read()
        if dtype.kind == "U" and np.frombuffer(data, f"{dtype.byteorder}u4", offset=start).max(initial=0) > 0x10FFFF:
            raise DatasetError(f"{called} is damaged: it holds what is no text.")
        found = np.frombuffer(data, dtype, offset=start)
        return found.reshape(shape, order="F" if fortran else "C")

    return make_field(key, shape, "text" if dtype.kind in "US" else "number", values)


def _npy_header(stream: io.BufferedIOBase, called: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Gives shape, order, type and where the data begin. Raises DatasetError."""
    head = stream.read(8)
    version = head[6] if head.startswith(_MAGIC) and len(head) == 8 else 0
    if version not in (1, 2):
        raise DatasetError(f"{called} is no array of NumPy, or is damaged.")
    width = 2 if version == 1 else 4
    head = stream.read(width)
    length = int.from_bytes(head, "little")
    if length > _MOST_HEADER:
        raise DatasetError(f"{called} is damaged: its header claims {length:,} bytes.")
    head += stream.read(length)
    read = np.lib.format.read_array_header_1_0 if version == 1 else np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 wrote
            shape, fortran, dtype = read(io.BytesIO(head), max_header_size=_MOST_HEADER)
    except Exception as error:  # whatever a malformed header leads NumPy to
        raise DatasetError(f"{called} is damaged: its header cannot be read.") from error
    if dtype.hasobject:
        raise DatasetError(
            f"{called} holds Python objects, which are never loaded: they could run a program. Save it as an array of "
            "numbers or text."
        )
    plain = dtype.kind in "biufUS" and not dtype.names and dtype.itemsize
    if not plain or not shape or min(shape) < 0 or math.prod(side or 1 for side in shape) > 1 << 40:
        raise DatasetError(f"{called} holds {dtype} of shape {list(shape)}, not a list of images, numbers or texts.")
    return shape, fortran, dtype, 8 + width + length


def _csv(name: str, data: bytes, limit: int) -> list[Field]:
    """Reads a table of numbers and texts; columns that are pixels become one array."""
    encoding = "utf-8"
    try:
        data.decode()
    except UnicodeDecodeError:
        encoding = "cp1252"
    first = data[: 1 << 20].partition(b"\n")[0]
    line = first.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")
    delimiter = max(",;\t", key=line.count)
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise DatasetError(f"{name} is no table that can be read: {error}.") from error
    if len(cells) > _MOST_COLUMNS or 8 * len(cells) * data.count(b"\n") > max(limit, 64 * len(data)):
        raise DatasetError(f"{name} has {len(cells):,} columns, more than the limit of {_MOST_COLUMNS:,}.")
    headless = all(map(_is_number, cells))
    names = [f"column{i}" for i in range(len(cells))] if headless else _unique([printable(c.strip()) for c in cells])
    table = _parse_csv(name, data, encoding, delimiter, names, skip=0 if headless else 1)
    return _of_arrow(name, table, {})


def _parse_csv(name: str, data: bytes, encoding: str, delimiter: str, names: list[str], skip: int) -> Any:
    import pyarrow as pa
    import pyarrow.csv

    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, encoding=encoding, column_names=names, skip_rows=skip, block_size=_BLOCK
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        )
    except MemoryError:
        raise
    except (pa.ArrowException, UnicodeError) as error:
        raise DatasetError(
            f"{name} is no table that can be read: {printable(first_line(error)).rstrip('.')}."
        ) from error


def _parquet(name: str, data: bytes, limit: int) -> list[Field]:
    """Reads a table with pictures, pixels, numbers and texts, as pandas and Hugging Face's datasets write it."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(data))
        facts = file.metadata
        groups = [facts.row_group(i) for i in range(min(facts.num_row_groups, 100_000))]
        size = sum(group.total_byte_size for group in groups)
        cells = sum(group.column(i).num_values for group in groups for i in range(facts.num_columns))
        if facts.num_rows > MOST_ROWS or facts.num_columns > _MOST_COLUMNS or max(size, 2 * cells) > limit:
            raise DatasetError(
                f"{name} claims {facts.num_rows:,} rows and {max(size, 2 * cells) / 1e6:,.0f} MB, more than the limit "
                f"of {MOST_ROWS:,} rows and {limit / 1e6:,.0f} MB."
            )
        table = _unpacked(name, file, groups, limit)
        classes = _huggingface_classes(file.schema_arrow.metadata or {})
    except (MemoryError, DatasetError):
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(
            f"{name} is no Parquet file that can be read: {printable(first_line(error)).rstrip('.')}."
        ) from error
    return _of_arrow(name, table.select([c for c in table.column_names if not c.startswith("__index")]), classes)


def _unpacked(name: str, file: Any, groups: list[Any], limit: int) -> Any:
    """Reads a table some rows at a time: a text that is stored once may be the value of a million rows.

    Raises DatasetError where they take more than `limit` bytes.
    """
    import pyarrow as pa

    columns = range(file.metadata.num_columns)
    longest = [
        sum(max(0, c.total_uncompressed_size) for c in map(group.column, columns) if c.physical_type == "BYTE_ARRAY")
        for group in groups
    ]
    rows = min(max(limit // (max(longest, default=0) + 8 * len(columns) + 1), 16), 1 << 16)
    parts, total = [], 0
    for batch in file.iter_batches(rows, use_threads=False):
        values = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
        total += sum(column.nbytes for column in values)
        if total > limit:
            raise DatasetError(f"{name} would take more than the limit of {limit / 1e6:,.0f} MB: add a part of it.")
        names = _unique(list(map(printable, batch.schema.names)))
        parts.append(pa.Table.from_arrays(values, names=names))
    table = pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()
    table.validate(full=True)  # of texts that they are UTF-8
    return table


def _huggingface_classes(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Finds the names of classes, by column, where Hugging Face's `datasets` has written the file."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        found = {name: value["names"] for name, value in features.items() if value.get("_type") == "ClassLabel"}
        return {name: list(map(str, names)) for name, names in found.items() if isinstance(names, list)}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _of_arrow(name: str, table: Any, classes: dict[str, list[str]]) -> list[Field]:
    """Makes fields of a table's columns, and one of those that are pixels."""
    import pyarrow as pa
    import pyarrow.compute as pc

    split, _ = split_off(re.sub(r"\.\w+$", "", name))

    def add(column: str, shape: tuple[int, ...], kind: str, load: Callable[[], Any], **more: Any) -> Field:
        return Field(column, split, shape, kind, load, name, **more)  # type: ignore[arg-type]

    is_struct = pa.types.is_struct
    n, fields, numbers = len(table), [], []
    for column in table.column_names:
        values, kind = table[column], table[column].type
        inner = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)} if is_struct(kind) else {}
        if inner.get("bytes") in (pa.binary(), pa.large_binary()):
            flat = values.combine_chunks()
            paths = flat.field("path").to_pylist() if inner.get("path") == pa.string() else []
            fields.append(_encoded(add, column, flat.field("bytes"), paths))
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            fields.append(_encoded(add, column, values, []))
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            if (found := _nested(values, n)) is not None:
                fields.append(add(column, found.shape, "number", partial(np.asarray, found)))
        elif pa.types.is_boolean(kind):
            texts = values.cast(pa.string()).fill_null("")
            fields.append(add(column, (n,), "text", partial(_objects, texts)))
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            numbers.append(column)
            load = pc.cast(values, pa.float64(), safe=False).to_numpy
            fields.append(add(column, (n,), "number", load, classes=classes.get(column, ())))
        else:
            with contextlib.suppress(pa.ArrowException):
                texts = values.cast(pa.string()).fill_null("")
                fields.append(_texts(add, column, texts, n))
    pixels = _pixel_columns(numbers)
    if not pixels:
        return fields

    def image() -> np.ndarray:
        columns = [table[column] for column in pixels]
        whole = all(pa.types.is_integer(column.type) for column in columns)
        kind = np.int64 if whole and not any(column.null_count for column in columns) else np.float64
        found = np.empty((n, len(columns)), kind)
        for i, column in enumerate(columns):
            found[:, i] = column.to_numpy()
        return found

    inside = set(pixels)
    joined = add(f"{pixels[0]} … {pixels[-1]}", (n, len(pixels)), "number", image)
    return [joined, *(field for field in fields if field.name not in inside)]


def _encoded(add: Callable[..., Field], column: str, values: Any, paths: list[str | None]) -> Field:
    import pyarrow as pa

    names = [printable(path) for path in paths if path]
    unique = len(set(names)) == len(values)

    def load() -> Blobs:
        flat = values.cast(pa.large_binary())
        if isinstance(flat, pa.ChunkedArray):
            flat = pa.concat_arrays([*flat.chunks, pa.array([], pa.large_binary())])
        _, places, content = flat.buffers()
        ends = np.frombuffer(places, np.int64)[flat.offset :][: len(flat) + 1]
        known = flat.is_valid().to_numpy(zero_copy_only=False)
        return Blobs(memoryview(content or b""), ends[:-1], np.where(known, np.diff(ends), 0))

    return add(column, (len(values),), "picture", load, paths=names if unique else ())


def _texts(add: Callable[..., Field], column: str, texts: Any, n: int) -> Field:
    """A column of texts; an array where each is a list of pixels, as in FER2013."""
    first = texts[0].as_py() if n else ""
    count = len(first.split())
    if count >= _LEAST_PIXELS and _is_area(count) and all(map(_is_number, first.split())):

        def load() -> np.ndarray:
            rows = [text.split() for text in texts.to_pylist()]
            if any(len(row) != count for row in rows):
                raise DatasetError(f"The pixels in {column} are not {count:,} numbers in each row.")
            try:
                return np.array(rows, np.float64)
            except ValueError as error:
                raise DatasetError(f"The pixels in {column} are not numbers in each row.") from error

        return add(column, (n, count), "number", load)
    return add(column, (n,), "text", partial(_objects, texts))


def _objects(texts: Any) -> np.ndarray:
    return np.array(texts.to_pylist(), object)


def _nested(values: Any, n: int) -> np.ndarray | None:
    """An array of a column of lists, at any depth, that are equally long; None where they are not."""
    import pyarrow as pa

    flat, shape = values.combine_chunks(), [n]
    if isinstance(flat, pa.ChunkedArray):
        flat = pa.concat_arrays(flat.chunks)
    while pa.types.is_nested(flat.type):
        if flat.null_count or pa.types.is_struct(flat.type):
            return None
        before, flat = len(flat), flat.flatten()
        if not before or len(flat) % before:
            return None
        shape.append(len(flat) // before)
    if not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)):
        return None
    return flat.to_numpy(zero_copy_only=False).reshape(shape)


def _pixel_columns(names: list[str]) -> list[str]:
    """Finds the columns that are pixels: numbered ones side by side, as many as an image has."""
    runs: list[tuple[str, list[str]]] = []
    for name in names:
        found = _NUMBERED.fullmatch(name)
        if found is None:
            continue
        if runs and runs[-1][0] == found[1]:
            runs[-1][1].append(name)
        else:
            runs.append((found[1], [name]))
    for _, run in sorted(runs, key=lambda run: len(run[1]), reverse=True):
        for part in (run, run[1:], run[:-1]):  # without names, the label is a column beside the pixels
            if len(part) >= _LEAST_PIXELS and _is_area(len(part)):
                return part
    return []


def _is_area(count: int) -> bool:
    """Whether so many numbers are a square image, in gray or in colour."""
    return any(math.isqrt(count // c) ** 2 * c == count for c in (1, 3))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unique(names: list[str]) -> list[str]:
    """Names of columns, each once."""
    seen: dict[str, int] = {}
    found = []
    for i, name in enumerate(names):
        name = name or f"column{i}"
        count = seen.get(name, 0) + 1
        while (shown := name if count == 1 else f"{name}.{count}") in seen:  # a column may be called a.2
            count += 1
        seen |= {name: count, shown: 1}
        found.append(shown)
    return found
