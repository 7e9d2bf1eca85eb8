"""Trains the classifiers in whose features `explorer evaluate` compares samples with real images.

    python -m benchmarks classifiers            # those whose data are here; minutes on one core
    python -m benchmarks.classifiers textures   # one of them

Each is written to `explorer/evaluation/classifiers`, in 16 bits, with its accuracy on the test set, and the distance of
training from test images in its features: what samples can reach at best.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from explorer import datasets
from explorer.datasets import ImageDataset
from explorer.errors import DatasetError
from explorer.evaluation.classifier import FOLDER, Classifier, Trained
from explorer.evaluation.samples import frechet_distance
from explorer.evaluation.subject import SAMPLES
from explorer.models.evaluation import to_float

BATCH, RATE, SEED = 128, 3e-3, 0
PADDING = 3  # pixels by which a shifted image moves at most


@dataclass(frozen=True)
class Plan:
    """How long a classifier is trained, with which blocks, and how its images may be changed without being others."""

    epochs: int
    widths: tuple[int, ...] = (16, 32, 48)
    flips: tuple[int, ...] = ()  # axes, each in half of the batches
    shifts: bool = False


PLANS = {
    "mnist": Plan(3),
    "fashion-mnist": Plan(4),
    "textures": Plan(3),
    "cifar10": Plan(20, (32, 64, 96), flips=(3,), shifts=True),
    "malaria": Plan(5, (16, 32, 48, 64), flips=(2, 3)),
}


def batches(data: ImageDataset, plan: Plan, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """The images of an epoch in a new order, as the plan lets them vary, with their labels."""
    assert data.labels is not None
    for index in torch.randperm(len(data), generator=generator).split(BATCH):
        x = to_float(data.images[index], torch.device("cpu"))
        for axis in plan.flips:
            if torch.rand((), generator=generator) < 0.5:
                x = x.flip(axis)
        if plan.shifts:
            height, width = x.shape[2:]
            top, left = torch.randint(0, 2 * PADDING + 1, (2,), generator=generator).tolist()
            x = F.pad(x, (PADDING,) * 4, mode="reflect")[:, :, top : top + height, left : left + width]
        yield x.contiguous(memory_format=torch.channels_last), data.labels[index]


def train(data: ImageDataset, plan: Plan) -> Classifier:
    """Trains by Adam, with a rate that falls along half a cosine."""
    torch.manual_seed(SEED)
    network = Classifier(data.image_shape, len(data.classes), plan.widths).to(memory_format=torch.channels_last)
    steps = plan.epochs * -(-len(data) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(SEED)
    for _ in range(plan.epochs):
        for x, labels in batches(data, plan, generator):
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(x)
            F.cross_entropy(logits.float(), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    return network.eval()


def _some(data: ImageDataset) -> Tensor:
    """As many images as samples are compared with."""
    return data.images[torch.randperm(len(data), generator=torch.Generator().manual_seed(SEED))[:SAMPLES]]


def make(name: str, folder: Path) -> None:
    """Trains one, writes it and prints its accuracy."""
    train_set, test_set = (datasets.load(name, split) for split in ("train", "test"))
    plan, started = PLANS[name], time.process_time()
    network = train(train_set, plan)
    seconds = time.process_time() - started
    learnt = {key for key, _ in network.named_parameters()}
    weights = {k: (v.half() if k in learnt else v).contiguous() for k, v in network.state_dict().items()}
    network.load_state_dict({k: v.float() if k in learnt else v for k, v in weights.items()})
    trained = Trained(network, {})
    found = trained.embed(test_set.images)
    accuracy = float((network.head(found.relu()).argmax(1) == test_set.labels).double().mean())
    about = {
        "accuracy": round(accuracy, 4),
        "frechet_distance": round(frechet_distance(trained.embed(_some(train_set)), trained.embed(_some(test_set))), 2),
        "train_images": len(train_set),
        "test_images": len(test_set),
        "epochs": plan.epochs,
        "seed": SEED,
    }
    shape = {"image_shape": network.image_shape, "classes": network.classes, "widths": network.widths}
    file = folder / f"{name}.safetensors"
    save_file(weights, file, {"network": json.dumps(shape), "about": json.dumps(about)})
    print(f"{name:14} accuracy {accuracy:.2%}, {file.stat().st_size / 1000:,.0f} kB, {seconds:.0f} CPU seconds")


def main(names: list[str] | None = None) -> None:
    """Trains those that are named, or all."""
    folder = Path(str(FOLDER))
    folder.mkdir(exist_ok=True)
    for name in names or PLANS:
        try:
            make(name, folder)
        except DatasetError as error:
            print(error)


if __name__ == "__main__":
    main(sys.argv[1:])
