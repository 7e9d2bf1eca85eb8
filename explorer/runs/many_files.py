"""Screens, ranks or encodes any number of files over Ray Data, into a folder of Parquet: `--ray`.

Files are dealt into parts, in the order of their paths. What becomes of a part's files is one file of the result, named
by the part's number, and there as a whole or not at all. A part whose worker has died is made again under the same
name, and the same command makes the parts that are not there yet: whatever died, and when, each file has one row.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
import socket
import tarfile
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from explorer.datasets.layout import arrange
from explorer.errors import DatasetError, ImageError, RunError
from explorer.files.entries import Entry, Files, hidden, open_files
from explorer.files.pictures import BLOCK, Progress, Work, choose_pictures, pictures_of
from explorer.files.results import Results
from explorer.files.zips import printable
from explorer.images.reading import MAX_FILE_BYTES
from explorer.runs.dispatcher import connected, cpus_of_a_run, lack, room

PART = 2 * BLOCK  # files
_ATTEMPTS = 3  # at a part, whose worker has died each time
_BEGUN = ".begun-"  # ends, with a number, the name of what tells of an attempt
_ABOUT = "_about.json"  # readers of Parquet leave out what begins so

Make = Callable[[str], Work[Any]]
"""Says what is done with pictures on a device; it travels to the workers."""
Part = list[list[Any]]
"""Of each file the path, bytes, what to open, and its class."""


@dataclass(frozen=True)
class Made:
    """How many files have a row, how many of them could not be read, and sentences on files that were left out."""

    count: int
    unreadable: int
    notes: list[str]


def work_over(make: Make, source: str, out: str, *, device: str = "auto", progress: Progress | None = None) -> Made:
    """Works on the pictures at `source` by the workers of a Ray cluster: the one that is named, or this computer's own.

    Args:
        make: says what is done.
        source: a folder, an address that fsspec knows, such as `s3://bucket/cells`, or a .tar at either.
        out: a folder or an address for the result.
        device: auto, cpu or cuda; auto takes GPUs where the cluster has any.
        progress: called with the number of files done and of all.

    Raises:
        DatasetError: there is nothing at `source`, it holds no pictures, was changed since `out` was begun, or
            something cannot be read or written.
        RunError: the cluster cannot be reached, or lacks what is asked for.
        CheckpointError, ValueError: as of `make`.
    """
    work, cpus = make("cpu"), cpus_of_a_run()
    source, out = (place if "://" in place else os.path.abspath(place) for place in (source, out))
    files = _Stored.listed(source, but=out)
    notes = list(files.notes)
    if work.classes:
        layout = arrange(files.entries, source)
        pairs, more = layout.everything, layout.notes
    else:
        entries, more = choose_pictures(files.entries, source)
        pairs = [(entry, None) for entry in entries]
    stamps = "\n".join(f"{entry.path} {entry.size} {entry.stamp}" for entry, _ in pairs)
    about = json.dumps([work.about, source, PART, sha256(stamps.encode("utf-8", "replace")).hexdigest()])
    left = _begin(out, about, math.ceil(len(pairs) / PART))
    done = len(pairs) - sum(len(pairs[i * PART : (i + 1) * PART]) for i in left)
    if progress is not None:
        progress(done, len(pairs))
    if left:
        ray = connected(or_here=True, EXPLORER_DECODERS=str(math.ceil(cpus)))
        try:
            device, gpus = _device(ray, device)
            if not (workers := room(ray, cpus, gpus)):
                raise RunError(lack(ray, cpus, gpus))
            parts = [
                (i, [[e.parts, e.size, str(e.key), label] for e, label in pairs[i * PART : (i + 1) * PART]])
                for i in left
            ]
            asked = (make, device, work.about, source, out)
            for count in _over(asked, parts, min(workers, len(parts)), {"num_cpus": cpus, "num_gpus": gpus}):
                done += count
                if progress is not None:
                    progress(done, len(pairs))
        finally:
            ray.shutdown()
    return Made(*_counted(out, len(pairs)), [*notes, *more])


def _device(ray: Any, asked: str) -> tuple[str, int]:
    """The device of each worker, and how many GPUs it takes. Raises ValueError."""
    if asked not in ("auto", "cpu", "cuda"):
        raise ValueError(f"with --ray the device is auto, cpu or cuda, not {asked}")
    auto = asked == "auto" and ray.cluster_resources().get("GPU")
    return ("cuda", 1) if auto or asked == "cuda" else ("cpu", 0)


def _over(asked: tuple[Any, ...], parts: list[tuple[int, Part]], workers: int, each: dict[str, float]) -> Iterator[int]:
    """Makes parts by up to so many workers: yields how many files each part has. Raises DatasetError or RunError."""
    data = import_module("ray.data")
    context = data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel("ERROR")
    items = [{"number": number, "files": json.dumps(files)} for number, files in parts]
    found = data.from_items(items, override_num_blocks=len(items)).map_batches(
        _Worker,
        fn_constructor_args=asked,
        batch_size=1,
        compute=data.ActorPoolStrategy(min_size=1, max_size=workers),
        **each,
    )
    try:
        for row in found.iter_rows():
            if row["error"]:
                raise DatasetError(row["error"])
            yield int(row["count"])
    except DatasetError:
        raise
    except Exception as error:  # Ray's have no class in common
        said = str(error).strip().split("\n")[-1]
        raise RunError(f"The workers could not go on ({said}): the same command goes on from here.") from error


class _Stored(Files):
    """The files at a place, which are read from there, whoever reads them."""

    def __init__(self, source: str, entries: list[Entry], notes: list[str] | None = None) -> None:
        super().__init__(entries, source, notes=notes)
        self._fs, place = _opened(source)
        self._tar = place if _is_tar(source) else ""
        with _reaching(source):
            if not self._fs.exists(place):
                raise DatasetError(f"There is nothing at {source}.")

    @classmethod
    def listed(cls, source: str, but: str = "") -> _Stored:
        """Lists what is there, but for what is below another place. Raises DatasetError."""
        if source.lower().endswith((".zip", ".tar.gz", ".tgz")):
            raise DatasetError(f"{source} is compressed: unpack it, or make a .tar of the files.")
        if "://" not in source and os.path.isdir(source):
            with open_files(Path(source)) as files:
                return cls(source, _outside(files.entries, source, but), files.notes)
        fs, place = _opened(source)
        with _reaching(source):
            found = _members(fs, place) if _is_tar(source) else _outside(_below(fs, place), source, but)
            return cls(source, [entry for entry in found if not any(map(hidden, entry.parts))])

    def read(self, entry: Entry, most_bytes: int | None = None) -> bytes:
        name, limit = entry.parts[-1], most_bytes or MAX_FILE_BYTES
        if entry.size > limit:
            raise ImageError(name, f"it has {entry.size >> 20:,} MB, more than the limit of {limit >> 20}")
        assert isinstance(entry.key, str)
        place, start = (self._tar, int(entry.key)) if self._tar else (entry.key, 0)
        with _reaching(place):
            try:
                found: bytes = self._fs.cat_file(place, start=start, end=start + entry.size) if entry.size else b""
            except FileNotFoundError as error:
                if self._tar:
                    raise
                raise ImageError(name, "it is no longer there") from error
        return found


def _outside(entries: Iterable[Entry], source: str, but: str) -> list[Entry]:
    """The files that are not below another place."""
    fs, folder = _opened(but) if but else (None, "")
    elsewhere = fs is None or fs != _opened(source)[0]
    return [entry for entry in entries if elsewhere or not str(entry.key).startswith(f"{folder.rstrip('/')}/")]


def _is_tar(source: str) -> bool:
    return source.lower().endswith(".tar")


def _opened(place: str) -> tuple[Any, str]:
    """The file system of a place, and what it is called there. Raises DatasetError."""
    with _reaching(place):
        fs, path = import_module("fsspec").url_to_fs(place)
        return fs, path


@contextmanager
def _reaching(place: str) -> Iterator[None]:
    """Says of a place that it cannot be reached. Raises DatasetError."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:  # those of stores have no class in common
        said = getattr(error, "strerror", None) or str(error).strip().split("\n")[0] or type(error).__name__
        raise DatasetError(f"{place} cannot be used ({said.rstrip('.')}).") from error


