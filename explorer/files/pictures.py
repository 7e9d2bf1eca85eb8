"""The pictures of a folder, a zip or a list, in blocks: the next ones are decoded while somebody works on some."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from explorer.errors import DatasetError, ImageError
from explorer.files.entries import Entry, Files, open_files
from explorer.files.zips import printable
from explorer.images import memory
from explorer.images.reading import image_suffixes

BLOCK = 128  # pictures between two reports of progress, and how many are decoded ahead
THREADS = min(8, os.cpu_count() or 1)  # Pillow's decoders let go of the interpreter's lock

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all, readable or not."""

Named = tuple[str, Image.Image]
"""A decoded picture with its name."""


@dataclass
class Pictures:
    """Pictures to go through.

    Attributes:
        label: what sentences call all of them.
        names: for files their paths below the folder or within the zip, with `/`, in order.
        read: decodes the picture at a position in `names`, from several threads at once; raises ImageError.
        notes: sentences on files that were left out.
        unreadable: the names of those that `blocks` could not read, in order, each with the reason, a clause.
    """

    label: str
    names: list[str]
    read: Callable[[int], Image.Image]
    notes: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def blocks(
        self, prepare: Callable[[Image.Image], UInt8[Tensor, "c h w"]], progress: Progress | None = None
    ) -> Iterator[tuple[list[str], UInt8[Tensor, "n c h w"]]]:
        """Goes through all of them, in order: the names of up to BLOCK readable ones, and what they became.

        Args:
            prepare: makes of each what is worked on, at once: memory holds few pictures in full size. Called from
                several threads.
            progress: called after each block.

        Raises:
            DatasetError: none of them can be read.
        """

        def result(position: int) -> Tensor | str:
            try:
                return prepare(self.read(position))
            except ImageError as error:
                return error.reason

        count = len(self.names)
        if progress:
            progress(0, count)
        pool = ThreadPoolExecutor(THREADS)
        try:
            ahead: list[Future[Tensor | str]] = []
            for start in range(0, count + BLOCK, BLOCK):
                block, ahead = ahead, [pool.submit(result, i) for i in range(start, min(start + BLOCK, count))]
                if not block:
                    continue
                first = start - BLOCK
                found = [(self.names[first + i], future.result()) for i, future in enumerate(block)]
                self.unreadable += [(name, reason) for name, reason in found if isinstance(reason, str)]
                images = [image for _, image in found if isinstance(image, Tensor)]
                if images:
                    yield [name for name, image in found if isinstance(image, Tensor)], torch.stack(images)
                if progress:
                    progress(first + len(block), count)
        finally:
            pool.shutdown(cancel_futures=True)
        if len(self.unreadable) == count:
            path, reason = self.unreadable[0]
            if count == 1:
                raise ImageError(path, reason)
            raise DatasetError(f"None of the {count:,} pictures in {self.label} could be read: {path}, {reason}.")


@contextmanager
def open_pictures(
    source: Path | Sequence[Named],
    decode: Callable[[bytes, str], Image.Image],
    *,
    most_bytes: int | None = None,
    label: str | None = None,
) -> Iterator[Pictures]:
    """Opens a folder, at any depth, a .zip, a single picture, or a list of decoded pictures.

    Args:
        source: their path, or the list.
        decode: makes a picture of a file's bytes and name; raises ImageError.
        most_bytes: of a file; None for as many as `Files.read` takes.
        label: what sentences call the source, by default its path.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, or holds no pictures.
    """
    if not isinstance(source, Path):
        if not source:
            raise DatasetError("The list holds no images.")
        yield Pictures("the list", [name for name, _ in source], lambda position: source[position][1])
        return
    label = label or str(source)
    with _opened(source, label) as files:
        entries, notes = choose_pictures(files.entries, label)

        def read(position: int) -> Image.Image:
            entry = entries[position]
            with memory.files.taken(entry.size):
                return decode(files.read(entry, most_bytes), entry.parts[-1])

        yield Pictures(label, [entry.path for entry in entries], read, [*files.notes, *notes])


def choose_pictures(entries: Sequence[Entry], label: str) -> tuple[list[Entry], list[str]]:
    """Picks the files that are pictures by their ending, or those without one if there are none; notes the others.

    Raises:
        DatasetError: there are none.
    """
    chosen = [entry for entry in entries if entry.suffix in image_suffixes()]
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
    if source.suffix.lower() in image_suffixes() and os.path.isfile(source):
        yield Files([Entry((printable(source.name),), source.stat().st_size, str(source))])
        return
    with open_files(source, label) as files:
        yield files
