"""What telling about a run costs the run: training with its reports against training that says nothing.

Reports are the state twice a second, a line of history an epoch and the frames (pictures and points). The evaluation
of the test set after each epoch is left in on both sides: without it there is nothing to tell. The two take turns.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from explorer import DatasetError, TrainConfig, datasets, train
from explorer.training.frames import FrameWriter
from explorer.training.status import StatusWriter

ROUNDS = 5
EPOCHS = 3
GOAL = 0.03


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Training that reports nothing."""
    with (
        mock.patch.object(StatusWriter, "progress", return_value=None),
        mock.patch.object(StatusWriter, "epoch", return_value=None),
        mock.patch.object(FrameWriter, "offer", return_value=None),
    ):
        yield


def seconds(config: TrainConfig, folder: Path) -> float:
    """Processor seconds of a run, which a busy neighbour disturbs less than those on the wall."""
    start = time.process_time()
    train(config, folder)
    return time.process_time() - start


def main() -> None:
    name = "mnist"
    try:
        datasets.load(name, "train")
        datasets.load(name, "test")
    except DatasetError:
        name = "mnist-5k"
    for preset, epochs in (("mlp-2d", EPOCHS), ("mlp-2d-mse", EPOCHS)):
        config = TrainConfig(preset=preset, dataset=name, epochs=epochs if name == "mnist" else 10 * epochs)
        ratios = []
        with tempfile.TemporaryDirectory() as scratch:
            train(config, Path(scratch) / "warm")
            for i in range(ROUNDS):
                told = seconds(config, Path(scratch) / f"told-{i}")
                with silent():
                    untold = seconds(config, Path(scratch) / f"untold-{i}")
                ratios.append(told / untold - 1)
        cost = statistics.median(ratios)
        print(f"{preset} on {name}: reporting costs {cost:+.1%} of the training time (goal: under {GOAL:.0%})")


if __name__ == "__main__":
    main()
