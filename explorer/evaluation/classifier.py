"""The small classifiers in whose features samples are compared with real images, one for each data set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from explorer.datasets import SOURCES
from explorer.files.tensors import read_tensors
from explorer.models.evaluation import to_float

FOLDER = files("explorer.evaluation") / "classifiers"
FEATURES = 96
_BATCH = 500  # images at a time


class Classifier(nn.Module):
    """Blocks of a 3x3 convolution, batch norm, ReLU and max pooling, a layer of features, and the classes.

    Attributes:
        image_shape: (C, H, W).
        classes: how many.
        widths: channels of each block, after which sides are half as long.
    """

    def __init__(self, image_shape: tuple[int, int, int], classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.image_shape, self.classes, self.widths = image_shape, classes, widths
        channels, height, width = image_shape
        blocks: list[nn.Module] = []
        for into, out in zip((channels, *widths), widths, strict=False):
            blocks += [nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
        area = (height >> len(widths)) * (width >> len(widths))
        self.blocks = nn.Sequential(*blocks)
        self.features = nn.Linear(widths[-1] * area, FEATURES)
        self.head = nn.Linear(FEATURES, classes)

    def embed(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """The features of images in [0, 1]: the last hidden layer before its ReLU, which is closer to a Gaussian."""
        return self.features(self.blocks(x).flatten(1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """The logits of the classes."""
        return self.head(self.embed(x).relu())


@dataclass(frozen=True)
class Trained:
    """A trained classifier, with `about`: its test accuracy and how it was made."""

    network: Classifier
    about: dict[str, float | int | str]

    @torch.inference_mode()
    def embed(self, images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """The features of 8-bit images, float32 on the CPU."""
        return torch.cat([self.network.embed(to_float(b, torch.device("cpu"))) for b in images.split(_BATCH)])


@cache
def classifier_of(dataset: str) -> Trained | None:
    """The classifier for a data set's images; None where the project has none."""
    name = (dataset in SOURCES and SOURCES[dataset].part_of) or dataset
    if not (FOLDER / f"{name}.safetensors").is_file():
        return None
    with as_file(FOLDER / f"{name}.safetensors") as file:
        return read_classifier(file)


def read_classifier(file: Path) -> Trained:
    """Reads what `benchmarks.classifiers` wrote."""
    tensors, metadata = read_tensors(file)
    shape = json.loads(metadata["network"])
    network = Classifier(tuple(shape["image_shape"]), shape["classes"], tuple(shape["widths"]))
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    return Trained(network.eval().requires_grad_(False), json.loads(metadata["about"]))
