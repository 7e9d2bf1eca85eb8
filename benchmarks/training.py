"""Images a second of our training loop against a torchvision DataLoader loop of the same model, in one run.

The other loop is the one in most tutorials: `torchvision.datasets.MNIST` with `ToTensor`, a shuffling
`DataLoader`, float32, the same network, likelihood and optimiser. Its better number of workers counts. The two
take turns, so that a noisy machine disturbs both; the ratio of medians is what to quote.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from explorer import DatasetError, TrainConfig, datasets, train
from explorer.models import build
from explorer.training.experiment import model_config
from explorer.training.presets import PRESETS, Recipe

ROUNDS = 3
GOALS = {"mlp-2d-mse": 2.5, "conv-100": 1.8}


def tutorial_epoch(recipe: Recipe, dataset: MNIST, workers: int) -> float:
    """Images a second of one epoch of the DataLoader loop."""
    torch.manual_seed(0)
    model = build(model_config(recipe, (1, 28, 28)))
    if recipe.optimizer == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    else:
        optimizer = torch.optim.RMSprop(model.parameters(), lr=recipe.learning_rate, alpha=0.9, eps=1e-7)
    loader = DataLoader(dataset, batch_size=recipe.batch_size, shuffle=True, num_workers=workers)
    total = 0.0
    start = time.perf_counter()
    for x, _ in loader:
        terms = model.terms(x)
        loss = terms.loss(recipe.beta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    return len(dataset) / (time.perf_counter() - start)


def our_epochs(preset: str, dataset: str, folder: Path) -> float:
    """Images a second of our loop, from the history of a run of one epoch."""
    run = train(TrainConfig(preset=preset, dataset=dataset, epochs=1, settings={"latent": 2}), folder)
    return float(run.history[0]["images_per_second"])


def main() -> None:
    name = "mnist"
    try:
        data = datasets.load(name, "train")
    except DatasetError:
        name = "mnist-5k"
        data = datasets.load(name, "train")
    print(f"data: {name}, {len(data):,} images; torch {torch.__version__}, {torch.get_num_threads()} threads")
    # torchvision's own class around tensors that are here already: its __getitem__ is what is compared.
    dataset = MNIST.__new__(MNIST)
    dataset.data, dataset.targets = data.images[:, 0], data.labels
    dataset.transform, dataset.target_transform = transforms.ToTensor(), None
    for preset, goal in GOALS.items():
        recipe = PRESETS[preset].recipe
        if preset == "conv-100":
            # Two latents on both sides: the maps at a run's end would take longer than the epoch.
            recipe = Recipe(**{**recipe.__dict__, "latent": 2})
        ours: list[float] = []
        theirs: dict[int, list[float]] = {0: [], 2: []}
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(ROUNDS):
                for workers, speeds in theirs.items():
                    speeds.append(tutorial_epoch(recipe, dataset, workers))
                ours.append(our_epochs(preset, name, Path(folder) / f"run-{turn}"))
        workers, best = max(theirs.items(), key=lambda item: statistics.median(item[1]))
        ratio = statistics.median(ours) / statistics.median(best)
        print(
            f"{preset}: ours {statistics.median(ours):,.0f} images/s, DataLoader loop ({workers} workers) "
            f"{statistics.median(best):,.0f}; ratio {ratio:.2f} (goal {goal})"
        )


if __name__ == "__main__":
    main()
