"""The pictures of a folder, a zip or a list, in blocks: the next ones are decoded while somebody works on some."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from explorer.errors import DatasetError, ImageError, about_arrays
from explorer.files.entries import Entry, Files, open_files
from explorer.files.results import FileResult, Results, Told
from explorer.files.zips import printable
from explorer.images import memory
from explorer.images.decoding import decode
from explorer.images.processes import decoders
from explorer.images.reading import DEEP, SUFFIXES, UNENDED, Picture
from explorer.images.stacks import FIRST, Planes
from explorer.images.tasks import Task

BLOCK = 128  # pictures that somebody works on at once
_BATCH, _BATCH_BYTES = 64, 1 << 20  # files that are read and decoded at a time: at most, but for a single larger one
_TICK = 0.5  # seconds between two reports while nothing is done

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all, readable or not."""

Named = tuple[str, Image.Image]
"""A decoded picture with its name."""


@runtime_checkable
class Said(Protocol):
    """What is told of a decoded file; see `explorer.images.reading.Picture`."""

    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def frames(self) -> int: ...
    @property
    def channels(self) -> int: ...


def told_of(decoded: Said) -> Told:
    """Keeps what is told of a decoded file, and lets go of the picture."""
    return Told(decoded.notes, decoded.frames, decoded.channels)


Decoded = TypeVar("Decoded", bound=Said)
Made = TypeVar("Made")


def decode_files(
    files: Files,
    entries: Sequence[Entry],
    task: Task[Decoded],
    make: Callable[[int, Decoded], Made],
    *,
    most_bytes: int | None = None,
    seen: Callable[[int, bytes], None] | None = None,
    tick: Callable[[int], None] | None = None,
) -> Iterator[Made | ImageError]:
    """Reads and decodes files, some of them ahead: yields for each, in order, what became of it, or why nothing did.

    Args:
        files, entries: where they are, and which.
        task: what the processes that decode do with each.
        make: what is made of that here, and of the position in `entries`; called from several threads, as `seen` is.
        most_bytes: of a file; None for as many as `Files.read` takes.
        seen: called with the position and the bytes of each file that could be read, decodable or not.
        tick: called with the number of files done, twice a second or more often; may raise, to end it.

    Raises:
        DatasetError: decoding takes longer than their size explains.
    """

    def work(batch: range) -> list[Made | ImageError]:
        found: dict[int, Made | ImageError] = {}
        data: dict[int, bytes] = {}
        with memory.files.taken(sum(entries[i].size for i in batch)):
            for i in batch:
                try:
                    data[i] = files.read(entries[i], most_bytes)
                    if seen is not None:
                        seen(i, data[i])
                except ImageError as error:
                    found[i] = error
            named = [(entries[i].parts[-1], content) for i, content in data.items()]
            answers = decode(named, task, files.effort)
            for i, decoded in zip(data, answers, strict=True):
                found[i] = decoded if isinstance(decoded, ImageError) else make(i, decoded)
        return [found[i] for i in batch]

    return _ahead(_batches(entries), work, files.effort.stop, tick)


def _ahead(
    batches: Iterator[range],
    work: Callable[[range], list[Made]],
    stop: Callable[[], None],
    tick: Callable[[int], None] | None,
) -> Iterator[Made]:
    """Works on batches in threads, on some ahead: yields the results in order. `stop` ends work that is on its way."""
    threads = decoders()
    pool = ThreadPoolExecutor(threads)
    ahead: deque[Future[list[Made]]] = deque()
    done = 0
    try:
        while True:
            while len(ahead) < 2 * threads and (batch := next(batches, None)) is not None:
                ahead.append(pool.submit(work, batch))
            if not ahead:
                return
            try:
                results = ahead[0].result(_TICK)
                ahead.popleft()
            except FutureTimeout:
                results = []
            done += len(results)
            if tick is not None:
                tick(done)
            yield from results
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(entries: Sequence[Entry]) -> Iterator[range]:
    start = volume = 0
    for position, entry in enumerate(entries):
        if position > start and (position - start == _BATCH or volume + entry.size > _BATCH_BYTES):
            yield range(start, position)
            start, volume = position, 0
        volume += entry.size
    if start < len(entries):
        yield range(start, len(entries))


Figures = tuple[Float[Tensor, "n k"], Float[Tensor, " n"] | None]
"""Of n pictures; and the score that they are put in order by, if they are."""


@dataclass(frozen=True)
class Work(Generic[Decoded]):
    """What is done with each of many pictures, and what is told of it in rows.

    Attributes:
        about: names all that rows depend on but the files.
        task: how a picture is decoded.
        prepare, measure: as of `Pictures.work`.
        columns: of the rows, each with `string`, `bool`, `float`, `double` or `codes`, a list of floats; the first is
            `file`, the last `unreadable`, a clause, empty for those that could be read.
        rows: makes them of results, exactly one a file.
        planes: which frames and channels it takes.
        most_bytes: of a file; None for as many as `Files.read` takes.
        classes: whether folders are classes.
    """

    about: str
    task: Task[Decoded]
    prepare: Callable[[Decoded], Tensor]
    measure: Callable[[Tensor, list[int]], Figures]
    columns: dict[str, str]
    rows: Callable[[Results], Iterator[Sequence[object]]]
    planes: Planes = FIRST
    most_bytes: int | None = None
    classes: bool = False


@dataclass
class Pictures(Generic[Decoded]):
    """Pictures to go through.

    Attributes:
        label: what sentences call all of them.
        entries: the files, in order.
        each: goes through those at some positions, with their results to fill in; takes what makes of a decoded picture
            what is worked on, and what is called to say that time passes; yields what was made, or why a picture could
            not be read.
        results: what has become of them, with what an earlier process has left.
        planes: which frames and channels of them are used.
        notes: sentences on files that were left out, and at the end of `work` on what was done to others.
    """

    label: str
    entries: Sequence[Entry]
    each: Callable[
        [Sequence[int], Callable[[Decoded], Tensor], dict[int, FileResult], Callable[[int], None]],
        Iterator[Tensor | ImageError],
    ]
    results: Results
    planes: Planes = FIRST
    notes: list[str] = field(default_factory=list)

    def work(
        self,
        prepare: Callable[[Decoded], UInt8[Tensor, "c h w"]],
        measure: Callable[[UInt8[Tensor, "n c h w"], list[int]], Figures],
        progress: Progress | None = None,
    ) -> None:
        """Goes through all of which there is no result yet, and keeps the results, a block at a time.

        Args:
            prepare: makes of each what is worked on, at once: memory holds few pictures in full size. Called from
                several threads.
            measure: computes the figures of up to BLOCK of these, and of their positions.
            progress: called after each block, and twice a second or more often.

        Raises:
            DatasetError: none of them can be read, decoding them takes longer than their size explains, or results
                cannot be kept.
        """
        left = self.results.left(self.entries)
        count = len(self.entries)
        done = count - len(left)

        def tick(_: int) -> None:
            if progress:
                progress(done, count)

        tick(0)
        block: list[FileResult] = []
        images: dict[int, Tensor] = {}
        told: dict[int, FileResult] = {}
        for number, (position, found) in enumerate(zip(left, self.each(left, prepare, told, tick), strict=True), 1):
            result = told.pop(position, FileResult(position, self.entries[position]))
            if isinstance(found, ImageError):
                result = result._replace(reason=found.reason, told=None)
            else:
                images[position] = found
            block.append(result)
            if number < len(left) and number % BLOCK:
                continue
            self.results.add(_measured(block, images, measure))
            done += len(block)
            block, images = [], {}
            tick(done)
        self.notes += [*remarks(self.results.told, count, self.planes), *self.results.copies_note()]
        if not self.results.counts[0]:
            path, reason = next(self.results.unreadable())
            if count == 1:
                raise ImageError(path, reason)
            raise DatasetError(f"None of the {count:,} pictures in {self.label} could be read: {path}, {reason}.")

    @property
    def most(self) -> tuple[int, int]:
        """Counts the most frames and the most channels of a file that has been read."""
        told = self.results.told
        return max((one.frames for one in told), default=1), max((one.channels for one in told), default=1)


def _measured(
    block: list[FileResult],
    images: dict[int, Tensor],
    measure: Callable[[UInt8[Tensor, "n c h w"], list[int]], Figures],
) -> list[FileResult]:
    if not images:
        return block
    figures, scores = measure(torch.stack(list(images.values())), list(images))
    row = {position: i for i, position in enumerate(images)}
    values = figures.numpy()
    return [
        result._replace(figures=values[i], score=None if scores is None else float(scores[i]))
        if (i := row.get(result.position)) is not None
        else result
        for result in block
    ]


def list_pictures(source: Sequence[Named], results: Results) -> Pictures[Picture]:
    """Takes a list of decoded pictures as one of files. Raises DatasetError if it is empty."""
    if not source:
        raise DatasetError("The list holds no images.")

    def each(
        left: Sequence[int],
        prepare: Callable[[Picture], Tensor],
        _: dict[int, FileResult],
        tick: Callable[[int], None],
    ) -> Iterator[Tensor | ImageError]:
        def work(batch: range) -> list[Tensor | ImageError]:
            return [prepare(Picture(source[left[i]][1], source[left[i]][1].size)) for i in batch]

        return _ahead((range(i, i + 1) for i in range(len(left))), work, lambda: None, tick)

    return Pictures("the list", [Entry((name,), 0, "") for name, _ in source], each, results)


