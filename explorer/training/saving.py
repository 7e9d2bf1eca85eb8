"""What a run leaves behind: a checkpoint now and then, from which it can go on, and the last one."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from explorer import datasets
from explorer.checkpoints.folder import save as save_checkpoint
from explorer.latents import Latents, map_latents
from explorer.models.evaluation import Evaluation, evaluate
from explorer.training import saved_state
from explorer.training.experiment import Experiment
from explorer.training.presets import preset
from explorer.training.run_state import RunState

MOST_MAPPED = 10_000  # images of an own set, all of which are encoded and mapped: a UMAP of ten seconds
SAVE_SHARE = 0.03  # of the time that saving may take, however short the interval asked for; zero means every epoch


class Saver:
    """Writes the checkpoints of one run."""

    def __init__(self, run: Experiment) -> None:
        self.run = run
        self.half = False  # whether the weights are stored as float16: of a finished run, if it is asked for
        self._saved = time.monotonic()
        self._cost = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time to save again."""
        since = time.monotonic() - self._saved
        wanted = self.run.config.save_seconds
        return since >= wanted and (not wanted or since >= self._cost / SAVE_SHARE)

    def save(self) -> None:
        """Writes a checkpoint to resume from. Raises OSError."""
        started = time.monotonic()
        self._write(self.evaluate())
        self._saved = time.monotonic()
        self._cost = self._saved - started

    def finish(self, on_phase: Callable[[str], None]) -> dict[str, Any]:
        """Writes the last checkpoint, and gives its metrics; `on_phase` hears what is done. Raises OSError."""
        run = self.run
        finished = run.status is RunState.FINISHED
        self.half = finished and run.config.half
        if self.half:  # first: what is measured and encoded is then of the weights that are stored
            run.model.load_state_dict(self._weights())
        evaluation = self.evaluate()
        if finished:
            on_phase("mapping")
            if run.model.latent != 2 and run.config.umap:
                self._write(evaluation)  # UMAP takes ten seconds, in which the machine may die
        latents = self._latents(evaluation, final=finished)
        mapped = self._mapped(final=finished)
        on_phase("saving")
        return self._write(evaluation, latents, mapped, status=run.status)

    def evaluate(self) -> Evaluation:
        """Measures the model on the test images."""
        return evaluate(self.run.model, self.run.test_set.images, self.run.test_set.labels)

    def _latents(self, evaluation: Evaluation, *, final: bool) -> Latents:
        run = self.run
        data = run.test_set
        return self._laid_out(Latents.of(evaluation, data.labels, data.group, data.items), run.test_index, final)

    def _mapped(self, *, final: bool) -> Latents | None:
        """The codes of all images of a person's own data set; None of another set, and of a large one."""
        run = self.run
        if not datasets.is_own(run.dataset) or len(run.train_set) + len(run.test_set) > MOST_MAPPED:
            return None
        data = datasets.join_splits(run.train_set, run.test_set)
        found = evaluate(run.model, data.images, data.labels)
        index = torch.cat([run.train_index, run.test_index + len(run.whole[0])])
        return self._laid_out(Latents.of(found, data.labels, data.group, data.items), index, final)

    def _laid_out(self, latents: Latents, index: Tensor, final: bool) -> Latents:
        run = self.run
        latents = replace(latents, index=index, codebook=run.model.entries)
        return map_latents(latents, plane=run.model.has_plane, final=final, umap=run.config.umap, seed=run.config.seed)

    def _write(
        self,
        evaluation: Evaluation,
        latents: Latents | None = None,
        mapped: Latents | None = None,
        *,
        status: RunState = RunState.RUNNING,
    ) -> dict[str, Any]:
        run = self.run
        kept = status is not RunState.FINISHED or (run.config.train_on and not self.half)
        if not run.path.is_dir():
            raise FileNotFoundError(f"the run's folder {run.path} is gone")
        if latents is None:
            latents = self._latents(evaluation, final=False)
        metrics: dict[str, Any] = {
            **evaluation.metrics(run.beta_at(run.recipe.epochs)),
            "kl_by_latent": evaluation.kl_by_latent(),
            **({"figures": evaluation.figures} if evaluation.figures else {}),
            "measured_on": {"dataset": run.dataset, "split": "test", "device": str(run.device), "seed": 0},
        }
        tensors, metadata = latents.to_tensors()
        save_checkpoint(
            run.path,
            config=self._config(status),
            metrics=metrics,
            history=run.history,
            model=self._weights(),
            latents=tensors,
            latents_metadata=metadata,
            mapped=None if mapped is None else mapped.to_tensors(),
            resume=saved_state.take(run.model, run.optimizer, run.at) if kept else None,
        )
        return metrics

    def _weights(self) -> dict[str, Tensor]:
        """The network's tensors as they are stored; running statistics keep their precision."""
        weights = self.run.model.state_dict()
        if not self.half:
            return weights
        learnt = {name for name, _ in self.run.model.named_parameters()}
        return {k: v.half() if k in learnt else v for k, v in weights.items()}

    def _config(self, status: RunState) -> dict[str, Any]:
        run = self.run
        return {
            "created": run.created,
            "status": status,
            "message": run.message,
            "family": run.recipe.family,
            "model": run.model.config.to_json(),
            "preset": preset(run.config.preset).name,
            "recipe": asdict(run.recipe),
            "dataset": {
                "name": run.dataset,
                "train_images": len(run.train_set),
                "test_images": len(run.test_set),
                **{f"{data.split}_sha256": data.fingerprint for data in run.whole},
                **({} if run.config.only is None else {"only": run.config.only}),
            },
            "preprocessing": {"size": run.train_set.image_shape[1:], "channels": run.train_set.image_shape[0]},
            "classes": run.train_set.classes,
            "seed": run.config.seed,
            "device": str(run.device),
            "precision": run.precision,
            "threads": run.threads,
            "weights": "float16" if self.half else "float32",
            "epochs_done": run.at.epoch,
            **({"plan": run.config.plan} if run.config.plan else {}),
            "parts": [asdict(part) for part in run.ended],
            "seconds": round(run.at.seconds, 1),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }
