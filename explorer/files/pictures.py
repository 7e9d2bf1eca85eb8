"""The pictures of a folder, a zip or a list, in blocks: the next ones are decoded while somebody works on some."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from explorer.errors import DatasetError, ImageError
from explorer.files.entries import Entry, Files, open_files
from explorer.files.zips import printable
from explorer.images import memory
from explorer.images.decoding import decode
from explorer.images.processes import THREADS
from explorer.images.reading import SUFFIXES, Picture
from explorer.images.tasks import Task

BLOCK = 128  # pictures that somebody works on at once
_BATCH, _BATCH_BYTES = 64, 1 << 20  # files that are read and decoded at a time: at most, but for a single larger one
_TICK = 0.5  # seconds between two reports while nothing is done

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all, readable or not."""

Named = tuple[str, Image.Image]
"""A decoded picture with its name."""


Decoded = TypeVar("Decoded")
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
    pool = ThreadPoolExecutor(THREADS)
    ahead: deque[Future[list[Made]]] = deque()
    done = 0
    try:
        while True:
            while len(ahead) < 2 * THREADS and (batch := next(batches, None)) is not None:
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


@dataclass
class Pictures(Generic[Decoded]):
    """Pictures to go through.

    Attributes:
        label: what sentences call all of them.
        names: for files their paths below the folder or within the zip, with `/`, in order.
        each: goes through them: takes what makes of a decoded picture what is worked on, and what is called with the
            number of those done; yields what was made, or why a picture could not be read.
        notes: sentences on files that were left out.
        unreadable: the names of those that `blocks` could not read, in order, each with the reason, a clause.
    """

    label: str
    names: list[str]
    each: Callable[[Callable[[Decoded], Tensor], Callable[[int], None]], Iterator[Tensor | ImageError]]
    notes: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def blocks(
        self, prepare: Callable[[Decoded], UInt8[Tensor, "c h w"]], progress: Progress | None = None
    ) -> Iterator[tuple[list[str], UInt8[Tensor, "n c h w"]]]:
        """Goes through all of them, in order: the names of up to BLOCK readable ones, and what they became.

        Args:
            prepare: makes of each what is worked on, at once: memory holds few pictures in full size. Called from
                several threads.
            progress: called after each block, and twice a second or more often.

        Raises:
            DatasetError: none of them can be read, or decoding them takes longer than their size explains.
        """
        count, done = len(self.names), 0

        def tick(_: int) -> None:
            if progress:
                progress(done, count)

        tick(0)
        names: list[str] = []
        images: list[Tensor] = []
        for i, (name, found) in enumerate(zip(self.names, self.each(prepare, tick), strict=True)):
            if isinstance(found, ImageError):
                self.unreadable.append((name, found.reason))
            else:
                names.append(name)
                images.append(found)
            if i + 1 < count and (i + 1) % BLOCK:
                continue
            if images:
                yield names, torch.stack(images)
            names, images, done = [], [], i + 1
            tick(done)
        if len(self.unreadable) == count:
            path, reason = self.unreadable[0]
            if count == 1:
                raise ImageError(path, reason)
            raise DatasetError(f"None of the {count:,} pictures in {self.label} could be read: {path}, {reason}.")


def list_pictures(source: Sequence[Named]) -> Pictures[Picture]:
    """Takes a list of decoded pictures as one of files. Raises DatasetError if it is empty."""
    if not source:
        raise DatasetError("The list holds no images.")

    def each(prepare: Callable[[Picture], Tensor], tick: Callable[[int], None]) -> Iterator[Tensor | ImageError]:
        def work(batch: range) -> list[Tensor | ImageError]:
            return [prepare(Picture(source[i][1], source[i][1].size)) for i in batch]

        return _ahead((range(i, i + 1) for i in range(len(source))), work, lambda: None, tick)

    return Pictures("the list", [name for name, _ in source], each)


@contextmanager
def open_pictures(
    source: Path, task: Task[Decoded], *, most_bytes: int | None = None, label: str | None = None
) -> Iterator[Pictures[Decoded]]:
    """Opens a folder, at any depth, a .zip, or a single picture.

    Args:
        source: their path.
        task: how each picture is decoded.
        most_bytes: of a file; None for as many as `Files.read` takes.
        label: what sentences call the source, by default its path.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, or holds no pictures.
    """
    label = label or str(source)
    with _opened(source, label) as files:
        entries, notes = choose_pictures(files.entries, label)

        def each(prepare: Callable[[Decoded], Tensor], tick: Callable[[int], None]) -> Iterator[Tensor | ImageError]:
            return decode_files(
                files, entries, task, lambda _, decoded: prepare(decoded), most_bytes=most_bytes, tick=tick
            )

        yield Pictures(label, [entry.path for entry in entries], each, [*files.notes, *notes])


def choose_pictures(entries: Sequence[Entry], label: str) -> tuple[list[Entry], list[str]]:
    """Picks the files that are pictures by their ending, or those without one if there are none; notes the others.

    Raises:
        DatasetError: there are none.
    """
    chosen = [entry for entry in entries if entry.suffix in SUFFIXES]
    if not chosen:
        chosen = [entry for entry in entries if not entry.suffix]  # some collections give names no endings
    if not chosen:
        zips = sum(entry.suffix == ".zip" for entry in entries)
        but = f" but {zips:,} zip{'s'[: zips - 1]}: unpack what is inside first" if zips else ""
        raise DatasetError(f"{label} holds no images{but}.")
    taken = set(chosen)
    others = [entry for entry in entries if entry not in taken]
    return chosen, left_out(others, "that is no picture" if len(others) == 1 else "that are no pictures")


def left_out(entries: Sequence[Entry], which: str) -> list[str]:
    """Words a note on files that were left out; none if there are none. `which` is a clause that tells which."""
    if not entries:
        return []
    count = "1 file" if len(entries) == 1 else f"{len(entries):,} files"
    return [f"Left out: {count} {which}, such as {entries[0].path}."]


@contextmanager
def _opened(source: Path, label: str) -> Iterator[Files]:
    """Opens a folder or a zip, or a picture as a folder of one."""
    if source.suffix.lower() in SUFFIXES and os.path.isfile(source):
        yield Files([Entry((printable(source.name),), source.stat().st_size, str(source))], label)
        return
    with open_files(source, label) as files:
        yield files
