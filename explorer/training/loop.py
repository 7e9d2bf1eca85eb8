"""The training loop: steps, epochs, reports, saves.

The order of epoch e is drawn from (seed, e), the posterior's noise from one generator whose state is saved.
"""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from explorer import datasets
from explorer.checkpoints.folder import find, read_history, read_tensors
from explorer.checkpoints.folder import save as save_checkpoint
from explorer.datasets import ImageDataset
from explorer.latents import Latents, map_latents
from explorer.models import FAMILIES, LatentModel, ModelConfig, build
from explorer.models.devices import choose_device, choose_precision, choose_threads, threads
from explorer.models.evaluation import Evaluation, evaluate, to_float
from explorer.models.objectives import kl_penalty
from explorer.training import saved_state
from explorer.training.frames import FrameWriter
from explorer.training.optimizer import learning_rate, make_optimizer
from explorer.training.presets import Recipe, TrainConfig, beta_at, preset
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import Progress
from explorer.training.saved_state import Position
from explorer.training.status import StatusWriter

CHECK_EVERY = 32  # steps between looks at the loss: a look waits for the device, and progress needs no more
LOOK_SECONDS = 1.0  # between looks where steps are slow
SAVE_SHARE = 0.03  # of the time that saving may take, however short the interval asked for; zero means every epoch

Status = Literal["finished", "stopped", "diverged", "running"]


@dataclass(frozen=True)
class Run:
    """A run that has ended: its folder, how it ended, and its final test metrics."""

    path: Path
    status: Status
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    message: str = ""


