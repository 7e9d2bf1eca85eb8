"""Latent Explorer: train or load variational autoencoders, then see and steer what they learnt."""

from __future__ import annotations

from explorer.checkpoints import CheckpointError, CheckpointInfo, checkpoints
from explorer.datasets import DatasetError, ImageDataset
from explorer.datasets import load as dataset
from explorer.loaded import Model, load
from explorer.models import Posterior
from explorer.presets import TrainConfig
from explorer.ranking import Ranking, rank
from explorer.screening import Screening, screen
from explorer.training import Progress, Run, train

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "CheckpointInfo",
    "DatasetError",
    "ImageDataset",
    "Model",
    "Posterior",
    "Progress",
    "Ranking",
    "Run",
    "Screening",
    "TrainConfig",
    "checkpoints",
    "dataset",
    "load",
    "rank",
    "screen",
    "train",
]
