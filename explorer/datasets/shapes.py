"""White shapes on black whose factors are known, drawn when they are asked for: each combination once.

Like dSprites (Matthey et al. 2017), but smaller: whole pixels of place, and a quarter turn of rotation, in which each
of the shapes looks different at each angle. A fifth of the combinations, by a fixed seed, is the test set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from explorer.datasets.base import ImageDataset, Source
from explorer.images.arrays import Size

SIDE, CANVAS = 28, 16  # pixels of an image, and of a shape with room to turn
SHAPES = ("square", "ellipse", "heart")
SIZES = np.linspace(3, 5, 5)  # pixels from the middle to a side of the square
ANGLES = np.arange(8) * np.pi / 16
PLACES = SIDE - CANVAS + 1
FACTORS = {"shape": len(SHAPES), "scale": len(SIZES), "rotation": len(ANGLES), "x": PLACES, "y": PLACES}
SEED = 0
_HEART = 0.29  # of its size: from the origin of its formula to its middle
_FINE = 8  # points a pixel's side at which it is inside or outside


class Shapes(Source):
    """Squares, ellipses and hearts."""

    name = "shapes"
    title = "Shapes of known size, rotation and place"
    origin = "Drawn by this program; after dSprites (Matthey et al. 2017)"
    image_shape = (1, SIDE, SIDE)

    def present(self, root: Path) -> bool:
        return True

    def how(self, root: Path) -> str:
        return "It is always there."

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        order = np.random.default_rng(SEED).permutation(int(np.prod(list(FACTORS.values()))))
        test, train = np.split(order, [len(order) // 5])
        index = test if split == "test" else train
        shape, scale, rotation, x, y = factors = np.unravel_index(index, tuple(FACTORS.values()))
        images = np.zeros((len(index), 1, SIDE, SIDE), np.uint8)
        kinds = sprites()[shape, scale, rotation]
        for row, (image, sprite) in enumerate(zip(images, kinds, strict=True)):
            image[0, y[row] : y[row] + CANVAS, x[row] : x[row] + CANVAS] = sprite
        return ImageDataset(
            name=self.name,
            split=split,
            images=torch.from_numpy(images),
            labels=torch.from_numpy(shape.astype(np.int64)),
            classes=list(SHAPES),
            factors={n: torch.from_numpy(v.astype(np.int64)) for n, v in zip(FACTORS, factors, strict=True)},
        )


def sprites() -> np.ndarray:
    """Every shape in every size and rotation, uint8 [shape, size, rotation, CANVAS, CANVAS], with smooth edges."""
    points = (np.arange(CANVAS * _FINE) + 0.5) / _FINE - CANVAS / 2
    down, right = np.meshgrid(points, points, indexing="ij")
    drawn = np.empty((len(SHAPES), len(SIZES), len(ANGLES), CANVAS, CANVAS), np.uint8)
    for i, size in enumerate(SIZES):
        for j, angle in enumerate(ANGLES):
            u = (np.cos(angle) * right + np.sin(angle) * down) / size
            v = (np.cos(angle) * down - np.sin(angle) * right) / size
            w = v - _HEART
            inside = (
                np.maximum(abs(u), abs(v)) <= 1,
                (u / 1.35) ** 2 + (v / 0.7) ** 2 <= 1,
                (u**2 + w**2 - 1) ** 3 + u**2 * w**3 <= 0,  # its point is down
            )
            for kind, mask in enumerate(inside):
                share = mask.reshape(CANVAS, _FINE, CANVAS, _FINE).mean((1, 3))
                drawn[kind, i, j] = np.round(255 * share)
    return drawn
