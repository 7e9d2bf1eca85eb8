"""Folders of runs as the training process leaves them, a step at a time: to watch a run without training one."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from explorer.files.locks import Lock, lock
from explorer.training.frame_files import Frame, FrameFolder, Probe
from explorer.training.presets import TrainConfig
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import Progress, RunState, Status

SHOWN, SAMPLES, POINTS = 8, 64, 60


class WatchedRun:
    """A run of `epochs` epochs. What it writes is noise, a function of the epoch: every picture and point differs."""

    def __init__(
        self,
        folder: Path,
        name: str = "watched",
        *,
        epochs: int = 12,
        latent: int = 2,
        preset: str = "mlp-2d",
        image: tuple[int, int, int] = (1, 28, 28),
        classes: int = 4,
        state: str = "running",
        **settings: Any,
    ) -> None:
        self.path = folder / name
        self.epochs, self.latent, self.image, self.classes = epochs, latent, image, classes
        self.prior = preset != "ae-2d"
        config = TrainConfig(
            preset=preset, dataset="mnist-5k", epochs=epochs, device="cpu", settings={"latent": latent, **settings}
        )
        self.files = RunFiles(self.path)
        self.files.create(config, "cpu", Status(state=RunState(state)))
        self.done = 0
        self.lock: Lock | None = None
        self.frames: FrameFolder | None = None
        self.state(state)
        if state == "running":
            self.hold()

    def hold(self) -> None:
        """Be the process that trains."""
        self.lock = lock(self.path)
        assert self.lock

    def let_go(self) -> None:
        if self.lock:
            self.lock.release()

    def state(self, state: str, phase: str = "training", **more: Any) -> None:
        """Write where the run stands; `more` are other fields of the status, or of the progress."""
        known = {field.name for field in fields(Status)}
        of_status = {"memory": 640_000_000, **{key: value for key, value in more.items() if key in known}}
        of_progress = {
            "epoch": self.done + 1,
            "epochs": self.epochs,
            "step": 10,
            "steps": 40,
            "elbo": -222.25,
            "reconstruction": -212.5,
            "kl": 9.75,
            "images_per_second": 4321.0,
            "seconds_left": 83.0,
            **{key: value for key, value in more.items() if key not in known},
        }
        progress = Progress(phase=phase, **of_progress) if state == "running" else None
        self.files.change_status(
            RunState(state), progress=progress, seconds=2.5 * self.done, epochs_done=self.done, **of_status
        )

    def starting(self) -> None:
        self.state("running", "starting", step=0, steps=0, elbo=None, kl=None, images_per_second=0.0)

    def line(self, epoch: int) -> dict[str, Any]:
        """The line of the history."""
        kl = 20 / epoch + 4 if self.prior else None
        reconstruction = -150.0 - 100 / epoch
        test = {"elbo": reconstruction - (kl or 0) if self.prior else None, "reconstruction": reconstruction, "kl": kl}
        train = {key: None if value is None else value - 1.5 for key, value in test.items()}
        return {
            "epoch": epoch,
            "seconds": 2.5 * epoch,
            "images_per_second": 4000.0 + epoch,
            "learning_rate": 0.001 / epoch,
            "beta": min(1.0, epoch / 8),
            "train": {**train, "loss": -reconstruction},
            "test": {**test, "loss": -reconstruction, "mse": 0.1 / epoch, "active_units": self.latent, "n": 1000},
            "kl_by_latent": [1.0] * self.latent,
        }

    def frame(self, epoch: int) -> Frame:
        """The pictures and points of an epoch."""
        draw = torch.Generator().manual_seed(epoch)
        pictures = torch.randint(256, (SHOWN + SAMPLES, *self.image), generator=draw, dtype=torch.uint8)
        start = torch.randn(POINTS, 2, generator=torch.Generator().manual_seed(0))
        points = start * (1 + epoch / 10) + 0.3 * torch.randn(POINTS, 2, generator=draw)
        kl = torch.linspace(0, 3, self.latent) * (1 + 1 / epoch) if self.prior else torch.zeros(self.latent)
        kl[self.latent // 2 + 1 :] = 0.004 if self.prior else 0.0
        return Frame(pictures[:SHOWN], pictures[SHOWN:], points, kl)

    def originals(self) -> Tensor:
        return torch.randint(256, (SHOWN, *self.image), generator=torch.Generator().manual_seed(999), dtype=torch.uint8)

    def labels(self) -> Tensor:
        return torch.arange(POINTS) % self.classes

    def write_frame(self, epoch: int, frame: Frame | None = None) -> None:
        if self.frames is None:
            labels = self.labels() if self.classes else None
            names = [f"kind {i}" for i in range(self.classes)]
            self.frames = FrameFolder(self.path, Probe(self.originals(), labels, torch.arange(POINTS) * 7, names))
        self.frames.add(epoch, frame or self.frame(epoch))

    def end_epoch(self, *, frame: bool = True) -> int:
        """Another epoch has ended: its line, its frame, the state."""
        self.done += 1
        self.files.append_history(self.line(self.done))
        if frame:
            self.write_frame(self.done)
        self.state("running")
        return self.done

    def end(self, state: str = "finished", message: str = "") -> None:
        self.state(state, message=message)
        if state == "finished":
            self.epochs = self.done  # it may have stopped early: its epochs are those it has
        self.let_go()
