"""Pictures of a folder, a zip or a list, ranked by how unusual each is to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.errors import DatasetError, ImageError
from explorer.evaluation.scores import Scores, better_than, score
from explorer.files.pictures import Decoded, Figures, Named, Pictures, Progress, Work, list_pictures, open_pictures
from explorer.files.results import Results, own_files, part_of
from explorer.files.tables import write_table
from explorer.images.preparation import Steps
from explorer.images.reading import UPLOAD_BYTES
from explorer.images.stacks import FIRST, Planes
from explorer.images.tasks import Arrays, PreparePicture

SHOWN = 24  # of the worst, and of the best: their images are kept
RARE = 0.01  # of a model's test items: what is worse than all others is unusual
COLUMNS = ("file", "elbo", "reconstruction", "kl", "better_than")

_MOST_SIDE = 1024  # pixels: larger pictures are shrunk, as an upload is


Row = tuple[str, *tuple[np.float32, ...]]
"""What COLUMNS name of a picture."""


def _summary(count: int, unusual: int) -> str:
    return (
        f"{count:,} {'picture' if count == 1 else 'pictures'}, {unusual:,} of which the model explains worse than "
        f"{1 - RARE:.0%} of its test images"
    )


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
        notes: sentences on files that were left out, and on what was done to others.
        most: frames, and channels, of a file.
    """

    files: list[str]
    reconstruction: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
    better_than: Float[Tensor, " n"]
    order: Int[Tensor, " n"]
    images: dict[int, Tensor]
    unreadable: list[tuple[str, str]]
    notes: list[str]
    most: tuple[int, int] = (1, 1)

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
        return _summary(len(self.files), self.unusual)

    def write_csv(self, path: Path) -> None:
        """Writes `rows` as a CSV file under COLUMNS. A file that is there is replaced, at once.

        Raises:
            DatasetError: it cannot be written; nothing is left behind then.
        """
        write_table(path, COLUMNS, self.rows())

    def rows(self) -> Iterator[Row]:
        """Yields what COLUMNS name of each picture, the most unusual first."""
        figures = [t.numpy() for t in (self.elbo, self.reconstruction, self.kl, self.better_than)]
        for row in self.order.tolist():
            yield self.files[row], *(column[row] for column in figures)


def rank(
    source: str | Path | Sequence[Named],
    model: Model,
    *,
    steps: Steps | None = None,
    planes: Planes = FIRST,
    seed: int = 0,
    progress: Progress | None = None,
    label: str | None = None,
    results: Results | None = None,
) -> Ranking:
    """Ranks pictures by their ELBO under a model; memory holds a block of them at a time.

    Args:
        source: a folder, at any depth, a .zip, or a picture, or their path; or decoded pictures with their names.
        model: the model.
        steps: how each is prepared; None takes what suits it and the model, as for an upload. `Steps()` prepares
            them as a data set would be.
        planes: which frames and channels of files are ranked; not `all` frames.
        seed: of the draws of the codes.
        progress: called with the number of pictures done and of all, readable or not.
        label: what sentences call the source, by default its path.
        results: keeps what becomes of each, with what an earlier process has left; by default memory.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be read, holds no pictures, or none can be read.
        CheckpointError: the stored codes are missing or damaged.
    """
    with Results() if results is None else results as results:
        if isinstance(source, str | Path):
            with open_pictures(Path(source), _task(model, steps, planes), results, planes=planes, label=label) as found:
                return _ranking(found, _prepared, model, seed, progress)
        listed = list_pictures(source, results)
        return _ranking(listed, lambda read: model.prepare(read.image, steps).image, model, seed, progress)


@dataclass(frozen=True)
class Ranked:
    """What `rank_into` has written: the numbers of pictures, and of unusual ones; the rest as of `Ranking`."""

    count: int
    unusual: int
    unreadable: list[tuple[str, str]]
    notes: list[str]

    @property
    def summary(self) -> str:
        """The number of pictures, and how many of them are unusual, in words without a full stop."""
        return _summary(self.count, self.unusual)