def _below(fs: Any, place: str) -> Iterator[Entry]:
    for name, info in fs.find(place, detail=True).items():
        inside = name[len(place) :].strip("/") or name.rpartition("/")[2]
        stamp = info.get("ETag") or info.get("etag") or info.get("mtime") or ""
        parts = tuple(map(printable, inside.split("/")))
        yield Entry(parts, int(info["size"]), name, zlib.crc32(str(stamp).encode()))


def _members(fs: Any, place: str) -> Iterator[Entry]:
    """The files of a .tar by where they begin; of several with a name the last."""
    found: dict[str, Entry] = {}
    with fs.open(place, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined] # which would hold all
            parts = tuple(printable(part) for part in member.name.split("/") if part not in ("", "."))
            if member.isreg() and not member.issparse() and parts:
                found[member.name] = Entry(parts, member.size, str(member.offset_data), member.chksum)
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # which tarfile takes for the end, too
            raise DatasetError(f"{place} is cut off or damaged.")
    return iter(found.values())


def _begin(out: str, about: str, count: int) -> list[int]:
    """Begins a result, or goes on with it: the parts that are not there. Raises DatasetError."""
    fs, folder = _opened(out)
    with _reaching(out):
        fs.makedirs(folder, exist_ok=True)
        there = {name.rpartition("/")[2] for name in fs.find(folder, maxdepth=1)}
        if there and _ABOUT not in there:
            raise DatasetError(f"{out} holds other files: name a folder of its own by --out.")
        if there and fs.cat_file(f"{folder}/{_ABOUT}").decode() != about:
            raise DatasetError(
                f"{out} was begun with another model, source or options, or files have changed since: finish that, "
                "delete the folder, or name another one by --out."
            )
        for name in there:
            if _BEGUN in name:
                fs.rm(f"{folder}/{name}")  # of work that was given up
        fs.pipe_file(f"{folder}/{_ABOUT}", about.encode())
        return [number for number in range(count) if _name(number) not in there]


def _name(number: int) -> str:
    return f"part-{number:06d}.parquet"


def _counted(out: str, expected: int) -> tuple[int, int]:
    """How many rows a result has, and how many of files that could not be read. Raises DatasetError."""
    from pyarrow import compute, dataset

    fs, folder = _opened(out)
    with _reaching(out):
        fs.invalidate_cache()
        for name in fs.glob(f"{folder}/_part-*"):
            fs.rm(name)  # of workers that have died
        found = dataset.dataset(folder, filesystem=fs, format="parquet")
        if (count := found.count_rows()) != expected:
            raise DatasetError(f"{out} has {count:,} rows of {expected:,} files: name a place that all nodes share.")
        return count, found.count_rows(filter=compute.field("unreadable") != "")


class _Worker:
    """Makes parts, in a process of a cluster."""

    def __init__(self, make: Make, device: str, about: str, source: str, out: str) -> None:
        self.make, self.device, self.about, self.source, self.out = make, device, about, source, out
        self.work: Work[Any] | None = None

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        files = json.loads(batch["files"][0])
        try:
            self._make_part(int(batch["number"][0]), files)
        except (ValueError, OSError) as error:  # said by the one who asked, since Ray would show where it was
            return {"count": [0], "error": [f"{' '.join(str(error).split()).rstrip('.')} (on {socket.gethostname()})."]}
        return {"count": [len(files)], "error": [""]}

    def _make_part(self, number: int, files: Part) -> None:
        import pyarrow
        from pyarrow import parquet

        fs, folder = _opened(self.out)
        with _reaching(self.out):
            attempts = (f"{folder}/_{_name(number)}{_BEGUN}{i}" for i in range(_ATTEMPTS))
            if (begun := next((name for name in attempts if not fs.exists(name)), None)) is None:
                first, last = ("/".join(files[i][0]) for i in (0, -1))
                raise DatasetError(
                    f"A worker has died {_ATTEMPTS} times at the files from {first} to {last}: give workers more "
                    "memory, or take out the file that ends them"
                )
            fs.pipe_file(begun, b"")
        work = self.work = self.work or self.make(self.device)
        if work.about != self.about:
            raise DatasetError("The model is another one there: it has to lie on a file system that all nodes share.")
        stored = _Stored(self.source, [Entry(tuple(parts), size, key) for parts, size, key, _ in files])
        with Results() as results:
            found = pictures_of(
                stored,
                stored.entries,
                work.task,
                results,
                planes=work.planes,
                most_bytes=work.most_bytes,
                label=self.source,
                notes=[],
            )
            try:
                found.work(work.prepare, work.measure)
            except DatasetError:
                if len(results) < len(files):
                    raise  # else none of these files can be read
            columns = list(zip(*work.rows(results), strict=True))
        kinds = {"codes": pyarrow.list_(pyarrow.float32())}
        arrays = {
            name: pyarrow.array(column, kinds.get(kind, kind))
            for (name, kind), column in zip(work.columns.items(), columns, strict=True)
        }
        if work.classes:
            labels = {"/".join(parts): label for parts, _, _, label in files}
            arrays["class"] = pyarrow.array([labels[path] for path in columns[0]], "string")
        parquet.write_table(pyarrow.table(arrays), written := io.BytesIO())
        with _reaching(self.out):
            fs.pipe_file(made := f"{folder}/_{_name(number)}.{uuid.uuid4().hex}", written.getvalue())
            fs.mv(made, f"{folder}/{_name(number)}")
            fs.rm(begun)