class Trainer:
    """The state of one run. `run` is the loop; everything else sets it up or writes it down."""

    def __init__(self, path: Path, config: TrainConfig, recipe: Recipe, created: str, status: StatusWriter) -> None:
        self.path, self.config, self.recipe, self.created = path, config, recipe, created
        self.reports = status
        self.dataset = config.dataset or preset(config.preset).dataset
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device, recipe.network)
        whole = self._load("train")
        self.whole = whole, self._load("test", like=whole)
        self.train_set, _ = self._chosen(self.whole[0])
        self.test_set, self.test_index = self._chosen(self.whole[1])
        self.steps = self._count_steps()
        torch.manual_seed(config.seed)
        classes = len(self.train_set.classes)
        model = build(model_config(recipe, self.train_set.image_shape, classes)).to(self.device)
        # Convolutions run 1.5 to 3 times as fast with the channels of a pixel side by side.
        self.model: LatentModel = model.to(memory_format=torch.channels_last) if recipe.network == "conv" else model
        self.threads = choose_threads(sum(p.numel() for p in model.parameters()), recipe.network)
        self.optimizer = make_optimizer(self.model, recipe)
        self.at = Position(generator=torch.Generator(self.device).manual_seed(config.seed))
        self.history: list[dict[str, Any]] = []
        self.status: Status = "running"
        self.message = ""
        self.half = False  # whether the weights are stored as float16: of a finished run, if it is asked for
        self._saved = time.monotonic()
        self._save_cost = 0.0

    def _load(self, split: str, like: ImageDataset | None = None) -> ImageDataset:
        # A test image must have the shape of the training images, whatever its own size.
        shape: dict[str, Any] = {} if like is None else {"size": like.image_shape[1], "channels": like.image_shape[0]}
        return datasets.load(self.dataset, split, root=self.config.data_root, **shape)

    def _chosen(self, whole: ImageDataset) -> tuple[ImageDataset, Tensor]:
        """The images of a split that the run is about, and where in the split they are."""
        if self.config.only is None:
            return whole, torch.arange(len(whole))
        where = whole.positions_of(self.config.only)
        return whole.subset(where), where

    def _count_steps(self) -> int:
        n, batch = len(self.train_set), self.recipe.batch_size
        if not self.recipe.batch_norm:
            return -(-n // batch)
        if min(n, batch) < 2:
            raise ValueError("batch norm averages over a batch: it needs at least two images in each")
        return n // batch + (n % batch > 1)  # one image that is left over has no variance: it is left out

    @classmethod
    def start(cls, path: Path, config: TrainConfig, status: StatusWriter) -> Trainer:
        created = RunFiles(path).request().get("created") or datetime.now(UTC).isoformat(timespec="seconds")
        return cls(path, config, config.recipe(), created, status)

    @classmethod
    def resume(cls, path: Path, now: TrainConfig, status: StatusWriter) -> Trainer:
        """The trainer as the folder's optimizer.safetensors left it."""
        stored = find(path.resolve()).config
        config = replace(
            now,
            preset=stored["preset"],
            dataset=stored["dataset"]["name"],
            seed=stored["seed"],
            precision=stored["precision"],
            only=stored["dataset"].get("only"),
            settings={},
        )
        changes = {} if now.epochs is None else {"epochs": now.epochs}
        trainer = cls(path, config, Recipe(**{**stored["recipe"], **changes}), stored["created"], status)
        trainer._check_data(stored["dataset"])
        try:
            trainer.model.load_state_dict(read_tensors(path / "model.safetensors"))
            trainer.restore(read_tensors(path / "optimizer.safetensors"))
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(f"{path} cannot be resumed: its files do not fit together ({error})") from error
        trainer.history = read_history(path)[: trainer.at.epoch]
        trainer.threads = stored.get("threads", trainer.threads)
        return trainer

    def _check_data(self, stored: dict[str, Any]) -> None:
        """Raise ValueError unless the data are those that the run began with."""
        count = len(self.train_set)
        if count != stored["train_images"]:
            raise ValueError(
                f"{self.path} cannot be resumed: {self.dataset} had {stored['train_images']:,} training images "
                f"and now has {count:,}"
            )
        for data in self.whole:
            if stored.get(f"{data.split}_sha256", data.fingerprint) != data.fingerprint:
                raise ValueError(
                    f"{self.path} cannot be resumed: the {data.split} images of {self.dataset} are others now"
                )

    def run(self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Run:
        """Train to the last epoch, to a stop or to a loss that is not finite, and write the checkpoint."""
        with threads(self.threads):
            return self._run(on_progress, should_stop)

    def _run(self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Run:
        self.reports.start(self.history, self.device, self.recipe.epochs)
        frames = FrameWriter(
            self.path, self.test_set, self.recipe.latent, epoch=self.at.epoch, positions=self.test_index
        )
        images = self.train_set.images.to(self.device)  # uint8, so it fits where float32 might not
        labels = (
            self.train_set.labels.to(self.device)
            if self.train_set.labels is not None and self.model.conditional
            else None
        )

        def tell(progress: Progress) -> None:
            self.reports.progress(progress)
            on_progress(progress)

        good = self.snapshot()
        while self.at.epoch < self.recipe.epochs and self.status == "running":
            seconds, first = self._run_epoch(images, labels, tell, should_stop)
            if self.status != "running" or not self._end_epoch(seconds, first, frames):
                break
            good = self.snapshot()
            if self.at.epoch < self.recipe.epochs:
                if should_stop():
                    self.status = "stopped"
                elif self._save_is_due():
                    self._save_on_the_way()
        if self.status == "running":
            self.status = "finished"
        if self.status == "diverged":
            self.restore(good)
        return self._finish(tell)

    def _run_epoch(
        self,
        images: Tensor,
        labels: Tensor | None,
        tell: Callable[[Progress], None],
        should_stop: Callable[[], bool],
    ) -> tuple[float, int]:
        """The steps that are left of this epoch; the seconds that they took and the step it began with."""
        at, batch, n = self.at, self.recipe.batch_size, len(images)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(self.config.seed * 1_000_003 + at.epoch))
        order = order.to(self.device)
        first, seconds, since = at.step, 0.0, time.perf_counter()
        recent: list[Tensor] = []  # misfit and KL sums of the steps since the last look
        looked = since
        while at.step < self.steps:
            index = order[at.step * batch : (at.step + 1) * batch]
            x = to_float(images[index], self.device)
            recent.append(self._step(x) if labels is None else self._step(x, labels[index]))
            at.step += 1
            now = time.perf_counter()
            if len(recent) < CHECK_EVERY and at.step < self.steps and now - looked < LOOK_SECONDS:
                continue
            if (bad := self._account(recent)) is not None:
                self.status = "diverged"
                self.message = (
                    f"the loss was not finite at step {bad + 1} of epoch {at.epoch + 1}: "
                    "the weights are those of the last good epoch; try a lower learning rate"
                )
                break
            recent, looked = [], time.perf_counter()
            seconds, at.seconds, since = seconds + looked - since, at.seconds + looked - since, looked
            tell(self._progress(seconds, at.step - first))
            if at.step < self.steps:
                if should_stop():
                    self.status = "stopped"
                    break
                if self.config.save_seconds and self._save_is_due():
                    self._save_on_the_way()
                since = time.perf_counter()
        return seconds, first

    def _step(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """One update; the sums of misfit and KL over the batch, left on the device."""
        epoch = self.at.epoch + self.at.step / self.steps
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, epoch, self.steps)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            terms = self.model.terms(x, self.at.generator, labels)
        loss = terms.misfit.mean() + beta_at(self.recipe, epoch) * kl_penalty(terms.kl, self.recipe.free_bits)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return torch.stack([terms.misfit.detach().sum(), terms.kl.detach().sum()])

    def _account(self, recent: list[Tensor]) -> int | None:
        """Add the last steps to the epoch's sums; the first step whose loss is not finite, if there is one."""
        rows = torch.stack(recent).double().cpu()  # [steps, 2]
        finite = torch.isfinite(rows).all(1)
        at, first = self.at, self.at.step - len(recent)
        if not bool(finite.all()):
            return first + int((~finite).nonzero()[0])
        for misfit, kl in rows.tolist():  # one by one: the sum must not depend on when the loop looked
            at.misfit, at.kl = at.misfit + misfit, at.kl + kl
        batch = self.recipe.batch_size
        at.images += min(at.step * batch, len(self.train_set)) - first * batch
        return None

    def _end_epoch(self, seconds: float, first: int, frames: FrameWriter) -> bool:
        """Evaluate, append to the history and move on; False when the model itself is no longer finite.

        The losses of the history have the KL as it is, without the floor of free bits.
        """
        at = self.at
        beta = beta_at(self.recipe, at.epoch + 1)
        evaluation = self._evaluate()
        test = evaluation.metrics(beta)
        if not torch.isfinite(torch.tensor(test["loss"])):
            self.status = "diverged"
            self.message = (
                f"the weights were not finite after epoch {at.epoch + 1}: they are now those of the last "
                "good epoch; try a lower learning rate"
            )
            return False
        images = min((self.steps - first) * self.recipe.batch_size, len(self.train_set))
        line = {
            "epoch": at.epoch + 1,
            "seconds": round(at.seconds, 3),
            "images_per_second": round(images / seconds, 1),
            "learning_rate": learning_rate(self.recipe, at.epoch, self.steps),
            "beta": beta,
            "train": self._averages(beta),
            "test": test,
            "kl_by_latent": [round(v, 5) for v in evaluation.kl_by_latent.tolist()],
        }
        if self.recipe.likelihood == "sigma":
            line["noise_variance"] = self.model.noise_variance_value
        self.history.append(line)
        self.reports.epoch(line)
        at.next_epoch()
        with contextlib.suppress(OSError):  # frames are for looking: what matters is said to have failed elsewhere
            frames.offer(self.model, at.epoch, evaluation.kl_by_latent, last=at.epoch == self.recipe.epochs)
        return True

    def _averages(self, beta: float) -> dict[str, float | None]:
        at = self.at
        reconstruction = -at.misfit / at.images - self.model.likelihood.constant(self.model.config.pixels)
        kl = at.kl / at.images
        prior = self.model.has_prior
        return {
            "elbo": reconstruction - kl if prior else None,
            "reconstruction": reconstruction,
            "kl": kl if prior else None,
            "loss": at.misfit / at.images + beta * kl,
        }

    def _progress(self, seconds: float, done: int) -> Progress:
        averages = self._averages(beta_at(self.recipe, self.at.epoch))
        left = (self.recipe.epochs - self.at.epoch) * self.steps - self.at.step
        return Progress(
            phase="training",
            epoch=self.at.epoch + 1,
            epochs=self.recipe.epochs,
            step=self.at.step,
            steps=self.steps,
            elbo=averages["elbo"],
            reconstruction=averages["reconstruction"] or 0.0,
            kl=averages["kl"],
            images_per_second=min(done * self.recipe.batch_size, len(self.train_set)) / seconds,
            seconds_left=left * seconds / done,
        )

    def _save_is_due(self) -> bool:
        since = time.monotonic() - self._saved
        wanted = self.config.save_seconds
        return since >= wanted and (not wanted or since >= self._save_cost / SAVE_SHARE)

    def _save_on_the_way(self) -> None:
        started = time.monotonic()
        self.save(self._evaluate(), resumable=True)
        self._saved = time.monotonic()
        self._save_cost = self._saved - started

    def _finish(self, tell: Callable[[Progress], None]) -> Run:
        def phase(name: str) -> None:
            start: dict[str, Any] = {"elbo": None, "reconstruction": 0.0, "kl": None}
            last = self.history[-1]["test"] if self.history else start
            tell(
                Progress(
                    phase=name,
                    epoch=self.at.epoch,
                    epochs=self.recipe.epochs,
                    elbo=last["elbo"],
                    reconstruction=last["reconstruction"],
                    kl=last["kl"],
                )
            )

        finished = self.status == "finished"
        self.half = finished and self.config.half
        if self.half:  # first: what is measured and encoded is then of the weights that are stored
            self.model.load_state_dict(self._weights())
        evaluation = self._evaluate()
        if finished:
            phase("mapping")
            if self.recipe.latent != 2 and self.config.umap:
                self.save(evaluation, resumable=True)  # UMAP takes half a minute, in which the machine may die
        latents = self._latents(evaluation, final=finished)
        phase("saving")
        metrics = self.save(evaluation, latents, resumable=not finished)
        return Run(self.path, self.status, metrics, self.history, self.message)

    def _evaluate(self) -> Evaluation:
        return evaluate(self.model, self.test_set.images, self.test_set.labels)

    def _latents(self, evaluation: Evaluation, *, final: bool) -> Latents:
        latents = Latents.of(evaluation, self.test_set.labels, self.test_set.group)
        latents = replace(latents, index=self.test_index)
        return map_latents(latents, final=final, umap=self.config.umap, seed=self.config.seed)

    def save(self, evaluation: Evaluation, latents: Latents | None = None, *, resumable: bool) -> dict[str, Any]:
        """Write the checkpoint; the metrics that went into it. Raises OSError."""
        if not self.path.is_dir():
            raise FileNotFoundError(f"the run's folder {self.path} is gone")
        if latents is None:
            latents = self._latents(evaluation, final=False)
        metrics: dict[str, Any] = {
            **evaluation.metrics(self.recipe.beta),
            "kl_by_latent": [round(v, 5) for v in evaluation.kl_by_latent.tolist()],
            "measured_on": {"dataset": self.dataset, "split": "test", "device": str(self.device), "seed": 0},
        }
        tensors, metadata = latents.to_tensors()
        save_checkpoint(
            self.path,
            config=self._config_json(),
            metrics=metrics,
            history=self.history,
            model=self._weights(),
            latents=tensors,
            latents_metadata=metadata,
            resume=saved_state.take(self.model, self.optimizer, self.at) if resumable else None,
        )
        return metrics

    def _weights(self) -> dict[str, Tensor]:
        """The network's tensors as they are stored; running statistics keep their precision."""
        weights = self.model.state_dict()
        if not self.half:
            return weights
        learnt = {name for name, _ in self.model.named_parameters()}
        return {k: v.half() if k in learnt else v for k, v in weights.items()}

    def _config_json(self) -> dict[str, Any]:
        return {
            "created": self.created,
            "status": self.status,
            "message": self.message,
            "family": self.recipe.family,
            "model": self.model.config.to_json(),
            "preset": preset(self.config.preset).name,
            "recipe": asdict(self.recipe),
            "dataset": {
                "name": self.dataset,
                "train_images": len(self.train_set),
                "test_images": len(self.test_set),
                **{f"{data.split}_sha256": data.fingerprint for data in self.whole},
                **({} if self.config.only is None else {"only": self.config.only}),
            },
            "preprocessing": {
                "size": self.train_set.image_shape[1:],
                "channels": self.train_set.image_shape[0],
            },
            "classes": self.train_set.classes,
            "seed": self.config.seed,
            "device": str(self.device),
            "precision": self.precision,
            "threads": self.threads,
            "weights": "float16" if self.half else "float32",
            "epochs_done": self.at.epoch,
            "seconds": round(self.at.seconds, 1),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }

    def snapshot(self) -> dict[str, Tensor]:
        """All that the loop needs to go on from here, weights included, as named tensors."""
        weights = {f"model.{k}": v.detach().clone() for k, v in self.model.state_dict().items()}
        return {**saved_state.take(self.model, self.optimizer, self.at), **weights}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Back to a snapshot. Raises KeyError when it is not one of this model's."""
        saved_state.put_back(state, self.model, self.optimizer, self.at, seed=self.config.seed)
        if weights := {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}:
            self.model.load_state_dict(weights)


def model_config(recipe: Recipe, image_shape: tuple[int, int, int], classes: int = 0) -> ModelConfig:
    """The network's config for a recipe and images of a shape (C, H, W), of so many classes if it is told them."""
    shared = {f.name for f in fields(ModelConfig)} & {f.name for f in fields(Recipe)}
    told = classes if FAMILIES[recipe.family].conditional else 0
    return ModelConfig(image_shape=image_shape, classes=told, **{name: getattr(recipe, name) for name in shared})
