"""Imported by the fork server of `test_kills`: what is loaded here, its children need not load again."""

import os
from pathlib import Path

import torch

from explorer import datasets
from explorer.runs import worker

torch.set_num_threads(1)
for split in ("train", "test"):
    datasets.load("mnist-5k", split)


def work(path: Path) -> None:
    """What `python -m explorer.runs.worker` does, without the seconds that its start takes."""
    log = os.open(path / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os._exit(worker.main(path))
