"""Pictures of a folder, a zip or a list, ranked by how unusual each is to a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.errors import DatasetError
from explorer.evaluation.scores import Scores, better_than, score
from explorer.files.entries import open_files
from explorer.files.pictures import Named, Pictures, Progress, list_pictures, open_pictures
from explorer.files.tables import write_table
from explorer.images.preparation import Steps
from explorer.images.reading import UPLOAD_BYTES, Picture
from explorer.images.tasks import ReadPicture

SHOWN = 24  # of the worst, and of the best: their images are kept
RARE = 0.01  # of a model's test items: what is worse than all others is unusual
COLUMNS = ("file", "elbo", "reconstruction", "kl", "better_than")

_MOST_SIDE = 1024  # pixels: larger pictures are shrunk, as an upload is


@dataclass(frozen=True)
class Ranking:
    """The scores of N readable pictures under a model, float32 on the CPU.

    Attributes:
        files: their paths below the source, with `/`, in order.
        reconstruction: log p(x|z) in nats [N] at one draw of z; see `explorer.evaluation.scores.score`.
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
        """The ELBO in nats [N]; of a plain autoencoder the reconstruction term alone."""
        return self.reconstruction - self.kl

    @property
    def unusual(self) -> int:
        """The number of pictures that the model explains worse than 99% of its test items."""
        return int((self.better_than < RARE).sum())

    @property
    def summary(self) -> str:
        """The number of pictures, and how many of them are unusual, in words without a full stop."""
        count = len(self.files)
        return (
            f"{count:,} {'picture' if count == 1 else 'pictures'}, {self.unusual:,} of which the model explains worse "
            f"than {1 - RARE:.0%} of its test images"
        )

    def write_csv(self, path: Path) -> None:
        """Writes `rows` as a CSV file under COLUMNS. A file that is there is replaced, at once.

        Raises:
            DatasetError: it cannot be written; nothing is left behind then.
        """
        write_table(path, COLUMNS, self.rows())

    def rows(self) -> Iterator[tuple[str, *tuple[np.float32, ...]]]:
        """Yields what COLUMNS name of each picture, the most unusual first."""
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
    label: str | None = None,
) -> Ranking:
    """Ranks pictures by their ELBO under a model; memory holds a block of them at a time.

    Args:
        source: a folder, at any depth, a .zip, or a picture, or their path; or decoded pictures with their names.
        model: the model.
        steps: how each is prepared; None takes what suits it and the model, as for an upload. `Steps()` prepares
            them as a data set would be.
        seed: of the draws of the codes.
        progress: called with the number of pictures done and of all, readable or not.
        label: what sentences call the source, by default its path.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, holds no pictures, or none can be read.
        CheckpointError: the stored codes are missing or damaged.
    """
    if not isinstance(source, str | Path):
        return _rank(list_pictures(source), model, steps, seed, progress)
    with open_pictures(Path(source), ReadPicture(at_most=_MOST_SIDE, most_bytes=UPLOAD_BYTES), label=label) as found:
        return _rank(found, model, steps, seed, progress)


def _rank(found: Pictures[Picture], model: Model, steps: Steps | None, seed: int, progress: Progress | None) -> Ranking:
    ranked = _Ranked(model, seed)
    for names, images in found.blocks(lambda picture: model.prepare(picture.image, steps).image, progress):
        ranked.add(names, images)
    return ranked.ranking(found.unreadable, found.notes)


class _Ranked:
    """The pictures scored so far, with the images that may still be among the worst or the best."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.seed = model, seed
        self.files: list[str] = []
        self.elbos: list[float] = []
        self.parts: list[Scores] = []
        self.images: dict[int, Tensor] = {}

    def add(self, names: list[str], images: UInt8[Tensor, "n c h w"]) -> None:
        found = score(self.model, images, seed=self.seed)
        self.parts.append(found)
        self.images |= {len(self.files) + i: image.clone() for i, image in enumerate(images)}  # no view of a block
        self.files += names
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


def read_again(source: Path, file: str) -> bytes:
    """Reads the bytes of one of the ranked files, by its path below the folder or within the zip.

    Raises:
        DatasetError: it is not there any more, or cannot be read; or several files have names that look the same.
    """
    with open_files(source) as files:
        found = [entry for entry in files.entries if entry.path == file]
        if len(found) != 1:
            raise DatasetError(f"{file} is no longer there." if not found else f"Several files are called {file}.")
        return files.read(found[0])
