"""All that a run is made of: its data, its network, its optimiser, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from explorer import datasets
from explorer.checkpoints.folder import find, read_tensors
from explorer.datasets import ImageDataset
from explorer.models import FAMILIES, LatentModel, ModelConfig, build
from explorer.models.devices import choose_device, choose_precision, choose_threads
from explorer.models.evaluation import to_float
from explorer.models.networks import laid_out
from explorer.models.registry import NETWORKS
from explorer.training import saved_state
from explorer.training.config import beta_at, warmup_length
from explorer.training.optimizer import make_optimizer
from explorer.training.parts import Part, describe
from explorer.training.presets import Recipe, TrainConfig, preset
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState
from explorer.training.saved_state import Position


class Experiment:
    """One run: what `train_loop` changes, and what a checkpoint is written of.

    Attributes:
        train_set, test_set: the images that the run is about, of the splits in `whole`.
        train_index, test_index: int64 [N], where in their splits the images of these are.
        steps: updates in an epoch.
        at: how far training is.
        ended: the parts of the training that are over.
        history: a line for each whole epoch.
        status, message: how it ended, and why, or what else there is to say of it.

    Raises:
        ValueError: a setting does not fit the data or the machine.
        DatasetError: the data set is missing or damaged.
    """

    def __init__(self, path: Path, config: TrainConfig, recipe: Recipe, created: str) -> None:
        self.path, self.config, self.recipe, self.created = path, config, recipe, created
        self.dataset = config.dataset or preset(config.preset).dataset
        convolves = NETWORKS[recipe.network].convolves
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device, convolves=convolves)
        whole = self._load("train")
        self.whole = whole, self._load("test", like=whole)
        self.train_set, self.train_index = self._chosen(self.whole[0])
        self.test_set, self.test_index = self._chosen(self.whole[1])
        self.steps = self._count_steps()
        torch.manual_seed(config.seed)
        classes = len(self.train_set.classes)
        model = build(model_config(recipe, self.train_set.image_shape, classes))
        self.model: LatentModel = laid_out(model.to(self.device))
        self.model.train_images = len(self.train_set)
        self.threads = choose_threads(sum(p.numel() for p in model.parameters()), convolves=convolves)
        self.optimizer = make_optimizer(self.model, recipe, capturable=self.device.type == "cuda")
        self.at = Position(generator=torch.Generator(self.device).manual_seed(config.seed))
        self.ended: list[Part] = []
        self.history: list[dict[str, Any]] = []
        self.status = RunState.RUNNING
        self.message = ""

    def _load(self, split: str, like: ImageDataset | None = None) -> ImageDataset:
        # A test image must have the shape of the training images, whatever its own size.
        shape: dict[str, Any] = {} if like is None else {"size": like.image_shape[1:], "channels": like.image_shape[0]}
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
    def start(cls, path: Path, config: TrainConfig) -> Experiment:
        """Makes the state of a new run in a folder."""
        created = RunFiles(path).request().get("created") or datetime.now(UTC).isoformat(timespec="seconds")
        run = cls(path, config, config.recipe(), created)
        run.model.start(run.train_set.images)
        return run

    @classmethod
    def resume(cls, path: Path, now: TrainConfig) -> Experiment:
        """Makes the state as the folder's optimizer.safetensors left it."""
        stored = find(path.resolve()).config
        config = replace(
            now,
            preset=stored["preset"],
            dataset=stored["dataset"]["name"],
            seed=stored["seed"],
            precision=stored["precision"],
            only=stored["dataset"].get("only"),
            settings={},
            plan=now.plan or tuple(stored.get("plan", ())),
        )
        changes = {} if now.epochs is None else {"epochs": now.epochs}
        run = cls(path, config, Recipe(**{**stored["recipe"], **changes}), stored["created"])
        run._check_data(stored["dataset"])
        try:
            run.model.load_state_dict(read_tensors(path / "model.safetensors"))
            run.restore(read_tensors(path / "optimizer.safetensors"))
            run.ended = [Part(**part) for part in stored.get("parts", [])]
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(f"{path} cannot be resumed: its files do not fit together ({error})") from error
        while run.goes_on and run._part_is_over():  # versions up to 0.2 did not say which parts had ended
            run.end_part()
        run.history, run.message = RunFiles(path).read_history(run.at.epoch)
        run.threads = stored.get("threads", run.threads)
        return run

    def _check_data(self, stored: dict[str, Any]) -> None:
        """Raises ValueError unless the data are those that the run began with."""
        count = len(self.train_set)
        if count != stored.get("train_images", count):
            raise ValueError(
                f"{self.path} cannot be resumed: {self.dataset} had {stored['train_images']:,} training images "
                f"and now has {count:,}"
            )
        for data in self.whole:
            if stored.get(f"{data.split}_sha256", data.fingerprint) != data.fingerprint:
                raise ValueError(
                    f"{self.path} cannot be resumed: the {data.split} images of {self.dataset} are others now"
                )

    @property
    def epochs(self) -> int:
        """How many epochs the run will have, unless it stops early; once it has ended, how many it has."""
        begun = self.ended[-1].until if self.ended else 0
        return min(begun + sum(self._lengths()[len(self.ended) :]), self.recipe.epochs)

    @property
    def goes_on(self) -> bool:
        """Whether there is anything left to train."""
        return len(self.ended) < len(self._lengths()) and self.at.epoch < self.recipe.epochs

    def stage(self) -> tuple[int, int, int]:
        """The stage that training is in, the first epoch of this part of it, and how many epochs the part has."""
        lengths = self._lengths()
        part = min(len(self.ended), len(lengths) - 1)
        begun = self.ended[part - 1].until if part else 0
        return min(part, len(self.model.stages(self._planned)) - 1), begun, lengths[part]

    @property
    def _planned(self) -> int:
        """The epochs that were planned first, of which the stages and the warm-up are shares."""
        return self.config.plan[0] if self.config.plan else self.recipe.epochs

    def _lengths(self) -> tuple[int, ...]:
        return *self.model.stages(self._planned), *self.config.plan[1:]

    def end_epoch(self, test: Mapping[str, Any]) -> bool:
        """Counts an epoch with its test metrics; says whether a part of the training ends with it."""
        at, recipe = self.at, self.recipe
        at.next_epoch()
        if recipe.patience or recipe.keep_best:
            score = test["elbo"] if self.model.has_prior else -test["loss"]
            if not at.best or score > at.score:
                at.best, at.score = at.epoch, score
                if recipe.keep_best:
                    at.best_weights = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        return self._part_is_over()

    def _part_is_over(self) -> bool:
        _, begun, length = self.stage()
        return self.at.epoch >= min(begun + length, self.recipe.epochs) or self._waited()

    def _waited(self) -> bool:
        """Whether no epoch was better for as long as the recipe has patience."""
        _, begun, _ = self.stage()
        since = max(begun, self.at.best, warmup_length(self.recipe, self._planned))
        return 0 < self.recipe.patience <= self.at.epoch - since

    def end_part(self) -> None:
        """Ends a part of the training, with its best weights if they are to be kept."""
        at, (stage, begun, length) = self.at, self.stage()
        if at.best_weights:
            self.model.load_state_dict(at.best_weights)
        until = min(at.epoch, begun + length)
        kept = at.best if at.best_weights else until
        self.ended.append(Part(stage=stage, until=until, kept=kept, waited=self._waited() and until < begun + length))
        at.best, at.score, at.best_weights = 0, 0.0, {}

    def finish(self, status: RunState) -> None:
        """Says how the run has ended, with which epoch's weights."""
        self.status = status
        score = "test ELBO is highest" if self.model.has_prior else "loss on the test images is lowest"
        recipe = self.recipe
        how = describe(self.ended, patience=recipe.patience, keep_best=recipe.keep_best, score=score)
        self.message = ". ".join(filter(None, (self.message, how)))

    def diverge(self, where: str, good: dict[str, Tensor], beta: float) -> None:
        """Goes back to the snapshot `good`, and says that training cannot go on, and what to do.

        Args:
            where: what was not finite, and when.
            good: the state of the last good epoch.
            beta: the KL's weight as it was then.
        """
        self.restore(good)
        self.status = RunState.FAILED
        last = "with which it was resumed" if self.at.step else f"of epoch {self.at.epoch}"
        kept = f"the weights are those {last}" if self.at.epoch else "there is no model"
        if not self._has_gradient(beta) and self._has_gradient(1.0):
            advice = f"beta is {beta:g}, which makes numbers too large to compute with: try a smaller one"
        else:
            advice = "try a lower learning rate"
        self.message = f"{where}: {kept}; {advice}"

    def _has_gradient(self, beta: float) -> bool:
        """Whether the objective's gradient can be computed as the model is, with that weight of the KL.

        Its square, too, which optimisers keep.
        """
        self.model.eval()  # batch norm shall not count these images
        images, labels = self.train_set.images[: self.recipe.batch_size], self.train_set.labels
        told = labels[: len(images)].to(self.device) if labels is not None and self.model.config.classes else None
        generator = torch.Generator(self.device).manual_seed(0)
        x = self.model.observe(to_float(images, self.device), generator)
        self.model.beta = beta
        weight = beta if self.model.beta_weighs_kl else 1.0
        loss = self.model.terms(x, generator, told).loss(weight, self.recipe.free_bits)
        gradient = torch.autograd.grad(loss, list(self.model.parameters()), allow_unused=True)
        return all(bool(g.square().sum().isfinite()) for g in gradient if g is not None)

    def beta_at(self, epoch: float) -> float:
        """The KL's weight after so many (fractional) epochs: the recipe's, and what the model has made of it by now."""
        return float(self.model.weight(self.recipe_beta(epoch)))

    def recipe_beta(self, epoch: float) -> float:
        """The recipe's beta after so many (fractional) epochs."""
        return beta_at(self.recipe, epoch, self._planned)

    def snapshot(self) -> dict[str, Tensor]:
        """All that the loop needs to go on from here, weights included, as named tensors."""
        weights = {f"model.{k}": v.detach().clone() for k, v in self.model.state_dict().items()}
        return {**saved_state.take(self.model, self.optimizer, self.at), **weights}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes back to a snapshot. Raises KeyError when it is not one of this model's."""
        saved_state.put_back(state, self.model, self.optimizer, self.at, seed=self.config.seed)
        if weights := {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}:
            self.model.load_state_dict(weights)


def model_config(recipe: Recipe, image_shape: tuple[int, int, int], classes: int = 0) -> ModelConfig:
    """Gives the network's config for a recipe, for images of a shape (C, H, W) and of so many classes."""
    shared = {f.name for f in fields(ModelConfig)} & {f.name for f in fields(Recipe)}
    settings = {name: getattr(recipe, name) for name in shared}
    told = FAMILIES[recipe.family].reads_classes(recipe)
    return ModelConfig(image_shape=image_shape, classes=classes if told else 0, **settings)
