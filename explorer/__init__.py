"""Latent Explorer: train or load variational autoencoders, then see and steer what they learnt."""

from __future__ import annotations

from explorer.cells.screening import Screening, screen
from explorer.checkpoints.folder import CheckpointInfo, checkpoints
from explorer.checkpoints.model import Model, load
from explorer.datasets import ImageDataset
from explorer.datasets import load as dataset
from explorer.errors import CheckpointError, DatasetError
from explorer.evaluation.adoption import adopt
from explorer.evaluation.ranking import Ranking, rank
from explorer.models import Posterior
from explorer.runs import train
from explorer.runs.showing import Shown, show
from explorer.training.lifecycle import Progress, Run
from explorer.training.presets import TrainConfig

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
    "Shown",
    "TrainConfig",
    "adopt",
    "checkpoints",
    "dataset",
    "load",
    "rank",
    "screen",
    "show",
    "train",
]
