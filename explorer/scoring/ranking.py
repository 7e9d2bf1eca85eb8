"""The pictures of a folder or a zip by how unusual each is to a model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.datasets.folder import THREADS
from explorer.errors import DatasetError, ImageError
from explorer.files import room
from explorer.files.entries import Entry, open_files
from explorer.files.tables import write_table
from explorer.images.preparation import Steps, prepare, suggest
from explorer.images.reading import image_suffixes
from explorer.images.uploaded import read_picture
from explorer.scoring.scores import Scores, better_than, score

BLOCK = 128  # pictures that are decoded, judged and dropped at a time
SHOWN = 24  # of the worst, and of the best: their images are kept
RARE = 0.01  # of a model's test items: what is worse than all others is unusual
COLUMNS = ("file", "elbo", "reconstruction", "kl", "better_than")

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all, readable or not."""

Named = tuple[str, Image.Image]
"""A decoded picture with its name."""

_KEPT_SIDE = 1024  # pixels: larger pictures are shrunk, as an upload is

_Read = Callable[[int], Image.Image]
_Result = UInt8[Tensor, "c h w"] | str
"""A picture as the model sees it, or why it cannot be read."""

# Pictures that are read and decoded at once, of all rankings: up to 300 MB each, besides their files.
_few = threading.BoundedSemaphore(2)


@dataclass(frozen=True)
class Ranking:
    """What a model makes of N readable pictures, float32 on the CPU.

    Attributes:
        files: their paths below the source, with `/`, in order.
        reconstruction: log p(x|z) in nats [N] at one draw of z; see `explorer.scoring.scores.score`.
        kl: in nats [N]; zero for a plain autoencoder.
        better_than: the share of the model's stored test items with a smaller ELBO, [N] in [0, 1].
        order: positions in `files`, int64 [N], the smallest ELBO first: that is the most unusual picture.
        images: the first and the last SHOWN of `order` as the model saw them, uint8 [C, H, W] by position.
        unreadable: the others, in order, each with why it could not be read, a clause.
        notes: sentences on files that were left out.
    """

    files: list[str]
    reconstruction: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
    better_than: Float[Tensor, " n"]
    order: Int[Tensor, " n"]
    images: dict[int, Tensor]
    unreadable: list[tuple[str, str]]
    notes: list[str]

    @property
    def elbo(self) -> Float[Tensor, " n"]:
        """In nats; of a plain autoencoder the reconstruction term alone."""
        return self.reconstruction - self.kl

    @property
    def unusual(self) -> int:
        """How many are accounted for worse than 99% of the model's test items."""
        return int((self.better_than < RARE).sum())

    @property
    def summary(self) -> str:
        """How many pictures, and how many of them are unusual."""
        count = len(self.files)
        return (
            f"{count:,} {'picture' if count == 1 else 'pictures'}, {self.unusual:,} of them accounted for worse than "
            f"{1 - RARE:.0%} of the model's test images"
        )

    def write_csv(self, path: Path) -> None:
        """What `rows` gives, as a CSV file under COLUMNS. A file that is there is replaced, at once.

        Raises:
            DatasetError: it cannot be written; nothing is left behind then.
        """
        write_table(path, COLUMNS, self.rows())

    def rows(self) -> Iterator[tuple[str, *tuple[np.float32, ...]]]:
        """Of each picture, the most unusual first, what COLUMNS name."""
        figures = [t.numpy() for t in (self.elbo, self.reconstruction, self.kl, self.better_than)]
        for row in self.order.tolist():
            yield self.files[row], *(column[row] for column in figures)


