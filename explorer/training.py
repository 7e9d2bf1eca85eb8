"""The one training loop: a preset and a data set in, a checkpoint folder out.

A run follows from its config and seed alone: the order of epoch e is drawn from (seed, e), the posterior's noise
from one generator whose state is saved, so that a stopped run goes on bit for bit as if it had never stopped
(on the CPU; a GPU's kernels may add in another order).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from explorer import datasets
from explorer.checkpoints import find, is_slug, read_history, read_tensors, recover
from explorer.checkpoints import save as save_checkpoint
from explorer.datasets import ImageDataset
from explorer.devices import choose_device, choose_precision
from explorer.evaluation import Evaluation, evaluate, to_float
from explorer.interrupts import graceful_interrupt
from explorer.latents import Latents, map_latents
from explorer.models import LatentModel, ModelConfig, build
from explorer.optimisation import learning_rate, make_optimizer
from explorer.presets import Preset, Recipe, TrainConfig, preset

CHECK_EVERY = 32  # steps between looks at the loss: a look waits for the device, and progress needs no more
SAVE_SECONDS = 60.0  # at most so much work is lost when the machine dies

Status = Literal["finished", "stopped", "diverged", "running"]


@dataclass(frozen=True)
class Progress:
    """Where a run stands: losses are averages over the epoch so far, in nats an image; times in seconds.

    `elbo` and `kl` are None for a model without a prior. `phase` is `training`, `mapping` or `saving`.
    """

    phase: str
    epoch: int
    epochs: int
    step: int
    steps: int
    elbo: float | None
    reconstruction: float
    kl: float | None
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Run:
    """A run that has ended: its folder, how it ended, and its final test metrics."""

    path: Path
    status: Status
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    message: str = ""


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Run:
    """Train a model into the folder `out`.

    Ctrl-C (in the main thread) and `should_stop` end the run within 32 steps with a checkpoint that loads
    and resumes; a second Ctrl-C ends it at once. A loss that is not finite ends it with status `diverged` and the
    last good epoch's weights.

    Args:
        config: ignored in favour of the folder's own when resuming, save for epochs, device and data_root.
        out: the checkpoint folder; its name must be a slug.
        resume: go on with the run in `out`.

    Raises:
        ValueError: a bad setting, a folder that is taken, or nothing to resume.
        DatasetError: the data set is missing or damaged.
        OSError: the folder cannot be written.
    """
    path = Path(out)
    if not is_slug(path.name):
        raise ValueError(f"{path.name!r} cannot be a run's name: use letters, digits, dot, dash and underscore")
    recover(path)
    if resume:
        trainer = Trainer.resume(path, config)
    elif path.exists():
        raise ValueError(f"{path} is there already: choose another name, or --resume it")
    else:
        trainer = Trainer.start(path, config)
    with graceful_interrupt() as interrupted:
        return trainer.run(
            on_progress or (lambda _: None), lambda: interrupted() or bool(should_stop and should_stop())
        )


class Trainer:
    """The state of one run. `run` is the loop; everything else sets it up or writes it down."""

    def __init__(self, path: Path, config: TrainConfig, recipe: Recipe, created: str) -> None:
        self.path, self.config, self.recipe, self.created = path, config, recipe, created
        self.dataset = config.dataset or preset(config.preset).dataset
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device, recipe.network)
        self.train_set = self._load("train")
        self.test_set = self._load("test", like=self.train_set)
        torch.manual_seed(config.seed)
        model = build(model_config(recipe, self.train_set.image_shape)).to(self.device)
        # Convolutions run 1.5 to 3 times as fast with the channels of a pixel side by side.
        self.model: LatentModel = model.to(memory_format=torch.channels_last) if recipe.network == "conv" else model
        self.optimizer = make_optimizer(self.model, recipe)
        self.noise = torch.Generator(self.device).manual_seed(config.seed)
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self.sums = torch.zeros(3, dtype=torch.float64)  # of the epoch so far: misfit, KL, images
        self.history: list[dict[str, Any]] = []
        self.status: Status = "running"
        self.message = ""

    def _load(self, split: str, like: ImageDataset | None = None) -> ImageDataset:
        # A test image must have the shape of the training images, whatever its own size.
        shape: dict[str, Any] = {} if like is None else {"size": like.image_shape[1], "channels": like.image_shape[0]}
        return datasets.load(self.dataset, split, root=self.config.data_root, **shape)

    @classmethod
    def start(cls, path: Path, config: TrainConfig) -> Trainer:
        return cls(path, config, config.recipe(), datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def resume(cls, path: Path, now: TrainConfig) -> Trainer:
        """The trainer as the folder's optimizer.safetensors left it."""
        info = find(path.resolve())
        if not (path / "optimizer.safetensors").is_file():
            raise ValueError(f"{path} cannot be resumed: it has finished, or it is no run of this program")
        try:
            return cls._resume(path, now, info.config)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(f"{path} cannot be resumed: its files do not fit together ({error})") from error

    @classmethod
    def _resume(cls, path: Path, now: TrainConfig, stored: dict[str, Any]) -> Trainer:
        config = replace(
            now,
            preset=stored["preset"],
            dataset=stored["dataset"]["name"],
            seed=stored["seed"],
            precision=stored["precision"],
            settings={},
        )
        changes = {} if now.epochs is None else {"epochs": now.epochs}
        trainer = cls(path, config, Recipe(**{**stored["recipe"], **changes}), stored["created"])
        if (now_there := len(trainer.train_set)) != stored["dataset"]["train_images"]:
            raise ValueError(
                f"{path} cannot be resumed: {config.dataset} had {stored['dataset']['train_images']:,} training images "
                f"and now has {now_there:,}"
            )
        trainer.model.load_state_dict(read_tensors(path / "model.safetensors"))
        trainer.restore(read_tensors(path / "optimizer.safetensors"))
        trainer.history = read_history(path)[: trainer.epoch]
        return trainer

    def run(self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Run:
        """Train to the last epoch, to a stop or to a loss that is not finite, and write the checkpoint."""
        images = self.train_set.images.to(self.device)  # uint8, so it fits where float32 might not
        n, batch = len(images), self.recipe.batch_size
        steps = -(-n // batch)
        good = self.snapshot()
        last_save = time.monotonic()
        while self.epoch < self.recipe.epochs and self.status == "running":
            order = torch.randperm(
                n, generator=torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.epoch)
            )
            order = order.to(self.device)
            started, first = time.perf_counter(), self.step
            recent: list[Tensor] = []  # misfit and KL sums of the steps since the last look
            while self.step < steps:
                index = order[self.step * batch : (self.step + 1) * batch]
                recent.append(self._step(to_float(images[index], self.device), steps))
                self.step += 1
                if len(recent) == CHECK_EVERY or self.step == steps:
                    if (bad := self._account(recent, batch, n)) is not None:
                        self.status = "diverged"
                        self.message = (
                            f"the loss was not finite at step {bad + 1} of epoch {self.epoch + 1}: "
                            "the weights are those of the last good epoch; try a lower learning rate"
                        )
                        break
                    recent = []
                    on_progress(self._progress(time.perf_counter() - started, self.step - first, steps, batch))
                    if self.step < steps and should_stop():
                        self.status = "stopped"
                        break
            elapsed = time.perf_counter() - started
            self.seconds += elapsed
            if self.status != "running":
                break
            if not self._end_epoch(elapsed, (self.step - first) * batch, n):
                break
            good = self.snapshot()
            stop = should_stop() and self.epoch < self.recipe.epochs
            if stop:
                self.status = "stopped"
            elif self.epoch < self.recipe.epochs and time.monotonic() - last_save > SAVE_SECONDS:
                self.save(evaluate(self.model, self.test_set.images), resumable=True)
                last_save = time.monotonic()
        if self.status == "running":
            self.status = "finished"
        if self.status == "diverged":
            self.restore(good)
        return self._finish(on_progress)

    def _step(self, x: Tensor, steps: int) -> Tensor:
        """One update; the sums of misfit and KL over the batch, left on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.epoch + self.step / steps)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            terms = self.model.terms(x, self.noise)
        loss = terms.misfit.mean() + self.recipe.beta * terms.kl.mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return torch.stack([terms.misfit.detach().sum(), terms.kl.detach().sum()])

    def _account(self, recent: list[Tensor], batch: int, n: int) -> int | None:
        """Add the last steps to the epoch's sums; the first step whose loss is not finite, if there is one."""
        rows = torch.stack(recent).double().cpu()  # [steps, 2]
        finite = torch.isfinite(rows).all(1)
        first = self.step - len(recent)
        if not bool(finite.all()):
            return first + int((~finite).nonzero()[0])
        images = min(self.step * batch, n) - first * batch
        self.sums += torch.cat([rows.sum(0), torch.tensor([images], dtype=torch.float64)])
        return None

    def _end_epoch(self, elapsed: float, images: int, n: int) -> bool:
        """Evaluate, append to the history and move on; False when the model itself is no longer finite."""
        evaluation = evaluate(self.model, self.test_set.images)
        test = evaluation.metrics(self.recipe.beta)
        if not torch.isfinite(torch.tensor(test["loss"])):
            self.status = "diverged"
            self.message = (
                f"the weights were not finite after epoch {self.epoch + 1}: they are now those of the last "
                "good epoch; try a lower learning rate"
            )
            return False
        self.history.append(
            {
                "epoch": self.epoch + 1,
                "seconds": round(self.seconds, 3),
                "images_per_second": round(min(images, n) / elapsed, 1),
                "learning_rate": learning_rate(self.recipe, self.epoch),
                "beta": self.recipe.beta,
                "train": self._averages(),
                "test": test,
                "kl_by_latent": [round(v, 5) for v in evaluation.kl_by_latent.tolist()],
            }
        )
        self.epoch, self.step = self.epoch + 1, 0
        self.sums.zero_()
        return True

    def _averages(self) -> dict[str, float | None]:
        misfit, kl, images = self.sums.tolist()
        reconstruction = -misfit / images - self.model.likelihood.constant(self.model.config.pixels)
        prior = self.model.has_prior
        return {
            "elbo": reconstruction - kl / images if prior else None,
            "reconstruction": reconstruction,
            "kl": kl / images if prior else None,
            "loss": (misfit + self.recipe.beta * kl) / images,
        }

    def _progress(self, elapsed: float, done: int, steps: int, batch: int) -> Progress:
        averages = self._averages()
        left = (self.recipe.epochs - self.epoch) * steps - self.step
        return Progress(
            "training",
            self.epoch + 1,
            self.recipe.epochs,
            self.step,
            steps,
            averages["elbo"],
            averages["reconstruction"] or 0.0,
            averages["kl"],
            min(done * batch, len(self.train_set)) / elapsed,
            left * elapsed / done,
        )

    def _finish(self, on_progress: Callable[[Progress], None]) -> Run:
        def phase(name: str) -> None:
            start: dict[str, Any] = {"elbo": None, "reconstruction": 0.0, "kl": None}
            last = self.history[-1]["test"] if self.history else start
            on_progress(
                Progress(
                    name,
                    self.epoch,
                    self.recipe.epochs,
                    0,
                    0,
                    last["elbo"],
                    last["reconstruction"],
                    last["kl"],
                    0.0,
                    0.0,
                )
            )

        evaluation = evaluate(self.model, self.test_set.images)
        finished = self.status == "finished"
        if finished:
            phase("mapping")
            if self.recipe.latent != 2 and self.config.umap:
                self.save(evaluation, resumable=True)  # UMAP takes half a minute, in which the machine may die
        metrics = self.save(evaluation, resumable=not finished, final=finished)
        phase("saving")
        return Run(self.path, self.status, metrics, self.history, self.message)

    def save(self, evaluation: Evaluation, *, resumable: bool, final: bool = False) -> dict[str, Any]:
        """Write the checkpoint folder; the metrics that went into it."""
        latents = map_latents(
            Latents.of(evaluation, self.test_set.labels, self.test_set.group),
            final=final,
            umap=self.config.umap,
            seed=self.config.seed,
        )
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
            model=self.model.state_dict(),
            latents=tensors,
            latents_metadata=metadata,
            resume=self.snapshot(weights=False) if resumable else None,
        )
        return metrics

    def _config_json(self) -> dict[str, Any]:
        chosen: Preset = preset(self.config.preset)
        return {
            "created": self.created,
            "status": self.status,
            "message": self.message,
            "family": self.recipe.family,
            "model": self.model.config.to_json(),
            "preset": chosen.name,
            "recipe": asdict(self.recipe),
            "dataset": {
                "name": self.dataset,
                "train_images": len(self.train_set),
                "test_images": len(self.test_set),
            },
            "preprocessing": {
                "size": self.train_set.image_shape[1:],
                "channels": self.train_set.image_shape[0],
            },
            "classes": self.train_set.classes,
            "seed": self.config.seed,
            "device": str(self.device),
            "precision": self.precision,
            "epochs_done": self.epoch,
            "seconds": round(self.seconds, 1),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }

    def snapshot(self, *, weights: bool = True) -> dict[str, Tensor]:
        """All that the loop needs to go on from here, as named tensors."""
        state: dict[str, Tensor] = {
            "position": torch.tensor([self.epoch, self.step]),
            "seconds": torch.tensor([self.seconds], dtype=torch.float64),
            "sums": self.sums.clone(),
            "noise": self.noise.get_state(),
        }
        names = [name for name, _ in self.model.named_parameters()]
        for i, slots in self.optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                state[f"optimizer.{slot}.{names[i]}"] = torch.as_tensor(value).clone()
        if weights:
            state |= {f"model.{k}": v.detach().clone() for k, v in self.model.state_dict().items()}
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Back to a snapshot. Raises KeyError when it is not one of this model's."""
        self.epoch, self.step = (int(v) for v in state["position"])
        self.seconds = float(state["seconds"])
        self.sums = state["sums"].clone()
        if len(state["noise"]) == len(self.noise.get_state()):
            self.noise.set_state(state["noise"])
        else:  # from another kind of device, whose generator is another
            self.noise.manual_seed(self.config.seed * 1_000_003 + self.epoch)
        slots: dict[int, dict[str, Tensor]] = {}
        for i, (name, parameter) in enumerate(self.model.named_parameters()):
            found = {k.split(".")[1]: v for k, v in state.items() if k.split(".", 2)[::2] == ["optimizer", name]}
            if found:
                # Laid out in memory like the weights, which the fused Adam takes for granted and does not check.
                slots[i] = {
                    slot: torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
                    for slot, value in found.items()
                }
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})
        if weights := {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}:
            self.model.load_state_dict(weights)


def model_config(recipe: Recipe, image_shape: tuple[int, int, int]) -> ModelConfig:
    """The network's config for a recipe and images of a shape (C, H, W)."""
    return ModelConfig(
        family=recipe.family,
        network=recipe.network,
        image_shape=image_shape,
        latent=recipe.latent,
        encoder=recipe.encoder,
        decoder=recipe.decoder,
        likelihood=recipe.likelihood,  # type: ignore[arg-type]
        noise_variance=recipe.noise_variance,
        init=recipe.init,
    )
