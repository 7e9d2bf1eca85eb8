"""Codes of the pictures of a folder or zip, of which memory holds a few, into an .npz file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.datasets.idx import load_idx
from explorer.datasets.layout import arrange, unreadable_note
from explorer.errors import DatasetError, about_arrays
from explorer.files.entries import open_files
from explorer.files.journal import replacement
from explorer.files.pictures import Figures, Progress, Work, pictures_of
from explorer.files.results import Results, own_files, part_of
from explorer.images.stacks import FIRST, Planes
from explorer.images.tasks import Arrays, ReadArray


@dataclass(frozen=True)
class Encoded:
    """How many images were encoded, and sentences on files that were left out, and on what was done to others."""

    count: int
    notes: list[str]


def encode_into(
    out: Path, source: Path, model: Model, *, planes: Planes = FIRST, progress: Progress | None = None
) -> Encoded:
    """Encodes the images of a folder, a .zip or an IDX file: `mean` and `logvar`, and `labels` and `classes`, if any.

    What has been encoded of a folder or zip is kept beside, in `OUT.part`: after a process has died, the next one goes
    on from there.

    Args:
        out: the .npz; one that is there is replaced, at once.
        source: where the images are; in order of their paths.
        model: the model.
        planes: which frames and channels of files are encoded; not `all` frames.
        progress: called with the number of images done and of all.

    Raises:
        DatasetError: there is nothing at `source`, it cannot be used, or a file cannot be written.
    """
    if not source.exists():
        raise DatasetError(f"there is no {source}")
    if source.is_file() and source.suffix.lower() != ".zip":
        if "idx" not in source.name and (reason := about_arrays(source.name)):
            raise DatasetError(f"{source.name} is no picture: {reason}.")
        data = load_idx(source, size=model.image_shape[1:], channels=model.image_shape[0])
        figures = _encoded(model, data.images)
        _write(out, lambda: [figures.numpy()], (len(figures), model.latent), data.labels, data.classes)
        return Encoded(len(figures), data.notes)
    about = f"encode {source.absolute()} {model.info.content} {planes}"
    work = encoding(model, planes)
    with Results(part_of(out), about) as results:
        with open_files(source, but=own_files(out)) as files:
            layout = arrange(files.entries, str(source))
            pairs = layout.everything
            notes = [*files.notes, *layout.notes]
            entries = [entry for entry, _ in pairs]
            found = pictures_of(files, entries, work.task, results, planes=planes, label=str(source), notes=notes)
            found.work(work.prepare, work.measure, progress)
        count, bad = results.counts
        if bad:
            found.notes.append(unreadable_note(dict(results.unreadable()), count + bad))
        labels = None
        if layout.classes:
            number = {name: i for i, name in enumerate(layout.classes)}
            read = [position for positions, _, _ in results.figures() for position in positions]
            labels = torch.tensor([number[str(pairs[position][1])] for position in read])
        blocks = lambda: (block for _, _, block in results.figures())  # noqa: E731
        _write(out, blocks, (count, model.latent), labels, layout.classes)
        results.discard()
    return Encoded(count, found.notes)


def encoding(model: Model, planes: Planes) -> Work[Arrays]:
    """Says how the pictures of many are encoded."""
    channels, *size = model.image_shape

    def measure(images: Tensor, _: list[int]) -> Figures:
        return _encoded(model, images), None

    def rows(results: Results) -> Iterator[Sequence[object]]:
        for _, names, figures in results.figures():
            yield from ((name, *np.split(row, 2), "") for name, row in zip(names, figures, strict=True))
        yield from ((name, None, None, why) for name, why in results.unreadable())

    return Work(
        f"encode {model.info.content} {planes}",
        ReadArray((size[0], size[1]), channels, at_least=2 * max(size), **vars(planes)),
        lambda read: torch.tensor(read.pixels[0]),
        measure,
        {"file": "string", "mean": "codes", "logvar": "codes", "unreadable": "string"},
        rows,
        planes,
        classes=True,
    )


def _encoded(model: Model, images: Tensor) -> Tensor:
    """Means and log variances, side by side: [N, 2 D]."""
    return torch.cat(tuple(model.encode(images)), 1)


def _write(
    out: Path,
    blocks: Callable[[], Iterable[np.ndarray]],
    shape: tuple[int, int],
    labels: Tensor | None,
    classes: list[str],
) -> None:
    """Writes the .npz as `np.savez` does, a block of codes [n, 2 D] at a time. Raises DatasetError."""
    about = {"descr": "<f4", "fortran_order": False, "shape": shape}
    try:
        with replacement(out) as file, zipfile.ZipFile(file, "w") as archive:
            for i, name in enumerate(("mean", "logvar")):
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, about)
                    for block in blocks():
                        member.write(np.ascontiguousarray(block[:, i * shape[1] : (i + 1) * shape[1]]).data)
            if labels is not None:
                for name, array in (("labels", labels.numpy()), ("classes", np.array(classes))):
                    with archive.open(f"{name}.npy", "w") as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)
    except OSError as error:
        raise DatasetError(f"{out} could not be written: {error.strerror or error}.") from error