@contextmanager
def open_pictures(
    source: Path,
    task: Task[Decoded],
    results: Results,
    *,
    planes: Planes = FIRST,
    most_bytes: int | None = None,
    label: str | None = None,
    but: Iterable[Path] = (),
) -> Iterator[Pictures[Decoded]]:
    """Opens a folder, at any depth, a .zip, or a single picture.

    Args:
        source: their path.
        task: how each picture is decoded.
        results: keeps what becomes of them.
        planes: which frames and channels it takes.
        most_bytes: of a file; None for as many as `Files.read` takes.
        label: what sentences call the source, by default its path.
        but: files that are not among those of a folder.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, or holds no pictures.
    """
    label = label or str(source)
    with _opened(source, label, but) as files:
        entries, notes = choose_pictures(files.entries, label)
        notes = [*files.notes, *notes]
        files.entries = []  # those that are no pictures need not be kept
        yield pictures_of(files, entries, task, results, planes=planes, most_bytes=most_bytes, label=label, notes=notes)


def pictures_of(
    files: Files,
    entries: Sequence[Entry],
    task: Task[Decoded],
    results: Results,
    *,
    planes: Planes = FIRST,
    most_bytes: int | None = None,
    label: str,
    notes: list[str],
) -> Pictures[Decoded]:
    """Takes some of the files of a folder or zip as pictures; see `open_pictures`."""

    def each(
        left: Sequence[int],
        prepare: Callable[[Decoded], Tensor],
        told: dict[int, FileResult],
        tick: Callable[[int], None],
    ) -> Iterator[Tensor | ImageError]:
        def seen(i: int, data: bytes) -> None:
            told[left[i]] = FileResult(left[i], entries[left[i]], sha256(data).digest())

        def make(i: int, decoded: Decoded) -> Tensor:
            told[left[i]] = told[left[i]]._replace(told=told_of(decoded))
            return prepare(decoded)

        chosen = [entries[i] for i in left]
        return decode_files(files, chosen, task, make, most_bytes=most_bytes, seen=seen, tick=tick)

    return Pictures(label, entries, each, results, planes, notes)


def choose_pictures(entries: Sequence[Entry], label: str) -> tuple[list[Entry], list[str]]:
    """Picks the files that are pictures by their ending, or those without one if there are none; notes the others.

    Raises:
        DatasetError: there are none.
    """
    chosen = [entry for entry in entries if entry.suffix in SUFFIXES]
    if not chosen:
        chosen = [  # some collections give names no endings
            entry for entry in entries if not entry.suffix and not about_arrays(entry.parts[-1])
        ]
    if not chosen:
        if reason := next(filter(None, (about_arrays(entry.parts[-1]) for entry in entries)), ""):
            raise DatasetError(f"{label} holds no images: {reason}.")
        zips = sum(entry.suffix == ".zip" for entry in entries)
        but = f" but {zips:,} zip{'s'[: zips - 1]}: unpack what is inside first" if zips else ""
        raise DatasetError(f"{label} holds no images{but}.")
    others = [entry for entry in entries if (entry.suffix in SUFFIXES) != bool(chosen[0].suffix)]
    if not chosen[0].suffix:
        others = [entry for entry in entries if entry.suffix]
    return chosen, left_out(others, "that is no picture" if len(others) == 1 else "that are no pictures")


def left_out(entries: Sequence[Entry], which: str) -> list[str]:
    """Words a note on files that were left out; none if there are none. `which` is a clause that tells which."""
    if not entries:
        return []
    count = "1 file" if len(entries) == 1 else f"{len(entries):,} files"
    return [f"Left out: {count} {which}, such as {entries[0].path}."]


_OF_MANY = {
    DEEP: "More than 8 bits per channel were scaled to 8 in {count} images.",
    UNENDED: "The end marker is missing in {count} images; all of their pixels are there.",
}


def remarks(read: Mapping[Told, int], count: int, planes: Planes) -> list[str]:
    """Words sentences on what was done to some of `count` files that were read, and on frames and channels left out.

    `read` has how many files what is told of.
    """
    notes = [
        sentence.format(count=f"{many:,} of {count:,}")
        for note, sentence in _OF_MANY.items()
        if (many := sum(number for one, number in read.items() if note in one.notes))
    ]
    if stacks := {one: number for one, number in read.items() if one.frames > 1}:
        used = {"mean": "the mean of each is used", "max": "the maximum of each is used", "all": "each is an image"}
        frames = sum(one.frames * number for one, number in stacks.items())
        notes.append(
            f"{sum(stacks.values()):,} of {count:,} files have several frames, {frames:,} in all; "
            f"{used.get(planes.frames, 'only the first of each is used')}."
        )
    if deep := {one: number for one, number in read.items() if one.channels > 1}:
        which = f"number {planes.channel}" if planes.channel else "the first"
        notes.append(
            f"{sum(deep.values()):,} of {count:,} files have up to {max(one.channels for one in deep):,} channels; "
            f"only {which} of each is used."
        )
    return notes


@contextmanager
def _opened(source: Path, label: str, but: Iterable[Path]) -> Iterator[Files]:
    """Opens a folder or a zip, or a picture as a folder of one."""
    if source.suffix.lower() in SUFFIXES and os.path.isfile(source):
        yield Files([Entry((printable(source.name),), source.stat().st_size, str(source))], label)
        return
    with open_files(source, label, but) as files:
        yield files
