"""How good the models of blood cells are, on patients that they were not trained on: linear layers or convolutions.

*Reconstruction*: squared error over all values of an image in [0, 1], at the posterior's mean. The largest part of it
is what a cell's place and outline leave, so the error inside the cell is given as well.

*Sharpness*, of generated cells, each with the real cells' own value beside it:

- `edge`, how steep the outline is: the gradient of gray at the cell's rim (Gaussian derivative of 0.7 pixels) over the
  cell's gray, the median over rim and cells. A step from black to the cell has 0.57 a pixel; blur makes it less.
- `spots`, what there is of granules and parasites: the 99th percentile of the Laplacian of a Gaussian of 1 pixel inside
  the cell, away from its rim, in gray levels of 255, the median over cells. It is large where something small is dark.
- `spectrum`, how far the cells are from real ones at all scales: the root mean square over 31 frequencies, in decibels,
  of the ratio of their radially averaged power spectra (under a Hann window). Blur has too little power at the fine
  scales and strong noise too much; the usual variance of the Laplacian (Pech-Pacheco et al. 2000) grows with any noise,
  and sees little but the step from the cell to the black around it. Grain of about the right strength is taken for
  detail here, too (`benchmarks.initialisation` has models that make it): read it beside `edge` and `spots`.

*Distance*: the Fréchet distance (Dowson & Landau 1982, eq. 4) between Gaussians fitted to generated and to real cells
of the test patients, over the first 50 principal components of the real ones' pixels, as a share of their variance.
No network is asked. Real cells of other patients, those of the training set, say what can be reached at best: they are
the row `real` of spectrum and distance.

*Spotted*: the share of cells with a dark spot, as `explorer.cells.measures` counts them.

`cells-both` is told the class, and so is the prior of `cells-vq`. Codes are drawn from the prior at temperature 1, seed
0; everything is repeatable.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from explorer import datasets, load
from explorer.cells import measures
from explorer.checkpoints.model import Model
from explorer.datasets import ImageDataset
from explorer.errors import CheckpointError, DatasetError
from explorer.evaluation.samples import frechet_distance

KINDS = ("linear", "conv")
DRAWN = 2000
COMPONENTS = 50
LUMA = np.array([0.299, 0.587, 0.114])
BACKGROUND = 0.15  # gray below which a pixel is the black around a cell
EDGE = 4  # pixels: an outline that is blurred away is still no inside
LEAST_INSIDE = 200  # pixels


def inside(gray: np.ndarray) -> np.ndarray:
    """Which pixels are in the cell and away from its edge: bool [H, W] of gray values [H, W] in [0, 1]."""
    filled = ndimage.binary_fill_holes(gray > BACKGROUND)
    return ndimage.binary_erosion(filled, iterations=EDGE)


def spots(grays: np.ndarray) -> float:
    """The median over cells of how dark small things in them are, of gray values [N, H, W]: gray levels of 255."""
    found = []
    for gray in grays:
        mask = inside(gray)
        if mask.sum() >= LEAST_INSIDE:
            found.append(np.percentile(ndimage.gaussian_laplace(gray, 1.0)[mask], 99))
    return 255 * float(np.median(found))


def edge(grays: np.ndarray) -> float:
    """The median steepness of outlines, of gray values [N, H, W]: a share of the cell's gray, a pixel."""
    found = []
    for gray in grays:
        level = np.percentile(gray, 80)
        cell = gray > level / 2
        rim = cell ^ ndimage.binary_erosion(cell, border_value=1)  # where the frame cuts a cell there is no rim
        if rim.any():
            found.append(np.median(ndimage.gaussian_gradient_magnitude(gray, 0.7)[rim]) / level)
    return float(np.median(found))