def rank_into(
    out: Path,
    source: Path,
    model: Model,
    *,
    planes: Planes = FIRST,
    seed: int = 0,
    progress: Progress | None = None,
) -> Ranked:
    """Ranks pictures as `rank` does into a CSV file under COLUMNS; memory does not hold their scores.

    What has been scored is kept beside, in `OUT.part`: after a process has died, the next one goes on from there.

    Raises:
        DatasetError: as of `rank`, or a file cannot be written.
        CheckpointError: as of `rank`.
    """
    about = f"rank {source.absolute()} {model.info.content} {planes} {seed}"
    with Results(part_of(out), about) as results:
        work = ranking(model, planes, seed)
        with open_pictures(source, work.task, results, planes=planes, but=own_files(out)) as found:
            found.work(work.prepare, work.measure, progress)
        unusual = 0

        def rows() -> Iterator[Row]:
            nonlocal unusual
            for _, names, figures in results.figures(by_score=True):
                columns = _columns(model, torch.tensor(figures))
                unusual += int((columns[-1] < RARE).sum())
                yield from zip(names, *(column.numpy() for column in columns), strict=True)

        write_table(out, COLUMNS, rows())
        ranked = Ranked(results.counts[0], unusual, list(results.unreadable()), found.notes)
        results.discard()
    return ranked


def ranking(model: Model, planes: Planes, seed: int) -> Work[Arrays]:
    """Says how the pictures of many are ranked, in the order of their paths; `rank` has the arguments."""

    def rows(results: Results) -> Iterator[Sequence[object]]:
        for _, names, figures in results.figures():
            columns = (column.numpy() for column in _columns(model, torch.tensor(figures)))
            yield from zip(names, *columns, repeat(""), strict=False)
        yield from ((name, None, None, None, None, why) for name, why in results.unreadable())

    return Work(
        f"rank {model.info.content} {planes} {seed}",
        _task(model, None, planes),
        _prepared,
        lambda images, _: _scored(score(model, images, seed=seed)),
        {"file": "string", **dict.fromkeys(COLUMNS[1:], "float"), "unreadable": "string"},
        rows,
        planes,
    )


def _task(model: Model, steps: Steps | None, planes: Planes) -> PreparePicture:
    channels, height, width = model.image_shape
    habits, given = (model.habits, None) if steps is None else ((False, False), asdict(steps))
    return PreparePicture((height, width), channels, habits, given, _MOST_SIDE, UPLOAD_BYTES, **vars(planes))


def _prepared(read: Arrays) -> Tensor:
    return torch.tensor(read.pixels[0])


def _scored(found: Scores) -> Figures:
    return torch.stack([found.log_likelihood, found.kl], 1), found.elbo


def _columns(model: Model, figures: Float[Tensor, "n 2"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What COLUMNS name of pictures but for their files."""
    reconstruction, kl = figures.unbind(1)
    elbo = reconstruction - kl
    return elbo, reconstruction, kl, better_than(model, elbo)


def _ranking(
    found: Pictures[Decoded],
    prepare: Callable[[Decoded], Tensor],
    model: Model,
    seed: int,
    progress: Progress | None,
) -> Ranking:
    images: dict[int, tuple[float, Tensor]] = {}  # of those that may still be among the worst or the best

    def measure(block: Tensor, positions: list[int]) -> Figures:
        nonlocal images
        scored = _scored(score(model, block, seed=seed))
        assert scored[1] is not None
        elbos = scored[1].tolist()
        images |= {p: (e, image.clone()) for p, e, image in zip(positions, elbos, block, strict=True)}
        kept = sorted(images, key=lambda position: images[position][0])
        images = {i: images[i] for i in dict.fromkeys([*kept[:SHOWN], *kept[-SHOWN:]])}
        return scored

    found.work(prepare, measure, progress)
    blocks = list(found.results.figures())
    places = [position for positions, _, _ in blocks for position in positions]
    elbo, reconstruction, kl, better = _columns(model, torch.tensor(np.concatenate([block[2] for block in blocks])))
    order = elbo.argsort(stable=True)
    ends = dict.fromkeys([*order[:SHOWN].tolist(), *order[-SHOWN:].tolist()])
    gone = [row for row in ends if places[row] not in images]  # an earlier process has seen them
    for row, image in zip(gone, found.each([places[row] for row in gone], prepare, {}, lambda _: None), strict=True):
        if isinstance(image, ImageError):
            raise DatasetError(f"{found.entries[places[row]].path} has changed meanwhile: rank {found.label} again.")
        images[places[row]] = 0.0, image
    return Ranking(
        [name for _, names, _ in blocks for name in names],
        reconstruction,
        kl,
        better,
        order,
        {row: images[places[row]][1] for row in ends},
        list(found.results.unreadable()),
        found.notes,
        found.most,
    )
