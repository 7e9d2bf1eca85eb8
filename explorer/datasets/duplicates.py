"""Images that are in the training set and, as they are or nearly so, in the test set: they flatter the model."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from explorer.datasets.base import ImageDataset

_SIDE = 16  # pixels that images are reduced to
# Cosine of the differences between neighbouring pixels. Different digits of MNIST stay below, as do cells; the same
# picture as a JPEG of quality 75, with noise or in other brightness lies above.
_ALIKE = 0.99
_MOST_PAIRS = 200_000_000  # that are compared: a few seconds
_BLOCK = 1024


def duplicate_notes(train: ImageDataset, test: ImageDataset) -> list[str]:
    """Counts and names test images that are training images, and those that are nearly one; no note for none."""
    notes = []
    first: dict[bytes, int] = {}
    for i, digest in enumerate(_digests(train.images)):
        first.setdefault(digest, i)
    same = {i: first[digest] for i, digest in enumerate(_digests(test.images)) if digest in first}
    if same:
        notes.append(_note(train, test, same, "also in the training set", "is"))
    rest = torch.tensor([i for i in range(len(test)) if i not in same], dtype=torch.int64)
    step = -(-len(rest) * len(train) // _MOST_PAIRS) or 1
    near = _near(train.images, test.images, rest[::step])
    if near:
        among = f" (of {len(rest[::step]):,} that were compared)" if step > 1 else ""
        notes.append(_note(train, test, near, f"nearly the same as a training image{among}", "is like"))
    return notes


def _digests(images: UInt8[Tensor, "n c h w"]) -> Iterator[bytes]:
    return (
        blake2b(image.numpy().tobytes(), digest_size=16).digest() for block in images.split(_BLOCK) for image in block
    )


def _note(train: ImageDataset, test: ImageDataset, found: dict[int, int], what: str, how: str) -> str:
    count = "1 test image is" if len(found) == 1 else f"{len(found):,} test images are"
    mine, other = next(iter(found.items()))
    named = ""
    if train.items is not None and test.items is not None:
        named = f", such as {test.items.names[mine]}, which {how} {train.items.names[other]}"
    return f"{count} {what}{named}. Figures on the test set flatter the model there."


def _near(train: UInt8[Tensor, "n c h w"], test: UInt8[Tensor, "m c h w"], rows: Tensor) -> dict[int, int]:
    """Finds the test images among `rows` that are nearly a training image, with the first of the nearest ones."""
    best, which = torch.full((len(rows),), -1.0), torch.zeros(len(rows), dtype=torch.int64)
    mine, shaded = map(torch.cat, zip(*(_differences(test[some]) for some in rows.split(_BLOCK)), strict=True))
    for start in range(0, len(train), _BLOCK):
        theirs, _ = _differences(train[start : start + _BLOCK])
        for at in range(0, len(rows), _BLOCK):
            value, place = (mine[at : at + _BLOCK] @ theirs.T).max(1)
            better = value > best[at : at + _BLOCK]
            best[at : at + _BLOCK] = torch.where(better, value, best[at : at + _BLOCK])
            which[at : at + _BLOCK] = torch.where(better, place + start, which[at : at + _BLOCK])
    return {int(rows[i]): int(which[i]) for i in torch.nonzero((best > _ALIKE) & shaded).flatten().tolist()}


def _differences(images: UInt8[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n d"], Bool[Tensor, " n"]]:
    """Measures how neighbouring pixels of reduced gray images differ, as unit vectors; and which are not flat."""
    gray = images.float().mean(1, keepdim=True)
    if min(gray.shape[2:]) > _SIDE:
        gray = interpolate(gray, size=(_SIDE, _SIDE + 1), mode="area")
    across, down = gray.diff(dim=3).flatten(1), gray.diff(dim=2).flatten(1)
    found = torch.cat([across, down], 1)
    length = found.norm(dim=1, keepdim=True)
    return found / length.clamp(min=1e-6), length[:, 0] > 1