def spectrum(grays: np.ndarray) -> np.ndarray:
    """The power of gray values [N, H, W] at 1 to 31 periods an image, averaged over directions and images."""
    side = grays.shape[-1]
    window = np.hanning(side)[:, None] * np.hanning(side)
    power = (np.abs(np.fft.fft2(grays * window)) ** 2).mean(0)
    frequency = np.fft.fftfreq(side, 1 / side)
    radius = np.hypot(frequency[:, None], frequency).round()
    return np.array([power[radius == r].mean() for r in range(1, side // 2)])


def decibels(one: np.ndarray, other: np.ndarray) -> float:
    """The root mean square of the ratio of two spectra."""
    return float(np.sqrt(np.square(10 * np.log10(one / other)).mean()))


def gray_of(images: Tensor) -> np.ndarray:
    """Luma [N, H, W] of images [N, 3, H, W]."""
    return np.tensordot(images.numpy(), LUMA, (1, 0))


class Reference:
    """Real cells of a class, and the principal components that others are compared in."""

    def __init__(self, images: Tensor) -> None:
        """`images` float [N, 3, H, W] in [0, 1]."""
        flat = images.flatten(1)
        self.mean = flat.mean(0)
        _, _, self.components = torch.pca_lowrank(flat - self.mean, COMPONENTS, center=False, niter=4)
        self.features = self.project(images)
        self.variance = float(self.features.var(0).sum())

    def project(self, images: Tensor) -> Tensor:
        return ((images.flatten(1) - self.mean) @ self.components).double()

    def distance(self, images: Tensor) -> float:
        return frechet_distance(self.project(images), self.features) / self.variance


def only(dataset: ImageDataset, name: str) -> Tensor:
    """The cells of a class, float [N, 3, H, W] in [0, 1]."""
    return dataset.images[dataset.positions_of(name)].float() / 255


def errors(model: Model, images: Tensor, label: int) -> tuple[float, float]:
    """Mean squared error of reconstructions over all of the images, and over the insides of the cells."""
    square = (model.reconstruct(images, label) - images).square().mean(1).numpy()
    masks = np.stack([inside(gray) for gray in gray_of(images)])
    return float(square.mean()), float(square[masks].mean())


def spotted(images: Tensor) -> float:
    """The share of cells with a dark spot, of images [N, 3, H, W] in [0, 1]."""
    return measures.Summary.of(measures.measure(images)).spotted


def measure(name: str, models: dict[str, Model], train: ImageDataset, test: ImageDataset) -> None:
    """Print the figures of a class: those of each model, and the real cells' own."""
    torch.manual_seed(0)  # of the randomised principal components
    real, others = only(test, name), only(train, name)
    reference, grays, label = Reference(real), gray_of(real), test.classes.index(name)
    power = spectrum(grays)
    print(f"{name}: {len(real):,} cells of patients that nobody was trained on")
    print(f"  {'':7} {'MSE':>8} {'inside':>8} {'edge':>6} {'spots':>6} {'spectrum':>11} {'distance':>9} {'spotted':>8}")
    own = f"{edge(grays):6.3f} {spots(grays):6.2f} {decibels(spectrum(gray_of(others)), power):8.1f} dB"
    print(f"  {'real':7} {'':8} {'':8} {own} {reference.distance(others):9.3f} {spotted(real):8.1%}")
    for kind, model in models.items():
        whole, within = errors(model, real, label)
        drawn = model.sample(DRAWN, seed=0, labels=label)
        grays = gray_of(drawn)
        sharpness = f"{edge(grays):6.3f} {spots(grays):6.2f} {decibels(spectrum(grays), power):8.1f} dB"
        last = f"{reference.distance(drawn):9.3f} {spotted(drawn):8.1%}"
        print(f"  {kind:7} {whole:8.5f} {within:8.5f} {sharpness} {last}")


def main() -> None:
    """The models that ship, on the test patients."""
    try:
        train, test = (datasets.load("malaria", split) for split in ("train", "test"))
        told = {kind: load(f"cells-{kind}", device="cpu") for kind in ("both", "vq")}
        models = {
            name: {kind: load(f"cells-{name}-{kind}", device="cpu") for kind in KINDS} | told for name in test.classes
        }
    except (DatasetError, CheckpointError) as error:
        print(error)
        return
    for name, found in models.items():
        measure(name, found, train, test)


if __name__ == "__main__":
    main()