def rank(
    source: str | Path | Sequence[Named],
    model: Model,
    *,
    steps: Steps | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Ranking:
    """Rank pictures by their ELBO under a model; memory holds a block of them at a time.

    Args:
        source: a folder, at any depth, or a .zip, or their path; or decoded pictures with their names.
        steps: how each is prepared; None takes what `suggest` finds for each, as for an upload. `Steps()` prepares
            them as a data set would be.
        seed: of the draws of the codes.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, holds no pictures, or none can be read.
        CheckpointError: the stored codes are missing or damaged.
    """
    if isinstance(source, str):
        source = Path(source)
    ready = _preparer(model, steps)
    with _opened(source) as (names, read, notes):
        label = str(source) if isinstance(source, Path) else "The list"
        if not names:
            raise DatasetError(f"{label} holds no pictures.")
        if progress:
            progress(0, len(names))
        ranked = _Ranked(model, seed)
        unreadable: list[tuple[str, str]] = []
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(names), BLOCK):
                block = range(start, min(start + BLOCK, len(names)))

                def result(position: int) -> _Result:
                    try:
                        return ready(read(position))
                    except ImageError as error:
                        return error.reason

                found = list(zip(block, pool.map(result, block), strict=True))
                unreadable += [(names[i], image) for i, image in found if isinstance(image, str)]
                ranked.add([(names[i], image) for i, image in found if isinstance(image, Tensor)])
                if progress:
                    progress(block[-1] + 1, len(names))
    if not ranked.files:
        path, reason = unreadable[0]
        raise DatasetError(f"None of the {len(names):,} pictures in {label} could be read: {path}, {reason}.")
    return ranked.ranking(unreadable, notes)


class _Ranked:
    """What has been judged so far, with the images that may still be among the worst or the best."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.seed = model, seed
        self.files: list[str] = []
        self.elbos: list[float] = []
        self.parts: list[Scores] = []
        self.images: dict[int, Tensor] = {}

    def add(self, pictures: list[tuple[str, Tensor]]) -> None:
        if not pictures:
            return
        found = score(self.model, torch.stack([image for _, image in pictures]), seed=self.seed)
        self.parts.append(found)
        self.images |= {len(self.files) + i: image for i, (_, image) in enumerate(pictures)}
        self.files += [name for name, _ in pictures]
        self.elbos += found.elbo.tolist()
        kept = sorted(self.images, key=self.elbos.__getitem__)
        self.images = {i: self.images[i] for i in dict.fromkeys([*kept[:SHOWN], *kept[-SHOWN:]])}

    def ranking(self, unreadable: list[tuple[str, str]], notes: list[str]) -> Ranking:
        reconstruction = torch.cat([part.log_likelihood for part in self.parts])
        kl = torch.cat([part.kl for part in self.parts])
        elbo = reconstruction - kl
        return Ranking(
            self.files,
            reconstruction,
            kl,
            better_than(self.model, elbo),
            elbo.argsort(stable=True),
            self.images,
            unreadable,
            notes,
        )


def _preparer(model: Model, steps: Steps | None) -> Callable[[Image.Image], UInt8[Tensor, "c h w"]]:
    channels, size, _ = model.image_shape
    if steps is not None:
        return lambda picture: prepare(picture, steps, size, channels).image
    own = model.habits
    return lambda picture: prepare(picture, suggest(picture, *own, channels=channels)[0], size, channels).image


def read_again(source: Path, file: str) -> bytes:
    """The bytes of one of the ranked files, by its path below the folder or within the zip.

    Raises:
        DatasetError: it is not there any more, or cannot be read; or several files have names that look the same.
    """
    with open_files(source) as files:
        found = [entry for entry in files.entries if entry.path == file]
        if len(found) != 1:
            raise DatasetError(f"{file} is there no more." if not found else f"Several files are called {file}.")
        return files.read(found[0])


@contextmanager
def _opened(source: Path | Sequence[Named]) -> Iterator[tuple[list[str], _Read, list[str]]]:
    """The names of the pictures, what reads the one at a position, and notes on files that were left out."""
    if not isinstance(source, Path):
        yield [name for name, _ in source], lambda position: source[position][1], []
        return
    with open_files(source) as files:
        entries: list[Entry] = [entry for entry in files.entries if entry.suffix in image_suffixes()]
        notes = list(files.notes)
        if others := [entry.path for entry in files.entries if entry.suffix not in image_suffixes()]:
            which = "1 file that is no picture" if len(others) == 1 else f"{len(others):,} files that are no pictures"
            notes.append(f"Left out: {which}, such as {others[0]}.")

        def read(position: int) -> Image.Image:
            entry = entries[position]
            with _few, room.files.taken(entry.size):
                picture, _ = read_picture(files.read(entry), entry.parts[-1], at_least=_KEPT_SIDE)
                picture.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
            return picture

        yield [entry.path for entry in entries], read, notes
